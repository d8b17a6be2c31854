import type { Finding } from "./errors.ts";
import type { EvidenceFormat, Origin } from "./formats/envelope.ts";
import { REASONS, reasonClass } from "./reasons.ts";
import { describeSignedBy, type SignatureReport, type Verdict } from "./verify/verdict.ts";

export { shortFingerprint } from "./verify/verdict.ts";

/** The one home for words: findings and verdicts as sentences. Nothing here is escaped; the report does that. */

/** `<message>: found …, wanted … (policy.yaml:14) [code]`: a finding on one line, without the next step; an empty text is named. */
export function explainFinding(finding: Finding): string {
  const particulars = [
    finding.found === undefined ? [] : [`found ${finding.found || "nothing"}`],
    finding.wanted === undefined ? [] : [`wanted ${finding.wanted}`],
  ].flat();
  const tail = particulars.length === 0 ? "" : `: ${particulars.join(", ")}`;
  const place = finding.place === undefined ? "" : ` (${finding.place})`;
  return `${finding.message}${tail}${place} [${finding.code}]`;
}

/** Beyond this a line is not read any more. */
const PARTICULARS_SHOWN = 160;

/**
 * A finding for a line beside a report that says all of it: particulars that would make the line long are left to the
 * report, what was wanted first.
 */
export function explainBriefly(finding: Finding): string {
  const { found = "", wanted = "" } = finding;
  if (found.length + wanted.length <= PARTICULARS_SHOWN) return explainFinding(finding);
  return explainFinding({
    ...finding,
    found: found.length > PARTICULARS_SHOWN ? undefined : finding.found,
    wanted: undefined,
  });
}

/** The next step: the finding's own where it has one, else its reason's. */
export function nextStep(finding: Finding): string {
  return finding.next ?? REASONS[finding.code].next;
}

/** A finding as every document has it. The next step is written out: the same bytes come of it whoever reads it back. */
export function findingMember(finding: Finding): Readonly<Record<string, unknown>> {
  const { code, message, found, wanted, place } = finding;
  return { code, class: reasonClass(code), message, found, wanted, place, next: nextStep(finding) };
}

/** `<status>: <image>: <why>`: why one image was not accepted, on one line. */
export function explainVerdict(verdict: Verdict): string {
  const [first] = verdict.reasons;
  const why = first === undefined ? "" : `: ${explainBriefly(first)}`;
  return `${verdict.status}: ${verdict.name}${why}`;
}

const FORMAT_NAMES: Readonly<Record<EvidenceFormat, string>> = {
  bundle: "Sigstore bundle",
  "cosign-legacy": "cosign legacy signature",
  "cosign-attestation": "cosign legacy attestation",
};

export function formatName(format: EvidenceFormat): string {
  return FORMAT_NAMES[format];
}

const ORIGIN_NAMES: Readonly<Record<Origin["via"], string>> = {
  "referrers-api": "the referrers API",
  "referrers-tag": "the referrers tag",
  layout: "the layout",
  "sig-tag": "the .sig tag",
  "att-tag": "the .att tag",
  "github-api": "GitHub's API",
  file: "a file",
};

export function originName(origin: Origin): string {
  return ORIGIN_NAMES[origin.via];
}

/** `release.pub (SHA256:1f2e3d4c5b6a7988…)`: who made a signature, once per distinct key. */
export function describeSigner({ signedBy }: Pick<SignatureReport, "signedBy">): string | undefined {
  return signedBy === undefined ? undefined : describeSignedBy(signedBy);
}

/** How many images had which verdict: `3 accepted, 1 refused`. */
export function describeTally(verdicts: readonly Verdict[]): string {
  const tally = tallyOf(verdicts);
  return (["accepted", "refused", "undetermined"] as const)
    .filter((status) => tally[status] > 0)
    .map((status) => `${tally[status]} ${status}`)
    .join(", ");
}

export function tallyOf(verdicts: readonly Verdict[]): Record<Verdict["status"], number> {
  const tally = { accepted: 0, refused: 0, undetermined: 0 };
  for (const { status } of verdicts) tally[status] += 1;
  return tally;
}
