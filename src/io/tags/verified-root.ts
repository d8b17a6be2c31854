import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { checkCeiling } from "../../core/tags/lifetimes.ts";
import type { RootRole, SignedRole } from "../../core/tags/metadata.ts";
import type { RootPin } from "../../core/tags/pin.ts";
import { readRole } from "../../core/tags/read.ts";
import { checkGun } from "../../core/tags/trust-view.ts";
import type { Instant } from "../../core/time.ts";
import { nameRole } from "../tuf/refusal.ts";
import type { TufUpdater } from "../tuf/updater.ts";
import type { HeadSource } from "./head-source.ts";

/** Roots that a message names. */
const ROOTS_NAMED = 8;

/** The pinned root, or, where none is, the first one that is served. @throws CountersignError `pin-mismatch`. */
export async function findAnchor(source: HeadSource, pin: RootPin | undefined, name: string): Promise<Uint8Array> {
  const maxBytes = LIMITS.tufRootBytes;
  const root = pin === undefined ? await source.firstRoot(maxBytes) : await source.rootWith(pin.root, maxBytes);
  if (root !== undefined) return root;
  if (pin === undefined) {
    throw new CountersignError("metadata-malformed", `the signed tags of ${name} name no root`, {
      wanted: "every root from the first one on",
    });
  }
  const versions = await source.rootVersions();
  throw new CountersignError("pin-mismatch", `the root that is pinned for ${name} is not among its roots`, {
    found: `${versions.length} other roots: ${versions.slice(0, ROOTS_NAMED).join(", ") || "none"}`,
    wanted: `version ${pin.rootVersion}, ${pin.root}`,
  });
}

export interface Expected {
  readonly gun: string;
  /** For messages. */
  readonly name: string;
  readonly now: Instant;
}

/**
 * What the newest root says of itself and of what rests on it: whose it is, and how long anything may claim to live.
 *
 * @throws CountersignError `root-of-another`, `lifetime-exceeded`.
 */
export function checkRoot(updater: TufUpdater, { gun, name, now }: Expected): SignedRole<RootRole> {
  const read = <Kind extends "root" | "timestamp" | "snapshot" | "targets">(kind: Kind) =>
    readRole(bytesOf(updater, kind), kind, `${nameRole(kind)} of ${name}`);
  const root = read("root");
  checkGun(root, gun);
  for (const kind of ["timestamp", "snapshot", "targets"] as const) {
    checkCeiling(read(kind).body, root.body.profile.ceilings, now, `${nameRole(kind)} of ${name}`);
  }
  return root;
}

function bytesOf(updater: TufUpdater, role: string): Uint8Array {
  const bytes = updater.metadata.get(role);
  if (bytes !== undefined) return bytes;
  throw new CountersignError("internal", `${role} was read before it was verified`);
}
