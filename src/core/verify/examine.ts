import type { PublicKey } from "../crypto/public-key.ts";
import { bounded, CountersignError, type Finding, toFinding } from "../errors.ts";
import { SIGNATURE_PREDICATE, type VerifiedClaim } from "../formats/envelope.ts";
import { describeTypes, isOfType } from "../formats/predicates.ts";
import { describeAge } from "../time.ts";
import { describeCondition, identityMismatch } from "../trust/identity-mismatch.ts";
import type { SignatureProof } from "../trust/material.ts";
import type { Subject, UntrustedCandidate } from "./evidence.ts";
import { Exhibit, type HintedSignature, type ProvableSignature } from "./exhibit.ts";
import { rankOf } from "./findings.ts";
import { checkName } from "./name-binding.ts";
import { personOf } from "./persons.ts";
import type { IdentityRequirement, Requirement, WantedKey } from "./requirement.ts";
import { checkTimes } from "./times.ts";
import { describeSignedBy, type SignatureReport, type SignedBy } from "./verdict.ts";

/** What one candidate is worth, as `examineExhibit` says. */
export function examine(candidate: UntrustedCandidate, subject: Subject, requirement: Requirement): SignatureReport {
  return examineExhibit(new Exhibit(candidate), subject, requirement);
}

/**
 * What one candidate is worth. The order is the order of trust: parse within bounds, verify the signature with a wanted
 * key or prove its certificate, and only then read what was signed and hold it against the subject and the requirement.
 * Never throws: whatever is wrong with a candidate is that candidate's finding.
 */
