import { verifySigned } from "../crypto/digest-signature.ts";
import type { PublicKey } from "../crypto/public-key.ts";
import { bounded, CountersignError, type Finding, toFinding } from "../errors.ts";
import {
  SIGNATURE_PREDICATE,
  type UntrustedEnvelope,
  type UntrustedSignature,
  type VerifiedClaim,
} from "../formats/envelope.ts";
import { parseCandidate, readClaim } from "../formats/format.ts";
import { describeTypes, isOfType } from "../formats/predicates.ts";
import { describeAge } from "../time.ts";
import { describeCondition, identityMismatch } from "../trust/identity-mismatch.ts";
import type { SignatureProof } from "../trust/material.ts";
import type { Subject, UntrustedCandidate } from "./evidence.ts";
import type { IdentityRequirement, Requirement } from "./requirement.ts";
import { describeSignedBy, type SignatureReport, type SignedBy } from "./verdict.ts";

/**
 * What one candidate is worth. The order is the order of trust: parse within bounds, verify the signature with a wanted
 * key or prove its certificate, and only then read what was signed and hold it against the subject and the requirement.
 * Never throws: whatever is wrong with a candidate is that candidate's finding.
 */
export function examine(candidate: UntrustedCandidate, subject: Subject, requirement: Requirement): SignatureReport {
  const { format, origin } = candidate;
  try {
    const envelope = parseCandidate(candidate);
    const signer = proveSigner(envelope, requirement);
    const { signedBy, proof } = signer;
    if ("finding" in signer)
      return { format, origin, accepted: false, signedBy, proof, finding: bounded(signer.finding) };
    const claim = examineClaim(envelope, subject, requirement);
    if ("code" in claim) return { format, origin, accepted: false, signedBy, proof, finding: bounded(claim) };
    const { predicateType, annotations, statement } = claim;
    const attested = requirement.attestation === undefined ? {} : { predicateType, statement };
    return { format, origin, accepted: true, signedBy, proof, annotations, ...attested };
  } catch (error) {
    return { format, origin, accepted: false, finding: brokenCandidate(error) };
  }
}

/** A defect of ours while reading a peer's bytes still must not count as anything but a broken candidate. */
export function brokenCandidate(error: unknown): Finding {
  if (error instanceof CountersignError) return toFinding(error);
  return { code: "malformed-signature", message: "the signature could not be read", found: toFinding(error).message };
}

/** Who made it and what proves it; with a finding, why that does not do. */
type Proven = { readonly signedBy: SignedBy; readonly proof?: SignatureProof | undefined };
type Unproven = { readonly signedBy?: SignedBy; readonly proof?: SignatureProof; readonly finding: Finding };

/** A signature, with the hash of its maker's key as it claims it. */
export type HintedSignature = UntrustedSignature & Pick<UntrustedEnvelope, "keyHint">;

/** A wanted key counts whether or not a certificate lies beside its signature. */
export function proveSigner(envelope: HintedSignature, requirement: Requirement): Proven | Unproven {
  const byKey = proveKey(envelope, requirement);
  const isKeyless = envelope.certificates.length > 0 && requirement.identities.length > 0;
  return byKey.signedBy === undefined && isKeyless ? proveIdentity(envelope, requirement) : byKey;
}

// --- keys -------------------------------------------------------------------------------------------------------------

function proveKey(envelope: HintedSignature, requirement: Requirement): Proven | Unproven {
  try {
    const key = makerAmong(requirement.keys, envelope);
    return key === undefined
      ? { finding: unknownSigner(envelope, requirement) }
      : proveKeyOf(key, envelope, requirement);
  } catch (error) {
    // A key of which that cannot be said does not stand in the way of an identity.
    return { finding: brokenCandidate(error) };
  }
}

function proveKeyOf(key: PublicKey, envelope: HintedSignature, { keyProof, now }: Requirement): Proven | Unproven {
  const signedBy = keySignedBy(key);
  if (keyProof === undefined) return { signedBy };
  try {
    const proof = keyProof.trust.proveKey(envelope, key, keyProof.demands, now);
    return { signedBy, proof: { ...proof, trust: keyProof.trust.label } };
  } catch (error) {
    return { signedBy, finding: brokenCandidate(error) };
  }
}

/** @throws CountersignError `bad-signature` where none made it, and of one that cannot be said by a digest alone. */
function makerAmong(keys: readonly PublicKey[], { signed, signature }: HintedSignature): PublicKey | undefined {
  let unclear: unknown;
  for (const key of keys) {
    try {
      if (verifySigned(key, signed, signature)) return key;
    } catch (error) {
      unclear ??= error;
    }
  }
  if (unclear !== undefined) throw unclear;
  return undefined;
}

function keySignedBy({ label, fingerprint }: PublicKey): SignedBy {
  return { kind: "key", label, fingerprint };
}

