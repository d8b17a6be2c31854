import { Argument, Command, Option } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { globalOptions, once } from "../options.ts";
import { openOutput } from "../output.ts";

export function whichCommand(context: Context): Command {
  const command = new Command("which")
    .description(
      "Says by which rule of a policy images are judged, and why the other rules that match are not the ones: from the" +
        " names alone. Opens no connection.",
    )
    .addArgument(new Argument("<image...>", "images, as verify takes them"))
    .addOption(new Option("--policy <file>", "the policy").argParser(once("--policy")))
    .action(async (images: readonly string[], { policy }: { readonly policy?: string }, self: Command) => {
      const { chooseRules } = await import("../policy-which-action.ts");
      await chooseRules(context, openOutput(context, globalOptions(self)), images, policy);
    });
  return withManual(command, {
    examples: [
      { command: "countersign policy which --policy policy.yaml registry.example/acme/app:1.4", purpose: "one image" },
      {
        command: "countersign policy which --policy policy.yaml nginx -o json",
        purpose: "for scripts; nginx is docker.io/library/nginx:latest",
      },
    ],
    notes: [
      "The most specific pattern decides, wherever in the file it is: one with a digest before one with a tag before others;" +
        " an exact repository before a prefix or a glob; of those, the one with more characters before its first wildcard," +
        " then with more that are no wildcards, then with fewer wildcards, then with fewer that cross slashes. Two between" +
        " which none of this decides make a policy that cannot be used, where any name could match both.",
      "Exit code 1: an image falls under no rule, and every command with that policy refuses it.",
    ],
    seeAlso: ["countersign policy check", "countersign verify"],
  });
}
