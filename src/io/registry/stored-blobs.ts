import { CountersignError } from "../../core/errors.ts";
import { type Descriptor, EMPTY_DESCRIPTOR } from "../../core/oci/descriptor.ts";
import type { Digest } from "../../core/oci/digest.ts";
import { childrenOf, type Manifest } from "../../core/oci/manifest.ts";
import { EMPTY_JSON } from "../../core/oci/media-types.ts";
import type { BlobSource } from "../../core/ports.ts";
import type { ReasonCode } from "../../core/reasons.ts";
import type { Session } from "./session.ts";

/**
 * Which blobs a repository is known to hold: those that this command stored or found there, and for a day `{}`, which is the
 * configuration of every signature. That is never the last word: a registry that refuses a manifest is sent what it names. It
 * need not refuse (distribution-spec, "Pushing Manifests": MAY), so that `{}` is never asked of a registry: a signature that
 * lacks it there is copied whole.
 */

/** `{}`, whose bytes are known to everybody. */
export function isEmpty({ digest, size }: Descriptor): boolean {
  return digest === EMPTY_DESCRIPTOR.digest && size === EMPTY_DESCRIPTOR.size;
}

export const EMPTY_SOURCE: BlobSource = {
  async *open(offset) {
    yield EMPTY_JSON.subarray(offset);
  },
};

export async function isStored({ pool, name, registry, repository }: Session, digest: Digest): Promise<boolean> {
  if (pool.storedIn(name).has(digest)) return true;
  return digest === EMPTY_DESCRIPTOR.digest && (await pool.capabilities.holdsEmpty(registry, repository));
}

export async function noteStored({ pool, name, registry, repository }: Session, digest: Digest): Promise<void> {
  pool.storedIn(name).add(digest);
  if (digest === EMPTY_DESCRIPTOR.digest) await pool.capabilities.noteEmpty(registry, repository, true);
}

const REFUSALS: ReadonlySet<ReasonCode> = new Set(["denied", "not-found", "server-error"]);

/**
 * After a manifest was not stored: what its repository was thought to hold, it may have lost, and the next attempt offers
 * everything again.
 *
 * @returns whether that `{}` was not sent may be why. Not every registry says MANIFEST_BLOB_UNKNOWN; some fail.
 */
export async function forgetStored(
  { pool, name, registry, repository }: Session,
  manifest: Manifest,
  thrown: unknown,
): Promise<boolean> {
  pool.storedIn(name).clear();
  const isRefused = thrown instanceof CountersignError && REFUSALS.has(thrown.code);
  if (!isRefused || childrenOf(manifest).every(({ digest }) => digest !== EMPTY_DESCRIPTOR.digest)) return false;
  if (!(await pool.capabilities.holdsEmpty(registry, repository))) return false;
  await pool.capabilities.noteEmpty(registry, repository, false);
  return true;
}
