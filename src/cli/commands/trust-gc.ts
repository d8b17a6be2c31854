import { Argument, Command, Option } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, count, globalOptions, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addPinsOption, REPOSITORY_ARGUMENT, span } from "../tags-options.ts";

/** `countersign trust gc REPO`. */
export function trustGcCommand(context: Context): Command {
  const command = new Command("gc")
    .description(
      "Removes old heads of the metadata from the registry, and tags that waited for what is published by now.",
    )
    .addArgument(new Argument("<repository>", REPOSITORY_ARGUMENT))
    .addOption(new Option("--keep <n>", "keep this many old heads (default: 10)").argParser(count("--keep", 0)))
    .addOption(
      new Option("--older-than <duration>", "and those that are younger than this (default: 30d)").argParser(
        span("--older-than"),
      ),
    )
    .addOption(new Option("--dry-run", "only say what would be removed"))
    .action(async (repository: string, options: RawOptions, self: Command) => {
      const { collectGarbage } = await import("../tags-gc-action.ts");
      await collectGarbage(context, openOutput(context, globalOptions(self)), repository, options);
    });
  addPinsOption(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      { command: "countersign trust gc --dry-run registry.example/acme/app", purpose: "what would go?" },
      { command: "countersign trust gc --keep 3 registry.example/acme/app", purpose: "keep three old heads" },
    ],
    notes: [
      "Nothing needs it: an old head is two or three KiB. The current head names everything that is needed, and is never touched;" +
        " no key is needed either, only a login that may delete.",
      "A registry that lets nothing be deleted is told so, with exit code 3.",
    ],
    seeAlso: ["countersign trust audit"],
  });
}
