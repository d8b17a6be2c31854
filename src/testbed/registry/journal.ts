import { closeSync, fsyncSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { decodeUtf8, encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { writeFileAtomic } from "../../io/disk/atomic.ts";
import { ifPresent, onDisk } from "../../io/disk/errors.ts";
import { acquireLock, type Lock } from "../../io/disk/lock.ts";
import type { Change } from "./repositories.ts";

const JOURNAL = "journal.ndjson";
const LOCK = "lock";
const HEADER = '{"countersignRegistry":1}';
/** Long enough for a process that was just killed to be gone. */
const LOCK_WAIT_MS = 1500;

/**
 * What happened to the repositories, one JSON document a line. A line is written before the change is answered, so a
 * killed process loses nothing it confirmed; half a line at the end is a change that was never confirmed. (A power cut
 * may lose the last lines: they are not flushed one by one.)
 */
export class Journal {
  readonly #path: string;
  readonly #lock: Lock;
  #file = -1;
  #length = 0;

  private constructor(path: string, lock: Lock) {
    this.#path = path;
    this.#lock = lock;
  }

  /**
   * @throws CountersignError `destination-exists` for a folder with other contents, `usage` for one that another
   * process serves, `disk-error` for a damaged journal or a failing disk.
   */
  static async open(root: string): Promise<{ journal: Journal; past: readonly Change[] }> {
    await onDisk(`use ${root}`, () => mkdir(root, { recursive: true }));
    await refuseForeign(root);
    const lock = await lockFolder(root);
    const path = join(root, JOURNAL);
    try {
      return { journal: new Journal(path, lock), past: await readJournal(path) };
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Starts writing, from the shortest account of what is: the journal grows with changes, not with restarts. */
  async begin(history: Iterable<Change>): Promise<void> {
    const text = [HEADER, ...[...history].map((change) => JSON.stringify(change)), ""].join("\n");
    const bytes = encodeUtf8(text);
    await writeFileAtomic(this.#path, bytes);
    this.#file = openSync(this.#path, "a");
    this.#length = bytes.byteLength;
  }

  /** Synchronous: what is written down and what is answered change in one turn of the event loop. */
  record(change: Change): void {
    const line = encodeUtf8(`${JSON.stringify(change)}\n`);
    try {
      for (let written = 0; written < line.byteLength; ) written += writeSync(this.#file, line, written);
    } catch (error) {
      // A disk that is full halfway through a line: the half must not stand before the next one.
      ftruncateSync(this.#file, this.#length);
      throw error;
    }
    this.#length += line.byteLength;
  }

  async close(): Promise<void> {
    if (this.#file !== -1) {
      fsyncSync(this.#file);
      closeSync(this.#file);
      this.#file = -1;
    }
    await this.#lock.release();
  }
}

/**
 * A folder that is not ours is never written to: starting up also removes the blobs that nothing refers to. A folder
 * that holds no more than a lock, or a draft of the journal, is one whose first start was cut short.
 */
async function refuseForeign(root: string): Promise<void> {
  const names = await onDisk(`use ${root}`, () => readdir(root));
  const foreign = names.find((name) => !name.includes(JOURNAL) && !name.startsWith(LOCK));
  if (foreign === undefined || names.includes(JOURNAL)) return;
  throw new CountersignError("destination-exists", "the folder is neither empty nor a registry's", {
    found: `${root} with ${foreign} in it`,
    wanted: "an empty folder, or one that this registry made",
  });
}

/** One process a folder. */
async function lockFolder(root: string): Promise<Lock> {
  try {
    return await acquireLock(join(root, LOCK), { waitMs: LOCK_WAIT_MS });
  } catch (error) {
    if (!(error instanceof CountersignError) || error.code !== "write-conflict") throw error;
    throw new CountersignError("usage", "another process serves this folder", {
      found: error.found,
      wanted: "one process a folder",
      next: "end that process, or choose another folder",
      cause: error,
    });
  }
}

async function readJournal(path: string): Promise<readonly Change[]> {
  const bytes = await onDisk(`read ${path}`, () => ifPresent(() => readFile(path)));
  if (bytes === undefined) return [];
  // What follows the last line break was never confirmed, and may end in the middle of a character.
  const confirmed = bytes.subarray(0, bytes.lastIndexOf("\n") + 1);
  const [header, ...lines] = decode(confirmed, path).split("\n");
  if (header !== HEADER) throw damaged(path, "line 1");
  return lines.slice(0, -1).map((line, at) => readLine(line, path, at + 2));
}

function decode(bytes: Uint8Array, path: string): string {
  try {
    return decodeUtf8(bytes);
  } catch {
    throw damaged(path, "not UTF-8");
  }
}

/** Written by this class only: the shape is trusted, the disk is not. */
function readLine(line: string, path: string, number: number): Change {
  try {
    return JSON.parse(line) as Change;
  } catch {
    throw damaged(path, `line ${number}`);
  }
}

function damaged(path: string, where: string): CountersignError {
  return new CountersignError("disk-error", "the registry's journal is damaged", {
    found: `${path}, ${where}`,
    wanted: "one change a line, as this registry writes it",
    next: "restore the folder from a copy, or start with an empty one",
  });
}
