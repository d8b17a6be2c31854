import type { Descriptor } from "../../core/oci/descriptor.ts";
import type { Digest } from "../../core/oci/digest.ts";
import { formatLocation } from "../../core/oci/location.ts";
import { artifactTypeOf, type Manifest } from "../../core/oci/manifest.ts";
import type { Collection, ReferrersListing } from "../../core/ports.ts";
import { type FileLocation, publishArchive, publishFolder, stageNew } from "./destination.ts";
import { layoutName } from "./layout-index.ts";
import { LayoutStore } from "./store.ts";
import { blobSizes } from "./whole.ts";

/** Places that hold several images. */
export type CollectionLocation = FileLocation & { readonly kind: "oci-layout" | "oci-archive" };

/**
 * A new OCI layout or archive for several images: staged as a destination for one is, and visible by one rename.
 *
 * @throws CountersignError `destination-exists`, `not-found` (no such parent folder), `write-conflict`, `disk-error`.
 */
export async function layoutCollection(
  location: CollectionLocation,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<Collection> {
  const { kind, path } = location;
  const staged = await stageNew(location, signal);
  const { staging, backing } = staged;
  const store = new NewLayoutStore({ kind, location: formatLocation(location), target: undefined, backing });
  return {
    store,
    async list(manifest, name) {
      await store.pushManifest(manifest);
      const { descriptor, artifactType } = manifest;
      const entry = { ...descriptor, annotations: undefined, artifactType };
      await backing.changeIndex((index) =>
        name === undefined ? index.withEntry(entry) : index.withName(entry, layoutName(name)),
      );
    },
    listed: async () => (await backing.index()).entries,
    blobs: () => blobSizes(backing.files()),
    commit: (first) =>
      kind === "oci-layout" ? publishFolder(path, staged, first) : publishArchive(path, kind, staged, first),
    discard: () => staging.discard(),
    suspend: () => staging.suspend(),
  };
}

/**
 * A layout that was empty when it was opened and that nobody else sees: what refers to what is known from what was pushed.
 * Any other layout is searched for every subject, which takes time with the square of the number of images.
 */
class NewLayoutStore extends LayoutStore {
  readonly #referrers = new Map<Digest, Descriptor[]>();

  override async pushManifest(manifest: Manifest, tag?: string): Promise<void> {
    await super.pushManifest(manifest, tag);
    const { subject, annotations } = manifest;
    if (subject === undefined) return;
    const { mediaType, digest, size } = manifest.descriptor;
    const known = (this.#referrers.get(subject.digest) ?? []).filter((entry) => entry.digest !== digest);
    this.#referrers.set(subject.digest, [
      ...known,
      { mediaType, digest, size, artifactType: artifactTypeOf(manifest), annotations },
    ]);
  }

  override async referrers(subject: Digest): Promise<ReferrersListing> {
    return { descriptors: this.#referrers.get(subject) ?? [], via: "layout" };
  }
}
