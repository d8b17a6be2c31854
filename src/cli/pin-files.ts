import { realpath } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { encodeUtf8 } from "../core/bytes.ts";
import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { formatLock, type Lock, type LockedImage, parseLock } from "../core/pins/lock.ts";
import { withEntries } from "../core/pins/locking.ts";
import { ifPresent, onDisk } from "../io/disk/errors.ts";
import { gather, openRegular, readRange } from "../io/disk/files.ts";
import { inTurn, type Recovery, type Replacement, recoverFiles, replaceFiles } from "../io/disk/transaction.ts";
import type { Context } from "./context.ts";
import type { Output } from "./output.ts";

/** The lock file as it was read. */
export interface LockFile {
  /** As the user names it. */
  readonly label: string;
  /** Absolute, and no link. */
  readonly path: string;
  /** undefined where there is no such file. */
  readonly lock: Lock | undefined;
}

/**
 * Reads the lock file. What an interrupted call left beside it is finished or taken back before, and said.
 *
 * @throws CountersignError `record-invalid`, `disk-error`, `write-conflict`.
 */
export async function openLockFile(
  { workingDirectory, signal }: Context,
  output: Output,
  label: string,
): Promise<LockFile> {
  const path = await realPathOf(resolve(workingDirectory, label), label);
  sayRecovery(output, await recoverFiles(path, { signal }));
  const bytes = await readLock(path, label);
  return { label, path, lock: bytes && parseLock(bytes, label) };
}

/** Of a link the file that it leads to; of what is not there yet the place in its folder. */
async function realPathOf(path: string, label: string): Promise<string> {
  return await onDisk(`find the folder of ${label}`, async () => {
    const there = await ifPresent(() => realpath(path));
    return there ?? join(await realpath(dirname(path)), basename(path));
  });
}

async function readLock(path: string, label: string): Promise<Uint8Array | undefined> {
  const file = await openRegular(path);
  if (file === undefined) return undefined;
  if (typeof file === "string")
    throw new CountersignError("record-invalid", "the lock file is no file", { found: label });
  try {
    return await gather(readRange(file.handle, 0, Math.min(file.size, LIMITS.lockFileBytes + 1)));
  } finally {
    await file.handle.close();
  }
}

function sayRecovery(output: Output, recovered: Recovery | undefined): void {
  if (recovered === undefined) return;
  const { outcome, files, left } = recovered;
  output.warn(`an earlier run was interrupted; what it had begun is ${outcome}: ${listed(files)}`);
  if (left.length === 0) return;
  output.warn(`changed by somebody else since, and left as it is: ${listed(left)}`);
}

/** Files that are named; the others are counted. */
const NAMED = 5;

function listed(files: readonly string[]): string {
  const more = files.length - NAMED;
  return [...files.slice(0, NAMED), ...(more > 0 ? [`${more} more`] : [])].join(", ");
}

/**
 * Writes files and the lock file together. Another call may have written the lock file since it was read: entries of other
 * names are kept.
 *
 * @throws CountersignError `write-conflict`, `disk-error`, `interrupted`: nothing is written then.
 */
export async function writePins(
  { signal }: Context,
  output: Output,
  file: LockFile,
  entries: readonly LockedImage[],
  replacements: readonly Replacement[],
): Promise<void> {
  await inTurn(file.path, { signal }, async (recovered) => {
    sayRecovery(output, recovered);
    const before = await readLock(file.path, file.label);
    const lock = before === undefined ? new Map() : parseLock(before, file.label);
    for (const { name } of entries) refuseOther(file, lock, name);
    const after = encodeUtf8(formatLock(withEntries(lock, entries)));
    const changes = entries.length === 0 ? [] : [{ path: file.path, before, after }];
    await replaceFiles(file.path, [...replacements, ...changes], { signal });
  });
}

function refuseOther({ label, lock: read }: LockFile, now: Lock, name: string): void {
  if (read?.get(name)?.digest === now.get(name)?.digest) return;
  throw new CountersignError("write-conflict", `another call has pinned the same image in the meantime`, {
    found: `${name} in ${label}`,
    next: "run the same command again; nothing was written",
  });
}
