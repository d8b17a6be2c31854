import { CountersignError } from "../core/errors.ts";
import type { Descriptor } from "../core/oci/descriptor.ts";
import { type Digest, isDigest } from "../core/oci/digest.ts";
import type { Manifest } from "../core/oci/manifest.ts";
import type { ContentStore, ReferrersListing } from "../core/ports.ts";

export interface KitStoreOptions {
  readonly base: ContentStore;
  /** Where the image was saved from: what legacy payloads have to name. */
  readonly repository: string | undefined;
  /** What refers to each digest. */
  readonly referrers: ReadonlyMap<Digest, readonly Descriptor[]>;
  /** cosign's tags, and that of the repository's trust metadata. */
  readonly tags: ReadonlyMap<string, Descriptor>;
}

/**
 * One image's view of a kit that was read: as its repository was when it was saved. What is attached was found in one
 * pass; the layout itself would be searched anew for every subject.
 */
export class KitStore implements ContentStore {
  readonly kind: ContentStore["kind"];
  readonly location: string;
  readonly repository: string | undefined;
  readonly #base: ContentStore;
  readonly #referrers: KitStoreOptions["referrers"];
  readonly #tags: KitStoreOptions["tags"];

  constructor({ base, repository, referrers, tags }: KitStoreOptions) {
    this.kind = base.kind;
    this.location = repository ?? base.location;
    this.repository = repository;
    this.#base = base;
    this.#referrers = referrers;
    this.#tags = tags;
  }

  /** By digest, or by a tag of cosign's or of trust metadata: images are named by the list alone. */
  async resolve(target: string | undefined): Promise<Manifest | undefined> {
    if (target !== undefined && isDigest(target)) return await this.#base.resolve(target);
    const descriptor = this.#tags.get(target ?? "");
    return descriptor === undefined ? undefined : await this.manifest(descriptor);
  }

  manifest(descriptor: Descriptor): Promise<Manifest> {
    return this.#base.manifest(descriptor);
  }

  openBlob(descriptor: Descriptor, offset?: number): AsyncIterable<Uint8Array> {
    return this.#base.openBlob(descriptor, offset);
  }

  readBlob(descriptor: Descriptor, maxBytes: number): Promise<Uint8Array> {
    return this.#base.readBlob(descriptor, maxBytes);
  }

  hasBlob(descriptor: Descriptor): Promise<boolean> {
    return this.#base.hasBlob(descriptor);
  }

  hasManifest(descriptor: Descriptor): Promise<boolean> {
    return this.#base.hasManifest(descriptor);
  }

  async referrers(subject: Digest): Promise<ReferrersListing> {
    return { descriptors: this.#referrers.get(subject) ?? [], via: "layout" };
  }

  async tags(): Promise<readonly string[]> {
    return [...this.#tags.keys()];
  }

  async pushBlob(): Promise<never> {
    throw readOnly();
  }

  async pushManifest(): Promise<never> {
    throw readOnly();
  }

  /** The kit is closed by whoever opened it. */
  async close(): Promise<void> {}
}

function readOnly(): CountersignError {
  return new CountersignError("unsupported", "a kit is only read");
}
