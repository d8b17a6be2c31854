import { Argument, Command, Option } from "commander";
import { addCaseOptions } from "../case-options.ts";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { globalOptions, once, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";

export function testCommand(context: Context): Command {
  const command = new Command("test")
    .description(
      "Runs the cases of a policy: folders with recorded evidence of an image and the verdict that is expected. No" +
        " connection is opened. With --record, makes a new case of what the policy says of an image now.",
    )
    .addArgument(new Argument("<dir...>", "folders with cases, at any depth; with --record, the new case"))
    .addOption(
      new Option("--record <image>", "record everything that is stored about this image as a new case").argParser(
        once("--record"),
      ),
    )
    .action(async (folders: readonly string[], options: RawOptions, self: Command) => {
      const { test } = await import("../policy-test-action.ts");
      await test(context, openOutput(context, globalOptions(self)), folders, options);
    });
  addCaseOptions(command, "judge by this policy instead of each case's own; with --record, the policy of the new case");
  return withManual(command, {
    examples: [
      { command: "countersign policy test cases", purpose: "all cases below a folder" },
      { command: "countersign policy test --policy new.yaml cases", purpose: "does a change break any of them?" },
      {
        command:
          "countersign policy test --record registry.example/acme/app:1.4.2 --policy policy.yaml cases/app-1.4.2",
        purpose: "a new case; nothing is overwritten",
      },
    ],
    notes: [
      "A case is a folder with expected.yaml, evidence.json and policy.yaml. expected.yaml has verdict: accepted, refused or" +
        " undetermined; reasons: all codes, each once, in the verdict's order, or reason: the first alone; warnings: all" +
        " codes, and none where it is absent; rule: the name or the pattern of the rule that decides; or error: the code with" +
        " which the policy cannot be used. policy: and evidence: name other files than those, now: another time than that of" +
        " the record, platform: one of an index.",
      "What a policy names is beside it. Trust roots that it does not hold are beside the case: NAME.trusted_root.json for" +
        " an instance, trusted_root.json for all others. Configuration and cache of this machine decide nothing.",
      "Exit code 1: a case differs. Exit code 2: one cannot be read or its policy cannot be used, or there is none.",
    ],
    seeAlso: ["countersign policy explain", "countersign policy check", "docs/policy.md"],
  });
}
