import { rename } from "node:fs/promises";
import { LIMITS } from "../core/limits.ts";
import { writeFileAtomic } from "../io/disk/atomic.ts";
import { onDisk } from "../io/disk/errors.ts";
import { hiddenBeside, removeAll } from "../io/disk/files.ts";
import { readNamedFile } from "../io/disk/named.ts";
import { bundleBeside } from "./blob-files.ts";

/**
 * A file and the bundle beside it, of which one is worth nothing without the other. No file system replaces two files at
 * once: the new file waits under a hidden name while the bundle is replaced, and the next run finds it there.
 */
export interface SignedPair {
  readonly bytes: Uint8Array;
  readonly bundle: Uint8Array;
}

/** As the user called it, and where it is. */
export interface PairPlace {
  readonly label: string;
  /** Absolute. */
  readonly path: string;
  /** Bytes of the file. */
  readonly maxBytes: number;
}

function hidden(path: string): string {
  return hiddenBeside(path, "countersign-partial");
}

/**
 * What is there: the pair whose bundle `holds`, first as it is named, then as it was when a writer was cut short, which is
 * finished then. undefined where there is no file at all.
 *
 * @throws CountersignError what `holds` throws of the named file, and `disk-error`, `limit-reached`.
 */
export async function readPair(place: PairPlace, holds: (pair: SignedPair) => void): Promise<SignedPair | undefined> {
  const [bytes, waiting, bundle = NOTHING] = await Promise.all([
    readNamedFile(place, place.maxBytes),
    readNamedFile({ path: hidden(place.path), label: place.label }, place.maxBytes),
    readNamedFile({ path: bundleBeside(place.path), label: bundleBeside(place.label) }, LIMITS.signatureBytes),
  ]);
  if (waiting !== undefined && isHeld({ bytes: waiting, bundle }, holds)) {
    await onDisk(`write ${place.label}`, () => rename(hidden(place.path), place.path));
    return { bytes: waiting, bundle };
  }
  if (bytes === undefined) return undefined;
  holds({ bytes, bundle });
  return { bytes, bundle };
}

const NOTHING = new Uint8Array();

function isHeld(pair: SignedPair, holds: (pair: SignedPair) => void): boolean {
  try {
    holds(pair);
    return true;
  } catch {
    return false;
  }
}

/** Replaces both. @throws CountersignError `disk-error`, `interrupted`; then what was there still is. */
export async function writePair(
  { path, label }: PairPlace,
  { bytes, bundle }: SignedPair,
  signal: AbortSignal,
): Promise<void> {
  const waiting = hidden(path);
  await writeFileAtomic(waiting, bytes, { mode: 0o644, signal });
  try {
    await writeFileAtomic(bundleBeside(path), bundle, { mode: 0o644, signal });
  } catch (thrown) {
    await removeAll(waiting).catch(() => undefined);
    throw thrown;
  }
  await onDisk(`write ${label}`, () => rename(waiting, path));
}
