import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { childrenOf, type Manifest } from "../core/oci/manifest.ts";
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

/**
 * Changes what a tag names where several writers share it and the registry has no compare-and-swap: read, merge, write,
 * wait until a writer that read before us must have written too, and read again. Where our part or anyone's that we had
 * read is gone, merge again.
 *
 * `merge` adds our part to what is there; `holds` says whether our part is in it.
 * Returns what the tag names in the end. @throws CountersignError `write-conflict` after LIMITS.mergeRounds.
 */
export async function updateTag(
  store: ContentStore,
  tag: string,
  merge: (existing: Manifest | undefined) => Promise<Manifest>,
  holds: (found: Manifest) => boolean,
  pace: Pace = PACE,
): Promise<Manifest> {
  for (let round = 0; round < LIMITS.mergeRounds; round++) {
    const started = pace.now();
    const existing = await store.resolve(tag);
    const merged = await merge(existing);
    await store.pushManifest(merged, tag);
    await pace.sleep((pace.now() - started) * (1 + pace.random()));
    const found = await store.resolve(tag);
    if (found !== undefined && holds(found) && keepsAll(found, existing)) return found;
  }
  throw new CountersignError("write-conflict", "other writers kept changing the same tag", {
    found: `${LIMITS.mergeRounds} rounds in which our part was overwritten`,
    wanted: `our part under ${tag}`,
  });
}

/** Every entry that was there is there still: layers of a `.sig` manifest by position-free digest and annotations. */
function keepsAll(found: Manifest, earlier: Manifest | undefined): boolean {
  if (earlier === undefined) return true;
  const present = new Set(entriesOf(found));
  return entriesOf(earlier).every((entry) => present.has(entry));
}

/** The configuration of a `.sig` manifest is made anew with every change and is no entry of anyone's. */
function entriesOf(manifest: Manifest): readonly string[] {
  const entries = manifest.kind === "image" ? manifest.layers : childrenOf(manifest);
  return entries.map((entry) => JSON.stringify([entry.digest, Object.entries(entry.annotations ?? {}).toSorted()]));
}
