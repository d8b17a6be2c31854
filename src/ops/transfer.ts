import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { checkBytes, type Descriptor } from "../core/oci/descriptor.ts";
import type { Digest } from "../core/oci/digest.ts";
import { isForeignLayer } from "../core/oci/layer.ts";
import { childrenOf, type ImageManifest, type Manifest } from "../core/oci/manifest.ts";
import { isManifestType } from "../core/oci/media-types.ts";
import type {
  BlobSource,
  ContentStore,
  Destination,
  OnTransfer,
  OpenLayerDigester,
  TransferEvent,
} from "../core/ports.ts";
import { forEachConcurrently } from "./concurrency.ts";
import { hasDiffIds, type LayerCheck, LayerInspection, layerChecks, uncheckedLayers } from "./layers.ts";
import { sourceOf } from "./prepare-signature.ts";
import { untilStopped } from "./stop.ts";
import { readTree } from "./tree.ts";

export interface TransferOptions {
  /** Checks every layer against its `diff_id`; absent: that is not checked, and the result says so. */
  readonly openLayerDigester?: OpenLayerDigester | undefined;
  readonly onTransfer?: OnTransfer | undefined;
  /** Blobs moved at a time; 4 where absent. */
  readonly maxWorkers?: number | undefined;
}

/** What a transfer did. */
export interface TransferSummary {
  /** Manifests and blobs, each counted once. */
  readonly manifests: number;
  readonly blobs: number;
  /** Bytes of blobs and manifests that were moved. */
  readonly movedBytes: number;
  /** Bytes of blobs that were at the destination already, or that the registry mounted from another repository. */
  readonly presentBytes: number;
  /** What could have been checked and was not, in words. */
  readonly notChecked: readonly string[];
}

type What = TransferEvent["what"];

export const DEFAULT_WORKERS = 4;

/**
 * Moves trees of content from one store to another: by digest only, each blob once, blobs before the manifests that
 * name them. Nothing it does is visible in a destination that stages.
 */
export class Transfer {
  readonly #source: ContentStore;
  readonly #target: ContentStore;
  readonly #options: TransferOptions;
  readonly #workers: number;
  readonly #mountFrom: string | undefined;
  readonly #blobs = new Map<Digest, { readonly size: number; readonly isMoved: Promise<boolean> }>();
  readonly #notChecked = new Set<string>();
  #manifests = 0;
  #movedBytes = 0;
  #presentBytes = 0;

  constructor(source: ContentStore, target: ContentStore, options: TransferOptions) {
    this.#source = source;
    this.#target = target;
    this.#options = options;
    this.#workers = options.maxWorkers ?? DEFAULT_WORKERS;
    this.#mountFrom = mountableRepository(source, target);
  }

