import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { Digest } from "../core/oci/digest.ts";
import type { Manifest } from "../core/oci/manifest.ts";
import type { ContentStore } from "../core/ports.ts";

/** How the waiting is done; tests hand in their own. */
export interface Pace {
  /** Milliseconds on a clock that only goes forward. */
  readonly now: () => number;
  readonly sleep: (milliseconds: number) => Promise<void>;
  /** From 0 to 1. */
  readonly random: () => number;
}

const PACE: Pace = {
  now: () => performance.now(),
  sleep: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
  random: Math.random,
};

/** What a writer wants of a tag that it shares with others. */
export interface TagChange {
  /** What the tag named when the writer looked, however long ago: it is read again before anything is written. */
  readonly seen: Manifest | undefined;
  /** Adds our part to what is there. */
  merge(existing: Manifest | undefined): Promise<Manifest>;
  /** Whether our part is in it. */
  holds(found: Manifest): boolean;
}

/**
 * Changes what a tag names where several writers share it and the registry has no compare-and-swap: merge, read again and
 * write only if nothing changed meanwhile (merging uploads, which takes longer than all the rest), wait until a writer
 * that read before us must have written too, and read again. Where our part is gone, merge again. Every writer that does
 * the same keeps its own part, and none drops what it has read.
 *
 * Returns what the tag names in the end. @throws CountersignError `write-conflict` after LIMITS.mergeRounds.
 */
export async function updateTag(
  store: ContentStore,
  tag: string,
  change: TagChange,
  pace: Pace = PACE,
): Promise<Manifest> {
  let existing = change.seen;
  for (let round = 1; round <= LIMITS.mergeRounds; round++) {
    const merged = await mergeWithCurrent(store, tag, existing, change);
    const started = pace.now();
    if (merged !== undefined) await store.pushManifest(merged.manifest, tag, { isShared: true, over: merged.over });
    const settle = Math.min(Math.max(pace.now() - started, LIMITS.settleMs), LIMITS.settleMostMs);
    await pace.sleep(2 * settle * (1 + pace.random() * round));
    existing = await store.resolve(tag);
    if (existing !== undefined && change.holds(existing)) return existing;
  }
  throw new CountersignError("write-conflict", "other writers kept changing the same tag", {
    found: `${LIMITS.mergeRounds} rounds in which our part was overwritten`,
    wanted: `our part under ${tag}`,
  });
}

/**
 * What is to be written, merged with what the tag named a moment ago; undefined where our part has come into it meanwhile: a key
 * that signs alike each time may be at work in two places.
 */
async function mergeWithCurrent(
  store: ContentStore,
  tag: string,
  existing: Manifest | undefined,
  { merge, holds }: TagChange,
): Promise<{ readonly manifest: Manifest; readonly over: Digest | "nothing" } | undefined> {
  let base = existing;
  for (let round = 1; ; round++) {
    const manifest = await merge(base);
    const now = await store.resolve(tag);
    if (now !== undefined && holds(now)) return undefined;
    const over = base?.descriptor.digest;
    if (now?.descriptor.digest === over || round === LIMITS.mergeRounds) return { manifest, over: over ?? "nothing" };
    base = now;
  }
}
