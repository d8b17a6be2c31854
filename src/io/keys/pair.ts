import { constants } from "node:fs";
import { copyFile, lstat, rename } from "node:fs/promises";
import { CountersignError } from "../../core/errors.ts";
import { destinationExists, writeFileAtomic } from "../disk/atomic.ts";
import { errnoOf, ifPresent, onDisk } from "../disk/errors.ts";
import { lockBeside, removeAll, temporaryPath } from "../disk/files.ts";
import { withLock } from "../disk/lock.ts";

/** The two files of a key pair, as text. */
export interface KeyPairFiles {
  /** `<prefix>.key`, mode 0600. */
  readonly privateKey: string;
  /** `<prefix>.pub`, mode 0644. */
  readonly publicKey: string;
}

export interface WrittenPair {
  readonly privateFile: string;
  readonly publicFile: string;
}

/** @throws CountersignError `destination-exists` where one of the two files is there. */
export async function requireNoPair(prefix: string): Promise<void> {
  for (const path of Object.values(pathsOf(prefix))) {
    if ((await onDisk(`look at ${path}`, () => ifPresent(() => lstat(path)))) !== undefined) throw exists(path);
  }
}

/**
 * Writes both files or neither. Files that are there are kept unless `force` is set; with it, a failure puts back what
 * was replaced: a lost private key cannot be made again.
 *
 * @throws CountersignError `destination-exists` or `disk-error`.
 */
export async function writeKeyPair(prefix: string, files: KeyPairFiles, force: boolean): Promise<WrittenPair> {
  // Two that replace a pair at once would leave the half of one beside the half of the other.
  return await withLock(lockBeside(pathsOf(prefix).privateFile), {}, () => writeBoth(prefix, files, force));
}

async function writeBoth(prefix: string, files: KeyPairFiles, force: boolean): Promise<WrittenPair> {
  const paths = pathsOf(prefix);
  if (!force) await requireNoPair(prefix);
  const undo = await replaceable(paths.privateFile);
  try {
    await write(paths.privateFile, files.privateKey, 0o600, force);
  } catch (thrown) {
    await undo.forget();
    throw thrown;
  }
  try {
    await write(paths.publicFile, files.publicKey, 0o644, force);
  } catch (thrown) {
    await undo.restore();
    throw thrown;
  }
  await undo.forget();
  return paths;
}

function pathsOf(prefix: string): WrittenPair {
  return { privateFile: `${prefix}.key`, publicFile: `${prefix}.pub` };
}

async function write(path: string, text: string, mode: number, force: boolean): Promise<void> {
  try {
    await writeFileAtomic(path, Buffer.from(text), { mode, exclusive: !force });
  } catch (thrown) {
    if (thrown instanceof CountersignError && thrown.code === "destination-exists") throw exists(path);
    throw thrown;
  }
}

interface Undo {
  /** Puts the file back as it was: there with its old content, or not there. */
  restore(): Promise<void>;
  forget(): Promise<void>;
}

/** A copy is made before the file is replaced: putting it back then needs no room on the disk. */
async function replaceable(path: string): Promise<Undo> {
  const backup = temporaryPath(path);
  const existed = await onDisk(`keep ${path}`, async () => {
    try {
      await copyFile(path, backup, constants.COPYFILE_EXCL);
      return true;
    } catch (thrown) {
      if (errnoOf(thrown) === "ENOENT") return false;
      throw thrown;
    }
  });
  return {
    restore: () => (existed ? onDisk(`restore ${path}`, () => rename(backup, path)) : removeAll(path)),
    forget: () => removeAll(backup),
  };
}

function exists(path: string): CountersignError {
  const { found } = destinationExists(path);
  return new CountersignError("destination-exists", "a key file exists already and is not overwritten", {
    found,
    next: "choose another --output-key-prefix, or --force to replace the pair (what it signed stays signed by the old key)",
  });
}
