import { Argument, Command, Option } from "commander";
import { CHANGES } from "../../core/audit/diff.ts";
import { DEFAULT_DIFF_FAIL_ON } from "../../core/audit/diff-fail-on.ts";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { globalOptions, once, type RawOptions } from "../options.ts";
import { openOutput } from "../output.ts";
import { askedStore, storeOption } from "../store-option.ts";

export function auditDiffCommand(context: Context): Command {
  const command = new Command("diff")
    .description(
      "Says what is different between two audits: what is newly refused, whose signatures were lost, changed and gained, which" +
        " tags and pins moved, and what runs it. Opens no connection.",
    )
    .addArgument(
      new Argument("[audit...]", "OLD and NEW: files with audits, as audit -o json prints them; - is standard input"),
    )
    .addOption(storeOption("compare the last two runs over the same sources in this store"))
    .addOption(
      new Option(
        "--fail-on <list>",
        `what counts as worse: any of ${CHANGES.join(", ")}; or none (default: ${DEFAULT_DIFF_FAIL_ON.join(", ")})`,
      ).argParser(once("--fail-on")),
    )
    .action(async (files: readonly string[], options: RawOptions, self: Command) => {
      const { diffTwoAudits } = await import("../audit-diff-action.ts");
      const store = askedStore(self, options, files);
      await diffTwoAudits(context, openOutput(context, globalOptions(self)), files, { ...options, store });
    });
  return withManual(command, {
    formats: ["text", "json", "markdown"],
    examples: [
      { command: "countersign audit diff last-week.json today.json", purpose: "two audits in files" },
      { command: "countersign audit diff --store audits.db", purpose: "the last two that were kept" },
      {
        command: "countersign audit diff main.json branch.json -o markdown",
        purpose: "for a comment on a pull request",
      },
    ],
    notes: [
      "An image is the same one in both audits where its reference is the same, or differs only in its pin. unpinned: it names no" +
        " digest any more; pin-moved: another one; tag-moved: its tag stands for other bytes; drift: it is pinned, and its tag" +
        " newly stands for others; unseen: nothing names it any more, but not all could be read where it was.",
      "Signers are those whose signatures were accepted. Of an image that could not be looked at, none is lost or new.",
      "Two audits that asked for different things are compared all the same, and said to be: a verdict may differ for that alone.",
      "Exit code 1: something got worse. 3: nothing else did, but something could be looked at before and cannot be now.",
    ],
    seeAlso: ["countersign audit", "docs/audits.md"],
  });
}
