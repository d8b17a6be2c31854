import type { Digest } from "../oci/digest.ts";

/** How far a repository was seen by whoever publishes there. */
export interface Remembered {
  /** The highest versions, by role. */
  readonly versions: ReadonlyMap<string, number>;
  /** What was staged here and is in no head yet. */
  readonly staged: ReadonlyMap<string, StagedVersion>;
  /** The roots from the pinned one on, by version: of a trust that was set up anew, the versions before say nothing. */
  readonly roots: ReadonlyMap<number, Digest>;
}

/** A file that was staged. */
export interface StagedVersion {
  readonly version: number;
  /** Who signed it: by others it would not count. */
  readonly keyids: readonly string[];
}

export const NOTHING_REMEMBERED: Remembered = { versions: new Map(), staged: new Map(), roots: new Map() };
