import type { Finding } from "../core/errors.ts";
import { describeSigner, explainFinding, formatName, nextStep, originName } from "../core/explain.ts";
import { describeType } from "../core/formats/predicates.ts";
import { printable } from "../core/printable.ts";
import { describeRoot } from "../core/tags/signed-tag-words.ts";
import { describeAge, formatInstant, type Instant } from "../core/time.ts";
import { describeRule } from "../core/verify/decide.ts";
import type { SignatureReport, Verdict } from "../core/verify/verdict.ts";
import { PLAIN, type Style } from "./style.ts";

/** Column of the image's name, and of a label's value two columns further in. */
export const HEADING_WIDTH = 14;
const LABEL_WIDTH = 14;
/** Reasons beyond the first that are listed; an attacker can add as much junk as a registry takes. */
const REASONS_SHOWN = 4;
const SIGNERS_SHOWN = 16;
const WARNINGS_SHOWN = 8;
const DAY_MS = 24 * 60 * 60 * 1000;

export type Row = readonly [label: string, value: string];

/** A block as CLI.md lays it out: a heading, then labelled rows. */
export function formatBlock(heading: string, rows: readonly Row[], style: Style = PLAIN): string {
  return `${heading}\n${formatRows(rows, style)}`;
}

/** Labelled rows. Values are escaped here. */
export function formatRows(rows: readonly Row[], style: Style = PLAIN): string {
  return rows.map(([label, value]) => `  ${labelOf(label, style)}${printable(value)}\n`).join("");
}

const WARNING = "warning";

/** A warning is not to be missed in an acceptance. */
function labelOf(label: string, style: Style): string {
  const padded = label.padEnd(LABEL_WIDTH);
  return label === WARNING ? style.undetermined(padded) : style.label(padded);
}

/** One verdict as a block. */
export function verdictText(verdict: Verdict, style: Style = PLAIN): string {
  const status = style[verdict.status](verdict.status.padEnd(HEADING_WIDTH));
  const [first] = verdict.reasons;
  const code = first === undefined ? "" : `   ${style.heading(first.code)}`;
  const rows = verdict.status === "accepted" ? acceptedRows(verdict) : doubtRows(verdict);
  return formatBlock(`${status}${printable(verdict.name)}${code}`, [...rows, ...weakenedRows(verdict)], style);
}

/** All verdicts of a call, in the order in which the images were named. */
export function verdictsText(verdicts: readonly Verdict[], style: Style = PLAIN): string {
  return verdicts.map((verdict) => verdictText(verdict, style)).join("\n");
}

function acceptedRows(verdict: Verdict): readonly Row[] {
  const accepted = verdict.signatures.filter((signature) => signature.accepted);
  return [
    ...signedTagRows(verdict),
    ...signerRows(accepted, verdict.judgedAt),
    ...attestationRows(accepted),
    ...annotationRows(accepted),
    ...platformRows(verdict),
    ...listRow("checked", verdict.checked),
    ...listRow("not checked", verdict.notChecked),
    ...trustRows(verdict),
    ...(verdict.because === undefined ? [] : [["because", verdict.because] as const]),
    ...warningRows(verdict),
    ...policyRows(verdict),
  ];
}

/** Refused and undetermined: the nearest reason in full, the others on a line each. */
function doubtRows(verdict: Verdict): readonly Row[] {
  const [first, ...others] = verdict.reasons;
  if (first === undefined) return [];
  const shown = others.slice(0, REASONS_SHOWN).map((finding): Row => ["also", explainFinding(finding)]);
  const more = others.length - shown.length;
  return [
    ...findingRows(first),
    ...shown,
    ...(more > 0
      ? [["also", `${more} more ${more === 1 ? "reason" : "reasons"}, all of them with -o json`] as const]
      : []),
    ...signedTagRows(verdict),
    ...platformRows(verdict),
    ...trustRows(verdict),
    ...ruleRows(verdict),
    ...policyRows(verdict),
    ["next", nextStep(first)],
  ];
}

/** What failed, what was there, what was wanted; the next step is a row of its own. */
export function findingRows(finding: Finding): readonly Row[] {
  const { message, found, wanted, place } = finding;
  const at = place === undefined ? "" : `   ${place}`;
  return [
    ["because", wanted === undefined ? `${message}${at}` : message],
    ...(found === undefined ? [] : [["found", found] as const]),
    ...(wanted === undefined ? [] : [["wanted", `${wanted}${at}`] as const]),
  ];
}

