import type { Audit } from "../core/audit/audit.ts";
import { type Change, diffAudits } from "../core/audit/diff.ts";
import { DEFAULT_DIFF_FAIL_ON, failingChanges, parseDiffFailOn } from "../core/audit/diff-fail-on.ts";
import { CountersignError } from "../core/errors.ts";
import type { AuditStore } from "../io/store/audit-store.ts";
import { cautionsOf, describeDiff, diffText } from "../report/audit/diff.ts";
import { diffDocument } from "../report/audit/diff-json.ts";
import { diffMarkdown } from "../report/audit/diff-markdown.ts";
import { readAuditFile } from "./audit-files.ts";
import { askStore } from "./audit-store.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit-codes.ts";
import { type RawOptions, text } from "./options.ts";
import type { Output } from "./output.ts";
import { isSeenTwice } from "./verdicts.ts";

/** `countersign audit diff OLD NEW`, or of the last two runs of a store. */
export async function diffTwoAudits(
  context: Context,
  output: Output,
  files: readonly string[],
  raw: RawOptions,
): Promise<void> {
  const failOn = text(raw, "failOn");
  const wanted = failOn === undefined ? DEFAULT_DIFF_FAIL_ON : parseDiffFailOn(failOn);
  const [old, now] = await twoAudits(context, files, text(raw, "store"));
  const diff = diffAudits(old, now);
  await output.result({
    text: (style) => diffText(diff, style),
    json: () => diffDocument(diff),
    more: { markdown: () => diffMarkdown(diff) },
  });
  const failing = failingChanges(diff, wanted);
  if (!isSeenTwice(context, output)) {
    for (const caution of cautionsOf(diff)) output.warn(caution);
    if (failing.size > 0)
      context.stderr.stream.write(`countersign: worse than before: ${describeDiff(diff, failing)}\n`);
  }
  context.exitCode = exitCodeOf(failing);
}

function exitCodeOf(failing: ReadonlySet<Change>): ExitCode {
  if ([...failing].some((change) => change !== "undetermined")) return EXIT_CODES.refused;
  return failing.size === 0 ? EXIT_CODES.done : EXIT_CODES.undetermined;
}

async function twoAudits(
  context: Context,
  files: readonly string[],
  store: string | undefined,
): Promise<readonly [Audit, Audit]> {
  const [old, now] = files;
  if (store !== undefined && files.length === 0)
    return await askStore(context, store, (asked) => lastTwo(asked, store));
  if (store === undefined && old !== undefined && now !== undefined) {
    return [await readAuditFile(context, old, "audit diff"), await readAuditFile(context, now, "audit diff")];
  }
  throw new CountersignError("usage", "two audits are compared", {
    found: store === undefined ? `${files.length} named` : `--store ${store}, and ${files.length} named`,
    wanted: "OLD NEW, two files with audits in JSON; or --store FILE for its last two runs",
  });
}

/** Of what was audited last, and what was found there the time before. */
function lastTwo(store: AuditStore, label: string): readonly [Audit, Audit] {
  const [last] = store.latestRuns();
  const [now, old] = last === undefined ? [] : store.runsOf(last.scope);
  if (now !== undefined && old !== undefined) return [store.read(old), store.read(now)];
  throw new CountersignError("record-invalid", "the store has no two runs to compare", {
    found: last === undefined ? `no run in ${label}` : `one run of ${last.scope} in ${label}`,
    wanted: "two runs over the same sources",
    next: "audit the same sources again with --store, then compare",
  });
}
