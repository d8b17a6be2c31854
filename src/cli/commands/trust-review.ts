import { Argument, Command, Option } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, globalOptions, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addPinsOption, REPOSITORY_ARGUMENT } from "../tags-options.ts";

/** `countersign trust diff REPO`. */
export function trustDiffCommand(context: Context): Command {
  const command = new Command("diff")
    .description("Shows what would change if what is staged and what waits for signatures were published now.")
    .addArgument(new Argument("<repository>", REPOSITORY_ARGUMENT))
    .addOption(
      new Option("--from <head>", "what has changed since this head: its digest, or previous for the one before"),
    )
    .action(async (repository: string, options: RawOptions, self: Command) => {
      const { diffTags } = await import("../tags-diff-action.ts");
      await diffTags(context, openOutput(context, globalOptions(self)), repository, options);
    });
  addPinsOption(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      { command: "countersign trust diff registry.example/acme/app", purpose: "before countersign trust approve" },
      {
        command: "countersign trust diff --from sha256:4f0c… registry.example/acme/app",
        purpose: "what has changed since then?",
      },
    ],
    notes: ["Old heads are listed by countersign trust inspect -o json, for as long as the registry has them."],
    seeAlso: ["countersign trust approve", "countersign trust inspect"],
  });
}

/** `countersign trust audit REPO…`. */
export function trustAuditCommand(context: Context): Command {
  const command = new Command("audit")
    .description(
      "Looks over signed tags as their publisher: replays every root, looks for writes that were lost, for tags of the registry that" +
        " name something else, and for what expires soon.",
    )
    .addArgument(new Argument("<repository...>", REPOSITORY_ARGUMENT))
    .action(async (repositories: readonly string[], options: RawOptions, self: Command) => {
      const { auditTags } = await import("../tags-audit-action.ts");
      await auditTags(context, openOutput(context, globalOptions(self)), repositories, options);
    });
  addPinsOption(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      { command: "countersign trust audit registry.example/acme/app", purpose: "is all as it should be?" },
      { command: "countersign trust audit registry.example/acme/app -o json", purpose: "for a pipeline" },
    ],
    notes: [
      "Exit code 1: something does not verify or was rolled back. 3: something could not be looked at, or was written and never" +
        " published.",
    ],
    seeAlso: ["countersign trust inspect", "countersign trust refresh"],
  });
}
