import { Argument, Command, Option } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRegistryOptions, globalOptions, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addPinsOption } from "../tags-options.ts";

/** `countersign trust inspect REPO[:TAG]`. */
export function trustInspectCommand(context: Context): Command {
  const command = new Command("inspect")
    .description(
      "Shows a repository's signed tags: what each tag stands for, who says so and since when, who may sign, and what expires when.",
    )
    .addArgument(new Argument("<repository...>", "a repository, or one tag of it: registry.example/acme/app:1.4"))
    .addOption(
      new Option("--check-tag", "ask the registry as well what its own tags name, and which tags nobody signed"),
    )
    .addOption(new Option("--dct", "the JSON of docker trust inspect"))
    .action(async (repositories: readonly string[], options: RawOptions, self: Command) => {
      const { inspectTags } = await import("../tags-inspect-action.ts");
      await inspectTags(context, openOutput(context, globalOptions(self)), repositories, options);
    });
  addPinsOption(command);
  addRegistryOptions(command);
  return withManual(command, {
    examples: [
      { command: "countersign trust inspect registry.example/acme/app", purpose: "all of it" },
      { command: "countersign trust inspect --check-tag registry.example/acme/app:1.4", purpose: "has the tag moved?" },
      { command: "countersign trust inspect registry.example/acme/app -o json", purpose: "for a script" },
      {
        command: "countersign trust inspect --dct registry.example/acme/app",
        purpose: "for a script that read Docker's",
      },
    ],
    notes: [
      "Everything is verified from the first root on. Without a pin the report says so: it is consistent then, and nothing proves" +
        " whose it is.",
    ],
    seeAlso: ["countersign trust audit", "countersign inspect"],
  });
}
