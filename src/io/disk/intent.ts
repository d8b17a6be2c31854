import { randomBytes } from "node:crypto";
import { unlink } from "node:fs/promises";
import { dirname, relative, resolve } from "node:path";
import { encodeHex, encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { isObject, type JsonObject, type JsonValue, parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { type Digest, isDigest } from "../../core/oci/digest.ts";
import { writeFileAtomic } from "./atomic.ts";
import { ifPresent, onDisk } from "./errors.ts";
import { gather, hiddenBeside, openRegular, readRange, syncFolder } from "./files.ts";

/** What is about to become of one file. */
export interface IntendedFile {
  /** Absolute, and no link. */
  readonly path: string;
  /** Of its content before and after; undefined where there is no such file before. */
  readonly before: Digest | undefined;
  readonly after: Digest;
}

/** What is about to be written, kept until all of it is: what a killed process left is finished or taken back by it. */
export interface Intent {
  /** Part of the names of what is staged: nobody else's files are ever taken for it. */
  readonly nonce: string;
  /** `back`: a file could not be replaced, and those that were get their old content again. */
  readonly direction: "forward" | "back";
  readonly files: readonly IntendedFile[];
}

const SCHEMA_VERSION = 1;

export function newIntent(files: readonly IntendedFile[]): Intent {
  return { nonce: encodeHex(randomBytes(8)), direction: "forward", files };
}

/** Where a file's next content is, until it takes the file's name. */
export function stagedPath({ nonce, direction }: Pick<Intent, "nonce" | "direction">, path: string): string {
  return hiddenBeside(path, `countersign-${nonce}.${direction}`);
}

/** `.countersign.lock.countersign-intent` beside a lock file. */
export function intentPath(anchor: string): string {
  return hiddenBeside(anchor, "countersign-intent");
}

/** Durable when this returns. Paths are relative to the record's folder: a tree that is moved takes its intent along. */
export async function writeIntent(anchor: string, { nonce, direction, files }: Intent): Promise<void> {
  const record = intentPath(anchor);
  const members = files.map(({ path, before, after }) => ({
    path: relative(dirname(record), path),
    before: before ?? null,
    after,
  }));
  const text = `${JSON.stringify({ schemaVersion: SCHEMA_VERSION, nonce, direction, files: members }, undefined, 2)}\n`;
  await writeFileAtomic(record, encodeUtf8(text), { mode: 0o600, temporary: draftPath(anchor) });
}

/** Under a name of its own: what a process that was killed over it has left is found again. */
export function draftPath(anchor: string): string {
  return hiddenBeside(anchor, "countersign-intent.tmp");
}

export async function removeIntent(anchor: string): Promise<void> {
  const record = intentPath(anchor);
  await removeFile(record);
  await syncFolder(dirname(record));
}

export async function removeFile(path: string): Promise<void> {
  await onDisk(`remove ${path}`, () => ifPresent(() => unlink(path)));
}

/** undefined where nothing was interrupted. @throws CountersignError `record-invalid`, `disk-error`. */
export async function readIntent(anchor: string): Promise<Intent | undefined> {
  const record = intentPath(anchor);
  const file = await openRegular(record);
  if (file === undefined) return undefined;
  if (typeof file === "string") throw invalid(record, file);
  try {
    if (file.size > LIMITS.intentBytes) throw invalid(record, `${file.size} bytes`);
    return parseIntent(await gather(readRange(file.handle, 0, file.size)), record, anchor);
  } finally {
    await file.handle.close();
  }
}

function parseIntent(bytes: Uint8Array, record: string, anchor: string): Intent {
  const reading = { what: record, code: "record-invalid", maxBytes: LIMITS.intentBytes } as const;
  const { schemaVersion, nonce, direction, files } = parseJsonObject(bytes, reading);
  if (schemaVersion !== SCHEMA_VERSION) throw invalid(record, "another version");
  if (typeof nonce !== "string" || !/^[0-9a-f]{16}$/.test(nonce)) throw invalid(record, "no nonce");
  if (direction !== "forward" && direction !== "back") throw invalid(record, "no direction");
  if (!Array.isArray(files)) throw invalid(record, "no files");
  return { nonce, direction, files: files.map((file: JsonValue) => parseFile(file, record, anchor)) };
}

/**
 * A record may come with a tree that somebody else made. It can have files renamed that lie beside their targets under our
 * names, so inside of that tree, and nothing removed: the anchor alone may be new.
 */
function parseFile(file: JsonValue, record: string, anchor: string): IntendedFile {
  if (!isObject(file) || typeof file["path"] !== "string") throw invalid(record, "a file without a path");
  const path = resolve(dirname(record), file["path"]);
  const [before, after] = [parseContent(file, "before", record), parseContent(file, "after", record)];
  if (after === undefined) throw invalid(record, `${path} would be removed`);
  if (before === undefined && path !== anchor) throw invalid(record, `${path} would be new`);
  return { path, before, after };
}

function parseContent(file: JsonObject, name: "before" | "after", record: string): Digest | undefined {
  const value = file[name];
  if (value === null) return undefined;
  if (typeof value === "string" && isDigest(value)) return value;
  throw invalid(record, `no digest ${name}`);
}

function invalid(record: string, found: string): CountersignError {
  return new CountersignError("record-invalid", "the record of an interrupted run cannot be read", {
    found: `${record}: ${found}`,
    next: "look with git diff at what that run has changed, then remove the record",
  });
}
