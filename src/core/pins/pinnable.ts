import { bounded, CountersignError } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import { parseLocation } from "../oci/location.ts";
import { formatReference, parseReference, type Reference } from "../oci/reference.ts";
import type { Mention, Reading, SourceProblem } from "../sources/mention.ts";
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

/** A reading of what can have a digest: images in registries. What is named in files on disk, and what is none, is a problem. */
export function pinnableIn({ mentions, problems }: Reading): Reading {
  const [fitting, others] = [mentions.filter(isReference), mentions.filter((mention) => !isReference(mention))];
  return { mentions: fitting, problems: [...problems, ...others.map(notInRegistry)] };
}

/** Lists can name layouts and archives; to an engine `oci:3` is an image of Docker Hub. */
function isReference({ image, kind }: Mention): boolean {
  try {
    if (kind === "list") return parseLocation(image).kind === "registry";
    parseReference(image);
    return true;
  } catch {
    return false;
  }
}

function notInRegistry({ place, image }: Mention): SourceProblem {
  const message = "only images in registries can be pinned";
  return {
    place,
    finding: bounded({ code: "source-invalid", message, found: image, wanted: "registry/repository:tag" }),
  };
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
