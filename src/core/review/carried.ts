import { CountersignError, type Finding, toFinding } from "../errors.ts";
import type { UntrustedEnvelope, VerifiedClaim } from "../formats/envelope.ts";
import type { Instant } from "../time.ts";
import type { SignatureProof } from "../trust/material.ts";
import type { Believed, Exhibit } from "../verify/exhibit.ts";
import type { WantedKey } from "../verify/requirement.ts";
import type { SignedBy } from "../verify/verdict.ts";

/** Everybody who may turn out to have signed, wanted or not: known keys, and whom these roots vouch for. */
export interface Everybody {
  readonly keys: readonly WantedKey[];
  readonly roots: readonly Believed[];
  readonly now: Instant;
}

/** Whom a piece of evidence carries. */
export type Carried =
  /** `claim`: what that one said; it may be about another image. `unproven`: what else was to be proven, and is not. */
  | {
      readonly signedBy: SignedBy;
      readonly proof?: SignatureProof | undefined;
      readonly claim: VerifiedClaim;
      readonly unproven?: Finding | undefined;
    }
  /** Why that cannot be said. `envelope`: what it says of itself; absent where it cannot even be read. */
  | { readonly finding: Finding; readonly envelope?: UntrustedEnvelope | undefined };

/** Never throws: whatever is wrong with a piece of evidence is that one's finding. */
export function carriedBy(exhibit: Exhibit, everybody: Everybody): Carried {
  let envelope: UntrustedEnvelope | undefined;
  try {
    envelope = exhibit.open().envelope;
    const maker = byKey(exhibit, everybody) ?? byCertificate(exhibit, everybody);
    return { ...maker, claim: exhibit.claim() };
  } catch (error) {
    return { finding: readable(error), envelope };
  }
}

function readable(error: unknown): Finding {
  if (error instanceof CountersignError) return toFinding(error);
  return { code: "malformed-signature", message: "the signature could not be read", found: toFinding(error).message };
}

type Maker = Omit<Extract<Carried, { readonly signedBy: SignedBy }>, "claim">;

/** A key's signature is what it is, whether or not a log holds it. */
function byKey(exhibit: Exhibit, { keys, now }: Everybody): Maker | undefined {
  const { provable } = exhibit.open();
  const key = keys.find((each) => isBy(exhibit, each));
  if (key === undefined) return undefined;
  const { label, fingerprint, terms, proof: believed } = key;
  const named = terms === undefined ? {} : { terms: { name: terms.name, person: terms.person } };
  const signedBy: SignedBy = { kind: "key", label, fingerprint, ...named };
  if (believed === undefined) return { signedBy };
  try {
    return { signedBy, proof: provable.proveKey(key, believed, now) };
  } catch (error) {
    return { signedBy, unproven: readable(error) };
  }
}

/** A key that cannot be tried on this signature did not make it. */
function isBy(exhibit: Exhibit, key: WantedKey): boolean {
  try {
    return exhibit.open().provable.isBy(key);
  } catch {
    return false;
  }
}

/** @throws CountersignError where no root vouches for whom it names. */
function byCertificate(exhibit: Exhibit, { roots, now }: Everybody): Maker {
  const { provable, envelope } = exhibit.open();
  if (envelope.certificates.length === 0) {
    throw new CountersignError("wrong-key", "the signature is by a key that nobody here has", {
      found: "a signature by a key that is not among those that are named",
    });
  }
  let nearest: unknown;
  for (const root of roots) {
    try {
      const { identity, proof } = provable.proveCertificate(root, now);
      return { signedBy: { kind: "identity", identity }, proof };
    } catch (error) {
      nearest ??= error;
    }
  }
  throw nearest ?? new CountersignError("certificate-untrusted", "no trust root is at hand to prove whom it names");
}
