import { makeWithdrawnArtifact, readWithdrawnArtifact } from "../core/formats/withdrawn-artifact.ts";
import { LIMITS } from "../core/limits.ts";
import { checkBytes, type Descriptor } from "../core/oci/descriptor.ts";
import type { Digest } from "../core/oci/digest.ts";
import type { ContentStore } from "../core/ports.ts";
import type { TagJudging } from "./judging.ts";
import { sourceOf } from "./prepare-signature.ts";
import { bindArtifact, orUntrusted, resolveArtifact } from "./registry-artifact.ts";
import type { Target } from "./verify.ts";

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
  const target = await bindArtifact(named, KIND, tags);
  return await orUntrusted(target, `the ${KIND} is not what its digest names`, () => fetchWhole(target));
}

const KIND = "list of withdrawn digests";

async function fetchWhole(target: Target): Promise<SignedList> {
  const { store, image } = target;
  const { list, bundle } = readWithdrawnArtifact(await resolveArtifact(target, KIND), image);
  const read = async (descriptor: Descriptor, most: number): Promise<Uint8Array> => {
    const bytes = await store.readBlob(descriptor, most);
    checkBytes(bytes, descriptor, image);
    return bytes;
  };
  return { bytes: await read(list, LIMITS.withdrawnBytes), bundle: await read(bundle, LIMITS.signatureBytes) };
}
