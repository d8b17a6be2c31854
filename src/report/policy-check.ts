import { nextStep } from "../core/explain.ts";
import type { PolicyCheck, PolicyProblem } from "../core/policy/check.ts";
import { type Place, placeName } from "../core/policy/document.ts";
import type { LintFinding } from "../core/policy/lint.ts";
import { printable } from "../core/printable.ts";
import { plural } from "./amounts.ts";
import { findingMember, formatDocument } from "./json.ts";
import type { Style } from "./style.ts";
import { formatRows, HEADING_WIDTH, type Row } from "./text.ts";

/** docs/schemas/policy-check.json. */
export function policyChecksDocument(checks: readonly PolicyCheck[]): string {
  return formatDocument("policy check", { policies: checks.map(checkMember) });
}

function checkMember({ label, document, problems, findings }: PolicyCheck): Readonly<Record<string, unknown>> {
  return {
    policy: label,
    digest: document?.digest ?? null,
    usable: problems.length === 0,
    rules: document?.rules.length,
    identities: document?.identities.size,
    problems: problems.map(({ finding, place }) => ({ ...findingMember(finding), at: atMember(place) })),
    findings: findings.map(({ code, severity, message, next, place }) => {
      return { code, severity, message, next, at: atMember(place) };
    }),
  };
}

export function atMember(place: Place | undefined): { readonly line: number; readonly column: number } | null {
  return place === undefined ? null : { line: place.line, column: place.column };
}

/** A block for each policy: what keeps it from being used, then what to look at. */
export function policyChecksText(checks: readonly PolicyCheck[], style: Style): string {
  return checks.map((check) => checkText(check, style)).join("\n");
}

function checkText({ label, document, problems, findings }: PolicyCheck, style: Style): string {
  const isUsable = problems.length === 0 && document !== undefined;
  const status = (isUsable ? "usable" : "not usable").padEnd(HEADING_WIDTH);
  const heading = `${isUsable ? style.accepted(status) : style.refused(status)}${printable(label)}`;
  const size = isUsable ? [sizeRow(document.rules.length, document.identities.size)] : [];
  const rows = [...size, ...problems.flatMap(problemRows), ...findings.flatMap(findingRows)];
  return `${heading}\n${formatRows(rows, style)}`;
}

function sizeRow(rules: number, identities: number): Row {
  return ["holds", `${plural(rules, "rule")}, ${identities} ${identities === 1 ? "identity" : "identities"}`];
}

function problemRows({ finding, place }: PolicyProblem): readonly Row[] {
  const { message, found, wanted } = finding;
  const isPlaced = place !== undefined && found?.startsWith(`${placeName(place)}:`) === true;
  const where = place === undefined || isPlaced ? "" : `${placeName(place)}: `;
  const what = found === undefined ? message : isPlaced ? found : `${message}: ${found}`;
  return [
    ["problem", `${where}${what}`],
    ...(wanted === undefined ? [] : [["wanted", wanted] as const]),
    ...(isPlaced ? [] : [["next", nextStep(finding)] as const]),
  ];
}

function findingRows({ code, severity, message, next, place }: LintFinding): readonly Row[] {
  return [
    [severity, `${placeName(place)}: ${message} [${code}]`],
    ["next", next],
  ];
}