  get summary(): TransferSummary {
    return {
      manifests: this.#manifests,
      blobs: this.#blobs.size,
      movedBytes: this.#movedBytes,
      presentBytes: this.#presentBytes,
      notChecked: [...this.#notChecked],
    };
  }

  /**
   * Moves everything below a manifest, but not the manifest: its blobs, and for an index all manifests in it.
   * The first error ends the work of all workers and is thrown.
   *
   * @returns the manifests that were moved, without the root.
   */
  async moveBelow(root: Manifest, what: "layer" | "signature"): Promise<readonly Manifest[]> {
    const tree = await readTree(this.#source, root, this.#workers);
    const stop = new AbortController();
    const manifests = tree.flat();
    const checks = what === "layer" ? await this.#moveConfigs(manifests, stop) : new Map<Digest, LayerCheck>();
    await this.#forEach(stop, blobsOf(manifests), (blob) =>
      this.#once(blob, () => this.#moveBlob(blob, what, checks.get(blob.digest), stop)),
    );
    const below = tree.slice(0, -1);
    for (const group of below) await this.#forEach(stop, group, (manifest) => this.moveManifest(manifest));
    return below.flat();
  }

  /** Moves a manifest, under a tag or by its digest alone. */
  async moveManifest(manifest: Manifest, tag?: string): Promise<void> {
    const total = manifest.bytes.byteLength;
    this.#manifests++;
    // A manifest with a subject is stored again: that it is there does not say that it is listed.
    const isStored =
      tag === undefined && manifest.subject === undefined && (await this.#target.hasManifest(manifest.descriptor));
    if (!isStored) {
      await this.#target.pushManifest(manifest, tag);
      this.#movedBytes += total;
    }
    this.#emit(manifest.descriptor, "manifest", isStored ? "present" : "done", total);
  }

  /** Configurations come first and one by one through memory: they say what the layers must be. */
  async #moveConfigs(manifests: readonly Manifest[], stop: AbortController): Promise<ReadonlyMap<Digest, LayerCheck>> {
    const checks = new Map<Digest, LayerCheck>();
    await this.#forEach(stop, manifests, async (manifest) => {
      if (manifest.kind !== "image") return;
      const found = await this.#moveConfig(manifest, stop);
      for (const check of found) addCheck(checks, check);
    });
    return checks;
  }

  async #moveConfig(manifest: ImageManifest, stop: AbortController): Promise<readonly LayerCheck[]> {
    if (!hasDiffIds(manifest)) {
      this.#notChecked.add("layer contents (an artifact has no diff_ids)");
      return [];
    }
    if (this.#options.openLayerDigester === undefined) {
      this.#notChecked.add("layer contents (diff_ids)");
      return [];
    }
    for (const layer of uncheckedLayers(manifest)) this.#notChecked.add(`contents of ${layer.mediaType}`);
    const { config } = manifest;
    const bytes = await this.#source.readBlob(config, LIMITS.configBytes);
    checkBytes(bytes, config, `the configuration ${config.digest}`);
    const checks = layerChecks(manifest, bytes);
    await this.#once(config, () => this.#store(config, "config", sourceOf(bytes), stop));
    return checks;
  }

  /**
   * Each blob is moved once, whoever names it; whoever else names it waits until it is there, since a manifest may only
   * follow its blobs. Where the first did not succeed, perhaps for a reason of its own, the next tries again.
   *
   * @throws CountersignError `manifest-invalid` where one digest is described with two sizes.
   */
  async #once(blob: Descriptor, move: () => Promise<void>): Promise<void> {
    const { digest, size } = blob;
    for (let known = this.#blobs.get(digest); known !== undefined; known = this.#blobs.get(digest)) {
      if (known.size !== size) throw twoSizes(blob, known.size);
      if (await known.isMoved) return;
    }
    const moved = move();
    const isMoved = moved.then(
      () => true,
      () => !this.#blobs.delete(digest),
    );
    this.#blobs.set(digest, { size, isMoved });
    await moved;
  }

  async #moveBlob(blob: Descriptor, what: What, check: LayerCheck | undefined, stop: AbortController): Promise<void> {
    const { openLayerDigester } = this.#options;
    const inspection = check && openLayerDigester && new LayerInspection(check, openLayerDigester);
    try {
      const open = (offset: number) => this.#stream(blob, what, offset, inspection, stop);
      await this.#store(blob, what, { open, isChecked: true }, stop);
      if (inspection?.isDone === false) await this.#inspectStored(blob, inspection, stop);
    } finally {
      inspection?.abort();
    }
  }

  async #store(blob: Descriptor, what: What, source: BlobSource, stop: AbortController): Promise<void> {
    stop.signal.throwIfAborted();
    this.#emit(blob, what, "started", 0);
    const outcome = await this.#target.pushBlob(blob, source, { mountFrom: this.#mountFrom });
    if (outcome === "stored") this.#movedBytes += blob.size;
    else this.#presentBytes += blob.size;
    this.#emit(blob, what, outcome === "stored" ? "done" : "present", blob.size);
  }

  async *#stream(
    blob: Descriptor,
    what: What,
    offset: number,
    inspection: LayerInspection | undefined,
    stop: AbortController,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    if (offset > 0) this.#emit(blob, what, "resumed", offset);
    const chunks = this.#source.openBlob(blob, offset);
    const inspected = offset === 0 && inspection !== undefined ? inspection.through(chunks) : chunks;
    let bytes = offset;
    try {
      for await (const chunk of untilStopped(inspected, stop.signal)) {
        bytes += chunk.byteLength;
        this.#emit(blob, what, "progress", bytes);
        yield chunk;
      }
    } catch (error) {
      throw isForeignLayer(blob.mediaType) ? foreignLayer(blob, error) : error;
    }
  }

  /** A layer that did not pass by whole, because it was there or was resumed, is read again from where it is near. */
  async #inspectStored(blob: Descriptor, inspection: LayerInspection, stop: AbortController): Promise<void> {
    const store = this.#target.kind === "registry" ? this.#source : this.#target;
    const chunks = untilStopped(inspection.through(store.openBlob(blob)), stop.signal);
    while ((await chunks.next()).done !== true);
  }

  /** As `forEachConcurrently`; a failure stops the streams of the other workers, and is what is thrown. */
  async #forEach<Item>(
    stop: AbortController,
    items: readonly Item[],
    action: (item: Item) => Promise<void>,
  ): Promise<void> {
    await forEachConcurrently(items, this.#workers, async (item) => {
      try {
        await action(item);
      } catch (error) {
        stop.abort(error);
        throw stop.signal.reason;
      }
    });
  }

  #emit({ digest, size }: Descriptor, what: What, state: TransferEvent["state"], bytes: number): void {
    this.#options.onTransfer?.({ digest, what, state, bytes, total: size });
  }
}

