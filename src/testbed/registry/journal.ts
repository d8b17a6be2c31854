import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { decodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import type { Change } from "./repositories.ts";

const JOURNAL = "journal.ndjson";
const DRAFT = "journal.draft";
const LOCK = "lock";
const HEADER = '{"countersignRegistry":1}';

/**
 * What happened to the repositories, one JSON document a line. A line is written before the change is answered, so a
 * killed process loses nothing it confirmed; half a line at the end is a change that was never confirmed. (A power cut
 * may lose the last lines: they are not flushed one by one.)
 */
export class Journal {
  readonly #root: string;
  #file = -1;
  #length = 0;

  private constructor(root: string) {
    this.#root = root;
  }

  /**
   * @throws CountersignError `destination-exists` for a folder with other contents, `usage` for one that another
   * process serves, `disk-error` for a damaged journal or a failing disk.
   */
  static open(root: string): { journal: Journal; past: readonly Change[] } {
    try {
      mkdirSync(root, { recursive: true });
      refuseForeign(root);
      lock(root);
    } catch (error) {
      throw asDiskError(error, root);
    }
    try {
      return { journal: new Journal(root), past: readJournal(join(root, JOURNAL)) };
    } catch (error) {
      rmSync(join(root, LOCK), { force: true });
      throw asDiskError(error, root);
    }
  }

  /** Starts writing, from the shortest account of what is: the journal grows with changes, not with restarts. */
  begin(history: Iterable<Change>): void {
    const draft = join(this.#root, DRAFT);
    const text = [HEADER, ...[...history].map((change) => JSON.stringify(change)), ""].join("\n");
    writeFileSync(draft, text, { flush: true });
    renameSync(draft, join(this.#root, JOURNAL));
    this.#file = openSync(join(this.#root, JOURNAL), "a");
    this.#length = Buffer.byteLength(text);
  }

  record(change: Change): void {
    const line = Buffer.from(`${JSON.stringify(change)}\n`);
    try {
      for (let written = 0; written < line.byteLength; ) written += writeSync(this.#file, line, written);
    } catch (error) {
      // A disk that is full halfway through a line: the half must not stand before the next one.
      ftruncateSync(this.#file, this.#length);
      throw error;
    }
    this.#length += line.byteLength;
  }

  close(): void {
    if (this.#file === -1) return;
    fsyncSync(this.#file);
    closeSync(this.#file);
    this.#file = -1;
    rmSync(join(this.#root, LOCK), { force: true });
  }
}

/** A folder that is not ours is never written to, as starting up also removes what nothing refers to. */
function refuseForeign(root: string): void {
  if (existsSync(join(root, JOURNAL))) return;
  const foreign = readdirSync(root).find((name) => name !== DRAFT && name !== LOCK);
  if (foreign === undefined) return;
  throw new CountersignError("destination-exists", "the folder is neither empty nor a registry's", {
    found: `${root} with ${foreign} in it`,
    wanted: "an empty folder, or one that this registry made",
  });
}

/** One process a folder. The lock of a process that was killed is taken over. */
function lock(root: string): void {
  const path = join(root, LOCK);
  const holder = existsSync(path) ? Number(readFileSync(path, "utf8")) : undefined;
  if (holder !== undefined && holder !== process.pid && isRunning(holder)) {
    throw new CountersignError("usage", "another process serves this folder", {
      found: `process ${holder}`,
      wanted: "one process a folder",
      next: `end process ${holder}, or choose another folder; if it is no registry, remove ${path}`,
    });
  }
  writeFileSync(path, String(process.pid));
}

function isRunning(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function readJournal(path: string): readonly Change[] {
  if (!existsSync(path)) return [];
  const [header, ...lines] = decodeUtf8(readFileSync(path)).split("\n");
  if (header !== HEADER) throw damaged(path, 1);
  // What follows the last line break was never confirmed.
  return lines.slice(0, -1).map((line, at) => readLine(line, path, at + 2));
}

/** Written by this class only: the shape is trusted, the disk is not. */
function readLine(line: string, path: string, number: number): Change {
  try {
    return JSON.parse(line) as Change;
  } catch {
    throw damaged(path, number);
  }
}

function damaged(path: string, line: number): CountersignError {
  return new CountersignError("disk-error", "the registry's journal is damaged", {
    found: `${path}, line ${line}`,
    wanted: "one change a line, as this registry writes it",
    next: "restore the folder from a copy, or start with an empty one",
  });
}

function asDiskError(error: unknown, root: string): CountersignError {
  if (error instanceof CountersignError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  return new CountersignError("disk-error", "the registry's folder cannot be used", {
    found: `${code}: ${root}`,
    cause: error,
  });
}
