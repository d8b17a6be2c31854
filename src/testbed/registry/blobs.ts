import { type Digest, type DigestAlgorithm, DigestStream } from "../../core/oci/digest.ts";

/** Bytes in the store, and a way to read a part of them. */
export interface StoredBlob {
  readonly size: number;
  /** From `start` to `end`, both included. */
  read(start: number, end: number): AsyncIterable<Uint8Array>;
}

/** Bytes on their way in: not visible before `publish`. */
export interface StagedBlob {
  /** Bytes so far. */
  readonly size: number;
  append(chunk: Uint8Array): Promise<void>;
  /** Ends the writing. Call it once. */
  seal(algorithm: DigestAlgorithm): Promise<Digest>;
  /** Makes the sealed bytes readable under this digest, in one step. */
  publish(digest: Digest): void;
  discard(): Promise<void>;
}

/**
 * All bytes of all repositories, blobs and manifests, by digest. Publishing and removing are synchronous, so that the
 * bytes and the record of who holds them change in one turn of the event loop.
 */
export interface BlobStore {
  open(digest: Digest): StoredBlob | undefined;
  stage(): Promise<StagedBlob>;
  /** Stores these bytes under this name, whatever they hash to: who calls it has checked, or means to tamper. */
  put(digest: Digest, bytes: Uint8Array): void;
  remove(digest: Digest): void;
}

/** Blobs in memory: for tests, and for `registry serve` without a folder. */
export class MemoryBlobs implements BlobStore {
  readonly #blobs = new Map<Digest, Uint8Array>();

  open(digest: Digest): StoredBlob | undefined {
    const bytes = this.#blobs.get(digest);
    return bytes === undefined ? undefined : new MemoryBlob(bytes);
  }

  async stage(): Promise<StagedBlob> {
    return new MemoryStaged((digest, bytes) => this.put(digest, bytes));
  }

  put(digest: Digest, bytes: Uint8Array): void {
    this.#blobs.set(digest, bytes);
  }

  remove(digest: Digest): void {
    this.#blobs.delete(digest);
  }
}

class MemoryBlob implements StoredBlob {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get size(): number {
    return this.#bytes.byteLength;
  }

  async *read(start: number, end: number): AsyncIterable<Uint8Array> {
    yield this.#bytes.subarray(start, end + 1);
  }
}

class MemoryStaged implements StagedBlob {
  readonly #publish: (digest: Digest, bytes: Uint8Array) => void;
  #chunks: Uint8Array[] = [];
  #size = 0;

  constructor(publish: (digest: Digest, bytes: Uint8Array) => void) {
    this.#publish = publish;
  }

  get size(): number {
    return this.#size;
  }

  async append(chunk: Uint8Array): Promise<void> {
    this.#chunks.push(chunk);
    this.#size += chunk.byteLength;
  }

  async seal(algorithm: DigestAlgorithm): Promise<Digest> {
    const hash = new DigestStream(algorithm);
    for (const chunk of this.#chunks) hash.update(chunk);
    return hash.finish();
  }

  publish(digest: Digest): void {
    this.#publish(digest, new Uint8Array(Buffer.concat(this.#chunks)));
    this.#chunks = [];
  }

  async discard(): Promise<void> {
    this.#chunks = [];
  }
}
