import type { Finding } from "../core/errors.ts";
import type { Digest } from "../core/oci/digest.ts";
import {
  choosePins,
  type JudgedDigest,
  type Known,
  type Missing,
  type PinResult,
  type PinWish,
} from "../core/pins/choose.ts";
import type { Lock } from "../core/pins/lock.ts";
import { groupPins, type PinGroup, type Pinnable, pinnedReference } from "../core/pins/pinnable.ts";
import { mapConcurrently } from "./concurrency.ts";
import type { DigestFinder } from "./pin-digests.ts";

/**
 * Finds out what becomes of every mention: each name is resolved once and each digest of it judged once, whatever becomes of the
 * others, and only what the decision depends on is asked for.
 *
 * @returns in the order of the mentions.
 * @throws CountersignError as `DigestFinder.judge`.
 */
export async function decidePins(
  pinnables: readonly Pinnable[],
  lock: Lock,
  wish: PinWish,
  finder: DigestFinder,
  workers: number,
): Promise<readonly PinResult[]> {
  const groups = groupPins(pinnables, lock);
  const decided = await mapConcurrently(groups, workers, (group) => decideGroup(group, wish, finder));
  const results = new Map(decided.flat().map((result) => [result.mention, result]));
  return pinnables.flatMap(({ mention }) => results.get(mention) ?? []);
}

async function decideGroup(group: PinGroup, wish: PinWish, finder: DigestFinder): Promise<readonly PinResult[]> {
  let known: Known = { judged: new Map() };
  for (;;) {
    const choice = choosePins(group, known, wish);
    if ("results" in choice) return choice.results;
    known = await findOut(group, choice.missing, known, finder);
  }
}

async function findOut(group: PinGroup, missing: Missing, known: Known, finder: DigestFinder): Promise<Known> {
  const tag: Digest | Finding | undefined = missing.tag ? await finder.resolve(group.name) : known.tag;
  const judged = new Map<Digest, JudgedDigest>(known.judged);
  for (const digest of missing.digests) judged.set(digest, await finder.judge(pinnedReference(group, digest)));
  return { tag, judged };
}
