import { CountersignError } from "../../src/core/errors.ts";
import { checkedStream, type Descriptor, describe } from "../../src/core/oci/descriptor.ts";
import { type Digest, digestAlgorithm, digestOf, isDigest } from "../../src/core/oci/digest.ts";
import { artifactTypeOf, type Manifest, parseDescribedManifest, parseManifest } from "../../src/core/oci/manifest.ts";
import type { BlobSource, ContentStore, Destination, ReferrersListing } from "../../src/core/ports.ts";

/** What a store was asked to do, in order: `manifest sha256:…`, `openBlob sha256:… 0`, `pushManifest sha256:… tag`. */
export type Call = `${string} ${string}`;

interface Stored {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
}

/** Hooks that make a store misbehave; each may throw, and `chunks` may change what is read. */
export interface Misbehaviour {
  readonly before?: (call: Call) => void | Promise<void>;
  readonly chunks?: (digest: Digest, chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;
}

/** A ContentStore in memory, plain enough to be believed: what the operations are tested against. */
export class MemoryStore implements ContentStore {
  readonly kind: ContentStore["kind"];
  readonly location: string;
  readonly repository: string | undefined;
  readonly calls: Call[] = [];
  readonly blobs = new Map<Digest, Uint8Array>();
  readonly manifests = new Map<Digest, Stored>();
  readonly names = new Map<string, Digest>();
  /** Other repositories of the same registry, for mounts: by path. */
  readonly neighbours = new Map<string, MemoryStore>();
  /** What a blob's earlier, interrupted write left. */
  readonly partial = new Map<Digest, Uint8Array>();
  chunkBytes = 64 * 1024;
  misbehaviour: Misbehaviour = {};

  constructor(kind: ContentStore["kind"] = "registry", repository?: string) {
    this.kind = kind;
    this.repository = kind === "registry" ? (repository ?? "registry.example/app") : undefined;
    this.location = this.repository ?? `${kind}:memory`;
  }

  async #called(call: Call): Promise<void> {
    this.calls.push(call);
    await this.misbehaviour.before?.(call);
  }

  async resolve(target: string | undefined): Promise<Manifest | undefined> {
    await this.#called(`resolve ${target}`);
    const digest =
      target === undefined ? [...this.manifests.keys()].at(-1) : isDigest(target) ? target : this.names.get(target);
    const stored = digest === undefined ? undefined : this.manifests.get(digest);
    return stored === undefined ? undefined : parseManifest(stored.bytes, stored.mediaType);
  }

  async manifest(descriptor: Descriptor): Promise<Manifest> {
    await this.#called(`manifest ${descriptor.digest}`);
    const stored = this.manifests.get(descriptor.digest);
    if (stored === undefined) throw notFound(descriptor.digest);
    return parseDescribedManifest(stored.bytes, descriptor);
  }

  async *openBlob(descriptor: Descriptor, offset = 0): AsyncGenerator<Uint8Array, void, undefined> {
    await this.#called(`openBlob ${descriptor.digest} ${offset}`);
    const bytes = this.blobs.get(descriptor.digest);
    if (bytes === undefined) throw notFound(descriptor.digest);
    const chunks = this.#chunks(bytes.subarray(offset));
    const read = this.misbehaviour.chunks?.(descriptor.digest, chunks) ?? chunks;
    if (offset === 0) yield* checkedStream(read, descriptor, `the blob ${descriptor.digest}`);
    else yield* read;
  }

