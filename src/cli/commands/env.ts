import { Command } from "commander";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { globalOptions } from "../options.ts";
import { openOutput } from "../output.ts";

export function envCommand(context: Context): Command {
  const command = new Command("env")
    .description("Lists the environment variables that are read and their present values. Secrets are never shown.")
    .action(async (_options: unknown, self: Command) => {
      const { environmentResult } = await import("../environment-report.ts");
      await openOutput(context, globalOptions(self)).result(environmentResult(self.parent ?? self, context.env));
    });
  return withManual(command, {
    examples: [
      { command: "countersign env", purpose: "what is set, and what could be" },
      { command: "countersign env -o json", purpose: "the same for a script" },
    ],
    seeAlso: ["countersign help environment"],
  });
}
