import type { Digest } from "../../core/oci/digest.ts";
import { binsBelow, isBin, ownerOf } from "../../core/tags/bins.ts";
import { nextSnapshot, nextTimestamp } from "../../core/tags/derive.ts";
import { fileNameOf, parseFileName } from "../../core/tags/files.ts";
import { type BinSet, type BuiltHead, buildHead, type HeadPart } from "../../core/tags/head.ts";
import { expiryOf, isDue, type Lifetimes, lifetimesUnder, nextVersion } from "../../core/tags/lifetimes.ts";
import type { ListedFile, RootRole, SignedRole, SnapshotRole, TimestampRole } from "../../core/tags/metadata.ts";
import type { TrustView } from "../../core/tags/ports.ts";
import { readRole } from "../../core/tags/read.ts";
import { newestRoot, rolesIn } from "../../core/tags/view.ts";
import { type RoleSigner, sealed, signedPart } from "../../core/tags/write.ts";
import type { Instant } from "../../core/time.ts";
import { listedFile } from "./change.ts";
import type { Look } from "./look.ts";
import type { Publisher } from "./publisher.ts";
import { signersOf } from "./signers-here.ts";

/** Who signs the snapshot and the timestamp: enough keys of both roles, or nobody. */
export interface OnlineSigners {
  readonly snapshot: readonly RoleSigner[];
  readonly timestamp: readonly RoleSigner[];
}

/** undefined where this machine does not have the online keys: what is staged waits for one that does. */
export async function onlineSigners({ ring }: Publisher, { roles }: RootRole): Promise<OnlineSigners | undefined> {
  const timestamp = await signersOf(ring, roles.timestamp);
  if (timestamp.length < roles.timestamp.threshold) return undefined;
  const snapshot = await signersOf(ring, roles.snapshot);
  return snapshot.length < roles.snapshot.threshold ? undefined : { snapshot, timestamp };
}

/** A head that is ready to be published, and the timestamp in it. */
export interface Assembled {
  readonly built: BuiltHead;
  readonly timestamp: SignedRole<TimestampRole>;
  readonly snapshot: SignedRole<SnapshotRole>;
}

/** What consumers may have seen already, though the head that is there is another one. */
export interface Minted {
  /** The highest version of a timestamp: a new one is above it. */
  readonly timestamp: number;
  /** The same of a snapshot. */
  readonly snapshot: number;
  /** Our own of that version: as long as it says what is to be said, it is the one that is published. */
  readonly ours?: SignedRole<SnapshotRole> | undefined;
}

/**
 * The head that follows from what was seen: a snapshot where the one that is there does not list all of it or ends soon, and a new
 * timestamp. Roots, and what did not have to be read, are taken over as they are.
 */
export async function assembleHead(
  publisher: Publisher,
  look: Look,
  online: OnlineSigners,
  minted: Minted,
): Promise<Assembled> {
  const now = publisher.clock.now();
  const lifetimes = lifetimesOf(publisher, look.view);
  const snapshot = await snapshotFor(look.view, online.snapshot, now, lifetimes, minted);
  const before = look.view.timestamp?.body;
  const version = nextVersion(Math.max(before?.version ?? 0, minted.timestamp), now);
  const expires = expiryOf("timestamp", now, lifetimes);
  const next = { ...nextTimestamp(snapshot, before, now, expires), version };
  const bytes = await sealed(signedPart(next), online.timestamp);
  const timestamp = readRole(bytes, "timestamp", "the new timestamp", now);
  const parts = partsOf(look, snapshot.body);
  const files = new Map<string, HeadPart>([
    ...parts.files,
    [fileNameOf("snapshot", snapshot.body.version), snapshot.bytes],
    ["timestamp.json", bytes],
  ]);
  const facts = { gun: look.view.gun, version, expires, history: historyOf(look) };
  return { built: buildHead(files, facts, parts.sets), timestamp, snapshot };
}

export function lifetimesOf({ lifetimes }: Pick<Publisher, "lifetimes">, view: TrustView): Lifetimes {
  return lifetimes ?? lifetimesUnder(newestRoot(view).body.profile.ceilings);
}

