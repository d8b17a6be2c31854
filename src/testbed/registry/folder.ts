import { randomUUID } from "node:crypto";
import { createReadStream, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  type Digest,
  type DigestAlgorithm,
  DigestStream,
  digestAlgorithm,
  digestHex,
  isDigest,
} from "../../core/oci/digest.ts";
import { onDisk } from "../../io/disk/errors.ts";
import type { BlobStore, StagedBlob, StoredBlob } from "./blobs.ts";

const ALGORITHMS: readonly DigestAlgorithm[] = ["sha256", "sha512"];
const READ_BYTES = 256 * 1024;

/**
 * Blobs in a folder: `blobs/<algorithm>/<hex>`, and `staging/` for what is on its way in. File names are made of checked
 * digests and of random names only; nothing that a client sends becomes part of a path.
 */
export class FolderBlobs implements BlobStore {
  readonly #root: string;
  readonly #staging: string;

  private constructor(root: string) {
    this.#root = root;
    this.#staging = join(root, "staging");
  }

  /**
   * Clears away what a killed process left: half uploads, whose sessions ended with it, and bytes whose record was not
   * written any more.
   */
  static async open(root: string, isHeld: (digest: Digest) => boolean): Promise<FolderBlobs> {
    const blobs = new FolderBlobs(root);
    await onDisk(`use ${root}`, async () => {
      await rm(blobs.#staging, { recursive: true, force: true });
      await mkdir(blobs.#staging);
      for (const algorithm of ALGORITHMS) {
        const folder = blobs.#folder(algorithm);
        await mkdir(folder, { recursive: true });
        for (const hex of await readdir(folder)) {
          const digest = `${algorithm}:${hex}`;
          if (isDigest(digest) && !isHeld(digest)) blobs.remove(digest);
        }
      }
    });
    return blobs;
  }

  open(digest: Digest): StoredBlob | undefined {
    const path = this.#path(digest);
    const size = statSync(path, { throwIfNoEntry: false })?.size;
    if (size === undefined) return undefined;
    return {
      size,
      read: (start, end) =>
        end < start ? emptyStream() : createReadStream(path, { start, end, highWaterMark: READ_BYTES }),
    };
  }

  async stage(): Promise<StagedBlob> {
    const path = join(this.#staging, randomUUID());
    return new FolderStaged(path, await open(path, "wx+"), (digest) => renameSync(path, this.#path(digest)));
  }

  put(digest: Digest, bytes: Uint8Array): void {
    const path = join(this.#staging, randomUUID());
    try {
      writeFileSync(path, bytes);
      renameSync(path, this.#path(digest));
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    }
  }

  remove(digest: Digest): void {
    rmSync(this.#path(digest), { force: true });
  }

  #folder(algorithm: DigestAlgorithm): string {
    return join(this.#root, "blobs", algorithm);
  }

  #path(digest: Digest): string {
    return join(this.#folder(digestAlgorithm(digest)), digestHex(digest));
  }
}

async function* emptyStream(): AsyncGenerator<Uint8Array> {}

/** Goes straight to disk and is hashed on the way: memory stays flat however large the blob is. */
class FolderStaged implements StagedBlob {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #publish: (digest: Digest) => void;
  readonly #hash = new DigestStream("sha256");
  #size = 0;

  constructor(path: string, file: FileHandle, publish: (digest: Digest) => void) {
    this.#path = path;
    this.#file = file;
    this.#publish = publish;
  }

  get size(): number {
    return this.#size;
  }

  async append(chunk: Uint8Array): Promise<void> {
    let written = 0;
    while (written < chunk.byteLength) {
      const rest = chunk.byteLength - written;
      written += (await this.#file.write(chunk, written, rest, this.#size + written)).bytesWritten;
    }
    this.#hash.update(chunk);
    this.#size += chunk.byteLength;
  }

  async seal(algorithm: DigestAlgorithm): Promise<Digest> {
    await this.#file.close();
    if (algorithm === "sha256") return this.#hash.finish();
    // Which algorithm is asked for is known only at the end of an upload; the rare one reads its bytes again.
    const hash = new DigestStream(algorithm);
    for await (const chunk of createReadStream(this.#path, { highWaterMark: READ_BYTES })) hash.update(chunk);
    return hash.finish();
  }

  publish(digest: Digest): void {
    this.#publish(digest);
  }

  async discard(): Promise<void> {
    await this.#file.close();
    rmSync(this.#path, { force: true });
  }
}
