import { createHash } from "node:crypto";
import { encodeHex } from "../bytes.ts";
import { CountersignError, type Finding, toFinding } from "../errors.ts";
import { formatInstant, type Instant } from "../time.ts";
import type { DctKey } from "./keys.ts";
import {
  type DctDelegation,
  type DctFile,
  type DctListing,
  type DctRoleKeys,
  type DctRoot,
  type DctTargets,
  readDctSnapshot,
  readDctTargets,
  readDctTimestamp,
} from "./roles.ts";
import { rootKeysFor, verifyDctRoots } from "./roots.ts";
import { shortDctId, validSigners } from "./signers.ts";

/** Files of one repository as a Notary server or Docker's cache has them; nothing in them is believed yet. */
export interface UntrustedDct {
  readonly gun: string;
  /** Oldest first. The first one is where trust begins: the caller vouches for it. */
  readonly roots: readonly Uint8Array[];
  /** What says which files belong together and are the newest. undefined: each of the others is verified by itself. */
  readonly listings: UntrustedListings | undefined;
  /** `targets` and the roles below it, by name. */
  readonly targets: ReadonlyMap<string, Uint8Array>;
}

export interface UntrustedListings {
  readonly timestamp: Uint8Array;
  readonly snapshot: Uint8Array;
}

/** A repository whose files were all verified from its first root on. Expiry is told, and judged by the caller. */
export interface DctRepository {
  readonly gun: string;
  readonly roots: readonly DctFile<DctRoot>[];
  /** The last of them. */
  readonly root: DctFile<DctRoot>;
  /** undefined: there were none, and nothing says that this is the newest. */
  readonly listings: DctListings | undefined;
  readonly targets: DctFile<DctTargets>;
  /** The roles right below `targets`, `targets/releases` included, in the order of priority. */
  readonly delegations: readonly DctDelegated[];
  /** What has expired, in the order in which it is looked at. */
  readonly lapses: readonly DctLapse[];
  /** Roles that could not be believed, or that nothing in Docker ever looked into. */
  readonly passedOver: readonly Finding[];
}

export interface DctListings {
  readonly timestamp: DctFile<DctListing>;
  readonly snapshot: DctFile<DctListing>;
}

export interface DctDelegated extends DctDelegation {
  readonly keys: readonly DctKey[];
  /** undefined: never published, or not to be believed. */
  readonly file: DctFile<DctTargets> | undefined;
}

export interface DctLapse {
  /** `timestamp`, `the certificate of the root key`. */
  readonly what: string;
  readonly at: Instant;
}

/** Where Docker looks for a tag first, and the one role below `targets` that is no signer's. */
export const DCT_RELEASES = "targets/releases";

/**
 * Verifies a repository as Notary's client does (client/tufclient.go, trustpinning/certs.go), from its first root on.
 *
 * @throws CountersignError `root-of-another`, `root-chain-broken`, `root-version-gap`, `signature-threshold`, `mix-and-match`,
 * `role-vanished`, `metadata-malformed`, `keyid-mismatch`, `key-weak`, `limit-reached`.
 */
export function verifyDct(untrusted: UntrustedDct, now: Instant): DctRepository {
  const roots = verifyDctRoots(untrusted.gun, untrusted.roots);
  const root = roots[roots.length - 1] ?? notThere("root");
  const listings = untrusted.listings && verifyListings(untrusted.listings, root);
  const snapshot = listings?.snapshot.body;
  const bytes = untrusted.targets.get("targets") ?? notThere("targets");
  requireListed("targets", bytes, snapshot);
  const targets = readDctTargets(bytes, "targets");
  requireSignatures(targets, root.body.roles.targets, root.body.keys, "targets");
  const { delegations, passedOver } = verifyDelegations(untrusted, targets, snapshot);
  return {
    gun: untrusted.gun,
    ...{ roots, root, listings, targets, delegations },
    lapses: lapsesOf({ root, targets, listings, delegations }, untrusted.gun, now),
    passedOver: [...(listings === undefined ? [UNLISTED] : []), ...passedOver],
  };
}

const UNLISTED: Finding = {
  code: "mix-and-match",
  message: "no snapshot says that these files are the newest: each was verified by itself, and tags may be missing",
  next: "compare the tags with what was released last",
};

function verifyListings({ timestamp, snapshot }: UntrustedListings, root: DctFile<DctRoot>): DctListings {
  const { keys, roles } = root.body;
  const time = readDctTimestamp(timestamp);
  requireSignatures(time, roles.timestamp, keys, "timestamp");
  requireListed("snapshot", snapshot, time.body, "timestamp");
  const shot = readDctSnapshot(snapshot);
  requireSignatures(shot, roles.snapshot, keys, "snapshot");
  requireListed("root", root.bytes, shot.body);
  return { timestamp: time, snapshot: shot };
}

