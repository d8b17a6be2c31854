import { CountersignError } from "../core/errors.ts";
import { isImageConfigType, parseImageConfig } from "../core/oci/config.ts";
import type { Descriptor } from "../core/oci/descriptor.ts";
import { type Digest, digestAlgorithm } from "../core/oci/digest.ts";
import { type LayerCompression, layerCompression } from "../core/oci/layer.ts";
import type { ImageManifest } from "../core/oci/manifest.ts";
import type { LayerDigester, OpenLayerDigester } from "../core/ports.ts";

/** What a layer's blob must decompress to. */
export interface LayerCheck {
  readonly layer: Descriptor;
  readonly compression: LayerCompression;
  /** Digest of the uncompressed tar: image-spec config.md, `rootfs.diff_ids`. */
  readonly diffId: Digest;
}

/** Whether this manifest's configuration lists what its layers decompress to: an image's does, an artifact's does not. */
export function hasDiffIds(manifest: ImageManifest): boolean {
  return isImageConfigType(manifest.config.mediaType) && manifest.layers.some((layer) => isFileSystem(layer));
}

function isFileSystem(layer: Descriptor): boolean {
  return layerCompression(layer.mediaType) !== undefined;
}

/**
 * What is to be checked of each layer of an image. Layers that are stored uncompressed are checked here and now: their
 * digest is the `diff_id`.
 *
 * @throws CountersignError `layer-invalid` where configuration and layers do not fit, `manifest-invalid`.
 */
export function layerChecks(manifest: ImageManifest, config: Uint8Array): readonly LayerCheck[] {
  const { diffIds } = parseImageConfig(config);
  if (diffIds.length !== manifest.layers.length) {
    throw new CountersignError("layer-invalid", "the image's configuration describes another number of layers", {
      found: `${diffIds.length} in the configuration`,
      wanted: `${manifest.layers.length} as in the manifest`,
    });
  }
  return manifest.layers.flatMap((layer, at) => {
    const diffId = diffIds[at];
    const compression = layerCompression(layer.mediaType);
    if (diffId === undefined || compression === undefined) return [];
    if (compression !== "none" || digestAlgorithm(diffId) !== digestAlgorithm(layer.digest)) {
      return [{ layer, compression, diffId }];
    }
    if (diffId !== layer.digest) throw diffIdMismatch(layer, layer.digest, diffId);
    return [];
  });
}

/** Layers of an image that are no file systems of a known kind: nothing can be said about their contents. */
export function uncheckedLayers(manifest: ImageManifest): readonly Descriptor[] {
  return manifest.layers.filter((layer) => !isFileSystem(layer));
}

/** Checks a layer against its `diff_id` while its bytes pass by on their way to somewhere else. */
export class LayerInspection {
  readonly #check: LayerCheck;
  readonly #open: OpenLayerDigester;
  #digester: LayerDigester | undefined;
  #isDone = false;

  constructor(check: LayerCheck, open: OpenLayerDigester) {
    this.#check = check;
    this.#open = open;
  }

  /** The whole layer went through and is what it should be. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /**
   * Passes all of a layer's bytes on unchanged and ends in an error unless they decompress to the `diff_id`. The source
   * has the first word: where its bytes are not those of the blob's digest, that is the error, and not what they
   * decompress to.
   */
  async *through(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    this.abort();
    const digester = this.#open(this.#check.compression, digestAlgorithm(this.#check.diffId));
    this.#digester = digester;
    let failure: unknown;
    const digest = (chunk: Uint8Array): Promise<void> =>
      digester.write(chunk).catch((error: unknown) => {
        failure ??= this.#locate(error);
      });
    try {
      for await (const chunk of chunks) {
        // Decompression runs while the chunk is being written wherever it goes.
        const digested = failure === undefined ? digest(chunk) : undefined;
        yield chunk;
        await digested;
      }
      if (failure !== undefined) throw failure;
      this.#compare(await digester.finish().catch((error: unknown) => Promise.reject(this.#locate(error))));
    } finally {
      digester.abort();
    }
  }

  abort(): void {
    this.#digester?.abort();
  }

  #compare(found: Digest): void {
    if (found !== this.#check.diffId) throw diffIdMismatch(this.#check.layer, found, this.#check.diffId);
    this.#isDone = true;
  }

  /** Says which layer it is about. */
  #locate(error: unknown): unknown {
    if (!(error instanceof CountersignError)) return error;
    const { code, found, wanted, next } = error;
    return new CountersignError(code, `${error.message} (${this.#check.layer.digest})`, {
      found,
      wanted,
      next,
      cause: error,
    });
  }
}

function diffIdMismatch(layer: Descriptor, found: Digest, wanted: Digest): CountersignError {
  return new CountersignError("layer-invalid", `the layer ${layer.digest} does not decompress to its diff_id`, {
    found,
    wanted,
  });
}
