import { CountersignError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Digest } from "../oci/digest.ts";
import { isSupportedPattern } from "./patterns.ts";

/** How signed tags are stored, in names: docs/signed-tags.md, "Storage". */

/** The one tag of a repository that names its trust metadata. */
export const HEAD_TAG = "countersign-trust";
export const TRUST_ARTIFACT_TYPE = "application/vnd.countersign.trust.v1";
/** A layer that is a file of metadata, and the annotation with its TUF file name: `3.root.json`, `timestamp.json`. */
export const METADATA_MEDIA_TYPE = "application/vnd.tuf.metadata+json";
export const FILE_NAME_ANNOTATION = "tuf.io/filename";

/** Where one signer stages its role's metadata until a head has it: written by the holders of that role's keys alone. */
export function stagingTag(role: string, head: string = HEAD_TAG): string {
  return `${head}.role.${role}`;
}

/** Where metadata waits for further signatures until its threshold is met. */
export function pendingTag(role: string, head: string = HEAD_TAG): string {
  return `${head}.pending.${role}`;
}

/** What is written twice to find out whether tags can be moved there. */
export function probeTag(head: string = HEAD_TAG): string {
  return `${head}.probe`;
}

/**
 * The tag of one manifest that a large head lists, by its place in it. Nobody reads by it: the garbage collector of CNCF
 * distribution 2 takes what no tag names, with `--delete-untagged` also where an index that is tagged lists it.
 */
export function partTag(place: number, head: string = HEAD_TAG): string {
  return `${head}.part.${place}`;
}

/** The tags that hold trust metadata are no images: nobody binds, lists or audits them as such. */
export function isTrustTag(tag: string, head: string = HEAD_TAG): boolean {
  const isPartial = ["role", "pending", "part"].some((kind) => tag.startsWith(`${head}.${kind}.`));
  return tag === head || tag === probeTag(head) || isPartial;
}

/** The path of a tag among TUF's targets. Always with a prefix: tags may be called `constructor`. */
export function pathOfTag(tag: string): string {
  return `tags/${tag}`;
}

/** The path of "this digest was released": `digests/sha256-HEX`. */
export function pathOfDigest(digest: Digest): string {
  return `digests/${digest.replace(":", "-")}`;
}

/** The four roles that every repository has. */
export const TOP_LEVEL = ["root", "targets", "snapshot", "timestamp"] as const;
export type TopLevelRole = (typeof TOP_LEVEL)[number];

/** Starts with a letter, since JavaScript puts names that are numbers first and order is priority; one case, no separators. */
const ROLE_NAME = /^[a-z][a-z0-9._-]{0,63}$/;
/** Hash bins of a role are called `ROLE.bin-0f`: no signer may be. */
const BIN_NAME = /\.bin-[0-9a-f]+$/;

/** @throws CountersignError `usage` for a name that a signer cannot have. */
export function checkSignerName(name: string): void {
  // `constructor`: other clients look roles up in plain objects, which have that from birth.
  const isTaken = (TOP_LEVEL as readonly string[]).includes(name) || BIN_NAME.test(name) || name in Object.prototype;
  if (ROLE_NAME.test(name) && !isTaken) return;
  throw new CountersignError("usage", "not a name that a signer can have", {
    found: name,
    wanted: "a lower-case letter, then up to 63 lower-case letters, digits and ._-; not a role that TUF has",
  });
}

/** @throws CountersignError `usage` for a pattern of tags with more in it than literals, `*` and `?`. */
export function checkTagPattern(pattern: string): void {
  if (/^[A-Za-z0-9_.*?-]{1,128}$/.test(pattern) && isSupportedPattern(pathOfTag(pattern))) return;
  throw new CountersignError("usage", "not a pattern of tags", {
    found: pattern,
    wanted: `characters of tags, * for any number of them (at most ${LIMITS.tagPatternStars} times) and ? for one`,
  });
}
