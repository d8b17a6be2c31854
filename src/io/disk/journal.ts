import { createHash } from "node:crypto";
import { type FileHandle, open, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { encodeHex, encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { writeFileAtomic } from "./atomic.ts";
import { ifPresent, onDisk } from "./errors.ts";
import { gather, openRegular, readRange, syncFolder } from "./files.ts";
import { acquireLock, type Lock } from "./lock.ts";

/** What a journal holds. Texts are one line each. */
export interface JournalContent {
  /** What it is the journal of. */
  readonly header: string;
  readonly records: readonly string[];
}

/**
 * A file that only grows: a header, then one record a line, each line with its checksum. What was appended survives the
 * death of this process at any moment; of a machine that loses its power, what was appended in the last second may be lost
 * (`LIMITS.journalSyncMs`). One process at a time has it open.
 *
 * A last line that was not written to its end is dropped. Anything else that is not as it was written is an error: what a
 * damaged journal says is nobody's result.
 */
export class Journal {
  readonly path: string;
  /** What an earlier run left; undefined where there is none. */
  readonly left: JournalContent | undefined;
  readonly #lock: Lock;
  #handle: FileHandle | undefined;
  #queue: string[] = [];
  #draining: Promise<void> | undefined;
  #syncedAt = 0;

  private constructor(path: string, left: JournalContent | undefined, lock: Lock) {
    this.path = path;
    this.left = left;
    this.#lock = lock;
  }

  /**
   * Takes the journal for this process and reads what is there. Nothing is changed yet.
   *
   * @throws CountersignError `record-invalid`, `write-conflict` where another process has it, `limit-reached`, `disk-error`.
   */
  static async open(path: string): Promise<Journal> {
    const lock = await acquireLock(`${path}.lock`, { waitMs: 0 });
    try {
      return new Journal(path, await read(path), lock);
    } catch (thrown) {
      await lock.release();
      throw thrown;
    }
  }

  /** Goes on where the earlier run stopped, or begins anew with this header. */
  async begin(header: string): Promise<void> {
    const kept = this.left === undefined ? [header] : [this.left.header, ...this.left.records];
    // Written anew as a whole, so that a torn last line is gone and a header is never half there.
    await writeFileAtomic(this.path, encodeUtf8(kept.map(formatLine).join("")), { mode: 0o600 });
    this.#handle = await onDisk(`write ${this.path}`, () => open(this.path, "a"));
    this.#syncedAt = performance.now();
  }

  /** Returns when the record would survive the end of this process. */
  async append(record: string): Promise<void> {
    this.#queue.push(formatLine(record));
    this.#draining ??= this.#drain();
    await this.#draining;
  }

  /** Closes it and lets others have it; the file stays for the next run. */
  async close(): Promise<void> {
    try {
      await this.#draining?.catch(() => undefined);
      await this.#handle?.sync();
    } finally {
      await this.#handle?.close();
      this.#handle = undefined;
      await this.#lock.release();
    }
  }

  /** All is done: the file goes. */
  async remove(): Promise<void> {
    await onDisk(`remove ${this.path}`, () => ifPresent(() => unlink(this.path)));
    await syncFolder(dirname(this.path));
  }

  /** Records that come while one write is under way are written together. */
  async #drain(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        const lines = this.#queue.join("");
        this.#queue = [];
        await onDisk(`write ${this.path}`, () => this.#write(lines));
      }
    } finally {
      this.#draining = undefined;
    }
  }

  async #write(lines: string): Promise<void> {
    const handle = this.#handle;
    if (handle === undefined) throw new Error("the journal was not begun");
    await handle.appendFile(lines);
    const now = performance.now();
    if (now - this.#syncedAt < LIMITS.journalSyncMs) return;
    this.#syncedAt = now;
    await handle.datasync();
  }
}

// --- lines ------------------------------------------------------------------------------------------------------------

const LINE = /^([0-9a-f]{16}) (.*)$/s;

function formatLine(text: string): string {
  return `${checksum(text)} ${text}\n`;
}

/** Against damage, not against people: whoever can write the file can write the checksum. */
function checksum(text: string): string {
  return encodeHex(createHash("sha256").update(text).digest()).slice(0, 16);
}

async function read(path: string): Promise<JournalContent | undefined> {
  const bytes = await readWhole(path);
  if (bytes === undefined || bytes.byteLength === 0) return undefined;
  const lines = Buffer.from(bytes).toString("utf8").split("\n");
  // What follows the last line break was not written to its end.
  const whole = lines.slice(0, -1);
  const [header, ...records] = whole.map((line, at) => readLine(path, line, at + 1));
  if (header === undefined) throw damaged(path, "nothing that ends a first line");
  return { header, records };
}

async function readWhole(path: string): Promise<Uint8Array | undefined> {
  const file = await openRegular(path);
  if (file === undefined) return undefined;
  if (typeof file === "string") throw damaged(path, file);
  try {
    if (file.size <= LIMITS.journalBytes) return await gather(readRange(file.handle, 0, file.size));
    throw new CountersignError("limit-reached", `the journal ${path} is too large to read`, {
      found: `${file.size} bytes`,
      wanted: `at most ${LIMITS.journalBytes} bytes`,
    });
  } finally {
    await file.handle.close();
  }
}

function readLine(path: string, line: string, number: number): string {
  const [, sum, text = ""] = LINE.exec(line) ?? [];
  if (sum !== undefined && sum === checksum(text)) return text;
  throw damaged(path, number === 1 ? "another kind of file" : `line ${number}, which is not as it was written`);
}

function damaged(path: string, found: string): CountersignError {
  return new CountersignError("record-invalid", `${path} is no journal that can be gone on with`, {
    found,
    wanted: "a journal as it was left",
    next: "move the file away and start again",
  });
}
