import { Argument, Command } from "commander";
import { AUDIT_FORMATS, addReportOptions } from "../audit-options.ts";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { globalOptions, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";

export function auditMergeCommand(context: Context): Command {
  const command = new Command("merge")
    .description(
      "Puts the parts of an audit together, as --shard made them and -o json wrote them: the same bytes as the audit of one" +
        " process, in whatever order they are named. A part that is missing, is there twice, or belongs to another audit is an error.",
    )
    .addArgument(new Argument("<shard...>", "files with the parts, as audit --shard -o json prints them"))
    .action(async (files: readonly string[], options: RawOptions, self: Command) => {
      const { mergeAudits } = await import("../audit-merge-action.ts");
      await mergeAudits(context, openOutput(context, globalOptions(self)), files, options);
    });
  addReportOptions(command);
  return withManual(command, {
    formats: AUDIT_FORMATS,
    examples: [
      {
        command: "countersign audit merge shard-1.json shard-2.json -o html --output-file audit.html",
        purpose: "one report",
      },
      { command: "countersign audit merge shards/*.json -o json --fail-on refused", purpose: "for a script" },
      {
        command: "countersign audit merge audit.json -o sarif --output-file audit.sarif",
        purpose: "another form of a whole audit, without asking anybody again",
      },
    ],
    notes: [
      "Parts belong together when they were made from one plan, with the same number of parts, and what was required was the same:" +
        " keys, identities, trust roots, flags, the policy and what it names. The plan is made again from the parts and has to have" +
        " the digest that they name, so that no image can be missing from them.",
      "A whole audit, as audit -o json prints it, is taken alone: to give it another form, or judge it by another --fail-on.",
      "Exit codes are those of the whole audit. Opens no connection.",
    ],
    seeAlso: ["countersign audit", "countersign audit plan"],
  });
}
