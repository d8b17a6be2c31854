import type { PublicKey } from "../../core/crypto/public-key.ts";
import { CountersignError } from "../../core/errors.ts";
import { type Digest, digestOf } from "../../core/oci/digest.ts";
import type { RotateResult } from "../../core/tags/admin-results.ts";
import { binsBelow } from "../../core/tags/bins.ts";
import { expiryOf } from "../../core/tags/lifetimes.ts";
import type { RoleKeys, RootRole, TargetsRole, TufKey } from "../../core/tags/metadata.ts";
import { TOP_LEVEL, type TopLevelRole } from "../../core/tags/names.ts";
import type { TrustView } from "../../core/tags/ports.ts";
import { keyIdOf, tufKeyOf } from "../../core/tags/tuf-key.ts";
import { newestRoot, roleIn } from "../../core/tags/view.ts";
import { type Amendment, amend, refuseExamples } from "./amend.ts";
import { lifetimesOf } from "./assemble.ts";
import { type Change, type Draft, type Editing, isPending, type PendingDraft, requireRead } from "./change.ts";
import { requireDelegation, withSignerKeys } from "./delegations.ts";
import { requireMeetable } from "./init.ts";
import { publishChange } from "./publish.ts";
import type { Publisher } from "./publisher.ts";
import { authorityOfFile } from "./summaries.ts";

export interface RotateWish {
  /** `root`, `targets`, `online` (both of `snapshot` and `timestamp`), one of these two, or a signer. */
  readonly role: string;
  readonly add: readonly PublicKey[];
  /** Ids of keys. With nothing added or removed, metadata is signed again as it is: that renews it. */
  readonly remove: readonly string[] | "all";
  readonly threshold?: number | undefined;
  /** Called before anything is published: keys that were made for this are written down now. */
  readonly keep?: (() => Promise<void>) | undefined;
}

/**
 * Changes the keys of a role, or renews its metadata. Keys of the four roles stand in the root, so there is a new one, signed by
 * the keys of the old and by its own; a signer's stand in `targets`. What the role had signed is signed again by the new keys.
 *
 * @throws CountersignError `usage`, `key-weak`, `key-published`, `role-key-missing`, and as `publishChange`.
 */
export async function rotateKeys(publisher: Publisher, wish: RotateWish): Promise<RotateResult> {
  refuseExamples(publisher, wish.add);
  const rotation = new Rotation(publisher, wish);
  const { publication, look } = await publishChange(publisher, rotation);
  const { before, after, root } = rotation.result();
  return {
    gun: look.view.gun,
    role: wish.role,
    removedKeyIds: before.keyids.filter((id) => !after.keyids.includes(id)),
    addedKeyIds: after.keyids.filter((id) => !before.keyids.includes(id)),
    threshold: after.threshold,
    root,
    publication,
  };
}

interface Keys extends RoleKeys {
  readonly keys: ReadonlyMap<string, TufKey>;
}

interface Rotated {
  readonly before: RoleKeys;
  readonly after: RoleKeys;
  readonly root: RotateResult["root"];
}

class Rotation implements Change {
  readonly #publisher: Publisher;
  readonly #wish: RotateWish;
  /** Files of ours that say that it is done. */
  readonly #made = new Set<Digest>();
  #isKept = false;
  #rotated: Rotated | undefined;

  constructor(publisher: Publisher, wish: RotateWish) {
    this.#publisher = publisher;
    this.#wish = wish;
  }

