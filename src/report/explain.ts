import type { Finding } from "../core/errors.ts";
import { explainFinding, formatName, nextStep, originName } from "../core/explain.ts";
import { SIGNATURE_PREDICATE } from "../core/formats/envelope.ts";
import { describeType } from "../core/formats/predicates.ts";
import { platformName } from "../core/oci/platform.ts";
import { placeName } from "../core/policy/document.ts";
import type { RuleMatch } from "../core/policy/images.ts";
import { printable } from "../core/printable.ts";
import type {
  ExplainedEvidence,
  ExplainedRequirement,
  Explanation,
  NearestEvidence,
  SubjectExplanation,
} from "../core/review/explanation.ts";
import { describeAge, type Instant } from "../core/time.ts";
import { describeIdentity } from "../core/trust/identity-mismatch.ts";
import { describeSignedBy, type SignedBy, shortFingerprint, type VerdictStatus } from "../core/verify/verdict.ts";
import { PLAIN, type Style } from "./style.ts";
import { formatBlock, formatRows, HEADING_WIDTH, type Row } from "./text.ts";

/** What stands before a part of a tree, and how the tree is drawn. */
export interface Marks {
  readonly status: Readonly<Record<VerdictStatus, string>>;
  readonly branch: string;
  readonly last: string;
  readonly beside: string;
}

export const UNICODE_MARKS: Marks = {
  status: { accepted: "✓", refused: "✗", undetermined: "?" },
  branch: "├── ",
  last: "└── ",
  beside: "│   ",
};

/** For terminals that show nothing else. */
export const ASCII_MARKS: Marks = {
  status: { accepted: "[ok]", refused: "[no]", undetermined: "[??]" },
  branch: "|-- ",
  last: "`-- ",
  beside: "|   ",
};

/** Which rule, all of the evidence, and what became of each part of the requirement. */
export function explanationText(explanation: Explanation, style: Style = PLAIN, marks: Marks = UNICODE_MARKS): string {
  const { verdict, rules, subjects, problems } = explanation;
  const [first] = verdict.reasons;
  const code = first === undefined ? "" : `   ${style.heading(first.code)}`;
  const heading = `${style[verdict.status](verdict.status.padEnd(HEADING_WIDTH))}${printable(verdict.name)}${code}`;
  const rows: readonly Row[] = [
    ...ruleRows(explanation, rules),
    ...capped(verdict.reasons, REASONS_SHOWN).map((reason): Row => ["because", reason]),
    ...(first === undefined ? [["because", verdict.because ?? "every requirement is met"] as const] : []),
    ...(verdict.warnings ?? []).map((warning): Row => ["warning", explainFinding(warning)]),
    ...problems.map((problem): Row => ["not read", explainFinding(problem)]),
    ...(first === undefined ? [] : [["next", nextStep(first)] as const]),
  ];
  const parts = subjects.map((each) => subjectText(each, subjects.length > 1, verdict.judgedAt, style, marks));
  return [formatBlock(heading, rows, style), ...parts].join("\n");
}

/** Who can write into a registry can store as much as fits. */
const EVIDENCE_SHOWN = 64;
const REASONS_SHOWN = 8;

function capped(findings: readonly Finding[], most: number): readonly string[] {
  const more = findings.length - most;
  const shown = findings.slice(0, most).map(explainFinding);
  return more > 0 ? [...shown, `${more} more, all of them with -o json`] : shown;
}

function moreRow(more: number): Row {
  return ["more", `${more} more, all of them with -o json`];
}

function ruleRows({ verdict: { policy } }: Explanation, [decides, ...others]: readonly RuleMatch[]): readonly Row[] {
  if (decides === undefined) return [["rule", `none${policy === undefined ? "" : ` of ${policy.label}`}`]];
  return [
    ["rule", `${describeRule(decides)}${decides.rule.mode === "warn" ? ", which only warns" : ""}`],
    ...others.map((other): Row => ["passed over", `${describeRule(other)}: less specific`]),
  ];
}

function describeRule({ rule: { name, place }, pattern }: RuleMatch): string {
  return `${placeName(place)}${name === undefined ? "" : ` ${JSON.stringify(name)}`}, for ${pattern.text}`;
}

