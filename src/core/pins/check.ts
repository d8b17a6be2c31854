import { bounded, type Finding } from "../errors.ts";
import { cannotBePinned } from "./choose.ts";
import type { Lock } from "./lock.ts";
import { groupPins, type PinGroup, type Pinnable } from "./pinnable.ts";

/** A mention that does not hold what pins promise. */
export interface Drift extends Pinnable {
  readonly finding: Finding;
}

/**
 * Whether everything is pinned, and to what the lock says, without asking anybody. Pins without a lock file are drift as
 * well: nothing says who vouched for them.
 *
 * @returns in the order of the mentions.
 */
export function checkPins(pinnables: readonly Pinnable[], lock: Lock | undefined, lockLabel: string): readonly Drift[] {
  const found = new Map<Pinnable, Finding>();
  for (const group of groupPins(pinnables, lock)) {
    for (const pinnable of group.pinnables) {
      const finding = findingAbout(pinnable, group, lock, lockLabel);
      if (finding !== undefined) found.set(pinnable, finding);
    }
  }
  return pinnables.flatMap((pinnable) => {
    const finding = found.get(pinnable);
    return finding === undefined ? [] : [{ ...pinnable, finding }];
  });
}

function findingAbout(
  pinnable: Pinnable,
  { pinned, locked }: PinGroup,
  lock: Lock | undefined,
  lockLabel: string,
): Finding | undefined {
  const { mention, reference } = pinnable;
  const { digest } = reference;
  if (digest === undefined) return mention.slot === undefined ? cannotBePinned(pinnable) : unpinned(pinnable);
  if (locked?.digest === digest) return undefined;
  if (lock === undefined) return drift("the image is pinned, and there is no lock file", mention.image, lockLabel);
  if (locked !== undefined) {
    return drift(`the image is pinned to another digest than ${lockLabel} says`, mention.image, locked.digest);
  }
  const others = pinned.filter((one) => one !== digest);
  const elsewhere = others.length === 0 ? "" : ", and it is pinned differently elsewhere";
  const wanted = others.length === 0 ? undefined : others.join(", ");
  return drift(`the image is pinned, but ${lockLabel} does not know it${elsewhere}`, mention.image, wanted);
}

function unpinned({ mention }: Pinnable): Finding {
  return bounded({
    code: "unpinned",
    message: "the image is named by a tag alone",
    found: mention.image,
    wanted: "a digest",
  });
}

function drift(message: string, found: string, wanted?: string): Finding {
  return bounded({ code: "lock-drift", message, found, ...(wanted !== undefined && { wanted }) });
}

/** What the lock holds without anybody's word for it, of these mentions. */
export function unverifiedPins(pinnables: readonly Pinnable[], lock: Lock | undefined): readonly string[] {
  return groupPins(pinnables, lock).flatMap(({ name, locked }) =>
    locked?.standard === undefined && locked ? [name] : [],
  );
}
