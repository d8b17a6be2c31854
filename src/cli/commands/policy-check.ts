import { Argument, Command, Option } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { globalOptions } from "../options.ts";
import { openOutput } from "../output.ts";

interface CheckOptions {
  readonly strict?: boolean;
  readonly config?: string;
}

export function checkCommand(context: Context): Command {
  const command = new Command("check")
    .description(
      "Reads policies as verify would, and says all that is wrong with them: what cannot be read, names that nobody has," +
        " thresholds that cannot be met, rules between which nothing decides, conditions and patterns that do not compile," +
        " keys and trust roots that are not there. Then what to look at: patterns that are met by others too, exceptions" +
        " that have expired, rules that only warn. Opens no connection.",
    )
    .addArgument(new Argument("<file...>", "policies"))
    .addOption(new Option("--strict", "exit with 1 for warnings too"))
    .addOption(new Option("--config <file>", "read this configuration, which names trust instances"))
    .action(async (files: readonly string[], { strict, config }: CheckOptions, self: Command) => {
      const { checkPolicies } = await import("../policy-check-action.ts");
      await checkPolicies(context, openOutput(context, globalOptions(self)), files, {
        strict: strict === true,
        config,
      });
    });
  return withManual(command, {
    examples: [
      { command: "countersign policy check policy.yaml", purpose: "before it is used" },
      { command: "countersign policy check --strict policies/*.yaml", purpose: "in a pipeline: warnings fail" },
    ],
    notes: [
      "Exit code 2: a policy cannot be used, and every command that is given it refuses to start. Exit code 1: it can be" +
        " used, and accepts what cannot have been meant or asks for what cannot be met; with --strict, also for warnings." +
        " Notes never fail.",
    ],
    seeAlso: ["countersign policy which", "docs/policy.md"],
  });
}
