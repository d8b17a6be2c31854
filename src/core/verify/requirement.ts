import type { PublicKey } from "../crypto/public-key.ts";
import { CountersignError } from "../errors.ts";
import type { PredicateType } from "../formats/predicates.ts";
import type { Condition } from "../policy/condition.ts";
import type { Window } from "../policy/document.ts";
import type { Instant } from "../time.ts";
import type { IdentityCondition } from "../trust/identity.ts";
import type { Demands, TrustMaterial } from "../trust/material.ts";

/** What must hold for an image to be accepted. */
export interface Requirement {
  /** Any of these may sign; two with the same fingerprint are one signer. */
  readonly keys: readonly WantedKey[];
  /** What a signature by a key must bring beside itself; nothing where absent. */
  readonly keyProof?: { readonly trust: TrustMaterial; readonly demands: Demands } | undefined;
  /** Any of these may sign too, with a certificate. */
  readonly identities: readonly IdentityRequirement[];
  /** How many distinct keys and identities must have signed. */
  readonly threshold: number;
  /** Every pair must be among the signed annotations. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Names that a legacy payload may carry beside the repository that it is in: the image was mirrored. */
  readonly signedAs: readonly string[];
  /** The statement that is wanted; the image's own signature where absent. */
  readonly attestation?: AttestationRequirement | undefined;
  /** Milliseconds since a time at which it was proven to be signed; what proves no time is too old. */
  readonly maxAge?: number | undefined;
  /** What was signed has to name the repository that it is in, or one of `signedAs`. */
  readonly nameBinding?: boolean | undefined;
  /** The present, read once at the door: what certificates are judged by where no time is proven and that is allowed. */
  readonly now: Instant;
}

/** A key, and on what terms a policy takes its signatures. */
export interface WantedKey extends PublicKey {
  readonly terms?: Terms | undefined;
  /** What has to lie beside its signatures, where it is not the same for all keys. */
  readonly proof?: { readonly trust: TrustMaterial; readonly demands: Demands } | undefined;
}

/** What a policy says of somebody whom it names. */
export interface Terms {
  /** As the policy calls it. */
  readonly name: string;
  /** Who it counts for in a threshold: several keys, and several names with the same key, can be one person. */
  readonly person: string;
  /** When its signatures have to have been made. */
  readonly window: Window;
}

/** A certificate's identity, and whose word is taken for it: the root is chosen here and never by the certificate. */
export interface IdentityRequirement {
  readonly condition: IdentityCondition;
  readonly trust: TrustMaterial;
  readonly demands: Demands;
  /** Who it counts for, its certificate says: by whatever name somebody is wanted, they are one person (`personOf`). */
  readonly terms?: Omit<Terms, "person"> | undefined;
}

/** An attestation: a statement of a kind about the image, of which conditions hold. */
export interface AttestationRequirement {
  /** Any of these. */
  readonly predicateTypes: readonly PredicateType[];
  /** All of these. */
  readonly conditions: readonly Condition[];
}

/**
 * @throws CountersignError `usage` for a requirement that nothing or anything could meet: nobody who may sign, a threshold
 * below one or above the number of distinct signers.
 */
export function checkRequirement(requirement: Requirement): void {
  const most = countSigners(requirement);
  if (most === 0) {
    throw new CountersignError("usage", "nothing says whose signature is wanted", {
      wanted: "--key KEY, or --certificate-identity NAME and --certificate-oidc-issuer URL",
    });
  }
  const { threshold } = requirement;
  if (Number.isSafeInteger(threshold) && threshold >= 1 && threshold <= most) return;
  const noun = requirement.identities.length === 0 ? "key" : "signer";
  throw new CountersignError("usage", "the threshold cannot be met", {
    found: `a threshold of ${threshold}, and ${most === 1 ? `only one ${noun}` : `${most} different ${noun}s`}`,
    wanted: most === 1 ? `a threshold of 1, or more ${noun}s` : `a threshold from 1 to ${most}, or more ${noun}s`,
  });
}

/** How many distinct ones may sign: one pattern may be met by any number of identities. */
function countSigners({ keys, identities }: Requirement): number {
  const conditions = identities.map(({ condition }) => condition);
  if (conditions.some(({ subject, issuer }) => subject.kind !== "exact" || issuer.kind !== "exact")) {
    return Number.MAX_SAFE_INTEGER;
  }
  const named = conditions.map(({ subject, issuer }) => JSON.stringify([subject.text, issuer.text]));
  return new Set(keys.map((key) => key.fingerprint)).size + new Set(named).size;
}