  async *#chunks(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = 0; at < bytes.byteLength; at += this.chunkBytes) {
      await Promise.resolve();
      yield bytes.subarray(at, at + this.chunkBytes);
    }
  }

  async readBlob(descriptor: Descriptor, maxBytes: number): Promise<Uint8Array> {
    if (descriptor.size > maxBytes) throw new CountersignError("limit-reached", "the blob is too large");
    const chunks: Uint8Array[] = [];
    for await (const chunk of this.openBlob(descriptor)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  async hasBlob(descriptor: Descriptor): Promise<boolean> {
    await this.#called(`hasBlob ${descriptor.digest}`);
    return this.blobs.has(descriptor.digest);
  }

  async hasManifest(descriptor: Descriptor): Promise<boolean> {
    await this.#called(`hasManifest ${descriptor.digest}`);
    return this.manifests.has(descriptor.digest);
  }

  async referrers(subject: Digest): Promise<ReferrersListing> {
    await this.#called(`referrers ${subject}`);
    const descriptors = [...this.manifests.values()]
      .map((stored) => parseManifest(stored.bytes, stored.mediaType))
      .filter((manifest) => manifest.subject?.digest === subject)
      .map((manifest) => {
        const { descriptor, annotations } = manifest;
        return { ...descriptor, artifactType: artifactTypeOf(manifest), annotations };
      });
    return { descriptors, via: this.kind === "registry" ? "referrers-api" : "layout" };
  }

  async tags(): Promise<readonly string[]> {
    await this.#called("tags all");
    return [...this.names.keys()];
  }

  async pushBlob(
    descriptor: Descriptor,
    source: BlobSource,
    options: { readonly mountFrom?: string | undefined } = {},
  ): Promise<"stored" | "present" | "mounted"> {
    await this.#called(`pushBlob ${descriptor.digest}`);
    if (this.blobs.has(descriptor.digest)) return "present";
    const mounted = this.neighbours.get(options.mountFrom ?? "")?.blobs.get(descriptor.digest);
    if (mounted !== undefined) {
      this.blobs.set(descriptor.digest, mounted);
      return "mounted";
    }
    await this.#write(descriptor, source);
    return "stored";
  }

  async #write(descriptor: Descriptor, source: BlobSource): Promise<void> {
    const before = this.partial.get(descriptor.digest) ?? new Uint8Array();
    const chunks: Uint8Array[] = [before];
    try {
      for await (const chunk of source.open(before.byteLength)) {
        await this.#called(`write ${descriptor.digest}`);
        chunks.push(chunk);
      }
    } catch (error) {
      this.partial.set(descriptor.digest, Buffer.concat(chunks));
      throw error;
    }
    const bytes = Buffer.concat(chunks);
    if (digestOf(bytes, digestAlgorithm(descriptor.digest)) !== descriptor.digest) {
      this.partial.delete(descriptor.digest);
      throw new CountersignError("digest-mismatch", "what was written does not match its digest");
    }
    this.blobs.set(descriptor.digest, bytes);
  }

  async pushManifest(manifest: Manifest, tag?: string): Promise<void> {
    await this.#called(`pushManifest ${manifest.descriptor.digest}${tag === undefined ? "" : ` ${tag}`}`);
    this.manifests.set(manifest.descriptor.digest, {
      bytes: manifest.bytes,
      mediaType: manifest.descriptor.mediaType,
    });
    if (tag !== undefined) this.names.set(tag, manifest.descriptor.digest);
  }

  async remove(target: string | Digest): Promise<"removed" | "absent"> {
    await this.#called(`remove ${target}`);
    if (!isDigest(target)) return this.names.delete(target) ? "removed" : "absent";
    for (const [name, digest] of this.names) if (digest === target) this.names.delete(name);
    return this.manifests.delete(target) ? "removed" : "absent";
  }

  async close(): Promise<void> {}

  // --- for the arrangement of tests ---------------------------------------------------------------------------------

  addBlob(bytes: Uint8Array, mediaType: string): Descriptor {
    const descriptor = describe(bytes, mediaType);
    this.blobs.set(descriptor.digest, bytes);
    return descriptor;
  }

  addManifest(json: unknown, mediaType: string, tag?: string): Manifest {
    const manifest = parseManifest(Buffer.from(JSON.stringify(json)), mediaType);
    this.manifests.set(manifest.descriptor.digest, { bytes: manifest.bytes, mediaType });
    if (tag !== undefined) this.names.set(tag, manifest.descriptor.digest);
    return manifest;
  }

  /** The calls of one kind, without their name. */
  callsOf(name: string): string[] {
    return this.calls.filter((call) => call.startsWith(`${name} `)).map((call) => call.slice(name.length + 1));
  }
}

/** A destination over a MemoryStore that notes how it ended. */
export class MemoryDestination implements Destination {
  readonly store: MemoryStore;
  readonly tag: string | undefined;
  readonly ends: ("commit" | "discard" | "suspend")[] = [];

  constructor(store = new MemoryStore("oci-layout"), tag?: string) {
    this.store = store;
    this.tag = tag;
  }

  async commit(root: Manifest): Promise<void> {
    await this.store.misbehaviour.before?.(`commit ${root.descriptor.digest}`);
    this.ends.push("commit");
    if (this.tag !== undefined) await this.store.pushManifest(root, this.tag);
  }

  async discard(): Promise<void> {
    this.ends.push("discard");
    this.store.blobs.clear();
    this.store.manifests.clear();
    this.store.partial.clear();
  }

  async suspend(): Promise<void> {
    this.ends.push("suspend");
  }
}

function notFound(what: string): CountersignError {
  return new CountersignError("not-found", "there is no such content", { found: "nothing", wanted: what });
}
