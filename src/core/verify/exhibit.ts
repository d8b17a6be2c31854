import { verifySigned } from "../crypto/digest-signature.ts";
import type { PublicKey } from "../crypto/public-key.ts";
import type { UntrustedCandidate, UntrustedEnvelope, UntrustedSignature, VerifiedClaim } from "../formats/envelope.ts";
import { parseCandidate, readClaim } from "../formats/format.ts";
import type { Instant } from "../time.ts";
import type { CertificateIdentity } from "../trust/identity.ts";
import type { Demands, SignatureProof, TrustMaterial } from "../trust/material.ts";

/** A signature, with the hash of its maker's key as it claims it. */
export type HintedSignature = UntrustedSignature & Pick<UntrustedEnvelope, "keyHint">;

/** Whose word is taken for what lies beside a signature, and what has to lie there. */
export interface Believed {
  readonly trust: TrustMaterial;
  readonly demands: Demands;
}

/** What is worked out once, and thrown again where it failed. */
class Memo<Value> {
  readonly #known = new Map<string, () => Value>();

  get(key: string, work: () => Value): Value {
    const known = this.#known.get(key) ?? settle(work);
    this.#known.set(key, known);
    return known();
  }
}

function settle<Value>(work: () => Value): () => Value {
  try {
    const value = work();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

/**
 * What can be proven of a signature. The dear part of judging: each key is tried once and each trust root asked once for
 * the same demands, however many requirements want to know. Of one call: the present is the same for all of it.
 */
export class ProvableSignature {
  readonly signature: HintedSignature;
  readonly #made = new Memo<boolean>();
  readonly #proofs = new Map<TrustMaterial, Memo<SignatureProof>>();
  readonly #identities = new Map<TrustMaterial, Memo<{ identity: CertificateIdentity; proof: SignatureProof }>>();

  constructor(signature: HintedSignature) {
    this.signature = signature;
  }

  /** @throws CountersignError as `verifySigned`. */
  isBy(key: PublicKey): boolean {
    const { signed, signature } = this.signature;
    return this.#made.get(key.fingerprint, () => verifySigned(key, signed, signature));
  }

  /** @throws CountersignError as `TrustMaterial.proveKey`. */
  proveKey(key: PublicKey, { trust, demands }: Believed, now: Instant): SignatureProof {
    return memoOf(this.#proofs, trust).get(`${key.fingerprint} ${keyOf(demands)}`, () => {
      return { ...trust.proveKey(this.signature, key, demands, now), trust: trust.label };
    });
  }

  /** @throws CountersignError as `TrustMaterial.proveCertificate`. */
  proveCertificate(
    { trust, demands }: Believed,
    now: Instant,
  ): { readonly identity: CertificateIdentity; readonly proof: SignatureProof } {
    return memoOf(this.#identities, trust).get(keyOf(demands), () => {
      const { identity, publicKey: _, ...proven } = trust.proveCertificate(this.signature, demands, now);
      return { identity, proof: { ...proven, trust: trust.label } };
    });
  }
}

function memoOf<Value>(memos: Map<TrustMaterial, Memo<Value>>, trust: TrustMaterial): Memo<Value> {
  const memo = memos.get(trust) ?? new Memo<Value>();
  memos.set(trust, memo);
  return memo;
}

function keyOf({ logs, certificateLogs, timestamps, times, currentTime }: Demands): string {
  return `${logs} ${certificateLogs} ${timestamps} ${times} ${currentTime}`;
}

/** A candidate before the judge: parsed once, whoever asks. */
export class Exhibit {
  readonly candidate: UntrustedCandidate;
  /** What kind of statement it turned out to be, once some requirement has accepted it. */
  kind: string | undefined;
  readonly #opened = new Memo<{ readonly envelope: UntrustedEnvelope; readonly provable: ProvableSignature }>();
  readonly #claim = new Memo<VerifiedClaim>();

  constructor(candidate: UntrustedCandidate) {
    this.candidate = candidate;
  }

  /** @throws CountersignError as `parseCandidate`. */
  open(): { readonly envelope: UntrustedEnvelope; readonly provable: ProvableSignature } {
    return this.#opened.get("", () => {
      const envelope = parseCandidate(this.candidate);
      return { envelope, provable: new ProvableSignature(envelope) };
    });
  }

  /** Only to be read once its signer is proven. @throws CountersignError as `readClaim`. */
  claim(): VerifiedClaim {
    return this.#claim.get("", () => readClaim(this.open().envelope));
  }
}