  get changesRoot(): boolean {
    return rootRolesOf(this.#wish.role).length > 0;
  }

  result(): Rotated {
    if (this.#rotated !== undefined) return this.#rotated;
    throw new CountersignError("internal", "keys were rotated without a look at them");
  }

  async edit(editing: Editing): ReturnType<Change["edit"]> {
    if (this.#isIn(editing.view) && !editing.isForced) return undefined;
    const { role } = this.#wish;
    const parts = rootRolesOf(role);
    const before = keysOf(editing.view, parts[0] ?? role);
    const after = this.#keysAfter(before);
    const isRenewal =
      this.#wish.add.length === 0 && this.#wish.remove.length === 0 && after.threshold === before.threshold;
    const amendment = await this.#amendment(editing, parts, after, isRenewal);
    if (!this.#isKept) await this.#wish.keep?.();
    this.#isKept = true;
    const draft = await amend(this.#publisher, editing.view, waitsFor(role, amendment), amendment);
    this.#note(editing.view, before, after, draft);
    return draft;
  }

  #isIn({ roots, targets, roles }: TrustView): boolean {
    return [roots.at(-1), targets, ...roles.values()].some((file) => file && this.#made.has(digestOf(file.bytes)));
  }

  #keysAfter({ keyids, keys, threshold: current }: Keys): Keys {
    const { role, add, remove, threshold = current } = this.#wish;
    const given = add.map((key) => tufKeyOf(key)).map((key) => [keyIdOf(key), key] as const);
    const kept = remove === "all" ? [] : keyids.filter((id) => !remove.includes(id));
    const unknown = remove === "all" ? undefined : remove.find((id) => !keyids.includes(id));
    if (unknown !== undefined && !this.#isKept) throw noSuchKey(role, unknown, keyids);
    const all = new Map([...[...keys].filter(([id]) => kept.includes(id)), ...given]);
    requireMeetable(role, threshold, all.size, all.size);
    return { keyids: [...all.keys()], threshold, keys: all };
  }

  async #amendment(
    editing: Editing,
    parts: readonly TopLevelRole[],
    after: Keys,
    isRenewal: boolean,
  ): Promise<Amendment> {
    const { role } = this.#wish;
    if (isRenewal && parts.some((part) => part === "snapshot" || part === "timestamp")) throw refreshes(role);
    if (isRenewal && role !== "root") return await this.#signedAgain(editing, role, after);
    if (parts.length === 0) return await this.#signerAmended(editing, after);
    const root = this.#nextRoot(editing, parts, after);
    const targets = role === "targets" ? await this.#signedAgain(editing, role, after) : new Map();
    return new Map<string, RootRole | TargetsRole>([["root", root], ...targets]);
  }

  #nextRoot({ view, now }: Editing, parts: readonly TopLevelRole[], after: Keys): RootRole {
    const { body } = newestRoot(view);
    const changed = Object.fromEntries(parts.map((part) => [part, after]));
    const roles = { ...body.roles, ...changed };
    const used = new Set(TOP_LEVEL.flatMap((name) => roles[name].keyids));
    const keys = new Map([...body.keys, ...after.keys].filter(([id]) => used.has(id)));
    const expires = expiryOf("root", now, lifetimesOf(this.#publisher, view));
    return { ...body, version: body.version + 1, expires, keys, roles };
  }

  /** Other keys for a signer, and all that it has signed, signed by them. */
  async #signerAmended(editing: Editing, after: Keys): Promise<Amendment> {
    const { role } = this.#wish;
    const { view, now } = editing;
    const delegated = withSignerKeys(view.targets.body, role, after.keys, after.threshold);
    const expires = expiryOf("targets", now, lifetimesOf(this.#publisher, view));
    const targets: TargetsRole = { ...delegated, version: editing.version("targets"), expires };
    return new Map([["targets", targets], ...(await this.#signedAgain(editing, role, after))]);
  }

  /** Every file of a role as it is, to be signed by these keys; nothing where it never signed. */
  async #signedAgain(editing: Editing, role: string, after: Keys): Promise<ReadonlyMap<string, TargetsRole>> {
    requireRead(editing, role);
    const own = roleIn(editing.view, role);
    if (own === undefined) return new Map();
    const { bins } = own.body;
    const names = binsBelow(role, own.body);
    const view = names.length === 0 ? editing.view : await editing.withFiles(names);
    const lifetimes = lifetimesOf(this.#publisher, view);
    const expires = expiryOf(role === "targets" ? "targets" : "role", editing.now, lifetimes);
    const again = (file: string) => ({ version: editing.version(file), expires });
    const { keyids, threshold, keys } = after;
    const below = bins === undefined ? {} : { keys, bins: { ...bins, keyids, threshold } };
    const files = names.flatMap((name): [string, TargetsRole][] => {
      const bin = view.roles.get(name);
      return bin === undefined ? [] : [[name, { ...bin.body, ...again(name) }]];
    });
    return new Map([[role, { ...own.body, ...again(role), ...below }], ...files]);
  }

  #note(view: TrustView, before: RoleKeys, after: RoleKeys, draft: Draft | PendingDraft): void {
    const root = isPending(draft) ? draft.files.get(`${newestRoot(view).body.version + 1}.root.json`) : draft.roots[0];
    const version = newestRoot(view).body.version + 1;
    // Made again on top of somebody else's change, it is still the first look that says what was changed.
    const first = this.#rotated?.before ?? before;
    this.#rotated = { before: first, after, root: root && { version, digest: digestOf(root) } };
    if (isPending(draft)) return;
    const main = root ?? draft.roles.get("targets")?.bytes ?? draft.roles.get(this.#wish.role)?.bytes;
    if (main !== undefined) this.#made.add(digestOf(main));
  }
}

/** The roles of the root that a name stands for; none for a signer. */
function rootRolesOf(role: string): readonly TopLevelRole[] {
  if (role === "online") return ["timestamp", "snapshot"];
  return TOP_LEVEL.filter((name) => name === role);
}

/** Where it waits for signatures. */
function waitsFor(role: string, amendment: Amendment): string {
  if (amendment.has("root")) return "root";
  return amendment.has("targets") ? "targets" : role;
}

/** @throws CountersignError `usage` for a role that there is not. */
function keysOf(view: TrustView, role: string): Keys {
  const authority = authorityOfFile(view, role);
  if (authority === undefined) requireDelegation(view.targets.body, role);
  const { roleKeys = { keyids: [], threshold: 1 }, keys = new Map<string, TufKey>() } = authority ?? {};
  const { keyids, threshold } = roleKeys;
  return { keyids, threshold, keys: new Map([...keys].filter(([id]) => keyids.includes(id))) };
}

function noSuchKey(role: string, found: string, keyids: readonly string[]): CountersignError {
  return new CountersignError("usage", `${role} has no such key`, { found, wanted: keyids.join(", ") });
}

function refreshes(role: string): CountersignError {
  return new CountersignError("usage", `${role} is renewed by whoever holds its key, without a new root`, {
    found: "no key to add and none to remove",
    wanted: "countersign trust refresh, or a new key",
  });
}