/** `by releases, 3 days ago; current until 2026-11-30T12:00:00Z; root sha256:1f2e3d4c5b6a… pinned`. */
function signedTagRows({ signedTag, judgedAt }: Verdict): readonly Row[] {
  if (signedTag === undefined) return [];
  const { role, binding, freshUntil } = signedTag;
  const age = ageSaid(binding.signedAt, judgedAt);
  const until = `current until ${formatInstant(freshUntil)}`;
  return [["signed tag", `by ${role}${age}; ${until}; ${describeRoot(signedTag)}`]];
}

/** Everybody who signed, each once for each place; sorted, since registries list in any order. */
function signerRows(accepted: readonly SignatureReport[], now: Instant): readonly Row[] {
  const lines = distinct(accepted.flatMap((signature) => signerLine(signature, now))).toSorted();
  const more = lines.length - SIGNERS_SHOWN;
  const shown = lines.slice(0, SIGNERS_SHOWN).map((line): Row => ["signed by", line]);
  return more > 0 ? [...shown, ["signed by", `${more} more, all of them with -o json`]] : shown;
}

/** The same with the next step, where something went wrong. */
export function failureRows(finding: Finding | undefined): readonly Row[] {
  return finding === undefined ? [] : [...findingRows(finding), ["next", nextStep(finding)]];
}

function signerLine(signature: SignatureReport, now: Instant): readonly string[] {
  const signer = describeSigner(signature);
  if (signer === undefined) return [];
  const { signedAt } = signature.proof ?? {};
  const age = ageSaid(signedAt, now);
  return [`${signer}${nameIn(signature)}${age}, ${formatName(signature.format)} from ${originName(signature.origin)}`];
}

/**
 * A push signs after its beginning, which is the time that it goes by: what is younger than that was signed just now. No push
 * takes a day: what is further ahead tells of a clock that is wrong.
 */
function ageSaid(signedAt: Instant | undefined, now: Instant): string {
  if (signedAt === undefined) return "";
  const isDuring = signedAt > now && signedAt - now < DAY_MS;
  return `, ${isDuring ? "just now" : describeAge(signedAt, now)}`;
}

/** What the policy calls them, where that says more. */
function nameIn({ signedBy }: SignatureReport): string {
  const name = signedBy?.terms?.name;
  return name === undefined || (signedBy?.kind === "key" && signedBy.label === name) ? "" : ` as ${name}`;
}

function attestationRows(accepted: readonly SignatureReport[]): readonly Row[] {
  return listRow(
    "attested",
    distinct(accepted.flatMap(({ predicateType }) => (predicateType === undefined ? [] : describeType(predicateType)))),
  );
}

function annotationRows(accepted: readonly SignatureReport[]): readonly Row[] {
  const pairs = accepted.flatMap((signature) =>
    Object.entries(signature.annotations ?? {}).map(([name, value]) => `${name}=${value}`),
  );
  return listRow("annotations", distinct(pairs));
}

function platformRows(verdict: Verdict): readonly Row[] {
  if (verdict.platform === undefined) return [];
  return [
    ["platform", verdict.index === undefined ? verdict.platform : `${verdict.platform} of index ${verdict.index}`],
  ];
}

function trustRows({ trust = [] }: Verdict): readonly Row[] {
  return listRow("trust root", trust);
}

/** The first ones; whoever signs scans could add any number. */
function warningRows({ warnings = [] }: Verdict): readonly Row[] {
  const more = warnings.length - WARNINGS_SHOWN;
  const shown = warnings.slice(0, WARNINGS_SHOWN).map((finding): Row => [WARNING, explainFinding(finding)]);
  return more > 0 ? [...shown, [WARNING, `${more} more, all of them with -o json`]] : shown;
}

function ruleRows({ policy }: Verdict): readonly Row[] {
  return policy?.rule === undefined ? [] : [["rule", describeRule(policy)]];
}

function policyRows({ policy }: Verdict): readonly Row[] {
  return policy === undefined ? [] : [["policy", `${policy.label} (${policy.digest})`]];
}

function weakenedRows(verdict: Verdict): readonly Row[] {
  return listRow("weakened by", verdict.weakened);
}

function listRow(label: string, values: readonly string[]): readonly Row[] {
  return values.length === 0 ? [] : [[label, values.join(", ")]];
}

function distinct(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
}
