import { refusePublishedKeys } from "../../core/crypto/published.ts";
import { vouchFor } from "../../core/dct/continuity.ts";
import { CountersignError } from "../../core/errors.ts";
import type { ContentStore, Signer } from "../../core/ports.ts";
import type { InitResult, RoleSummary } from "../../core/tags/admin-results.ts";
import { listingOf } from "../../core/tags/files.ts";
import { expiryOf, type Lifetimes, nextVersion } from "../../core/tags/lifetimes.ts";
import type { Ceilings, Role, RoleKeys, RootRole, TufKey } from "../../core/tags/metadata.ts";
import { TOP_LEVEL, type TopLevelRole } from "../../core/tags/names.ts";
import { pinOf } from "../../core/tags/pin.ts";
import { keyIdOf, tufKeyOf } from "../../core/tags/tuf-key.ts";
import { type RoleSigner, sealed, signedPart } from "../../core/tags/write.ts";
import type { Instant } from "../../core/time.ts";
import { type FirstContent, type FirstFile, firstRoles } from "./first-content.ts";
import { pushFirst, requireNoHead } from "./first-head.ts";
import { requireMovableTags } from "./probe.ts";

/** Who signs for a role at first: all of its keys have to be here once, whatever the threshold is. */
export interface RoleKeysWish {
  readonly signers: readonly Signer[];
  readonly threshold: number;
}

export interface InitWish {
  /** Where the metadata goes: the repository itself, or another one. */
  readonly store: ContentStore;
  /** The canonical name of the repository that the tags are of. */
  readonly gun: string;
  /** The tag of the head. */
  readonly head: string;
  readonly aliases: readonly string[];
  readonly roles: Readonly<Record<TopLevelRole, RoleKeysWish>>;
  readonly lifetimes: Lifetimes;
  readonly ceilings: Ceilings;
  readonly now: Instant;
  /** Keys of a trust before this one, which sign root 1 beside its own and count for nothing else (core/dct/continuity.ts). */
  readonly vouchers?: readonly Signer[] | undefined;
  /** undefined: nothing is bound yet. */
  readonly content?: FirstContent | undefined;
  /**
   * Waits, in milliseconds, until whoever sets up the same repository at the same time has written too. undefined: nobody else does.
   */
  readonly settle?: ((milliseconds: number) => Promise<void>) | undefined;
  /** Called when all is signed and nothing published: keys that were made for this are written down now. */
  readonly keep: () => Promise<void>;
}

/**
 * Sets up signed tags: root 1, an empty `targets`, snapshot and timestamp, and the head that names them.
 *
 * @throws CountersignError `destination-exists` where there are signed tags already, `tags-immutable`, `key-weak`, `usage` for a
 * threshold that cannot be met, `write-unconfirmed` where the registry does not show what it took, or somebody else's; what the store
 * throws.
 */
export async function initTrust(wish: InitWish): Promise<InitResult> {
  const { store, gun, head, now } = wish;
  const roles = eachRole(wish);
  refuseExampleKeys(wish);
  await requireNoHead(store, head);
  await requireMovableTags(store, head, now);
  const files = await firstFiles(wish, roles);
  await wish.keep();
  const digest = await pushFirst(wish, filesByRole(files));
  return {
    gun,
    location: store.location,
    head: digest,
    pin: pinOf(files.root, { gun, mode: "pinned", firstSeen: now }),
    roles: TOP_LEVEL.map((name) => summaryOf(name, roles[name], filesByRole(files).get(name)?.body)),
  };
}

// --- keys -------------------------------------------------------------------------------------------------------------

interface FirstRole {
  readonly signers: readonly RoleSigner[];
  readonly keys: ReadonlyMap<string, TufKey>;
  readonly roleKeys: RoleKeys;
}

type EachRole = Readonly<Record<TopLevelRole, FirstRole>>;

function eachRole({ roles }: InitWish): EachRole {
  const { root, targets, snapshot, timestamp } = roles;
  return {
    root: firstRole("root", root),
    targets: firstRole("targets", targets),
    snapshot: firstRole("snapshot", snapshot),
    timestamp: firstRole("timestamp", timestamp),
  };
}