export function examineExhibit(exhibit: Exhibit, subject: Subject, requirement: Requirement): SignatureReport {
  const { format, origin } = exhibit.candidate;
  try {
    const signer = proveSigner(exhibit.open().provable, requirement);
    const { signedBy, proof } = signer;
    if ("finding" in signer)
      return { format, origin, accepted: false, signedBy, proof, finding: bounded(signer.finding) };
    const claim = examineClaim(exhibit, subject, requirement);
    if ("code" in claim) return { format, origin, accepted: false, signedBy, proof, finding: bounded(claim) };
    const { predicateType, annotations, statement } = claim;
    exhibit.kind = predicateType;
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
type Unproven = {
  readonly signedBy?: SignedBy;
  readonly proof?: SignatureProof | undefined;
  readonly finding: Finding;
};

/** A wanted key counts whether or not a certificate lies beside its signature. */
export function proveSigner(provable: ProvableSignature, requirement: Requirement): Proven | Unproven {
  const byKey = proveKey(provable, requirement);
  const isKeyless = provable.signature.certificates.length > 0 && requirement.identities.length > 0;
  return byKey.signedBy === undefined && isKeyless ? proveIdentity(provable, requirement) : byKey;
}

/** The first that holds counts, else the nearest is told: who is known before who is not. */
function firstThatHolds<Wanted>(
  wanted: readonly Wanted[],
  prove: (each: Wanted) => Proven | Unproven,
): Proven | Unproven | undefined {
  let nearest: Unproven | undefined;
  for (const each of wanted) {
    const result = prove(each);
    if (!("finding" in result)) return result;
    if (nearest === undefined || isNearer(result, nearest)) nearest = result;
  }
  return nearest;
}

function isNearer(a: Unproven, b: Unproven): boolean {
  if ((a.signedBy === undefined) !== (b.signedBy === undefined)) return a.signedBy !== undefined;
  return a.signedBy !== undefined && rankOf(a.finding) < rankOf(b.finding);
}

// --- keys -------------------------------------------------------------------------------------------------------------

function proveKey(provable: ProvableSignature, requirement: Requirement): Proven | Unproven {
  const unknown = (): Unproven => ({ finding: unknownSigner(provable.signature, requirement) });
  try {
    const maker = makerAmong(requirement.keys, provable);
    if (maker === undefined) return unknown();
    // A policy may know one key by several names, each on terms of its own.
    const names = requirement.keys.filter(({ fingerprint }) => fingerprint === maker.fingerprint);
    return firstThatHolds(names, (key) => proveKeyOf(key, provable, requirement)) ?? unknown();
  } catch (error) {
    // A key of which that cannot be said does not stand in the way of an identity.
    return { finding: brokenCandidate(error) };
  }
}

function proveKeyOf(key: WantedKey, provable: ProvableSignature, requirement: Requirement): Proven | Unproven {
  const signedBy = keySignedBy(key);
  const believed = key.proof ?? requirement.keyProof;
  try {
    const proof = believed && provable.proveKey(key, believed, requirement.now);
    const finding = checkTimes(signedBy, proof, key.terms?.window, requirement);
    return { signedBy, ...(proof && { proof }), ...(finding && { finding }) };
  } catch (error) {
    return { signedBy, finding: brokenCandidate(error) };
  }
}

/** @throws CountersignError `bad-signature` where none made it, and of one that cannot be said by a digest alone. */
function makerAmong(keys: readonly WantedKey[], provable: ProvableSignature): WantedKey | undefined {
  const { keyHint } = provable.signature;
  let unclear: unknown;
  for (const key of keyHint === undefined ? keys : likeliestFirst(keys, keyHint)) {
    try {
      if (provable.isBy(key)) return key;
    } catch (error) {
      unclear ??= error;
    }
  }
  if (unclear !== undefined) throw unclear;
  return undefined;
}

/** What a signature says of its maker decides which key is tried first, and nothing else. */
function likeliestFirst(keys: readonly WantedKey[], keyHint: string): readonly WantedKey[] {
  const at = keys.findIndex(({ hint }) => hint === keyHint);
  return at <= 0 ? keys : [...keys.slice(at, at + 1), ...keys.slice(0, at), ...keys.slice(at + 1)];
}

function keySignedBy({ label, fingerprint, terms }: PublicKey & Pick<WantedKey, "terms">): SignedBy {
  const { name, person } = terms ?? {};
  return { kind: "key", label, fingerprint, ...(name !== undefined && { terms: { name, person } }) };
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

/** Everybody who may sign; one identity may be wanted under several roots. In words once: every stranger's signature asks. */
export function describeWanted(requirement: Requirement): string {
  const known = wantedWords.get(requirement);
  if (known !== undefined) return known;
  const { keys, identities } = requirement;
  const conditions = identities.map(({ condition }) => describeCondition(condition));
  const words = [...new Set([...keys.map((key) => describeSignedBy(keySignedBy(key))), ...conditions])].join(" or ");
  wantedWords.set(requirement, words);
  return words;
}

const wantedWords = new WeakMap<Requirement, string>();

// --- identities -------------------------------------------------------------------------------------------------------

/** Each wanted identity brings the root that it is proven by. */
function proveIdentity(provable: ProvableSignature, requirement: Requirement): Proven | Unproven {
  const prove = (wanted: IdentityRequirement) => proveOne(provable, wanted, requirement);
  const result = firstThatHolds(requirement.identities, prove);
  return result ?? { finding: unknownSigner(provable.signature, requirement) };
}

function proveOne(
  provable: ProvableSignature,
  wanted: IdentityRequirement,
  requirement: Requirement,
): Proven | Unproven {
  const { condition, terms } = wanted;
  const { now } = requirement;
  try {
    const { identity, proof } = provable.proveCertificate(wanted, now);
    const signedBy: SignedBy = { kind: "identity", identity };
    const age = proof.signedAt === undefined ? undefined : describeAge(proof.signedAt, now);
    const mismatch = identityMismatch(identity, condition, age);
    if (mismatch !== undefined) return { signedBy, proof, finding: { code: "wrong-identity", ...mismatch } };
    const named = terms && { terms: { name: terms.name, person: personOf(identity) } };
    const finding = checkTimes(signedBy, proof, terms?.window, requirement);
    return { signedBy: { ...signedBy, ...named }, proof, ...(finding && { finding }) };
  } catch (error) {
    return { finding: brokenCandidate(error) };
  }
}

// --- claims -----------------------------------------------------------------------------------------------------------

/** The checks on a claim whose signature holds: kind, subject, repository, annotations, conditions. */
function examineClaim(exhibit: Exhibit, subject: Subject, requirement: Requirement): Finding | VerifiedClaim {
  const claim = exhibit.claim();
  return (
    checkKind(claim, requirement) ??
    checkSubject(claim, subject) ??
    checkName(claim, subject, requirement) ??
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
