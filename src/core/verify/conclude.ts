import type { Finding } from "../errors.ts";
import { describeTypes } from "../formats/predicates.ts";
import { distinctFindings, isUnseen, nearestFirst } from "./findings.ts";
import type { Judgement } from "./judgement.ts";
import { signerId } from "./persons.ts";
import { describeWanted } from "./prove-signer.ts";
import type { Requirement } from "./requirement.ts";
import { describeSignedBy, type SignatureReport, type VerdictStatus } from "./verdict.ts";

/** What the signatures come to for one requirement. */
export interface Conclusion {
  readonly status: VerdictStatus;
  /** Nearest to acceptance first; empty exactly when accepted. */
  readonly reasons: readonly Finding[];
  /** Everybody who met it by themselves: who they count as, and that in words. */
  readonly signers: ReadonlyMap<string, string>;
}

/**
 * - Enough distinct signers: `accepted`, whatever else lies beside their signatures.
 * - Not enough, and something could not be looked at: `undetermined`. The missing one may be there.
 * - Otherwise `refused`, with the reasons of the candidates that came nearest.
 */
export function weigh(
  signatures: readonly SignatureReport[],
  obstacles: readonly Finding[],
  requirement: Requirement,
): Conclusion {
  const signers = new Map(signatures.flatMap(signerEntry));
  if (signers.size >= requirement.threshold) return { status: "accepted", reasons: [], signers };
  const findings = distinctFindings([...obstacles, ...findingsOf(signatures)]);
  const unseen = findings.filter(isUnseen);
  if (unseen.length > 0) return { status: "undetermined", reasons: unseen, signers };
  return { status: "refused", reasons: refusal(findings, signers, requirement), signers };
}

/** The judgement on one requirement, for a caller who has examined the signatures. */
export function conclude(
  signatures: readonly SignatureReport[],
  obstacles: readonly Finding[],
  requirement: Requirement,
): Judgement {
  const { status, reasons, signers } = weigh(signatures, obstacles, requirement);
  if (status !== "accepted") return { status, reasons, signatures, trust: trustedBy([requirement]) };
  const because = describeSuccess(signatures, signers.size, requirement);
  return { status, reasons, signatures, because, trust: provenBy(signatures) };
}

/** Everybody whose word would have been taken. */
export function trustedBy(requirements: readonly Requirement[]): readonly string[] {
  const roots = requirements.flatMap(({ keyProof, keys, identities }) => [
    ...(keyProof === undefined ? [] : [keyProof.trust]),
    ...keys.flatMap(({ proof }) => (proof === undefined ? [] : [proof.trust])),
    ...identities.map(({ trust }) => trust),
  ]);
  return distinct(roots.map(({ label }) => label));
}

/** Everybody whose word was taken. */
export function provenBy(signatures: readonly SignatureReport[]): readonly string[] {
  return distinct(signatures.flatMap(({ accepted, proof }) => (accepted ? (proof?.trust ?? []) : [])));
}

function distinct(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
}

/** What was refused counts for nobody. */
function signerEntry({ accepted, signedBy }: SignatureReport): readonly (readonly [id: string, words: string])[] {
  return accepted && signedBy !== undefined ? [[signerId(signedBy), describeSignedBy(signedBy)]] : [];
}

function findingsOf(signatures: readonly SignatureReport[]): readonly Finding[] {
  return signatures.flatMap((report) => (report.finding === undefined ? [] : [report.finding]));
}

function refusal(
  findings: readonly Finding[],
  signers: ReadonlyMap<string, string>,
  requirement: Requirement,
): readonly Finding[] {
  const wanted = describeWanted(requirement);
  const others = nearestFirst(findings);
  if (signers.size > 0) return [tooFew(signers, requirement.threshold, wanted), ...others];
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

/** `wanted` says of whom or of what. */
export function tooFew(signers: ReadonlyMap<string, string>, threshold: number, wanted: string): Finding {
  return {
    code: "threshold-not-met",
    message: "too few distinct signers signed",
    found: `${signers.size} of ${threshold}: ${enumerate([...signers.values()].toSorted())}`,
    wanted: `${threshold} of ${wanted}`,
  };
}

const SIGNERS_SHOWN = 8;

function enumerate(signers: readonly string[]): string {
  const more = signers.length - SIGNERS_SHOWN;
  return [...signers.slice(0, SIGNERS_SHOWN), ...(more > 0 ? [`${more} more`] : [])].join(", ");
}

/** What satisfied it. */
export function describeSuccess(
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
