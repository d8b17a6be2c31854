import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { type Digest, digestOf } from "../../src/core/oci/digest.ts";
import type { Manifest } from "../../src/core/oci/manifest.ts";
import { MEDIA_TYPES } from "../../src/core/oci/media-types.ts";
import type { MemoryStore } from "./memory-store.ts";

/** A layer to put into an image: what is stored, under which type, and what it decompresses to. */
export interface SampleLayer {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly diffId: Digest;
}

/** A layer of bytes that stand for a tar: nobody here opens it. */
export function gzipLayer(tar: Uint8Array = randomBytes(1000)): SampleLayer {
  return { bytes: gzipSync(tar), mediaType: MEDIA_TYPES.ociLayerGzip, diffId: digestOf(tar) };
}

export function plainLayer(tar: Uint8Array = randomBytes(1000)): SampleLayer {
  return { bytes: tar, mediaType: MEDIA_TYPES.ociLayer, diffId: digestOf(tar) };
}

export interface SampleOptions {
  readonly tag?: string;
  readonly config?: object;
  readonly subject?: Manifest;
  readonly configType?: string;
}

/** Puts an image into a store. */
export function addImage(store: MemoryStore, layers: readonly SampleLayer[], options: SampleOptions = {}): Manifest {
  const config = options.config ?? {
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.diffId) },
    nonce: randomBytes(8).toString("hex"),
  };
  const json = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: store.addBlob(Buffer.from(JSON.stringify(config)), options.configType ?? MEDIA_TYPES.ociConfig),
    layers: layers.map((layer) => store.addBlob(layer.bytes, layer.mediaType)),
    ...(options.subject === undefined ? {} : { subject: options.subject.descriptor }),
  };
  return store.addManifest(json, MEDIA_TYPES.ociManifest, options.tag);
}

/** Puts an index over manifests into a store. */
export function addIndex(store: MemoryStore, manifests: readonly Manifest[], tag?: string): Manifest {
  const json = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociIndex,
    manifests: manifests.map((manifest, at) => ({
      ...manifest.descriptor,
      platform: { os: "linux", architecture: at === 0 ? "amd64" : `arch${at}` },
    })),
  };
  return store.addManifest(json, MEDIA_TYPES.ociIndex, tag);
}