function firstRole(role: string, { signers, threshold }: RoleKeysWish): FirstRole {
  const named = signers.map((signer) => {
    const key = tufKeyOf(signer.publicKey);
    return { keyId: keyIdOf(key), key, signer };
  });
  const keys = new Map(named.map(({ keyId, key }) => [keyId, key]));
  requireMeetable(role, threshold, signers.length, keys.size);
  return { signers: named, keys, roleKeys: { keyids: [...keys.keys()], threshold } };
}

/** @throws CountersignError `usage` for a key that is named twice, and for a threshold that no set of these keys meets. */
export function requireMeetable(role: string, threshold: number, given: number, distinct: number): void {
  if (distinct !== given) {
    throw new CountersignError("usage", `a key is given twice for ${role}, and counts once`, {
      found: `${given} keys, ${distinct} different ones`,
    });
  }
  if (Number.isSafeInteger(threshold) && threshold >= 1 && threshold <= distinct) return;
  throw new CountersignError("usage", `${role} cannot have this threshold`, {
    found: `${threshold} of ${distinct}`,
    wanted: `from 1 to ${distinct}, the number of its keys`,
  });
}

function refuseExampleKeys({ store, gun, roles }: InitWish): void {
  const keys = TOP_LEVEL.flatMap((name) => roles[name].signers.map(({ publicKey }) => publicKey));
  const places = [gun, store.location].map((name) => ({ name, registry: name.split("/")[0] }));
  refusePublishedKeys(keys, places);
}

// --- metadata ---------------------------------------------------------------------------------------------------------

interface FirstFiles {
  readonly root: FirstFile<RootRole>;
  /** `targets` and the roles below it. */
  readonly below: ReadonlyMap<string, FirstFile<Role>>;
  readonly snapshot: FirstFile<Role>;
  readonly timestamp: FirstFile<Role>;
}

const NOTHING: FirstContent = { signers: [], bindings: [] };

async function firstFiles(wish: InitWish, roles: EachRole): Promise<FirstFiles> {
  const { now, lifetimes } = wish;
  const version = nextVersion(undefined, now);
  const write = async (role: TopLevelRole, body: Role): Promise<FirstFile<Role>> => {
    return { body, bytes: await sealed(signedPart(body), roles[role].signers) };
  };
  const first = firstRoot(wish, roles);
  const vouched = await vouchFor(first, wish.vouchers ?? []);
  const root = { body: first, bytes: await sealed(signedPart(first), roles.root.signers, vouched) };
  const below = await firstRoles(wish.content ?? NOTHING, { ...roles.targets, version, now, lifetimes });
  const listed = [...below].map(([name, { bytes }]) => [name, listingOf(version, bytes)] as const);
  const snapshot = await write("snapshot", {
    kind: "snapshot",
    version,
    expires: expiryOf("snapshot", now, lifetimes),
    roles: new Map(listed),
  });
  const timestamp = await write("timestamp", {
    kind: "timestamp",
    version,
    expires: expiryOf("timestamp", now, lifetimes),
    snapshot: listingOf(version, snapshot.bytes),
  });
  return { root, below, snapshot, timestamp };
}

function firstRoot({ gun, aliases, ceilings, now, lifetimes }: InitWish, roles: EachRole): RootRole {
  const { root, targets, snapshot, timestamp } = roles;
  return {
    kind: "root",
    version: 1,
    expires: expiryOf("root", now, lifetimes),
    keys: new Map(TOP_LEVEL.flatMap((name) => [...roles[name].keys])),
    roles: {
      root: root.roleKeys,
      targets: targets.roleKeys,
      snapshot: snapshot.roleKeys,
      timestamp: timestamp.roleKeys,
    },
    profile: { profile: 1, gun, aliases, ceilings, store: "tag" },
  };
}

function filesByRole({ root, below, snapshot, timestamp }: FirstFiles): ReadonlyMap<string, FirstFile<Role>> {
  return new Map([["root", root], ...below, ["snapshot", snapshot], ["timestamp", timestamp]]);
}

function summaryOf(name: string, { roleKeys }: FirstRole, body: Role | undefined): RoleSummary {
  const { keyids, threshold } = roleKeys;
  return { name, keyIds: keyids, threshold, version: body?.version, expires: body?.expires };
}
