import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, realpath, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { encodeHex } from "../../core/bytes.ts";
import { errnoOf, ifPresent, onDisk, throwIfAborted } from "./errors.ts";

/** One read or write; large enough that the calls do not weigh, small enough that many may be under way. */
const CHUNK_BYTES = 512 * 1024;

/** After so much, what was written is brought to the disk while more arrives: at its end a file has little left to wait for. */
const EARLY_SYNC_BYTES = 32 * 1024 * 1024;

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/** A file that is opened for reading, and how long it is. */
export interface OpenFile {
  readonly handle: FileHandle;
  /** Bytes. */
  readonly size: number;
}

/** Why a path was not opened as a file: it leads elsewhere, or what is there is no file. */
export type NotAFile = "a symbolic link" | "not a regular file";

/**
 * Opens a regular file for reading and nothing else: a link in the last place is not followed, a FIFO does not block.
 * The answer is a word where there is something else in its place, undefined where there is nothing.
 */
export async function openRegular(path: string): Promise<OpenFile | NotAFile | undefined> {
  let handle: FileHandle;
  try {
    handle = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (thrown) {
    const code = errnoOf(thrown);
    if (code === "ENOENT") return undefined;
    if (code === "ELOOP") return "a symbolic link";
    if (code === "ENXIO" || code === "ENOTDIR") return "not a regular file";
    return onDisk(`read ${path}`, () => Promise.reject(thrown));
  }
  const found = await handle.stat();
  if (found.isFile()) return { handle, size: found.size };
  await handle.close();
  return "not a regular file";
}

/** The bytes `from` (inclusive) to `to` (exclusive) of an open file. Ends early where the file does. */
export async function* readRange(
  handle: FileHandle,
  from: number,
  to: number,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = from; at < to; ) {
    throwIfAborted(signal);
    const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, to - at));
    const { bytesRead } = await onDisk("read a file", () => handle.read(buffer, 0, buffer.byteLength, at));
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** A stream as a whole. The stream must be bounded: one of `checkedStream` or `readRange`. */
export async function gather(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  const [only] = chunks;
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks);
}

/**
 * A file being written, front to back. Chunks are gathered and one write is under way while the next is gathered, so
 * that hashing and writing overlap. The chunks given must not be changed afterwards.
 */
export class FileSink {
  /** One file at a time: a disk that is busy must not take all of Node's few threads. */
  static #isSyncing = false;
  /** What failures call it. */
  readonly #name: string;
  readonly #handle: FileHandle;
  #gathered: Uint8Array[] = [];
  #gatheredBytes = 0;
  #writing: Promise<void> = Promise.resolve();
  #writtenBytes = 0;
  #syncing: Promise<void> = Promise.resolve();

  private constructor(name: string, handle: FileHandle) {
    this.#name = name;
    this.#handle = handle;
  }

  /**
   * A new file. Fails where there is anything at `path` already, a link included.
   *
   * @param name What failures call it, where `path` is but a temporary name.
   */
  static async create(path: string, mode: number, name = path): Promise<FileSink> {
    const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    return new FileSink(name, await onDisk(`write ${name}`, () => open(path, flags, mode)));
  }

