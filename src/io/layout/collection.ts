import { formatLocation } from "../../core/oci/location.ts";
import type { Collection } from "../../core/ports.ts";
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
  const store = new LayoutStore({ kind, location: formatLocation(location), target: undefined, backing });
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
