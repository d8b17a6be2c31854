import { Argument, Command } from "commander";
import { CountersignError } from "../../core/errors.ts";
import type { Context } from "../context.ts";
import { fullName, withManual } from "../manual.ts";
import { globalOptions } from "../options.ts";
import { openOutput, type Result } from "../output.ts";

/** `countersign help [command…|topic]`. */
export function helpCommand(context: Context): Command {
  const command = new Command("help")
    .description(
      "Shows the page of a command, or one of the topics: reasons, exit-codes, environment, identities, attestations.",
    )
    .addArgument(new Argument("[name...]", "a command, such as key generate, or a topic"))
    .action(async (names: readonly string[], _options: unknown, self: Command) => {
      const { topicNamed } = await import("../topics.ts");
      const topic = names.length === 1 ? topicNamed(names[0] ?? "") : undefined;
      const result = topic ?? (await pageResult(pageOf(self.parent ?? self, names)));
      await openOutput(context, globalOptions(self)).result(result);
    });
  return withManual(command, {
    formats: ["text", "json", "man"],
    examples: [
      { command: "countersign help verify", purpose: "the page of one command" },
      { command: "countersign help verify -o man | man -l -", purpose: "the same as a man page" },
      { command: "countersign help reasons", purpose: "every reason a verdict can give, and what to do about it" },
      { command: "countersign help exit-codes -o json", purpose: "the exit codes, for a script" },
    ],
  });
}

/** A command's page as a result: what `--help` prints, or roff. */
async function pageResult(command: Command): Promise<Result> {
  const { manPage } = await import("../docs.ts");
  return {
    text: () => helpText(command),
    json: () => {
      throw new CountersignError("usage", "the page of a command has no JSON form", {
        found: "-o json",
        wanted: "-o text or -o man; the topics have one",
      });
    },
    more: { man: () => manPage(command) },
  };
}

/** What commander would print. */
function helpText(command: Command): string {
  const parts: string[] = [];
  const before = command.configureOutput();
  command.configureOutput({ ...before, writeOut: (text) => void parts.push(text) }).outputHelp();
  command.configureOutput(before);
  return parts.join("");
}

/** The command that `names` lead to from the root. @throws CountersignError `usage` where there is none. */
function pageOf(root: Command, names: readonly string[]): Command {
  return names.reduce((command, name) => {
    const child = command.commands.find((one) => one.name() === name || one.aliases().includes(name));
    if (child !== undefined) return child;
    throw new CountersignError("usage", "there is no such page of help", {
      found: `${fullName(command)} ${name}`,
      wanted: "a command, or one of: reasons, exit-codes, environment, identities",
    });
  }, root);
}
