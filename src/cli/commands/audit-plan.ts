import { Argument, Command } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { addRateOption, addRegistryOptions, globalOptions, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { addClusterOptions, addSourceOptions } from "../source-options.ts";
import { SOURCE_ARGUMENT } from "./audit-sources.ts";

export function auditPlanCommand(context: Context): Command {
  const command = new Command("plan")
    .description(
      "Writes down what an audit would look at: every image that sources name, once, normalised and in one order, with the places" +
        " that name it and the time as of which all is judged. Nothing is judged yet.",
    )
    .addArgument(new Argument("<source...>", SOURCE_ARGUMENT))
    .action(async (sources: readonly string[], options: RawOptions, self: Command) => {
      const { planAudit } = await import("../audit-plan-action.ts");
      await planAudit(context, openOutput(context, globalOptions(self)), sources, options);
    });
  addSourceOptions(command);
  addClusterOptions(command);
  addRegistryOptions(command);
  addRateOption(command);
  return withManual(command, {
    formats: ["json", "text"],
    examples: [
      { command: "countersign audit plan deploy/ --output-file plan.json", purpose: "once, for all shards" },
      { command: "countersign audit plan deploy/ -o text", purpose: "what would be looked at?" },
    ],
    notes: [
      "The same mentions give the same plan, in whatever order sources are named; its digest is over all that is in it. A plan" +
        " that was changed since, or is of a newer version, is not taken.",
      "What cannot be read is a problem of the plan, with its place, and the exit code is 3. Every audit by the plan tells of it" +
        " again.",
    ],
    seeAlso: ["countersign audit", "countersign audit merge"],
  });
}