/** A hint is unauthenticated: it tells "tampered with" from "somebody else's" in the message, and nothing more. */
function unknownSigner(envelope: HintedSignature, requirement: Requirement): Finding {
  const hinted = requirement.keys.find((key) => key.hint === envelope.keyHint);
  if (hinted !== undefined) {
    return {
      code: "bad-signature",
      message: "the signature names the wanted key but does not verify",
      found: `a signature that claims to be by ${hinted.label}`,
      wanted: `one that verifies with ${describeSignedBy(keySignedBy(hinted))}`,
    };
  }
  const isKeyless = envelope.certificates.length > 0;
  return {
    code: "wrong-key",
    message: isKeyless ? "the signature is not by a key" : "the signature is by another key",
    found: describeSigner(envelope),
    wanted: describeWanted(requirement),
    ...(isKeyless && { next: KEYLESS_NEXT }),
    ...(requirement.keys.length === 0 && { message: "the signature is by a bare key", next: BARE_KEY_NEXT }),
  };
}

const KEYLESS_NEXT =
  "say who may sign with --certificate-identity and --certificate-oidc-issuer; countersign inspect shows whom it names";
const BARE_KEY_NEXT = "ask the publisher which identity signs the releases, or for the public key if it is a key";

function describeSigner(envelope: HintedSignature): string {
  if (envelope.certificates.length > 0) return "a keyless signature, made with a certificate";
  if (envelope.keyHint === undefined) return "a signature by a key that it does not name";
  return `a signature by key ${shortHint(envelope.keyHint)}`;
}

function shortHint(hint: string): string {
  const bytes = Buffer.from(hint, "base64");
  return bytes.byteLength === 32 ? `SHA256:${bytes.toString("hex").slice(0, 16)}…` : JSON.stringify(hint.slice(0, 44));
}

/** Everybody who may sign; one identity may be wanted under several roots. */
export function describeWanted({ keys, identities }: Requirement): string {
  const conditions = identities.map(({ condition }) => describeCondition(condition));
  return [...new Set([...keys.map((key) => describeSignedBy(keySignedBy(key))), ...conditions])].join(" or ");
}

// --- identities -------------------------------------------------------------------------------------------------------

/** Each wanted identity brings the root that it is proven by; the first that holds counts, else the nearest is told. */
function proveIdentity(envelope: HintedSignature, requirement: Requirement): Proven | Unproven {
  const { identities, now } = requirement;
  let nearest: Unproven | undefined;
  for (const wanted of identities) {
    const result = proveOne(envelope, wanted, now);
    if (!("finding" in result)) return result;
    if (nearest === undefined || (nearest.signedBy === undefined && result.signedBy !== undefined)) nearest = result;
  }
  return nearest ?? { finding: unknownSigner(envelope, requirement) };
}

function proveOne(
  envelope: HintedSignature,
  { condition, trust, demands }: IdentityRequirement,
  now: Requirement["now"],
): Proven | Unproven {
  try {
    const { identity, publicKey: _, ...proven } = trust.proveCertificate(envelope, demands, now);
    const proof: SignatureProof = { ...proven, trust: trust.label };
    const signedBy: SignedBy = { kind: "identity", identity };
    const age = proof.signedAt === undefined ? undefined : describeAge(proof.signedAt, now);
    const mismatch = identityMismatch(identity, condition, age);
    if (mismatch === undefined) return { signedBy, proof };
    return { signedBy, proof, finding: { code: "wrong-identity", ...mismatch } };
  } catch (error) {
    return { finding: brokenCandidate(error) };
  }
}

// --- claims -----------------------------------------------------------------------------------------------------------

/** The checks on a claim whose signature holds: kind, subject, repository, annotations, conditions. */
function examineClaim(
  envelope: UntrustedEnvelope,
  subject: Subject,
  requirement: Requirement,
): Finding | VerifiedClaim {
  const claim = readClaim(envelope);
  return (
    checkKind(claim, requirement) ??
    checkSubject(claim, subject) ??
    checkRepository(claim, subject, requirement) ??
    checkAnnotations(claim, requirement) ??
    checkConditions(claim, requirement) ??
    claim
  );
}

/** An attestation by the same signer is not a signature (CVE-2022-35930's family): the predicate type decides. */
function checkKind(claim: VerifiedClaim, { attestation }: Requirement): Finding | undefined {
  const { predicateType } = claim;
  const found = `a statement of type ${predicateType}`;
  if (attestation === undefined) {
    if (predicateType === SIGNATURE_PREDICATE) return undefined;
    const message = "what was signed is an attestation, not the image";
    return { code: "not-a-signature", message, found, wanted: SIGNATURE_PREDICATE };
  }
  const { predicateTypes } = attestation;
  if (predicateTypes.some((type) => isOfType(predicateType, type))) return undefined;
  const message = "the attestation is of another type";
  return { code: "unattested", message, found, wanted: describeTypes(predicateTypes) };
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

/** A legacy payload is no statement: no condition on one can hold. */
function checkConditions(claim: VerifiedClaim, { attestation }: Requirement): Finding | undefined {
  for (const condition of attestation?.conditions ?? []) {
    const result = condition.check(claim.statement ?? {});
    if (result.met) continue;
    return {
      code: "condition-not-met",
      message: "the attestation does not say what was asked for",
      found: result.why === undefined ? "a statement for which it is false" : `it cannot be evaluated: ${result.why}`,
      wanted: condition.text,
    };
  }
  return undefined;
}
