import type { Finding } from "../../core/errors.ts";
import type { RoleSummary, SignerSummary } from "../../core/tags/admin-results.ts";
import { binsBelow, ownerOf } from "../../core/tags/bins.ts";
import { tagPatternsOf } from "../../core/tags/changes.ts";
import { isDue, type LifetimeKind, type Lifetimes, lifetimesUnder } from "../../core/tags/lifetimes.ts";
import type { Delegation, RoleKeys, TargetsRole, TufKey } from "../../core/tags/metadata.ts";
import { TOP_LEVEL, type TopLevelRole } from "../../core/tags/names.ts";
import type { TrustView } from "../../core/tags/ports.ts";
import { newestRoot, roleIn } from "../../core/tags/view.ts";
import { formatInstant, type Instant, instant } from "../../core/time.ts";
import { delegationOf } from "./delegations.ts";

/** The roles that every repository has, as they stand. */
export function roleSummaries(view: TrustView): readonly RoleSummary[] {
  return TOP_LEVEL.map((name) => roleSummary(view, name));
}

function roleSummary(view: TrustView, name: TopLevelRole): RoleSummary {
  const root = newestRoot(view);
  const role = name === "root" ? root : view[name];
  const { keyids, threshold } = root.body.roles[name];
  return { name, keyIds: keyids, threshold, version: role?.body.version, expires: role?.body.expires };
}

/** The signers in the order in which they are asked. */
export function signerSummaries(view: TrustView): readonly SignerSummary[] {
  return view.targets.body.delegations.map((delegation) => signerSummary(view, delegation));
}

export function signerSummary(view: Pick<TrustView, "roles">, delegation: Delegation): SignerSummary {
  const { name, keyids, threshold, terminating } = delegation;
  const role = view.roles.get(name)?.body;
  return {
    name,
    keyIds: keyids,
    threshold,
    version: role?.version,
    expires: role?.expires,
    tags: tagPatternsOf(delegation),
    isTerminating: terminating,
    bindings: filesOf(view, name, role).reduce((sum, file) => sum + tagsIn(file), 0),
  };
}

function filesOf({ roles }: Pick<TrustView, "roles">, name: string, role: TargetsRole | undefined): TargetsRole[] {
  if (role === undefined) return [];
  return [role, ...binsBelow(name, role).flatMap((bin) => roles.get(bin)?.body ?? [])];
}

function tagsIn({ bindings }: TargetsRole): number {
  return bindings.filter(({ tag }) => tag !== undefined).length;
}

/** Whose signatures a file of metadata needs, by the roles above it. undefined for one that nobody delegates to any more. */
export function authorityOfFile(
  view: Pick<TrustView, "roots" | "targets" | "roles">,
  file: string,
): { readonly roleKeys: RoleKeys; readonly keys: ReadonlyMap<string, TufKey> } | undefined {
  const root = newestRoot(view).body;
  const owner = ownerOf(file);
  const { targets } = view;
  if (owner !== file) {
    const { bins, keys } = roleIn(view, owner)?.body ?? {};
    return bins === undefined || keys === undefined ? undefined : { roleKeys: bins, keys };
  }
  const isTop = (TOP_LEVEL as readonly string[]).includes(file);
  if (isTop) return { roleKeys: root.roles[file as TopLevelRole], keys: root.keys };
  const roleKeys = delegationOf(targets.body, file);
  return roleKeys === undefined ? undefined : { roleKeys, keys: targets.body.keys };
}

/** The timestamp is made anew every day: with less than half of its life left, nobody has refreshed it for long. */
const SPENT = 2;

export interface DueWish {
  /** Of what has expired too, where nobody else tells it. */
  readonly tellsExpired?: boolean | undefined;
  /** undefined: those that go with the root's ceilings. */
  readonly lifetimes?: Lifetimes | undefined;
}

/** Whose metadata is to be signed again soon, soonest first; of a role and its bins once. */
export function dueNotices(view: TrustView, now: Instant, wish: DueWish = {}): readonly Finding[] {
  const { tellsExpired = false, lifetimes = lifetimesUnder(newestRoot(view).body.profile.ceilings) } = wish;
  const ends = new Map<string, Instant>();
  for (const { owner, kind, expires } of endsIn(view)) {
    if (expires <= now ? !tellsExpired : !isSoon(kind, expires, now, lifetimes)) continue;
    ends.set(owner, instant(Math.min(expires, ends.get(owner) ?? expires)));
  }
  return [...ends].toSorted(([, a], [, b]) => a - b).map(([owner, expires]) => dueNotice(owner, expires, now));
}

interface End {
  readonly owner: string;
  readonly kind: LifetimeKind;
  readonly expires: Instant;
}

function endsIn(view: TrustView): readonly End[] {
  const { timestamp, snapshot, targets } = view;
  const online = [timestamp, snapshot].flatMap((role) => role ?? []);
  const above = [...online, newestRoot(view), targets].map(
    ({ body: { kind, expires } }): End => ({ owner: kind, kind, expires }),
  );
  const below = [...view.roles].map(
    ([name, { body }]): End => ({ owner: ownerOf(name), kind: "role", expires: body.expires }),
  );
  return [...above, ...below];
}

function isSoon(kind: LifetimeKind, expires: Instant, now: Instant, lifetimes: Lifetimes): boolean {
  if (kind === "timestamp") return expires - now < lifetimes.timestamp.lives / SPENT;
  return isDue(kind, expires, now, lifetimes);
}

function dueNotice(owner: string, expires: Instant, now: Instant): Finding {
  const hasExpired = expires <= now;
  return {
    code: !hasExpired ? "trust-stale" : owner === "root" ? "root-expired" : "frozen",
    message: `the metadata of ${owner} ${hasExpired ? "has expired" : "is to be signed again soon"}`,
    found: `${hasExpired ? "it expired" : "it expires"} at ${formatInstant(expires)}`,
    next: nextFor(owner),
  };
}

function nextFor(name: string): string {
  if (name === "snapshot" || name === "timestamp") return "run countersign trust refresh where the online key is";
  return `sign it again with its own key: countersign trust rotate ${name} --renew`;
}
