import type { Descriptor } from "../../core/oci/descriptor.ts";
import type { Digest } from "../../core/oci/digest.ts";
import type { Manifest } from "../../core/oci/manifest.ts";
import type { Reference } from "../../core/oci/reference.ts";
import type { BlobSource, ContentStore, PushOptions, ReferrersListing } from "../../core/ports.ts";
import { addToFallbackTag } from "./fallback-tag.ts";
import { type RegistryOptions, RegistryPool } from "./pool.ts";
import {
  blobStream,
  claimedDigest,
  describedManifest,
  exists,
  listTags,
  resolveChanged,
  resolveManifest,
  smallBlob,
} from "./pull.ts";
import { type PushOutcome, pushBlob, putManifest } from "./push.ts";
import { isListedByApi, listReferrers } from "./referrers.ts";
import { removeManifest } from "./remove.ts";
import { Session } from "./session.ts";
import { EMPTY_SOURCE, isEmpty } from "./stored-blobs.ts";

export { type RegistryOptions, RegistryPool } from "./pool.ts";

/**
 * A repository of a registry. Nothing is sent until something is asked for.
 *
 * @param shared The pool of the command; or options, and then the store has a pool of its own that `close` ends.
 */
export function openRegistry(reference: Reference, shared: RegistryPool | RegistryOptions): ContentStore {
  if (shared instanceof RegistryPool) return new RegistryStore(new Session(shared, reference), () => Promise.resolve());
  const pool = new RegistryPool(shared);
  return new RegistryStore(new Session(pool, reference), () => pool.close());
}

/** Begins to resolve a reference that is resolved soon, so that the registry answers while other things are read. */
export function resolveAhead(reference: Reference, pool: RegistryPool): void {
  const session = new Session(pool, reference);
  const wanted = reference.digest ?? reference.tag ?? "latest";
  pool.expect(manifestName(session, wanted), resolveManifest(session, wanted));
  // Where signatures are looked for then depends on it.
  void pool.capabilities.lacks(reference.registry, "referrers-api");
}

function manifestName({ name }: Session, reference: string): string {
  return `${name} ${reference}`;
}

class RegistryStore implements ContentStore {
  readonly kind = "registry";
  readonly #session: Session;
  readonly #close: () => Promise<void>;

  constructor(session: Session, close: () => Promise<void>) {
    this.#session = session;
    this.#close = close;
  }

  get location(): string {
    return this.#session.name;
  }

  get repository(): string {
    return this.#session.name;
  }

  resolve(target: string | undefined): Promise<Manifest | undefined> {
    const reference = target ?? "latest";
    return (
      this.#session.pool.expected(manifestName(this.#session, reference)) ?? resolveManifest(this.#session, reference)
    );
  }

  claimedDigest(tag: string): Promise<Digest | undefined> {
    return claimedDigest(this.#session, tag);
  }

  resolveChanged(tag: string, known: Digest | undefined): Promise<Manifest | "unchanged" | undefined> {
    return resolveChanged(this.#session, tag, known);
  }

  manifest(descriptor: Descriptor): Promise<Manifest> {
    return describedManifest(this.#session, descriptor);
  }

  openBlob(descriptor: Descriptor, offset = 0): AsyncIterable<Uint8Array> {
    if (isEmpty(descriptor)) return EMPTY_SOURCE.open(offset);
    return blobStream(this.#session, descriptor, offset);
  }

  readBlob(descriptor: Descriptor, maxBytes: number): Promise<Uint8Array> {
    return smallBlob(this.#session, descriptor, maxBytes);
  }

  hasBlob(descriptor: Descriptor): Promise<boolean> {
    return exists(this.#session, "blobs", descriptor);
  }

  hasManifest(descriptor: Descriptor): Promise<boolean> {
    return exists(this.#session, "manifests", descriptor);
  }

  referrers(
    subject: Digest,
    { isSparing = false }: { readonly isSparing?: boolean | undefined } = {},
  ): Promise<ReferrersListing> {
    return listReferrers(this.#session, subject, isSparing);
  }

  tags(): Promise<readonly string[]> {
    return listTags(this.#session);
  }

  pushBlob(
    descriptor: Descriptor,
    source: BlobSource,
    options?: { readonly mountFrom?: string | undefined },
  ): Promise<PushOutcome> {
    return pushBlob(this.#session, descriptor, source, options?.mountFrom);
  }

  async pushManifest(manifest: Manifest, tag?: string, options: PushOptions = {}): Promise<void> {
    const { indexed } = await putManifest(this.#session, manifest, tag, options);
    const { subject } = manifest;
    if (subject === undefined) return;
    const { digest } = manifest.descriptor;
    if (indexed && (await isListedByApi(this.#session, digest, subject.digest))) return;
    await addToFallbackTag(this.#session, manifest, subject.digest);
  }

  remove(target: string | Digest): Promise<"removed" | "absent" | "unsupported"> {
    return removeManifest(this.#session, target);
  }

  close(): Promise<void> {
    return this.#close();
  }
}
