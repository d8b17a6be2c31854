import { CountersignError, type Finding, toFinding } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Digest } from "../../core/oci/digest.ts";
import type { Manifest } from "../../core/oci/manifest.ts";
import type { ContentStore } from "../../core/ports.ts";
import type { GcResult } from "../../core/tags/admin-results.ts";
import { type HeadListing, parseHead } from "../../core/tags/head.ts";
import { isTrustTag, partTag, pendingTag, stagingTag } from "../../core/tags/names.ts";
import type { TrustView } from "../../core/tags/ports.ts";
import type { TrustReading } from "../../core/tags/trust-view.ts";
import type { Instant } from "../../core/time.ts";
import { mapConcurrently } from "../concurrency.ts";
import { lookAround } from "./look.ts";
import { readPending, rolesThatWait } from "./pending.ts";
import { MetadataReader } from "./reader.ts";
import { removeTrustTag } from "./remove-tag.ts";
import { onlooker, readWholeTrust, type TrustPlace } from "./whole.ts";

export interface GcWish extends TrustPlace {
  readonly now: Instant;
  /** Heads that stay beside the one that counts. */
  readonly keep: number;
  /** Younger ones stay, in milliseconds: somebody may be reading them. */
  readonly olderThanMs: number;
  readonly isDryRun: boolean;
}

/**
 * Removes heads that were replaced long ago, and tags of roles that there are no more. Nothing that a client needs goes: every root
 * is in the newest head, and so is all else that counts. Where roles are staged they stay, since a lost head is rebuilt from them.
 *
 * Which heads there were is said by heads, which nobody signs. So only what is a head of this repository, with its very first root,
 * is removed: nobody who may push gets an image deleted by somebody who may delete.
 *
 * @throws CountersignError as `readWholeTrust`.
 */
export async function collectGarbage(wish: GcWish): Promise<GcResult> {
  // A tag that comes after this list is nothing to remove: its signer may not be in what is read next.
  const listed = await wish.store.tags();
  const view = await readWholeTrust(wish, wish.now);
  const heads = await headsBefore(wish, view);
  const old = heads.filter(({ age }, place) => place >= wish.keep && age > wish.olderThanMs);
  const kept = heads.filter((head) => !old.includes(head)).map(({ digest }) => digest);
  const tags = await trustTags(wish, view, listed);
  const parts = partsOnlyIn(old, kept, heads, view);
  const doomed = [...old.map(({ digest }) => digest), ...parts];
  const { gone, unsupported } = wish.isDryRun
    ? { gone: new Set([...tags.useless, ...doomed]), unsupported: undefined }
    : await remove(wish.store, tags, doomed, view);
  const removed = old.map(({ digest }) => digest).filter((digest) => gone.has(digest));
  return {
    gun: view.gun,
    removed,
    kept: heads.map(({ digest }) => digest).filter((digest) => !removed.includes(digest)),
    tags: tags.useless.filter((tag) => gone.has(tag)),
    isDryRun: wish.isDryRun,
    unsupported,
  };
}

/** A head that was replaced. */
interface OldHead {
  readonly digest: Digest;
  /** Milliseconds since its timestamp was signed, as it says. */
  readonly age: number;
  /** Manifests that it names. */
  readonly parts: readonly Digest[];
}

/** Newest first, as far as the chain of heads that name the ones before them can be followed. */
async function headsBefore({ store, now }: GcWish, view: TrustReading): Promise<readonly OldHead[]> {
  const own = parseHead(view.head);
  const open: Digest[] = [...view.history];
  const seen = new Set<Digest>([view.head.descriptor.digest]);
  const found: OldHead[] = [];
  for (let digest = open.shift(); digest !== undefined && seen.size <= LIMITS.oldHeads; digest = open.shift()) {
    if (seen.has(digest)) continue;
    seen.add(digest);
    const manifest = await store.resolve(digest);
    const listing = manifest && listingOf(manifest);
    if (manifest === undefined || listing === undefined || !isSameTrust(own, listing)) continue;
    const age = listing.version === undefined ? 0 : now - listing.version;
    found.push({ digest, age, parts: partsOf(manifest) });
    open.push(...listing.history);
  }
  return found.toSorted((a, b) => a.age - b.age);
}

function listingOf(manifest: Manifest): HeadListing | undefined {
  try {
    return parseHead(manifest);
  } catch (thrown) {
    if (thrown instanceof CountersignError) return undefined;
    throw thrown;
  }
}

