import { chmod, link, lstat, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { CountersignError } from "../../core/errors.ts";
import { errnoOf, ifPresent, onDisk, throwIfAborted } from "./errors.ts";
import { FileSink, removeAll, syncFolder, temporaryPath } from "./files.ts";

export interface WriteOptions {
  /** Permission bits before the umask; 0600 where nothing is said. */
  readonly mode?: number | undefined;
  /** The mode is that of the file that is replaced: no umask takes from it. */
  readonly keepsMode?: boolean | undefined;
  /** Never replaces what is there: `destination-exists` instead. */
  readonly exclusive?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The temporary name, for a writer that holds a lock: what a killed process left under it is replaced. */
  readonly temporary?: string | undefined;
  /** Nothing waits for the disk: after a crash of the machine the file may be empty, short or gone. For caches. */
  readonly mayBeLost?: boolean | undefined;
}

/**
 * Writes a file all or nothing: a reader sees the old content or the new, also after a crash, and a failure leaves
 * nothing behind.
 *
 * @throws CountersignError `disk-error`, `destination-exists`, `interrupted`, or what the content's stream throws.
 */
export async function writeFileAtomic(
  path: string,
  content: Uint8Array | AsyncIterable<Uint8Array>,
  options: WriteOptions = {},
): Promise<void> {
  const temporary = options.temporary ?? temporaryPath(path);
  if (options.temporary !== undefined) await removeAll(temporary);
  const { mode = 0o600 } = options;
  const sink = await FileSink.create(temporary, mode, path);
  try {
    await fill(sink, content, options);
    if (options.keepsMode === true) await onDisk(`write ${path}`, () => chmod(temporary, mode));
    if (options.exclusive === true) await publishNew(temporary, path);
    else await onDisk(`write ${path}`, () => rename(temporary, path));
  } catch (thrown) {
    await removeAll(temporary).catch(() => undefined);
    throw thrown;
  }
  if (options.mayBeLost !== true) await syncFolder(dirname(path));
}

async function fill(
  sink: FileSink,
  content: Uint8Array | AsyncIterable<Uint8Array>,
  { signal, mayBeLost }: WriteOptions,
): Promise<void> {
  try {
    if (content instanceof Uint8Array) await sink.write(content);
    else {
      for await (const chunk of content) {
        throwIfAborted(signal);
        await sink.write(chunk);
      }
    }
    throwIfAborted(signal);
  } catch (thrown) {
    await sink.abandon();
    throw thrown;
  }
  await sink.finish(mayBeLost !== true);
}

/**
 * Gives a finished file its name unless the name is taken. A hard link does both in one step; file systems without
 * them get a look and a rename, between which another program could slip.
 */
export async function publishNew(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path);
  } catch (thrown) {
    const code = errnoOf(thrown);
    if (code === "EEXIST") throw destinationExists(path);
    if (code !== "EPERM" && code !== "ENOTSUP" && code !== "ENOSYS" && code !== "EMLINK") {
      await onDisk(`write ${path}`, () => Promise.reject(thrown));
    }
    if ((await onDisk(`write ${path}`, () => ifPresent(() => lstat(path)))) !== undefined) {
      throw destinationExists(path);
    }
    await onDisk(`write ${path}`, () => rename(temporary, path));
    return;
  }
  await removeAll(temporary);
}

export function destinationExists(path: string): CountersignError {
  return new CountersignError("destination-exists", "the destination exists already", { found: path });
}
