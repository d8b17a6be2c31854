import { lstat, mkdir } from "node:fs/promises";
import { CountersignError } from "../../core/errors.ts";
import { errnoOf, onDisk } from "./errors.ts";
import { gather, openRegular, readRange } from "./files.ts";

/**
 * A small file of the user's own as a whole; undefined where there is none.
 *
 * @throws CountersignError `disk-error`, also for what is no regular file or larger than `maxBytes`.
 */
export async function readWhole(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
  if (!(await isThere(path))) return undefined;
  const file = await openRegular(path);
  if (file === undefined) return undefined;
  if (typeof file === "string") throw new CountersignError("disk-error", `cannot read ${path}`, { found: file });
  try {
    if (file.size > maxBytes) {
      throw new CountersignError("disk-error", `cannot read ${path}`, { found: `${file.size} bytes` });
    }
    return await gather(readRange(file.handle, 0, file.size));
  } finally {
    await file.handle.close();
  }
}

/** Below what is no folder there is nothing either: a home that is `/dev/null`. */
async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (thrown) {
    const code = errnoOf(thrown);
    if (code === "ENOENT" || code === "ENOTDIR") return false;
    return onDisk(`read ${path}`, () => Promise.reject(thrown));
  }
}

/** A folder that only the user may look into, with those above it. @throws CountersignError `disk-error`. */
export async function makePrivateFolder(path: string): Promise<void> {
  await onDisk(`write ${path}`, () => mkdir(path, { recursive: true, mode: 0o700 }));
}