/** Heads carry all roots, so all heads of a repository have the first one in common. */
function isSameTrust(own: HeadListing, other: HeadListing): boolean {
  const first = (listing: HeadListing): Digest | undefined => listing.files.get("1.root.json")?.descriptor.digest;
  return first(own) !== undefined && first(own) === first(other) && own.gun === other.gun;
}

function partsOf(manifest: Manifest): readonly Digest[] {
  return manifest.kind === "index" ? manifest.manifests.map(({ digest }) => digest) : [];
}

/** What old large heads name and no head that stays does. */
function partsOnlyIn(
  old: readonly OldHead[],
  kept: readonly Digest[],
  heads: readonly OldHead[],
  view: TrustReading,
): readonly Digest[] {
  const needed = new Set(heads.filter(({ digest }) => kept.includes(digest)).flatMap(({ parts }) => parts));
  for (const part of partsOf(view.head)) needed.add(part);
  return [...new Set(old.flatMap(({ parts }) => parts))].filter((part) => !needed.has(part));
}

interface TrustTags {
  readonly useful: readonly string[];
  /** Of looks, of parts that a head had, of signers that are gone and of changes that nothing can come of any more. */
  readonly useless: readonly string[];
}

async function trustTags(wish: GcWish, view: TrustReading, listed: readonly string[]): Promise<TrustTags> {
  const { store, head, now } = wish;
  // A signer may be staged itself, and sign before anybody publishes it.
  const next = (await lookAround(onlooker(wish, view, now), new MetadataReader(store))).view;
  const parts = partsOf(view.head).map((_, place) => partTag(place, head));
  const signers = [view, next].flatMap(({ targets }) => targets.body.delegations.map(({ name }) => name));
  const staged = ["root", "targets", ...signers];
  const waiting = await rolesWithChanges(wish, next);
  const wanted = new Set([
    head,
    ...parts,
    ...staged.map((role) => stagingTag(role, head)),
    ...waiting.map((role) => pendingTag(role, head)),
  ]);
  const own = listed.filter((tag) => isTrustTag(tag, head)).toSorted();
  return { useful: own.filter((tag) => wanted.has(tag)), useless: own.filter((tag) => !wanted.has(tag)) };
}

async function rolesWithChanges({ store, head }: GcWish, view: TrustView): Promise<readonly string[]> {
  const reader = new MetadataReader(store);
  const waiting: string[] = [];
  for (const role of rolesThatWait(view)) {
    if ((await readPending(reader, head, view, role)) !== undefined) waiting.push(role);
  }
  return waiting;
}

interface Removing {
  /** Tags and digests that are there no more. */
  readonly gone: ReadonlySet<string>;
  readonly unsupported: Finding | undefined;
}

/** Tags and manifests; a registry that does not delete says so at the first manifest. */
async function remove(
  store: ContentStore,
  { useful, useless }: TrustTags,
  digests: readonly Digest[],
  view: TrustReading,
): Promise<Removing> {
  const gone = new Set<string>();
  try {
    const needed = useless.length === 0 ? new Set<Digest>() : await digestsNamed(store, useful, view);
    for (const tag of useless) {
      if ((await removeTrustTag(store, tag, needed)) !== "unsupported") gone.add(tag);
    }
    for (const digest of digests) {
      const outcome = (await store.remove?.(digest)) ?? "unsupported";
      if (outcome === "unsupported") return { gone, unsupported: doesNotDelete(store) };
      gone.add(digest);
    }
    const isRefused = gone.size === 0 && useless.length > 0;
    return { gone, unsupported: isRefused ? doesNotDelete(store) : undefined };
  } catch (thrown) {
    if (!(thrown instanceof CountersignError) || thrown.code !== "denied") throw thrown;
    return { gone, unsupported: toFinding(thrown) };
  }
}

async function digestsNamed(
  store: ContentStore,
  tags: readonly string[],
  view: TrustReading,
): Promise<ReadonlySet<Digest>> {
  const named = await mapConcurrently(tags, LIMITS.tagWorkers, (tag) => store.resolve(tag));
  return new Set([...partsOf(view.head), ...named.flatMap((manifest) => manifest?.descriptor.digest ?? [])]);
}

function doesNotDelete({ location }: ContentStore): Finding {
  return {
    code: "unsupported",
    message: `${location} does not delete`,
    found: "405, or no such operation",
    next: "leave old heads to the registry's own cleaning of untagged manifests; nothing depends on them",
  };
}
