import type { PublicKey } from "../crypto/public-key.ts";
import { CountersignError } from "../errors.ts";

/** What must hold for an image to be accepted: signatures by bare keys. */
export interface Requirement {
  /** Any of these may sign; two with the same fingerprint are one signer. */
  readonly keys: readonly PublicKey[];
  /** How many distinct keys must have signed. */
  readonly threshold: number;
  /** Every pair must be among the signed annotations. */
  readonly annotations: Readonly<Record<string, string>>;
  /** Names that a legacy payload may carry beside the repository that it is in: the image was mirrored. */
  readonly signedAs: readonly string[];
}

/**
 * @throws CountersignError `usage` for a requirement that nothing or anything could meet: no key, a threshold below one
 * or above the number of distinct keys.
 */
export function checkRequirement(requirement: Requirement): void {
  const distinct = new Set(requirement.keys.map((key) => key.fingerprint)).size;
  if (distinct === 0) throw new CountersignError("usage", "no key was given to verify with", { wanted: "--key KEY" });
  const { threshold } = requirement;
  if (Number.isSafeInteger(threshold) && threshold >= 1 && threshold <= distinct) return;
  throw new CountersignError("usage", "the threshold cannot be met", {
    found: `a threshold of ${threshold}, and ${distinct === 1 ? "only one key" : `${distinct} different keys`}`,
    wanted: distinct === 1 ? "a threshold of 1, or more keys" : `a threshold from 1 to ${distinct}, or more keys`,
  });
}
