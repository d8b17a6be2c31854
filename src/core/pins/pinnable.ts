import { CountersignError } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import { formatReference, parseReference, type Reference } from "../oci/reference.ts";
import type { Mention } from "../sources/mention.ts";
import { type Lock, type LockedImage, lockName } from "./lock.ts";

/** A mention, and what it says. */
export interface Pinnable {
  readonly mention: Mention;
  readonly reference: Reference;
}

/** What is called by one name, wherever: pinned together, or one name would mean several digests. */
export interface PinGroup {
  /** As the lock knows it. */
  readonly name: string;
  readonly pinnables: readonly Pinnable[];
  /** The digests by which it is pinned, each once. */
  readonly pinned: readonly Digest[];
  readonly locked?: LockedImage | undefined;
}

/** @throws CountersignError `internal`: readers of sources hand on references only. */
export function toPinnable(mention: Mention): Pinnable {
  try {
    return { mention, reference: parseReference(mention.image) };
  } catch (cause) {
    throw new CountersignError("internal", "a source names something that is no reference", {
      found: mention.image,
      cause,
    });
  }
}

/** In the order in which the names are first mentioned. */
export function groupPins(pinnables: readonly Pinnable[], lock: Lock | undefined): readonly PinGroup[] {
  const groups = Map.groupBy(pinnables, ({ reference }) => lockName(reference));
  return [...groups].map(([name, members]) => ({
    name,
    pinnables: members,
    pinned: [...new Set(members.flatMap(({ reference }) => reference.digest ?? []))],
    locked: lock?.get(name),
  }));
}

/** The whole reference to a digest of a group: what stands in the file once it is pinned, and what is judged. */
export function pinnedReference({ name }: Pick<PinGroup, "name">, digest: Digest): string {
  return formatReference({ ...parseReference(name), digest });
}
