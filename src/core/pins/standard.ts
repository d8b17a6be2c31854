import { makeStandard } from "../audit/standard.ts";
import { type Digest, digestOf } from "../oci/digest.ts";
import type { TrustMaterial } from "../trust/material.ts";
import type { Requirement } from "../verify/requirement.ts";

/** What a call requires of every image by flags, and what weakens it. */
export interface FlagStandard {
  readonly requirement: Requirement | "signed-tag";
  readonly recursive: boolean;
  readonly weakened: readonly string[];
}

/**
 * The digest of what flags require, as a policy has one. Trust roots are left out, other than in audits: they renew
 * themselves, and a lock file that changed with them would say nothing of its pins.
 */
export function standardOf({ requirement, recursive, weakened }: FlagStandard): Digest {
  const asked = requirement === "signed-tag" ? requirement : byAnyTrust(requirement);
  return makeStandard({ asked, also: recursive ? ["recursive"] : [], weakened }).digest;
}

function byAnyTrust(requirement: Requirement): Requirement {
  const { keyProof, identities } = requirement;
  return {
    ...requirement,
    keyProof: keyProof && { ...keyProof, trust: anyTrust(keyProof.trust) },
    identities: identities.map((identity) => ({ ...identity, trust: anyTrust(identity.trust) })),
  };
}

function anyTrust(trust: TrustMaterial): TrustMaterial {
  return { ...trust, digest: digestOf(new Uint8Array()) };
}
