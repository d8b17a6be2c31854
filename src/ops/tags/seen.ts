import { CountersignError } from "../../core/errors.ts";
import { digestOf } from "../../core/oci/digest.ts";
import { binsBelow, ownerOf } from "../../core/tags/bins.ts";
import type { RootRole, SignedRole } from "../../core/tags/metadata.ts";
import type { RootPin } from "../../core/tags/pin.ts";
import type { TrustView } from "../../core/tags/ports.ts";
import { NOTHING_REMEMBERED, type Remembered, type StagedVersion } from "../../core/tags/remembered.ts";
import { meetsThreshold } from "../../core/tags/verify-role.ts";
import { newestRoot, rolesIn } from "../../core/tags/view.ts";
import type { Minted } from "./assemble.ts";
import type { Change } from "./change.ts";
import { doubtsOf, type Look } from "./look.ts";
import type { Publisher } from "./publisher.ts";
import { authorityOfFile } from "./summaries.ts";

type Versions = ReadonlyMap<string, number>;

/**
 * How far a repository was seen: by this machine before, and when this run began. Who builds on roles that were rolled back would
 * sign away what came after. A timestamp or a snapshot that went back is mended: a head that was written long ago may have landed
 * only now. What is written while we publish may be overwritten by others whose clocks are behind, and proves no rollback.
 */
export class Seen {
  readonly #publisher: Publisher;
  readonly #remembered: Remembered;
  readonly #versions: Versions;

  private constructor(publisher: Publisher, remembered: Remembered, versions: Versions) {
    this.#publisher = publisher;
    this.#remembered = remembered;
    this.#versions = versions;
  }

  /**
   * @throws CountersignError `rollback`, `role-vanished`; `frozen` where nothing is known and the head is none that consumers believe.
   */
  static async before(publisher: Publisher, look: Look, change: Pick<Change, "changesRoot">): Promise<Seen> {
    const { memory, gun, pin, allowsExpired } = publisher;
    const { view } = look;
    const remembered = ofThisTrust((await memory?.recall(gun)) ?? NOTHING_REMEMBERED, pinnedRoots(view, pin));
    const { versions, staged } = remembered;
    if (!look.isCurrent && versions.size === 0 && allowsExpired !== true) throw unknownHead(look, gun);
    requireAsFar(thoseThatCount(validIn(view, staged), view), look, publisher);
    // Until somebody who has new keys has said what counts, it is what counted before.
    const isReset = hasNewKeys(versions, view, pin) || (view.snapshot === undefined && change.changesRoot === true);
    if (!isByNewKeys(versions, view, pin))
      requireAsFar(isReset ? thoseThatCount(versions, view) : versions, look, publisher);
    // What the head has of these is in every look; under a new root it counts no more, however far ahead somebody counted.
    const minted = [...versions].filter(([role]) => isMinted(role));
    // A stage may get an older version while we publish: of two jobs with one key, the later writer goes on top of the other.
    const inHead = versionsIn({ ...view, targets: look.served.targets, roles: look.served.roles });
    const roles = [...inHead].filter(([role]) => !isMinted(role));
    return new Seen(publisher, remembered, new Map([...roles, ...minted]));
  }

