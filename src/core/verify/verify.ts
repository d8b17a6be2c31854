import type { Finding } from "../errors.ts";
import { describeTypes } from "../formats/predicates.ts";
import { type ReasonCode, reasonClass } from "../reasons.ts";
import { foldCase } from "../trust/identity.ts";
import type { Evidence } from "./evidence.ts";
import { describeWanted, examine } from "./examine.ts";
import type { Requirement } from "./requirement.ts";
import { describeSignedBy, type SignatureReport, type SignedBy, type VerdictStatus } from "./verdict.ts";

/** The judge's answer on one subject; the door adds the names. */
export interface Judgement {
  readonly status: VerdictStatus;
  /** Nearest to acceptance first; empty exactly when accepted. */
  readonly reasons: readonly Finding[];
  readonly signatures: readonly SignatureReport[];
  readonly because?: string | undefined;
  /** Labels of the trust roots: those that proved what was accepted, else all whose word would have been taken. */
  readonly trust?: readonly string[] | undefined;
}

/**
 * The whole sequence: examine every candidate, count the distinct keys that signed, and say why where they do not do.
 * Pure: the same evidence and requirement give the same judgement, in whatever order the candidates come.
 *
 * - Enough distinct keys: `accepted`, whatever else lies beside their signatures.
 * - Not enough, and something could not be looked at: `undetermined`. The missing one may be there.
 * - Otherwise `refused`, with the reasons of the candidates that came nearest.
 */
export function judge(evidence: Evidence, requirement: Requirement): Judgement {
  const signatures = evidence.candidates.map((candidate) => examine(candidate, evidence.subject, requirement));
  return conclude(signatures, evidence.obstacles, requirement);
}

/** The second half of it, for a caller who examines candidates as they come in. */
export function conclude(
  signatures: readonly SignatureReport[],
  obstacles: readonly Finding[],
  requirement: Requirement,
): Judgement {
  const signers = new Map(signatures.flatMap(signerEntry));
  if (signers.size >= requirement.threshold) {
    return {
      status: "accepted",
      reasons: [],
      signatures,
      because: describeSuccess(signatures, signers.size, requirement),
      trust: distinct(signatures.flatMap(({ accepted, proof }) => (accepted ? (proof?.trust ?? []) : []))),
    };
  }
  const findings = distinctFindings([...obstacles, ...findingsOf(signatures)]);
  const unseen = findings.filter((finding) => reasonClass(finding.code) !== "refused");
  const trust = trustedBy(requirement);
  if (unseen.length > 0) return { status: "undetermined", reasons: unseen, signatures, trust };
  return { status: "refused", reasons: refusal(findings, signatures, requirement), signatures, trust };
}

function trustedBy({ keyProof, identities }: Requirement): readonly string[] {
  const roots = [...(keyProof === undefined ? [] : [keyProof.trust]), ...identities.map(({ trust }) => trust)];
  return distinct(roots.map(({ label }) => label));
}

function distinct(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
}

/**
 * Who it counts for, and that in words. Who, not how many: one key is one signer, and one subject of one issuer is, an
 * address in whatever case (few providers tell them apart). What was refused counts for nobody.
 */
function signerEntry({ accepted, signedBy }: SignatureReport): readonly (readonly [id: string, words: string])[] {
  return accepted && signedBy !== undefined ? [[signerId(signedBy), describeSignedBy(signedBy)]] : [];
}

function signerId(signedBy: SignedBy): string {
  if (signedBy.kind === "key") return signedBy.fingerprint;
  const { issuer, subjectKind, subject } = signedBy.identity;
  return JSON.stringify([issuer, subjectKind, subjectKind === "email" ? foldCase(subject) : subject]);
}

function findingsOf(signatures: readonly SignatureReport[]): readonly Finding[] {
  return signatures.flatMap((report) => (report.finding === undefined ? [] : [report.finding]));
}

/** From nearest to acceptance to farthest: what a person has to look at first. */
const NEARNESS: readonly ReasonCode[] = [
  "condition-not-met",
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
  "digest-mismatch",
  "size-mismatch",
  "wrong-key",
  "malformed-signature",
];

function refusal(
  findings: readonly Finding[],
  signatures: readonly SignatureReport[],
  requirement: Requirement,
): readonly Finding[] {
  const wanted = describeWanted(requirement);
  const others = findings.toSorted((a, b) => rank(a) - rank(b) || compareTexts(a.found, b.found));
  const signers = new Map(signatures.flatMap(signerEntry));
  if (signers.size > 0) {
    const short: Finding = {
      code: "threshold-not-met",
      message: "too few distinct signers signed",
      found: `${signers.size} of ${requirement.threshold}: ${enumerate([...signers.values()].toSorted())}`,
      wanted: `${requirement.threshold} of ${wanted}`,
    };
    return [short, ...others];
  }
  if (others.length > 0) return others;
  const { attestation } = requirement;
  if (attestation === undefined) {
    return [
      { code: "unsigned", message: "the image is not signed", found: "no signature", wanted: `one by ${wanted}` },
    ];
  }
  const types = describeTypes(attestation.predicateTypes);
  const message = "the image has no attestation of this type";
  return [{ code: "unattested", message, found: "no attestation", wanted: `${types}, by ${wanted}` }];
}

const SIGNERS_SHOWN = 8;

function enumerate(signers: readonly string[]): string {
  const more = signers.length - SIGNERS_SHOWN;
  return [...signers.slice(0, SIGNERS_SHOWN), ...(more > 0 ? [`${more} more`] : [])].join(", ");
}

function rank(finding: Finding): number {
  const at = NEARNESS.indexOf(finding.code);
  return at === -1 ? NEARNESS.length : at;
}

/** Of findings that come equally near, the order is that of their texts: not the one in which a registry lists. */
function compareTexts(a = "", b = ""): number {
  return a < b ? -1 : Number(a > b);
}

function distinctFindings(findings: readonly Finding[]): readonly Finding[] {
  const seen = new Map(findings.map((finding) => [`${finding.code}\n${finding.found}\n${finding.wanted}`, finding]));
  return [...seen.values()];
}

/** What satisfied it. */
function describeSuccess(
  signatures: readonly SignatureReport[],
  count: number,
  { keys, identities, threshold, attestation }: Requirement,
): string {
  const done = attestation === undefined ? "signed" : "attested";
  const keyCount = new Set(keys.map((key) => key.fingerprint)).size;
  const required = threshold === 1 ? "one was required" : `${threshold} were required`;
  if (identities.length === 0) {
    return keyCount === 1 ? `${done} by the required key` : `${count} of ${keyCount} keys ${done}; ${required}`;
  }
  if (threshold > 1) return `${count} distinct signers ${done}; ${required}`;
  const signer = signatures.find((report) => report.accepted)?.signedBy;
  return `${done} by a required ${signer?.kind === "key" ? "key" : "identity"}`;
}
