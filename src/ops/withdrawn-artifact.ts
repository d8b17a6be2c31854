import { CountersignError } from "../core/errors.ts";
import { explainBriefly } from "../core/explain.ts";
import { makeWithdrawnArtifact, readWithdrawnArtifact } from "../core/formats/withdrawn-artifact.ts";
import { LIMITS } from "../core/limits.ts";
import { checkBytes, type Descriptor } from "../core/oci/descriptor.ts";
import type { Digest } from "../core/oci/digest.ts";
import type { Manifest } from "../core/oci/manifest.ts";
import type { ContentStore } from "../core/ports.ts";
import type { TagJudging } from "./judging.ts";
import { bindTag } from "./policy-artifact.ts";
import { sourceOf } from "./prepare-signature.ts";
import { resolveTarget, type Target } from "./verify.ts";

/** A list of withdrawn digests and the bundle that signs it. */
export interface SignedList {
  readonly bytes: Uint8Array;
  readonly bundle: Uint8Array;
}

/** Stores a list, and moves the tag last. @returns the artifact's digest. */
export async function pushWithdrawn(store: ContentStore, tag: string, { bytes, bundle }: SignedList): Promise<Digest> {
  const { manifest, blobs } = makeWithdrawnArtifact(bytes, bundle);
  for (const blob of blobs) await store.pushBlob(blob.descriptor, sourceOf(blob.bytes));
  await store.pushManifest(manifest, tag);
  return manifest.descriptor.digest;
}

/**
 * Fetches a list as it is kept in a registry. Nothing of it is proven but that it is whole, and where a root of its
 * repository is pinned that its tag is signed for it: whoever may write there could put back one that names fewer.
 *
 * @throws CountersignError `policy-invalid` where there is no list, `policy-untrusted` where its bytes are wrong; what the
 *   store throws.
 */
export async function fetchWithdrawn(named: Target, tags?: TagJudging): Promise<SignedList> {
  const target = named.digest === undefined ? await bindTag(named, "list of withdrawn digests", tags) : named;
  const { store, image } = target;
  try {
    const manifest = await resolveList(target);
    const { list, bundle } = readWithdrawnArtifact(manifest, image);
    const read = async (descriptor: Descriptor, most: number): Promise<Uint8Array> => {
      const bytes = await store.readBlob(descriptor, most);
      checkBytes(bytes, descriptor, image);
      return bytes;
    };
    return { bytes: await read(list, LIMITS.withdrawnBytes), bundle: await read(bundle, LIMITS.signatureBytes) };
  } catch (error) {
    // Wrong bytes refuse no image: they leave nothing to tell a withdrawn one by.
    if (!(error instanceof CountersignError) || error.class !== "refused") throw error;
    throw new CountersignError("policy-untrusted", "the list of withdrawn digests is not what its digest names", {
      found: `${image}: ${explainBriefly(error)}`,
      wanted: error.wanted,
      next: error.next,
      cause: error,
    });
  }
}

async function resolveList(target: Target): Promise<Manifest> {
  const { store, image, tag, digest, bound } = target;
  if (bound?.signedTag !== undefined) return await resolveTarget(target);
  const manifest = await store.resolve(digest ?? tag);
  if (manifest !== undefined) return manifest;
  throw new CountersignError("not-found", "there is no such list of withdrawn digests", { wanted: image });
}
