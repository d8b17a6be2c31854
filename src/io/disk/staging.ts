import { lstat, mkdir, readdir, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { destinationExists } from "./atomic.ts";
import { errnoOf, ifPresent, onDisk } from "./errors.ts";
import { hiddenBeside, removeAll, syncFolder, temporaryPath } from "./files.ts";
import { acquireLock, type Lock } from "./lock.ts";

export interface StagingOptions {
  readonly signal?: AbortSignal | undefined;
  /** Where to stage; beside the destination where nothing is said. It must be on the destination's file system. */
  readonly folder?: string | undefined;
}

/** Where the content for a destination is staged: `.NAME.countersign-partial` in the same folder. */
export function stagingFolder(destination: string): string {
  return hiddenBeside(destination, "countersign-partial");
}

/**
 * A hidden folder, readable by its owner only, in which a destination is made ready. One process at a time has it.
 * It survives a crash or `suspend`, and the next run for the same destination finds in it what was there.
 */
export class Staging {
  /** The hidden folder. */
  readonly folder: string;
  /** The folder within it that `commitFolder` moves to the destination. */
  readonly content: string;
  /** The folder within it for what is not whole yet. */
  readonly partial: string;
  readonly #lock: Lock;

  private constructor(folder: string, lock: Lock) {
    this.folder = folder;
    this.content = join(folder, "content");
    this.partial = join(folder, "partial");
    this.#lock = lock;
  }

  /** @throws CountersignError `write-conflict` while another process stages the same destination, `disk-error`. */
  static async open(destination: string, options: StagingOptions = {}): Promise<Staging> {
    const folder = options.folder ?? stagingFolder(destination);
    const lock = await lockFolder(folder, destination, options.signal);
    const staging = new Staging(folder, lock);
    try {
      for (const inner of [staging.content, staging.partial]) await makeRealFolder(inner);
      return staging;
    } catch (thrown) {
      await staging.suspend();
      throw thrown;
    }
  }

  /** The content folder becomes the destination, in one step. @throws CountersignError `destination-exists`. */
  async commitFolder(destination: string): Promise<void> {
    await refuseExisting(destination);
    try {
      await rename(this.content, destination);
    } catch (thrown) {
      const code = errnoOf(thrown);
      if (code === "ENOTEMPTY" || code === "EEXIST" || code === "ENOTDIR") throw destinationExists(destination);
      await onDisk(`write ${destination}`, () => Promise.reject(thrown));
    }
    // It is there now, whole; what is left to do must not call that a failure.
    await syncFolder(dirname(destination)).catch(() => undefined);
    await this.discard().catch(() => undefined);
  }

  /** Nothing is left. The folder is moved away first, so that nobody starts to use it while it is being removed. */
  async discard(): Promise<void> {
    const away = temporaryPath(this.folder);
    try {
      const moved = await onDisk(`remove ${this.folder}`, () =>
        ifPresent(async () => {
          await rename(this.folder, away);
          return true;
        }),
      );
      if (moved === true) await removeAll(away);
    } finally {
      await this.#lock.release();
    }
  }

  /** Keeps what there is for the next run; a folder with nothing in it is removed. */
  async suspend(): Promise<void> {
    let isWorthKeeping = true;
    try {
      isWorthKeeping = await this.#holdsAnything();
    } finally {
      if (isWorthKeeping) await this.#lock.release();
    }
    if (!isWorthKeeping) await this.discard();
  }

  async #holdsAnything(): Promise<boolean> {
    const lists = [this.content, this.partial].map((folder) =>
      ifPresent(() => readdir(folder, { recursive: true, withFileTypes: true })),
    );
    const entries = await onDisk(`read ${this.folder}`, () => Promise.all(lists));
    return entries.some((list) => list?.some((entry) => entry.isFile()) === true);
  }
}

/** @throws CountersignError `destination-exists` where there is anything, be it a link to nowhere. */
export async function refuseExisting(destination: string): Promise<void> {
  const found = await onDisk(`write ${destination}`, () => ifPresent(() => lstat(destination)));
  if (found !== undefined) throw destinationExists(destination);
}

/** Who had it may be done and move it away between two of our steps: then there is a new one to be made. */
async function lockFolder(folder: string, destination: string, signal: AbortSignal | undefined): Promise<Lock> {
  for (let round = 1; ; round++) {
    try {
      await makePrivateFolder(folder, destination);
      return await acquireLock(join(folder, "lock"), { signal, waitMs: 0 });
    } catch (thrown) {
      const isMoved = thrown instanceof CountersignError && errnoOf(thrown.cause) === "ENOENT";
      if (!isMoved || round >= LIMITS.mergeRounds) throw thrown;
    }
  }
}

/** In a folder that others can write, a staging folder put there by somebody else is not used. */
async function makePrivateFolder(folder: string, destination: string): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o700 });
    return;
  } catch (thrown) {
    if (errnoOf(thrown) !== "EEXIST") await onDisk(`write ${destination}`, () => Promise.reject(thrown));
  }
  const found = await onDisk(`read ${folder}`, () => lstat(folder));
  const isMine = process.getuid === undefined || found.uid === process.getuid();
  if (found.isDirectory() && isMine && (found.mode & 0o077) === 0) return;
  throw unusable(folder, found.isDirectory() ? "which others can write or read" : "which is not a folder");
}

/**
 * A staging folder of this user's own may still be somebody else's work: it came out of an archive or a repository. A
 * link in it would have everything where it leads to written over and cleared away.
 */
async function makeRealFolder(folder: string): Promise<void> {
  const isFolder = await onDisk(`write ${folder}`, async () => {
    await mkdir(folder).catch((thrown: unknown) => {
      if (errnoOf(thrown) !== "EEXIST") throw thrown;
    });
    return (await lstat(folder)).isDirectory();
  });
  if (!isFolder) throw unusable(folder, "which is not a folder");
}

function unusable(folder: string, why: string): CountersignError {
  return new CountersignError("disk-error", "the staging folder cannot be used", {
    found: `${folder}, ${why}`,
    wanted: "a folder of this user's own with mode 0700",
    next: "remove it, then try again",
  });
}
