import { compareTexts } from "../bytes.ts";
import type { Finding } from "../errors.ts";
import { type ReasonCode, reasonClass } from "../reasons.ts";

/** From nearest to acceptance to farthest: what a person has to look at first. */
const NEARNESS: readonly ReasonCode[] = [
  "withdrawn",
  "exception-expired",
  "threshold-not-met",
  "condition-not-met",
  "vulnerable",
  "scan-old",
  "scan-invalid",
  "evidence-old",
  "binding-old",
  "signer-distrusted",
  "wrong-annotations",
  "wrong-repository",
  "wrong-digest",
  "wrong-identity",
  "bad-signature",
  "timestamp-invalid",
  "log-entry-invalid",
  "timestamp-missing",
  "log-entry-missing",
  "certificate-untrusted",
  "not-a-signature",
  "unattested",
  "unscanned",
  "digest-mismatch",
  "size-mismatch",
  "wrong-key",
  "unsigned",
  "malformed-signature",
];

const RANKS: ReadonlyMap<ReasonCode, number> = new Map(NEARNESS.map((code, at) => [code, at]));

/** How near to acceptance a finding is; the least is the nearest. */
export function rankOf({ code }: Finding): number {
  return RANKS.get(code) ?? NEARNESS.length;
}

/**
 * Each once, nearest first. Of those that come equally near, the order is that of their places and texts: not the one in
 * which a registry lists.
 */
export function nearestFirst(findings: readonly Finding[]): readonly Finding[] {
  return distinctFindings(findings).toSorted(
    (a, b) => rankOf(a) - rankOf(b) || comparePlaces(a.place, b.place) || compareTexts(a.found, b.found),
  );
}

/** `policy.yaml:9` before `policy.yaml:12`. */
function comparePlaces(a = "", b = ""): number {
  return a.length - b.length || compareTexts(a, b);
}

export function distinctFindings(findings: readonly Finding[]): readonly Finding[] {
  if (findings.length < 2) return findings;
  const seen = new Map(
    findings.map((finding) => [`${finding.code}\n${finding.found}\n${finding.wanted}\n${finding.place}`, finding]),
  );
  return [...seen.values()];
}

/** It says that one could not look, not that what was seen does not do. */
export function isUnseen({ code }: Finding): boolean {
  return reasonClass(code) !== "refused";
}