function subjectText(
  explained: SubjectExplanation,
  isOneOfSeveral: boolean,
  now: Instant,
  style: Style,
  marks: Marks,
): string {
  const { subject, evidence, obstacles, requirement, status } = explained;
  const mark = style[status](marks.status[status]);
  const { platform: runs } = subject.descriptor;
  const platform = runs === undefined ? "" : ` ${platformName(runs)}`;
  const rows: readonly Row[] = [
    ...evidence
      .slice(0, EVIDENCE_SHOWN)
      .map((each): Row => [`${each.number}${each.counts ? " counts" : ""}`, describeEvidence(each, now)]),
    ...(evidence.length > EVIDENCE_SHOWN ? [moreRow(evidence.length - EVIDENCE_SHOWN)] : []),
    ...capped(obstacles, REASONS_SHOWN).map((obstacle): Row => ["not seen", obstacle]),
    ...(evidence.length + obstacles.length === 0 ? [["none", "nothing is stored as evidence"] as const] : []),
  ];
  return [
    ...(isOneOfSeveral ? [`${mark} ${style.heading(printable(`${subject.name}${platform}`))}\n`] : []),
    `${style.heading("evidence")}\n${formatRows(rows, style)}`,
    `${style.heading("requirement")}\n${treeLines(requirement, style, marks)
      .map((line) => `  ${line}\n`)
      .join("")}`,
  ].join("");
}

// --- evidence ---------------------------------------------------------------------------------------------------------

function describeEvidence(evidence: ExplainedEvidence, now: Instant): string {
  const { format, origin, carried, isAboutSubject } = evidence;
  const where = `${formatName(format)} from ${originName(origin)}`;
  if (!("claim" in carried))
    return `${where}: ${describeClaims(evidence)}not proven: ${explainFinding(carried.finding)}`;
  const { signedBy, proof, claim, unproven } = carried;
  return [
    `${where}: ${describeKind(claim.predicateType)} by ${describeSignedBy(signedBy)}${asNamed(signedBy)}`,
    ...(proof?.signedAt === undefined ? [] : [describeAge(proof.signedAt, now)]),
    proof?.trust === undefined ? "proven by the key alone" : `proven by ${proof.trust}`,
    ...(isAboutSubject === false ? [`about another image: ${claim.subjects.join(" and ") || "none"}`] : []),
    ...(unproven === undefined ? [] : [`not proven beside it: ${explainFinding(unproven)}`]),
  ].join(", ");
}

function describeKind(predicateType: string): string {
  return predicateType === SIGNATURE_PREDICATE ? "signature" : `attestation ${describeType(predicateType)}`;
}

/** What the policy calls whoever it names. */
function asNamed({ terms }: SignedBy): string {
  return terms === undefined ? "" : `, ${terms.name} of the policy`;
}

/** Anybody may have written it. */
function describeClaims({ carried, claims }: ExplainedEvidence): string {
  if (claims?.identity !== undefined) return `claims to be by ${describeIdentity(claims.identity)}, `;
  const hint = "envelope" in carried ? carried.envelope?.keyHint : undefined;
  const bytes = hint === undefined ? undefined : Buffer.from(hint, "base64");
  if (bytes?.byteLength !== 32) return "";
  return `claims to be by key ${shortFingerprint(`SHA256:${bytes.toString("hex")}`)}, `;
}

// --- the requirement --------------------------------------------------------------------------------------------------

function treeLines(part: ExplainedRequirement, style: Style, marks: Marks): readonly string[] {
  const children = part.of.map((each) => treeLines(each, style, marks));
  const hasChildren = children.length > 0;
  const own = [firstLine(part, style, marks), ...whyLines(part).map((line) => indentWhy(line, hasChildren, marks))];
  const below = children.flatMap((lines, at) => {
    const isLast = at === children.length - 1;
    return lines.map((line, row) => {
      const first = isLast ? marks.last : marks.branch;
      return `${row === 0 ? first : isLast ? "    " : marks.beside}${line}`;
    });
  });
  return [...own, ...below];
}

function indentWhy(line: string, hasChildren: boolean, marks: Marks): string {
  return `${hasChildren ? marks.beside : "    "}${line}`;
}

function firstLine({ status, wanted, metBy, place }: ExplainedRequirement, style: Style, marks: Marks): string {
  const where = place === undefined ? "" : `  ${style.label(printable(placeName(place)))}`;
  const who = metBy.length === 0 ? "" : `: met by ${metBy.join(", ")}`;
  return `${style[status](marks.status[status])} ${printable(`${wanted}${who}`)}${where}`;
}

/** Of a part that is not met: what came nearest to it, or why nothing did. What its own parts say is said there. */
function whyLines({ kind, status, reasons, nearest, of }: ExplainedRequirement): readonly string[] {
  if (status === "accepted") return [];
  if (nearest !== undefined)
    return [printable(`nearest: evidence ${nearest.evidence}, which differs in ${differs(nearest)}`)];
  const [reason] = of.length === 0 || kind === "threshold" ? reasons : [];
  return reason === undefined ? [] : [printable(explainFinding(reason))];
}

function differs({ field, found, wanted, finding }: NearestEvidence): string {
  const sides = [
    ...(found === undefined ? [] : [`found ${found}`]),
    ...(wanted === undefined ? [] : [`wanted ${wanted}`]),
  ].join(", ");
  return `its ${field}: ${sides === "" ? finding.message : sides} [${finding.code}]`;
}