  /** What a new timestamp and a new snapshot have to exceed. */
  get minted(): Minted {
    return { timestamp: this.#versions.get("timestamp") ?? 0, snapshot: this.#versions.get("snapshot") ?? 0 };
  }

  /** @throws CountersignError `rollback`, `role-vanished` where a role that counts is older than when this run began. */
  requireNoOlder(look: Look): void {
    if (hasNewKeys(this.#versions, look.view, this.#publisher.pin)) return;
    requireAsFar(thoseThatCount(this.#versions, look.view), look, this.#publisher);
  }

  async notePublished(view: TrustView): Promise<void> {
    const { memory, gun, pin } = this.#publisher;
    await memory?.note(gun, { versions: versionsIn(view), staged: new Map(), roots: rootDigests(view, pin) });
  }

  /** What waits for somebody else is remembered apart from the head, which may never get it: its signer may be removed before. */
  async noteStaged({ view, served, isCurrent }: Look, owners: readonly string[]): Promise<void> {
    const { memory, gun, pin } = this.#publisher;
    const own = rolesIn(view).filter(([role]) => owners.includes(ownerOf(role)));
    const staged = new Map([
      ...this.#remembered.staged,
      ...own.map(([role, file]) => [role, stagedVersion(file)] as const),
    ]);
    const isNews = isCurrent && this.#isReachedBy(served);
    const head = isNews ? { versions: versionsIn(served), roots: rootDigests(served, pin) } : this.#remembered;
    await memory?.note(gun, { versions: head.versions, roots: head.roots, staged });
  }

  /** Whether a head is no older than what is remembered, so that it may be remembered instead. */
  #isReachedBy(view: TrustView): boolean {
    const { versions: remembered } = this.#remembered;
    const versions = versionsIn(view);
    const isReached = [...remembered].every(([role, least]) => (versions.get(role) ?? 0) >= least);
    return isReached || hasNewKeys(remembered, view, this.#publisher.pin);
  }
}

/** From the pinned one on: what stands before it is nobody's word. */
function pinnedRoots({ roots }: TrustView, pin: RootPin): TrustView["roots"] {
  return roots.slice(roots.findIndex(({ bytes }) => digestOf(bytes) === pin.root));
}

function rootDigests(view: TrustView, pin: RootPin): Remembered["roots"] {
  return new Map(pinnedRoots(view, pin).map(({ body, bytes }) => [body.version, digestOf(bytes)]));
}

/** Nothing where it is of a trust before this one: somebody has pinned another root since. */
function ofThisTrust(seen: Remembered, pinned: TrustView["roots"]): Remembered {
  const isOther = ({ body, bytes }: (typeof pinned)[number]) => {
    const before = seen.roots.get(body.version);
    return before !== undefined && before !== digestOf(bytes);
  };
  return pinned.some(isOther) ? NOTHING_REMEMBERED : seen;
}

/**
 * Whether other keys sign the timestamp and the snapshot since. Then versions may begin again, which is how a repository recovers
 * from a thief who counted far ahead; consumers see it the same way. Any other new root takes nothing back.
 */
function hasNewKeys(seen: Versions, view: TrustView, pin: RootPin): boolean {
  const before = rootOf(seen, view, pin);
  return before !== undefined && onlineKeys(before) !== onlineKeys(newestRoot(view).body);
}

/** Whether the snapshot is one that the keys of before could not make: an old one may count under a new root too. */
function isByNewKeys(seen: Versions, view: TrustView, pin: RootPin): boolean {
  const before = rootOf(seen, view, pin);
  if (before === undefined || view.snapshot === undefined) return false;
  return !meetsThreshold(view.snapshot, before.keys, before.roles.snapshot);
}

function rootOf(seen: Versions, view: TrustView, pin: RootPin): RootRole | undefined {
  return pinnedRoots(view, pin).find(({ body }) => body.version === seen.get("root"))?.body;
}

function onlineKeys({ roles }: RootRole): string {
  return JSON.stringify([roles.timestamp, roles.snapshot].map(({ keyids }) => keyids.toSorted()));
}

function stagedVersion({ body: { version }, signatures }: SignedRole): StagedVersion {
  return { version, keyids: signatures.map(({ keyid }) => keyid) };
}

/** What was staged by keys that count still: by others it would not, as of a signer who was removed and added with a new key. */
function validIn(view: TrustView, staged: Remembered["staged"]): Versions {
  const valid = [...staged].filter(([role, { keyids }]) => {
    const roleKeys = authorityOfFile(view, role)?.roleKeys;
    return roleKeys && keyids.filter((id) => roleKeys.keyids.includes(id)).length >= roleKeys.threshold;
  });
  return new Map(valid.map(([role, { version }]) => [role, version]));
}

/** Those that are asked for tags now: what is said of others went with the keys. */
function thoseThatCount(seen: Versions, view: TrustView): Versions {
  const signers = view.targets.body.delegations.map(({ name }) => name);
  const bins = rolesIn(view).flatMap(([name, { body }]) => binsBelow(name, body));
  const roles = new Set(["root", "targets", ...signers, ...bins]);
  return new Map([...seen].filter(([role]) => roles.has(role)));
}

/** A role that is missing is as old as can be: a snapshot never leaves one out. */
function requireAsFar(seen: Versions, { view, served }: Look, { gun, memory }: Publisher): void {
  const versions = versionsIn(view);
  for (const [role, least] of seen) {
    const version = versions.get(role);
    if (isMinted(role) || (version !== undefined && version >= least)) continue;
    const isGone = version === undefined;
    const message = isGone
      ? `${role} was there when this repository was seen here last`
      : `a rollback: ${role} was newer when it was seen here last`;
    const place = memory?.placeOf(gun);
    throw new CountersignError(isGone ? "role-vanished" : "rollback", message, {
      found: isGone ? (doubtsOf(served)[0]?.message ?? "nothing of it") : `version ${version}`,
      wanted: `version ${least} or a later one`,
      next: `have the registry's operator bring the newer state back, or copy it back from a mirror or a kit${
        place === undefined
          ? ""
          : `; if it is lost for good, remove ${place}, and sign and revoke again what is missing`
      }`,
    });
  }
}

function isMinted(role: string): boolean {
  return role === "timestamp" || role === "snapshot";
}

/**
 * What has expired may be as old as the registry likes, and of what is not whole anything may be missing. Signed anew it would count
 * again: with what was taken back since. Who has published before knows how far it was.
 */
function unknownHead({ served }: Look, gun: string): CountersignError {
  const [why] = doubtsOf(served);
  const isExpired = why?.code === "frozen";
  const state = isExpired ? "has expired" : "does not hold";
  return new CountersignError(
    "frozen",
    `what the registry shows of ${gun} ${state}, and nothing is known here of what was last`,
    {
      found: isExpired ? why.found : why?.message,
      wanted: "a timestamp that has not expired and its snapshot, or a machine that has published here before",
      next: "publish from there; if there is none, make sure that it is the newest state (countersign trust inspect), then countersign trust refresh --allow-expired",
    },
  );
}

/** Of the root, the timestamp, the snapshot and all that it lists, and of what was read: that may be newer. */
export function versionsIn({ roots, targets, roles, snapshot, timestamp }: TrustView): Versions {
  const listed = [...(snapshot?.body.roles ?? [])].map(([role, { version }]) => [role, version] as const);
  const read = [
    ["root", roots.at(-1)],
    ["timestamp", timestamp],
    ["snapshot", snapshot],
    ["targets", targets],
    ...roles,
  ] as const;
  return new Map([
    ...listed,
    ...read.flatMap(([name, role]) => (role === undefined ? [] : [[name, role.body.version] as const])),
  ]);
}
