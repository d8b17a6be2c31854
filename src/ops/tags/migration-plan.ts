import { type DctReleased, releasedTags } from "../../core/dct/released.ts";
import { type SuccessorSigner, successorsOf } from "../../core/dct/successor.ts";
import type { DctRepository } from "../../core/dct/verify.ts";
import type { Finding } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Digest } from "../../core/oci/digest.ts";
import type { Manifest } from "../../core/oci/manifest.ts";
import type { ContentStore } from "../../core/ports.ts";
import { isTrustTag } from "../../core/tags/names.ts";
import { mapConcurrently } from "../concurrency.ts";

/** A tag that was signed in Docker Content Trust, and what the registry says of it now. */
export interface PlannedTag extends DctReleased {
  /**
   * `same`: the registry's tag names the signed digest. `moved`: it names another one. `untagged`: there is no such tag any more.
   * `gone`: the signed manifest itself is not there, so nobody could pull it: it is not taken over.
   */
  readonly state: "same" | "moved" | "untagged" | "gone";
  readonly registryDigest: Digest | undefined;
  readonly mediaType: string | undefined;
}

/** What taking a repository over will do: for people to look at before anything is signed. */
export interface MigrationPlan {
  readonly gun: string;
  readonly tags: readonly PlannedTag[];
  /** In the order of priority. None: the holder of the repository's own key signs all tags, as before. */
  readonly signers: readonly SuccessorSigner[];
  /** What does not come along, or not as it was. */
  readonly notices: readonly Finding[];
}

/**
 * Looks at every tag that Docker would have pulled. Nothing is written.
 *
 * @throws CountersignError what the store throws: a tag that could not be looked at is not called gone.
 */
export async function planMigration(repository: DctRepository, store: ContentStore): Promise<MigrationPlan> {
  const released = releasedTags(repository).filter(({ tag }) => isTag(tag));
  const tags = await mapConcurrently(released, LIMITS.listingWorkers, (tag) => plan(tag, store));
  const { signers, notices } = successorsOf(repository);
  const odd = releasedTags(repository).filter(({ tag }) => !isTag(tag));
  return {
    gun: repository.gun,
    tags,
    signers,
    notices: [...repository.passedOver, ...notices, ...odd.map(noTag), ...tags.flatMap(noticeOf)],
  };
}

/** Notary signs names of all kinds, the distribution-spec has a few of them for tags; ours are not bound. */
function isTag(name: string): boolean {
  return /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/.test(name) && !isTrustTag(name);
}

async function plan(released: DctReleased, store: ContentStore): Promise<PlannedTag> {
  const manifest = await store.resolve(released.digest);
  const named = await store.resolve(released.tag);
  const registryDigest = named?.descriptor.digest;
  return {
    ...released,
    registryDigest,
    mediaType: manifest?.descriptor.mediaType,
    state: stateOf(released, manifest, named),
  };
}

function stateOf(
  { digest, length }: DctReleased,
  manifest: Manifest | undefined,
  named: Manifest | undefined,
): PlannedTag["state"] {
  if (manifest === undefined || manifest.descriptor.size !== length) return "gone";
  if (named === undefined) return "untagged";
  return named.descriptor.digest === digest ? "same" : "moved";
}

function noticeOf({ tag, digest, state, registryDigest }: PlannedTag): readonly Finding[] {
  if (state === "gone") {
    const message = `${tag} is not taken over: what it was signed for is not in the registry`;
    return [{ code: "not-found", message, found: "no such manifest, or one of another length", wanted: digest }];
  }
  if (state !== "moved") return [];
  const message = `the registry's tag ${tag} names another digest than the signed one, which counts`;
  return [{ code: "tag-moved", message, found: registryDigest, wanted: digest, next: "look at both before you sign" }];
}

function noTag({ tag }: DctReleased): Finding {
  return { code: "usage", message: "a name that was signed is no tag that can be signed", found: tag };
}
