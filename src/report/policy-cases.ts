import type { CaseResult } from "../core/cases/case-result.ts";
import type { RecordedImage } from "../core/cases/recorded.ts";
import { explainFinding } from "../core/explain.ts";
import { printable } from "../core/printable.ts";
import type { Verdict } from "../core/verify/verdict.ts";
import { plural } from "./amounts.ts";
import { findingMember, formatDocument, verdictMember } from "./json.ts";
import { PLAIN, type Style } from "./style.ts";
import { formatBlock, HEADING_WIDTH, type Row } from "./text.ts";

const MARKS: Readonly<Record<CaseResult["outcome"], { readonly word: string; readonly style: keyof Style }>> = {
  passed: { word: "ok", style: "accepted" },
  failed: { word: "FAILED", style: "refused" },
  unreadable: { word: "UNREADABLE", style: "undetermined" },
};
const WORD_WIDTH = 12;

/** A line for each case, what differs below it, and a tally at the end. `all`: those that passed too. */
export function casesText(results: readonly CaseResult[], style: Style = PLAIN): string {
  const tally = tallyOfCases(results);
  return [
    ...results.flatMap((result) => caseLines(result, style)),
    "",
    [
      `${plural(results.length, "case")}: ${tally.passed} passed`,
      ...(tally.failed === 0 ? [] : [`${tally.failed} failed`]),
      ...(tally.unreadable === 0 ? [] : [`${tally.unreadable} unreadable`]),
    ].join(", "),
    "",
  ].join("\n");
}

function caseLines(result: CaseResult, style: Style): readonly string[] {
  const { name, about, outcome, differences, finding, verdict } = result;
  const { word, style: dress } = MARKS[outcome];
  const head = `${style[dress](word.padEnd(WORD_WIDTH))}${printable(name)}`;
  if (outcome === "passed") return [head];
  const [reason] = verdict?.reasons ?? [];
  return [
    `${head}${about === undefined ? "" : `: ${printable(about)}`}`,
    ...differences.flatMap(({ what, expected, actual }) => [
      `  ${style.label(what.padEnd(WORD_WIDTH - 2))}expected ${printable(expected)}`,
      `  ${" ".repeat(WORD_WIDTH - 2)}actual   ${printable(actual)}`,
    ]),
    ...(reason === undefined
      ? []
      : [`  ${style.label("because".padEnd(WORD_WIDTH - 2))}${printable(explainFinding(reason))}`]),
    ...(finding === undefined
      ? []
      : [`  ${style.label("because".padEnd(WORD_WIDTH - 2))}${printable(explainFinding(finding))}`]),
  ];
}

export function tallyOfCases(results: readonly CaseResult[]): Readonly<Record<CaseResult["outcome"], number>> {
  const tally = { passed: 0, failed: 0, unreadable: 0 };
  for (const { outcome } of results) tally[outcome] += 1;
  return tally;
}

/** What was recorded as a new case. */
export function recordedText(folder: string, recorded: RecordedImage, verdict: Verdict, style: Style = PLAIN): string {
  const { candidates, obstacles } = counts(recorded);
  const [reason] = verdict.reasons;
  const rows: readonly Row[] = [
    ["image", verdict.name],
    ["verdict", `${verdict.status}${reason === undefined ? "" : `: ${explainFinding(reason)}`}`],
    ["evidence", `${plural(candidates, "piece")}${obstacles === 0 ? "" : `, and ${obstacles} that could not be read`}`],
  ];
  return formatBlock(`${style.accepted("recorded".padEnd(HEADING_WIDTH))}${printable(folder)}`, rows, style);
}

function counts({ subjects }: RecordedImage): { readonly candidates: number; readonly obstacles: number } {
  return {
    candidates: subjects.reduce((sum, { candidates }) => sum + candidates.length, 0),
    obstacles: subjects.reduce((sum, { obstacles }) => sum + obstacles.length, 0),
  };
}

/** docs/schemas/policy-test.json. */
export function recordedDocument(folder: string, recorded: RecordedImage, verdict: Verdict): string {
  return formatDocument("policy test", {
    recorded: { case: folder, ...counts(recorded), verdict: verdictMember(verdict) },
  });
}

/** docs/schemas/policy-test.json. */
export function casesDocument(results: readonly CaseResult[]): string {
  return formatDocument("policy test", { summary: tallyOfCases(results), cases: results.map(caseMember) });
}

function caseMember(result: CaseResult): Readonly<Record<string, unknown>> {
  const { name, about, outcome, differences, verdict, finding } = result;
  return {
    case: name,
    about,
    outcome,
    differences,
    verdict: verdict && verdictMember(verdict),
    finding: finding && findingMember(finding),
  };
}
