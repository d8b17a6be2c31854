import type { PublicKey } from "../crypto/public-key.ts";
import { CountersignError, type Finding, toFinding } from "../errors.ts";
import { describeAge } from "../time.ts";
import { describeCondition, identityMismatch } from "../trust/identity-mismatch.ts";
import type { SignatureProof } from "../trust/material.ts";
import type { HintedSignature, ProvableSignature } from "./exhibit.ts";
import { rankOf } from "./findings.ts";
import { personOf } from "./persons.ts";
import type { IdentityRequirement, Requirement, WantedKey } from "./requirement.ts";
import { checkTimes } from "./times.ts";
import { describeSignedBy, type SignedBy } from "./verdict.ts";

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

// --- what is broken ----------------------------------------------------------------------------------------------------

/** A defect of ours while reading a peer's bytes still must not count as anything but a broken candidate. */
export function brokenCandidate(error: unknown): Finding {
  if (error instanceof CountersignError) return toFinding(error);
  return { code: "malformed-signature", message: "the signature could not be read", found: toFinding(error).message };
}
