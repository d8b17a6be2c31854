import type { Dirent } from "node:fs";
import { copyFile, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { CountersignError } from "../../core/errors.ts";
import { type Descriptor, digestMismatch, sizeMismatch } from "../../core/oci/descriptor.ts";
import { type Digest, DigestStream, digestAlgorithm, digestHex } from "../../core/oci/digest.ts";
import type { BlobSource } from "../../core/ports.ts";
import { errnoOf, ifPresent, onDisk, throwIfAborted } from "../disk/errors.ts";
import { FileSink, openRegular, readRange, removeAll, syncFolder } from "../disk/files.ts";
import type { Staging } from "../disk/staging.ts";
import { type Backing, Proven } from "./backing.ts";
import { blobPath, digestOfPath, FolderFiles, type LayoutFiles, OverlaidFiles } from "./files.ts";
import { makeBlobFolder, SHARED_MODE } from "./folder.ts";
import { LayoutIndex } from "./layout-index.ts";

export interface StagedOptions {
  readonly staging: Staging;
  readonly signal: AbortSignal | undefined;
  /** The layout that is added to, if there is one. */
  readonly base?: { readonly files: LayoutFiles; readonly index: LayoutIndex } | undefined;
}

/**
 * The content of a destination while it is being made: blobs in the staging folder, the index in memory. Blobs that an
 * earlier run left are taken over once hashed, and a blob that it left half-way is continued there.
 */
export class StagedBacking implements Backing {
  readonly #staging: Staging;
  readonly #signal: AbortSignal | undefined;
  readonly #own: FolderFiles;
  readonly #files: LayoutFiles;
  readonly #proven = new Proven();
  /** What this run stored or found: an earlier run may have left more, which is not part of the result. */
  readonly #used = new Set<Digest>();
  readonly #changes: ((index: LayoutIndex) => LayoutIndex)[] = [];
  #index: LayoutIndex;

  constructor({ staging, signal, base }: StagedOptions) {
    this.#staging = staging;
    this.#signal = signal;
    this.#own = new FolderFiles(staging.content, signal);
    this.#files = base === undefined ? this.#own : new OverlaidFiles(this.#own, base.files);
    this.#index = base?.index ?? LayoutIndex.empty;
  }

  files(): LayoutFiles {
    return this.#files;
  }

  async index(): Promise<LayoutIndex> {
    return this.#index;
  }

  async changeIndex(change: (index: LayoutIndex) => LayoutIndex): Promise<void> {
    this.#index = change(this.#index);
    this.#changes.push(change);
  }

  async isStored(wanted: Pick<Descriptor, "digest" | "size">): Promise<boolean> {
    const isStored = await this.#proven.isStored(this.#files, wanted);
    if (isStored) this.#used.add(wanted.digest);
    return isStored;
  }

  async storeBlob(descriptor: Descriptor, source: BlobSource): Promise<void> {
    const { digest } = descriptor;
    const partial = join(this.#staging.partial, `${digestAlgorithm(digest)}-${digestHex(digest)}`);
    await fetchResumably(partial, descriptor, source, this.#signal);
    await makeBlobFolder(this.#staging.content, descriptor);
    const path = join(this.#staging.content, blobPath(digest));
    await onDisk(`write ${path}`, () => rename(partial, path));
    this.#proven.add(digest);
    this.#used.add(digest);
  }

  /** Removes what an earlier run left and this one had no use for, and whatever else somebody put there. */
  async removeUnused(): Promise<void> {
    const { content, partial } = this.#staging;
    await removeAll(partial);
    const found = await onDisk(`read ${content}`, () => readdir(content, { recursive: true, withFileTypes: true }));
    for (const entry of found) {
      const path = join(entry.parentPath, entry.name);
      if (!this.#isUsed(path.slice(content.length + 1), entry)) await removeAll(path);
    }
  }

  #isUsed(path: string, entry: Dirent): boolean {
    if (entry.isDirectory()) return /^blobs(?:\/sha(?:256|512))?$/.test(path);
    const digest = entry.isFile() ? digestOfPath(path) : undefined;
    return digest !== undefined && this.#used.has(digest);
  }

  /** What this run changed, for an index that others may have changed since. */
  replay(index: LayoutIndex): LayoutIndex {
    return this.#changes.reduce((changed, change) => change(changed), index);
  }

  /** Moves the staged blobs into another layout, where each shows up whole and under its own digest. */
  async moveBlobs(root: string): Promise<void> {
    for (const path of await this.#own.list()) {
      const digest = digestOfPath(path);
      if (digest === undefined) continue;
      await makeBlobFolder(root, { digest });
      await onDisk(`write ${root}`, () => move(join(this.#staging.content, path), join(root, path)));
    }
    await syncBlobFolders(root);
  }

  async close(): Promise<void> {
    await this.#files.close();
  }
}

/** Makes the names of the blobs last. */
export async function syncBlobFolders(root: string): Promise<void> {
  const folders = (await onDisk(`read ${root}`, () => ifPresent(() => readdir(join(root, "blobs"))))) ?? [];
  for (const folder of folders) await syncFolder(join(root, "blobs", folder));
  await syncFolder(join(root, "blobs"));
  await syncFolder(root);
}

async function move(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (thrown) {
    if (errnoOf(thrown) !== "EXDEV") throw thrown;
    await copyFile(from, to);
  }
}

interface Part {
  /** Over the first `length` bytes. */
  readonly hash: DigestStream;
  readonly length: number;
}

/**
 * Fetches content into a file, from where an earlier try stopped. What is there already is hashed first; if the whole
 * does not fit the descriptor then, the earlier part may be to blame, and all is fetched once more from the start.
 * A failure of the source leaves what arrived; content that is wrong as a whole is removed.
 */
async function fetchResumably(
  path: string,
  descriptor: Descriptor,
  source: BlobSource,
  signal: AbortSignal | undefined,
): Promise<void> {
  const kept = await keptPart(path, descriptor, signal);
  if (kept !== undefined && (await fetchRest(path, descriptor, source, kept, signal)) === undefined) return;
  await removeAll(path);
  const nothing = { hash: new DigestStream(digestAlgorithm(descriptor.digest)), length: 0 };
  const mismatch = await fetchRest(path, descriptor, source, nothing, signal);
  if (mismatch === undefined) return;
  await removeAll(path);
  throw mismatch;
}

async function keptPart(
  path: string,
  descriptor: Descriptor,
  signal: AbortSignal | undefined,
): Promise<Part | undefined> {
  const file = await openRegular(path);
  if (file === undefined || typeof file === "string") return undefined;
  try {
    if (file.size === 0 || file.size > descriptor.size) return undefined;
    // Under a second name it is somebody else's file too, and not ours to go on with.
    if ((await onDisk(`read ${path}`, () => file.handle.stat())).nlink > 1) return undefined;
    const hash = new DigestStream(digestAlgorithm(descriptor.digest));
    for await (const chunk of readRange(file.handle, 0, file.size, signal)) hash.update(chunk);
    return { hash, length: file.size };
  } finally {
    await file.handle.close();
  }
}

/** @returns how the whole differs from its descriptor, if it does. */
async function fetchRest(
  path: string,
  descriptor: Descriptor,
  source: BlobSource,
  { hash, length: start }: Part,
  signal: AbortSignal | undefined,
): Promise<CountersignError | undefined> {
  const sink = start === 0 ? await FileSink.create(path, SHARED_MODE) : await FileSink.continue(path, start);
  const what = `the blob ${descriptor.digest}`;
  const isProven = start === 0 && source.isChecked === true;
  let length = start;
  try {
    // A range that begins at the end of the content is an error to most registries.
    const rest = start > 0 && start === descriptor.size ? [] : source.open(start);
    for await (const chunk of rest) {
      throwIfAborted(signal);
      length += chunk.byteLength;
      if (length > descriptor.size) break;
      if (!isProven) hash.update(chunk);
      await sink.write(chunk);
    }
  } catch (thrown) {
    await sink.abandon();
    if (thrown instanceof CountersignError && thrown.class === "refused") await removeAll(path);
    throw thrown;
  }
  await sink.finish();
  if (length > descriptor.size) return sizeMismatch(what, `more than ${descriptor.size}`, descriptor.size);
  if (length < descriptor.size) return sizeMismatch(what, length, descriptor.size);
  if (isProven) return undefined;
  const found = hash.finish();
  return found === descriptor.digest ? undefined : digestMismatch(what, found, descriptor.digest);
}
