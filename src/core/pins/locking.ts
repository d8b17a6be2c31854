import type { Digest } from "../oci/digest.ts";
import type { Reference } from "../oci/reference.ts";
import type { Instant } from "../time.ts";
import { isUsable, type JudgedDigest, type PinResult } from "./choose.ts";
import { type Lock, type LockedImage, lockName, type WaitingDigest } from "./lock.ts";

/** What became of a mention, and what it says now. */
export interface SettledPin extends PinResult {
  readonly after: Reference;
}

/** By what images were judged, and when. */
export interface LockOrigin {
  /** Absent where nothing was verified. */
  readonly standard: Digest | undefined;
  readonly at: Instant;
}

/**
 * The entries that these pins make or change: what is pinned and accepted, whether it was just written or stood there. An
 * entry that says the same of the same digest by the same standard stays as it is, so that pinning again changes nothing.
 */
export function lockedBy(pins: readonly SettledPin[], lock: Lock, origin: LockOrigin): readonly LockedImage[] {
  const entries = new Map<string, LockedImage>();
  for (const { after, judged, held, state } of pins) {
    if (judged === undefined || !isUsable(judged) || after.digest !== judged.digest) continue;
    const name = lockName(after);
    const before = lock.get(name);
    const waiting = held === undefined ? stillWaiting(before, judged.digest, state) : toRemember(held);
    entries.set(name, entryOf(name, judged, before, waiting, origin));
  }
  return [...entries.values()].filter((entry) => entry !== lock.get(entry.name));
}

function entryOf(
  name: string,
  { digest, platforms, signers }: JudgedDigest,
  before: LockedImage | undefined,
  waiting: WaitingDigest | undefined,
  { standard, at }: LockOrigin,
): LockedImage {
  if (before?.digest === digest && (standard === undefined || before.standard === standard)) {
    return isSame(before.waiting, waiting) ? before : { ...before, waiting };
  }
  return { name, digest, platforms, signers: signers.map(({ id }) => id), standard, at, waiting };
}

/** What is proven need not be remembered. */
function toRemember({ digest, since, isRemembered }: NonNullable<PinResult["held"]>): WaitingDigest | undefined {
  return isRemembered ? { digest, since } : undefined;
}

/** An update that found nothing new has nothing to wait for; a call that did not ask knows nothing about it. */
function stillWaiting(
  before: LockedImage | undefined,
  digest: Digest,
  state: PinResult["state"],
): WaitingDigest | undefined {
  return state === "moved" || before?.waiting?.digest === digest ? undefined : before?.waiting;
}

function isSame(a: WaitingDigest | undefined, b: WaitingDigest | undefined): boolean {
  return a?.digest === b?.digest && a?.since === b?.since;
}

/** The lock with entries in the place of those of the same names. */
export function withEntries(lock: Lock, entries: readonly LockedImage[]): Lock {
  return new Map([...lock, ...entries.map((entry) => [entry.name, entry] as const)]);
}