function historyOf({ head, listing }: Look): readonly Digest[] {
  return [head.descriptor.digest, ...listing.history];
}

async function snapshotFor(
  view: TrustView,
  signers: readonly RoleSigner[],
  now: Instant,
  lifetimes: Lifetimes,
  minted: Minted,
): Promise<SignedRole<SnapshotRole>> {
  const before = view.snapshot;
  const next = nextSnapshot(view, before?.body, now, expiryOf("snapshot", now, lifetimes));
  const least = Math.max(before?.body.version ?? 0, minted.snapshot);
  // Two snapshots that say the same would make a rollback of the older one, should its head land late. Without one that counts the
  // keys are new, and ours may be by the old ones.
  const kept = [before, before && minted.ours].find((each) => {
    if (each === undefined || each.body.version < least) return false;
    return sameLists(each.body.roles, next.roles) && !isDue("snapshot", each.body.expires, now, lifetimes);
  });
  if (kept !== undefined) return kept;
  const body = { ...next, version: nextVersion(least, now) };
  return readRole(await sealed(signedPart(body), signers), "snapshot", "the new snapshot", now);
}

function sameLists(a: ReadonlyMap<string, ListedFile>, b: ReadonlyMap<string, ListedFile>): boolean {
  return a.size === b.size && [...a].every(([role, { sha256 }]) => b.get(role)?.sha256 === sha256);
}

// --- what stays -------------------------------------------------------------------------------------------------------

interface Parts {
  readonly files: ReadonlyMap<string, HeadPart>;
  /** Sets of bins of which none has changed: they are named again and not looked into. */
  readonly sets: readonly BinSet[];
}

function partsOf(look: Look, snapshot: SnapshotRole): Parts {
  const { view } = look;
  const bins = rolesIn(view).flatMap(([name, { body }]) => binsBelow(name, body));
  const sets = look.listing.sets.filter((set) => isUntouched(set, bins, look, snapshot));
  const own = rolesIn(view).map(([role, { body, bytes }]) => [fileNameOf(role, body.version), bytes] as const);
  const loose = bins.filter((bin) => !view.roles.has(bin)).flatMap((bin) => listedPart(bin, snapshot));
  const files = new Map<string, HeadPart>([...keptFiles(look), ...loose, ...own, ...rootParts(look)]);
  const inSets = (name: string) => sets.some((set) => isWithin(parseFileName(name)?.role ?? "", set));
  return { files: new Map([...files].filter(([name]) => !inSets(name))), sets };
}

/** All its bins are ones that there still are, and listed as they were. */
function isUntouched(set: BinSet, bins: readonly string[], { view }: Look, snapshot: SnapshotRole): boolean {
  const before = view.snapshot?.body.roles;
  const within = bins.filter((bin) => isWithin(bin, set));
  if (!within.includes(set.first) || !within.includes(set.last)) return false;
  return within.every((bin) => {
    const sha256 = before?.get(bin)?.sha256;
    return sha256 !== undefined && sha256 === snapshot.roles.get(bin)?.sha256;
  });
}

function isWithin(role: string, { first, last }: BinSet): boolean {
  return (
    isBin(role) && ownerOf(role) === ownerOf(first) && first.length === role.length && first <= role && role <= last
  );
}

function listedPart(role: string, snapshot: SnapshotRole): readonly (readonly [string, HeadPart])[] {
  const listed = snapshot.roles.get(role);
  if (listed === undefined) return [];
  return [[fileNameOf(role, listed.version), listedFile(listed)]];
}

/** Files of signers that could not be read: who refuses them says why, which is more than that they are missing. */
function keptFiles({ listing, view }: Look): readonly (readonly [string, HeadPart])[] {
  const unread = view.targets.body.delegations.map(({ name }) => name).filter((name) => !view.roles.has(name));
  return [...listing.files].filter(([name]) => unread.includes(parseFileName(name)?.role ?? ""));
}

/** All roots there ever were: who starts from the first one has to get to the last. */
function rootParts({ view }: Look): readonly (readonly [string, HeadPart])[] {
  return view.roots.map(({ body, bytes }) => [fileNameOf("root", body.version), bytes] as const);
}