/**
 * Ends a transfer that failed: what was seen to be wrong leaves nothing behind, and what was only interrupted can be
 * resumed by the next run.
 */
export async function giveUp(destination: Pick<Destination, "discard" | "suspend">, error: unknown): Promise<void> {
  try {
    if (isResumable(error)) await destination.suspend();
    else await destination.discard();
  } catch {
    // What went wrong first is what is reported.
  }
}

/** What will not do the next time either; and a disk that is full is not kept full. */
const NOT_RESUMABLE: ReadonlySet<string> = new Set(["limit-reached", "disk-error", "internal"]);

function isResumable(error: unknown): boolean {
  if (!(error instanceof CountersignError) || NOT_RESUMABLE.has(error.code)) return false;
  return error.class === "undetermined" || error.class === "interrupted" || error.class === "credentials";
}

/** The repository part of `source`'s name if both are in the same registry: the registry may copy by itself. */
function mountableRepository(source: ContentStore, target: ContentStore): string | undefined {
  if (source.kind !== "registry" || target.kind !== "registry") return undefined;
  const [from, to] = [splitName(source.repository), splitName(target.repository)];
  return from.registry === to.registry && from.path !== to.path ? from.path : undefined;
}

function splitName(name = ""): { readonly registry: string; readonly path: string } {
  const slash = name.indexOf("/");
  return { registry: name.slice(0, slash), path: name.slice(slash + 1) };
}

/** One blob has one content: two images that want different contents of it cannot both be right. */
function addCheck(checks: Map<Digest, LayerCheck>, check: LayerCheck): void {
  const known = checks.get(check.layer.digest);
  if (known !== undefined && (known.diffId !== check.diffId || known.compression !== check.compression)) {
    throw new CountersignError("layer-invalid", `the layer ${check.layer.digest} is described in two ways`, {
      found: `${check.compression}, ${check.diffId}`,
      wanted: `${known.compression}, ${known.diffId}`,
    });
  }
  checks.set(check.layer.digest, check);
}

/** The blobs of manifests, the largest first: the longest should not be the last to start. */
function blobsOf(manifests: readonly Manifest[]): readonly Descriptor[] {
  const blobs = manifests.flatMap(childrenOf).filter((entry) => !isManifestType(entry.mediaType));
  return distinct(blobs).toSorted((a, b) => b.size - a.size);
}

/** One of those that agree in digest and size: those that agree in the digest alone are found out when they are moved. */
function distinct(blobs: readonly Descriptor[]): readonly Descriptor[] {
  return [...new Map(blobs.map((blob) => [`${blob.digest} ${blob.size}`, blob])).values()];
}

function twoSizes({ digest, size }: Descriptor, known: number): CountersignError {
  return new CountersignError("manifest-invalid", `the image gives two sizes for the blob ${digest}`, {
    found: `${size} bytes`,
    wanted: `${known} bytes`,
  });
}

/** Image-spec layer.md: such a layer's `urls` lead away from the registry, and are not followed. */
function foreignLayer(layer: Descriptor, error: unknown): unknown {
  if (!(error instanceof CountersignError) || error.code !== "not-found") return error;
  return new CountersignError("not-found", "the registry does not hold a layer that may not be distributed", {
    found: layer.digest,
    wanted: "the layer in the registry itself; other addresses are not followed",
    next: "push the image again with its non-distributable layers included",
    cause: error,
  });
}