function notThere(role: string): never {
  throw new CountersignError("role-vanished", `the data of Docker Content Trust has no ${role}`, {
    found: "none",
    wanted: `${role}.json`,
  });
}

/** @throws CountersignError `signature-threshold`. */
function requireSignatures(
  file: DctFile<unknown>,
  { keyIds, threshold }: DctRoleKeys,
  keys: ReadonlyMap<string, DctKey>,
  role: string,
): void {
  const valid = validSigners(file, keyIds, keys);
  if (valid.length >= threshold) return;
  throw new CountersignError("signature-threshold", `${role} of Docker Content Trust is not signed as it has to be`, {
    found: `${valid.length} valid signatures`,
    wanted: `${threshold}, by ${keyIds.map(shortDctId).join(", ")}`,
    next: "treat the Notary server or the cache as tampered with",
  });
}

function requireListed(role: string, bytes: Uint8Array, listing: DctListing | undefined, lister = "snapshot"): void {
  if (listing === undefined) return;
  const listed = listing.get(role);
  if (listed === undefined) notThere(role);
  const sha256 = encodeHex(createHash("sha256").update(bytes).digest());
  if (listed.length === bytes.byteLength && listed.sha256 === sha256) return;
  throw new CountersignError("mix-and-match", `${role}.json is not the file that the ${lister} lists`, {
    found: `sha256 ${sha256}, ${bytes.byteLength} bytes`,
    wanted: `sha256 ${listed.sha256}, ${listed.length} bytes`,
    next: "a cache that was written while it was read can be torn: take the data again, or from the Notary server",
  });
}

/** As Notary does, what is wrong with one role costs that role and nothing else. */
function verifyDelegations(
  untrusted: UntrustedDct,
  targets: DctFile<DctTargets>,
  snapshot: DctListing | undefined,
): Pick<DctRepository, "delegations" | "passedOver"> {
  const passedOver: Finding[] = [];
  const delegations = targets.body.delegations.filter(isDirect).map((delegation): DctDelegated => {
    const keys = delegation.keyIds.flatMap((id) => targets.body.keys.get(id) ?? []);
    try {
      return { ...delegation, keys, file: verifyDelegation(untrusted, delegation, targets.body.keys, snapshot) };
    } catch (error) {
      passedOver.push(toFinding(error));
      return { ...delegation, keys, file: undefined };
    }
  });
  const deeper = delegations.flatMap(({ file }) => file?.body.delegations ?? []);
  return { delegations, passedOver: [...passedOver, ...deeper.map(neverLookedInto)] };
}

function isDirect({ name }: DctDelegation): boolean {
  return name.split("/").length === 2;
}

function neverLookedInto({ name }: DctDelegation): Finding {
  return {
    code: "tag-unlisted",
    message: `${name} lies deeper than Docker ever looked`,
    next: "add its signers to the new signed tags: countersign trust signer add",
  };
}

/** undefined for a role that was set up and never published. */
function verifyDelegation(
  { targets }: UntrustedDct,
  delegation: DctDelegation,
  keys: ReadonlyMap<string, DctKey>,
  snapshot: DctListing | undefined,
): DctFile<DctTargets> | undefined {
  const isPublished = snapshot?.has(delegation.name) ?? targets.has(delegation.name);
  if (!isPublished) return undefined;
  const bytes = targets.get(delegation.name) ?? notThere(delegation.name);
  requireListed(delegation.name, bytes, snapshot);
  const file = readDctTargets(bytes, delegation.name);
  requireSignatures(file, delegation, keys, delegation.name);
  return file;
}

type Expiring = Pick<DctRepository, "root" | "targets" | "listings" | "delegations">;

function lapsesOf(files: Expiring, gun: string, now: Instant): readonly DctLapse[] {
  const { root, targets, listings } = files;
  const certificates = [...rootKeysFor(root.body, gun).values()].flatMap(({ certificate }) => certificate ?? []);
  const lastEnd = Math.max(...certificates.map(({ notAfter }) => notAfter)) as Instant;
  const ends: readonly DctLapse[] = [
    { what: "the certificate of the root key", at: lastEnd },
    { what: "root", at: root.expires },
    { what: "targets", at: targets.expires },
    ...(listings === undefined ? [] : [{ what: "snapshot", at: listings.snapshot.expires }]),
    ...(listings === undefined ? [] : [{ what: "timestamp", at: listings.timestamp.expires }]),
    ...files.delegations.flatMap(({ name, file }) => (file === undefined ? [] : [{ what: name, at: file.expires }])),
  ];
  return ends.filter(({ at }) => at <= now);
}

/** `timestamp expired at 2026-12-07T07:34:26Z` */
export function describeLapse({ what, at }: DctLapse): string {
  return `${what} expired at ${formatInstant(at)}`;
}
