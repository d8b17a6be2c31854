import { createHash } from "node:crypto";
import { LIMITS } from "../limits.ts";
import type { Digest } from "../oci/digest.ts";
import type { ListedFile, Role } from "./metadata.ts";

/** Names of metadata files as TUF's consistent snapshots have them (TUF 1.0.34, 6.2): all but the timestamp's with a version. */

export interface FileName {
  readonly role: string;
  /** undefined: the timestamp, which has none in its name. */
  readonly version: number | undefined;
}

/** `3.root.json`, `1795000000000.releases.json`, `timestamp.json`. */
export function fileNameOf(role: string, version: number): string {
  return role === "timestamp" ? "timestamp.json" : `${version}.${role}.json`;
}

const VERSIONED = /^([1-9][0-9]{0,15})\.([a-z][a-z0-9._-]{0,127})\.json$/;

/** undefined for anything that is no name of trust metadata. */
export function parseFileName(name: string): FileName | undefined {
  if (name === "timestamp.json") return { role: "timestamp", version: undefined };
  const [, digits, role] = VERSIONED.exec(name) ?? [];
  const version = Number(digits);
  if (role === undefined || role === "timestamp" || !Number.isSafeInteger(version)) return undefined;
  return { role, version };
}

/** How large a file of each kind may be: more is not read. */
export const MAX_METADATA_BYTES: Readonly<Record<Role["kind"], number>> = {
  root: LIMITS.tufRootBytes,
  timestamp: LIMITS.tufTimestampBytes,
  snapshot: LIMITS.tufSnapshotBytes,
  targets: LIMITS.tufTargetsBytes,
};

/** Top-level roles are of their own kind, all others are targets roles. */
export function kindOf(role: string): Role["kind"] {
  return role === "root" || role === "timestamp" || role === "snapshot" ? role : "targets";
}

/** A file as the one that lists it describes it. */
export function listingOf(version: number, bytes: Uint8Array): ListedFile {
  return { version, length: bytes.byteLength, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** Whether these bytes are the listed ones; their version is in them and is compared by who reads them. */
export function isListed(bytes: Uint8Array, listed: Pick<ListedFile, "length" | "sha256">): boolean {
  return bytes.byteLength === listed.length && listingOf(1, bytes).sha256 === listed.sha256;
}

export function digestOfListed({ sha256 }: Pick<ListedFile, "sha256">): Digest {
  return `sha256:${sha256}` as Digest;
}
