import type { PublicKey } from "../crypto/public-key.ts";
import { verifySignature } from "../crypto/signature.ts";
import { CountersignError, type Finding, toFinding } from "../errors.ts";
import { SIGNATURE_PREDICATE, type UntrustedEnvelope, type VerifiedClaim } from "../formats/envelope.ts";
import { parseCandidate, readClaim } from "../formats/format.ts";
import type { Subject, UntrustedCandidate } from "./evidence.ts";
import type { Requirement } from "./requirement.ts";
import type { SignatureReport } from "./verdict.ts";

/**
 * What one candidate is worth. The order is the order of trust: parse within bounds, verify the signature with a wanted
 * key, and only then read what was signed and hold it against the subject and the requirement.
 * Never throws: whatever is wrong with a candidate is that candidate's finding.
 */
export function examine(candidate: UntrustedCandidate, subject: Subject, requirement: Requirement): SignatureReport {
  const { format, origin } = candidate;
  try {
    const envelope = parseCandidate(candidate);
    const signer = signerOf(envelope, requirement.keys);
    if (signer === undefined) return { format, origin, accepted: false, finding: unknownSigner(envelope, requirement) };
    const signedBy = { label: signer.label, fingerprint: signer.fingerprint };
    const finding = examineClaim(envelope, subject, requirement);
    if ("code" in finding) return { format, origin, accepted: false, signedBy, finding };
    return { format, origin, accepted: true, signedBy, annotations: finding.annotations };
  } catch (error) {
    return { format, origin, accepted: false, finding: brokenCandidate(error) };
  }
}

/** A defect of ours while reading a peer's bytes still must not count as anything but a broken candidate. */
function brokenCandidate(error: unknown): Finding {
  if (error instanceof CountersignError) return toFinding(error);
  return { code: "malformed-signature", message: "the signature could not be read", found: toFinding(error).message };
}

function signerOf(envelope: UntrustedEnvelope, keys: readonly PublicKey[]): PublicKey | undefined {
  return keys.find((key) => verifySignature(key, envelope.signedBytes, envelope.signature).verified);
}

/** A hint is unauthenticated: it tells "tampered with" from "somebody else's" in the message, and nothing more. */
function unknownSigner(envelope: UntrustedEnvelope, requirement: Requirement): Finding {
  const hinted = requirement.keys.find((key) => key.hint === envelope.keyHint);
  if (hinted !== undefined) {
    return {
      code: "bad-signature",
      message: "the signature names the wanted key but does not verify",
      found: `a signature that claims to be by ${hinted.label}`,
      wanted: `one that verifies with ${describeKey(hinted)}`,
    };
  }
  return {
    code: "wrong-key",
    message: "the signature is by another key",
    found: describeSigner(envelope),
    wanted: requirement.keys.map(describeKey).join(" or "),
  };
}

function describeSigner(envelope: UntrustedEnvelope): string {
  if (envelope.hasCertificate) return "a keyless signature, made with a certificate";
  if (envelope.keyHint === undefined) return "a signature by a key that it does not name";
  return `a signature by key ${shortHint(envelope.keyHint)}`;
}

function shortHint(hint: string): string {
  const bytes = Buffer.from(hint, "base64");
  return bytes.byteLength === 32 ? `SHA256:${bytes.toString("hex").slice(0, 16)}…` : JSON.stringify(hint.slice(0, 44));
}

export function describeKey(key: PublicKey): string {
  return `${key.label} (${key.fingerprint.slice(0, "SHA256:".length + 16)}…)`;
}

/** The checks on a claim whose signature holds: kind, subject, repository, annotations. */
function examineClaim(
  envelope: UntrustedEnvelope,
  subject: Subject,
  requirement: Requirement,
): Finding | VerifiedClaim {
  const claim = readClaim(envelope);
  return (
    checkKind(claim) ??
    checkSubject(claim, subject) ??
    checkRepository(claim, subject, requirement) ??
    checkAnnotations(claim, requirement) ??
    claim
  );
}

/** An attestation by the same signer is not a signature (CVE-2022-35930's family): the predicate type decides. */
function checkKind(claim: VerifiedClaim): Finding | undefined {
  if (claim.predicateType === SIGNATURE_PREDICATE) return undefined;
  return {
    code: "not-a-signature",
    message: "the key signed an attestation, not the image",
    found: `a statement of type ${claim.predicateType}`,
    wanted: SIGNATURE_PREDICATE,
  };
}

function checkSubject(claim: VerifiedClaim, subject: Subject): Finding | undefined {
  if (claim.subjects.includes(subject.descriptor.digest)) return undefined;
  return {
    code: "wrong-digest",
    message: "the signature is about another image",
    found: claim.subjects.length === 0 ? "no digest" : `a signature of ${claim.subjects.join(", ")}`,
    wanted: subject.descriptor.digest,
  };
}

/**
 * A legacy payload names its repository, and only that one (or a name the caller knows it was signed under) will do:
 * otherwise an old signature could be replayed in another repository. Files have no name to compare with.
 */
function checkRepository(claim: VerifiedClaim, subject: Subject, requirement: Requirement): Finding | undefined {
  if (claim.repository === undefined) return undefined;
  const names = [...(subject.repository === undefined ? [] : [subject.repository]), ...requirement.signedAs];
  if (names.length === 0 || names.includes(claim.repository)) return undefined;
  return {
    code: "wrong-repository",
    message: "the signature names another repository",
    found: claim.repository,
    wanted: names.join(" or "),
  };
}

function checkAnnotations(claim: VerifiedClaim, requirement: Requirement): Finding | undefined {
  for (const [name, wanted] of Object.entries(requirement.annotations)) {
    const found = Object.hasOwn(claim.annotations, name) ? claim.annotations[name] : undefined;
    if (found === wanted) continue;
    return {
      code: "wrong-annotations",
      message: "the signature lacks an annotation that was asked for",
      found: found === undefined ? `no annotation ${name}` : `${name}=${found}`,
      wanted: `${name}=${wanted}`,
    };
  }
  return undefined;
}
