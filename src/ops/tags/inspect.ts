import { CountersignError, type Finding, toFinding } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { type Digest, digestOf } from "../../core/oci/digest.ts";
import { isCompanionTag } from "../../core/oci/referrers.ts";
import type { ContentStore } from "../../core/ports.ts";
import type { InspectResult, TagInspection } from "../../core/tags/admin-results.ts";
import { effectiveBindings, type FoundBinding, findBinding } from "../../core/tags/lookup.ts";
import { isTrustTag, pathOfTag } from "../../core/tags/names.ts";
import type { TrustView } from "../../core/tags/ports.ts";
import type { TrustReading } from "../../core/tags/trust-view.ts";
import { validSignatures } from "../../core/tags/verify-role.ts";
import { newestRoot, roleIn } from "../../core/tags/view.ts";
import type { Instant } from "../../core/time.ts";
import { mapConcurrently } from "../concurrency.ts";
import { pendingRoles } from "./pending.ts";
import { authorityOfFile, dueNotices, roleSummaries, signerSummaries } from "./summaries.ts";
import { readWholeTrust, type TrustPlace } from "./whole.ts";

export interface InspectWish extends TrustPlace {
  readonly now: Instant;
  /** Where the images are, where that is another place than the metadata's. */
  readonly images: ContentStore;
  /** These tags alone; undefined: all that are bound. */
  readonly tags?: readonly string[] | undefined;
  /** Whether the registry is asked what its own tags name, and which others it has. */
  readonly comparesRegistry: boolean;
}

/**
 * What a repository's signed tags say: who signs, until when, and every tag with what it means.
 *
 * @throws CountersignError as `readWholeTrust`; `tag-unlisted` for a tag that was asked for and nobody binds.
 */
export async function inspectTrust(wish: InspectWish): Promise<InspectResult> {
  const view = await readWholeTrust(wish, wish.now);
  const root = newestRoot(view);
  const tags = await inspections(view, wish);
  return {
    gun: view.gun,
    location: wish.store.location,
    aliases: root.body.profile.aliases,
    head: view.head.descriptor.digest,
    pin: wish.pin,
    rootDigest: digestOf(root.bytes),
    roles: roleSummaries(view),
    signers: signerSummaries(view),
    tags,
    releasedDigests: releasedAlone(view),
    unsignedTags: wish.comparesRegistry && wish.tags === undefined ? await unsignedTags(view, wish) : undefined,
    notices: [...noticesOf(view), ...dueNotices(view, wish.now)],
    waiting: await pendingRoles(wish.store, wish.head, view),
  };
}

async function inspections(view: TrustReading, wish: InspectWish): Promise<readonly TagInspection[]> {
  const found = wish.tags === undefined ? boundTags(view) : wish.tags.map((tag) => requireBound(view, tag));
  const signedBy = signerNamer(view);
  return await mapConcurrently(found, LIMITS.tagWorkers, async ({ path, role, file, binding }) => ({
    binding,
    role,
    keyIds: signedBy(file),
    shadowed: findBinding(view, path).shadowed.map((other) => ({ role: other.role, digest: other.binding.digest })),
    registryDigest: wish.comparesRegistry ? await registryDigest(wish.images, binding.tag ?? "") : undefined,
  }));
}

/** What counts of all tags that are bound. */
export function boundTags(view: TrustView): readonly FoundBinding[] {
  return effectiveBindings(view).filter(({ binding }) => binding.tag !== undefined);
}

function requireBound(view: TrustReading, tag: string): FoundBinding {
  const { found, outside } = findBinding(view, pathOfTag(tag));
  if (found !== undefined) return found;
  throw unlisted(view.gun, tag, outside);
}

function unlisted(gun: string, tag: string, outside: readonly FoundBinding[]): CountersignError {
  const [hint] = outside;
  return new CountersignError("tag-unlisted", `nobody who may binds the tag ${tag} of ${gun}`, {
    found: hint === undefined ? "no binding" : `a binding by ${hint.role}, which may not bind this tag`,
  });
}

/** Who signed each file, verified once for all of its bindings. */
function signerNamer(view: TrustReading): (file: string) => readonly string[] {
  const known = new Map<string, readonly string[]>();
  return (file) => {
    const role = roleIn(view, file);
    const by = authorityOfFile(view, file);
    const ids = known.get(file) ?? (role && by ? validSignatures(role, by.keys, by.roleKeys) : []);
    known.set(file, ids);
    return ids;
  };
}

/** null where the registry has no such tag. By its word alone: it is shown, and nothing depends on it. */
export async function registryDigest(store: ContentStore, tag: string): Promise<Digest | null> {
  const claimed = await store.claimedDigest?.(tag);
  return claimed ?? (await store.resolve(tag))?.descriptor.digest ?? null;
}

function releasedAlone(view: TrustView): number {
  const all = effectiveBindings(view).filter(({ binding }) => binding.revoked === undefined);
  const tagged = new Set(all.flatMap(({ binding }) => (binding.tag === undefined ? [] : [binding.digest])));
  return all.filter(({ binding }) => binding.tag === undefined && !tagged.has(binding.digest)).length;
}

/** Images in the registry whose tags nobody binds: they cannot be pulled by tag any more. */
export async function unsignedTags(view: TrustView, wish: InspectWish): Promise<readonly string[]> {
  const bound = new Set(boundTags(view).map(({ binding }) => binding.tag));
  const tags = await wish.images.tags();
  return tags.filter((tag) => !bound.has(tag) && !isTrustTag(tag, wish.head) && !isCompanionTag(tag)).toSorted();
}

/** What is wrong with parts of the metadata, and what is in it and counts for nothing. */
export function noticesOf(view: TrustReading): readonly Finding[] {
  return [...view.findings.map(({ role: _role, ...finding }) => finding), ...uselessBindings(view)];
}

/** Tags that a signer binds and may not: whoever signed them believes that they are released (6.1, no. 17). */
function uselessBindings(view: TrustView): readonly Finding[] {
  const paths = [...view.roles.values()].flatMap(({ body }) => body.bindings.flatMap(({ tag }) => tag ?? []));
  return [...new Set(paths)].toSorted().flatMap((tag) => {
    const { found, outside } = findBinding(view, pathOfTag(tag));
    return found === undefined && outside.length > 0 ? [toFinding(unlisted(view.gun, tag, outside))] : [];
  });
}
