import { formatInstant } from "../time.ts";
import type { TrustChange } from "./admin-results.ts";
import type { Binding } from "./binding.ts";
import { ownerOf } from "./bins.ts";
import type { Delegation, Role, RoleKeys, SignedRole, TargetsRole } from "./metadata.ts";
import { pathOfTag, TOP_LEVEL } from "./names.ts";
import type { TrustView } from "./ports.ts";
import { pathOfBinding } from "./write.ts";

/** A state of a repository's metadata, as far as it is compared. */
export type TrustState = Pick<TrustView, "roots" | "targets" | "roles"> &
  Partial<Pick<TrustView, "snapshot" | "timestamp">>;

/**
 * What two states differ in: keys, signers, what each of them binds, then versions. Bins are told as the role that they belong to.
 * Without a state before, all of it is new.
 */
export function changesBetween(before: TrustState | undefined, after: TrustState): readonly TrustChange[] {
  return [
    ...keyChanges(before, after),
    ...signerChanges(before?.targets.body.delegations ?? [], after.targets.body.delegations),
    ...bindingChanges(before, after),
    ...versionChanges(before, after),
  ];
}

function keyChanges(before: TrustState | undefined, after: TrustState): readonly TrustChange[] {
  const was = before?.roots.at(-1)?.body.roles;
  const is = after.roots.at(-1)?.body.roles;
  return TOP_LEVEL.flatMap((role): readonly TrustChange[] => {
    const [old, now] = [was?.[role], is?.[role]];
    if (now === undefined || (old !== undefined && sameKeys(old, now))) return [];
    const added = now.keyids.filter((id) => old?.keyids.includes(id) !== true);
    const removed = old?.keyids.filter((id) => !now.keyids.includes(id)) ?? [];
    return [{ kind: "keys", role, added, removed, threshold: now.threshold }];
  });
}

function sameKeys(a: RoleKeys, b: RoleKeys): boolean {
  return a.threshold === b.threshold && sameSet(a.keyids, b.keyids);
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item) => b.includes(item));
}

/** A signer changes with its place in the order too: the order decides whose binding counts. */
function signerChanges(before: readonly Delegation[], after: readonly Delegation[]): readonly TrustChange[] {
  const kept = before.filter(({ name }) => after.some((each) => each.name === name)).map(({ name }) => name);
  const order = after.filter(({ name }) => kept.includes(name)).map(({ name }) => name);
  const told = after.flatMap((signer): readonly TrustChange[] => {
    const old = before.find(({ name }) => name === signer.name);
    if (old === undefined) return [signerChange("signer-added", signer)];
    const isSame = sameSigner(old, signer) && kept.indexOf(signer.name) === order.indexOf(signer.name);
    return isSame ? [] : [signerChange("signer-changed", signer)];
  });
  const removed = before.filter(({ name }) => !kept.includes(name));
  return [...told, ...removed.map((signer) => signerChange("signer-removed", signer))];
}

function sameSigner(a: Delegation, b: Delegation): boolean {
  return sameKeys(a, b) && sameSet(a.paths, b.paths) && a.terminating === b.terminating;
}

function signerChange(kind: "signer-added" | "signer-removed" | "signer-changed", signer: Delegation): TrustChange {
  const { name, keyids, threshold, terminating } = signer;
  return { kind, signer: name, keyIds: keyids, tags: tagPatternsOf(signer), threshold, terminating };
}

/** The patterns of tags among those of paths. */
export function tagPatternsOf({ paths }: Pick<Delegation, "paths">): readonly string[] {
  const folder = pathOfTag("");
  return paths.filter((path) => path.startsWith(folder)).map((path) => path.slice(folder.length));
}

function bindingChanges(before: TrustState | undefined, after: TrustState): readonly TrustChange[] {
  const was = entriesByRole(before);
  const is = entriesByRole(after);
  const names = [...new Set([...is.keys(), ...was.keys()])];
  return names.flatMap((role) => entryChanges(role, was.get(role) ?? new Map(), is.get(role) ?? new Map()));
}

type Entries = ReadonlyMap<string, Binding>;

function entriesByRole(state: TrustState | undefined): ReadonlyMap<string, Entries> {
  const files: (readonly [string, SignedRole<TargetsRole>])[] =
    state === undefined ? [] : [["targets", state.targets], ...state.roles];
  const owners = Map.groupBy(files, ([file]) => ownerOf(file));
  return new Map(
    [...owners].map(([owner, own]) => {
      const bindings = own.flatMap(([, { body }]) => body.bindings);
      return [owner, new Map(bindings.map((binding) => [pathOfBinding(binding), binding]))];
    }),
  );
}

function entryChanges(role: string, was: Entries, is: Entries): readonly TrustChange[] {
  const paths = [...new Set([...was.keys(), ...is.keys()])].sort();
  return paths.flatMap((path) => entryChange(role, was.get(path), is.get(path)) ?? []);
}

function entryChange(role: string, was: Binding | undefined, is: Binding | undefined): TrustChange | undefined {
  if (is === undefined) return was && goneChange(role, was);
  const { tag, digest, revoked } = is;
  if (revoked !== undefined) {
    if (was?.revoked?.reason === revoked.reason && was.digest === digest) return undefined;
    return { kind: "revoked", role, what: tag ?? digest, reason: revoked.reason };
  }
  const isNew = was === undefined || was.revoked !== undefined || was.digest !== digest;
  const isOther = isNew || !sameDemands(was, is);
  if (tag === undefined) return isOther ? { kind: "released", role, digest, requires: is.requires } : undefined;
  // A tag that is bound again to what it meant is confirmed, and no older than that.
  const isTold = isOther || was.signedAt !== is.signedAt;
  return isTold ? { kind: "bound", role, tag, digest, was: was?.digest, requires: is.requires } : undefined;
}

/** Whoever approves a binding that demands less than before has to see that. */
function sameDemands(a: Binding, b: Binding): boolean {
  const written = ({ requires }: Binding) => requires.map(({ identity, issuer }) => JSON.stringify([identity, issuer]));
  return sameSet(written(a), written(b));
}

function goneChange(role: string, { tag, digest }: Binding): TrustChange {
  return tag === undefined ? { kind: "withdrawn", role, digest } : { kind: "unbound", role, tag, was: digest };
}

function versionChanges(before: TrustState | undefined, after: TrustState): readonly TrustChange[] {
  const was = versionsOf(before);
  return [...versionsOf(after)].flatMap(([role, { version: to, expires }]): readonly TrustChange[] => {
    const from = was.get(role)?.version;
    return from === to ? [] : [{ kind: "version", role, from, to, expires: formatInstant(expires) }];
  });
}

function versionsOf(state: TrustState | undefined): ReadonlyMap<string, Pick<Role, "version" | "expires">> {
  if (state === undefined) return new Map();
  const { roots, targets, roles, snapshot, timestamp } = state;
  const signers = [...roles].filter(([file]) => ownerOf(file) === file);
  const all = [
    ["root", roots.at(-1)],
    ["targets", targets],
    ...signers,
    ["snapshot", snapshot],
    ["timestamp", timestamp],
  ] as const;
  return new Map(all.flatMap(([role, file]) => (file === undefined ? [] : [[role, file.body] as const])));
}