  /** An existing file, cut to `length` bytes and continued there. */
  static async continue(path: string, length: number): Promise<FileSink> {
    return onDisk(`write ${path}`, async () => {
      const handle = await open(path, O_WRONLY | O_NOFOLLOW | constants.O_APPEND);
      await handle.truncate(length);
      return new FileSink(path, handle);
    });
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (chunk.byteLength === 0) return;
    this.#gathered.push(chunk);
    this.#gatheredBytes += chunk.byteLength;
    if (this.#gatheredBytes >= CHUNK_BYTES) await this.#flush();
  }

  /** Everything written, where it shall be durable on the disk itself, and the file closed. */
  async finish(isDurable = true): Promise<void> {
    try {
      await this.#flush();
      await this.#writing;
      // Its failure is told once: the last one may succeed all the same.
      await this.#syncing;
      if (isDurable) await onDisk(`write ${this.#name}`, () => this.#handle.sync());
    } finally {
      await this.#handle.close();
    }
  }

  /** Closes the file with what arrived so far, as far as that still works: after a failure or to continue later. */
  async abandon(): Promise<void> {
    try {
      await this.#flush();
      await this.#writing;
    } catch {
      // The failure that led here is the one to report.
    } finally {
      await this.#handle.close().catch(() => undefined);
    }
  }

  async #flush(): Promise<void> {
    const chunks = this.#gathered;
    const bytes = this.#gatheredBytes;
    this.#gathered = [];
    this.#gatheredBytes = 0;
    await this.#writing;
    if (chunks.length === 0) return;
    if (this.#writtenBytes >= EARLY_SYNC_BYTES && !FileSink.#isSyncing) this.#syncEarly();
    this.#writtenBytes += bytes;
    this.#writing = onDisk(`write ${this.#name}`, () => writeAll(this.#handle, chunks));
    // Reported by the next flush or by finish; until then it is nobody's unhandled rejection.
    this.#writing.catch(() => undefined);
  }

  #syncEarly(): void {
    this.#writtenBytes = 0;
    FileSink.#isSyncing = true;
    const before = this.#syncing;
    this.#syncing = onDisk(`write ${this.#name}`, () => this.#handle.datasync())
      .finally(() => (FileSink.#isSyncing = false))
      .then(() => before);
    // Reported by finish.
    this.#syncing.catch(() => undefined);
  }
}

/** `writev` may write less than it was given. */
async function writeAll(handle: FileHandle, chunks: readonly Uint8Array[]): Promise<void> {
  let rest = chunks;
  while (rest.length > 0) {
    const { bytesWritten } = await handle.writev([...rest]);
    rest = dropBytes(rest, bytesWritten);
  }
}

function dropBytes(chunks: readonly Uint8Array[], count: number): readonly Uint8Array[] {
  let left = count;
  let index = 0;
  for (const chunk of chunks) {
    if (chunk.byteLength > left) break;
    left -= chunk.byteLength;
    index++;
  }
  const [first, ...others] = chunks.slice(index);
  return first === undefined ? [] : [first.subarray(left), ...others];
}

/** A hidden name beside `path` that nobody else takes: `.NAME.countersign-1f09….tmp`. */
export function temporaryPath(path: string): string {
  return hiddenBeside(path, `countersign-${encodeHex(randomBytes(8))}.tmp`);
}

const MAX_NAME_BYTES = 255;

/** `.NAME.SUFFIX` in the folder of `path`; a NAME that would make it too long for a file system is cut. */
export function hiddenBeside(path: string, suffix: string): string {
  let name = basename(path);
  while (Buffer.byteLength(`.${name}.${suffix}`) > MAX_NAME_BYTES) name = name.slice(0, -1);
  return join(dirname(path), `.${name}.${suffix}`);
}

/** Where a link leads, so that what it leads to is replaced and not the link; the path itself where nothing is there yet. */
export async function endOfLink(path: string, name = path): Promise<string> {
  return (await onDisk(`write ${name}`, () => ifPresent(() => realpath(path)))) ?? path;
}

/** The lock of whoever replaces a file, held from reading to writing. */
export function lockBeside(path: string): string {
  return hiddenBeside(path, "countersign-lock");
}

/** Makes renames and new names in a folder last. Not every file system can, and none needs a failure for it. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, O_RDONLY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (thrown) {
    const code = errnoOf(thrown);
    if (code !== "EINVAL" && code !== "EISDIR" && code !== "EPERM" && code !== "EACCES" && code !== "ENOTSUP") {
      await onDisk(`write ${folder}`, () => Promise.reject(thrown));
    }
  }
}

/** Removes a file or a folder with all it holds, if it is there. Links are removed, not followed. */
export async function removeAll(path: string): Promise<void> {
  await onDisk(`remove ${path}`, () => rm(path, { recursive: true, force: true }));
}
