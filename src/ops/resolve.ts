import { CountersignError } from "../core/errors.ts";
import type { Platform } from "../core/oci/descriptor.ts";
import { type Digest, digestAlgorithm, digestOf } from "../core/oci/digest.ts";
import type { ImageIndex, Manifest } from "../core/oci/manifest.ts";
import { choosePlatform } from "../core/oci/platform.ts";
import type { Binding } from "../core/tags/binding.ts";
import { DEFAULT_TAG_DEMAND, type TagDemand } from "../core/tags/signed-tag.ts";
import type { Criterion, Rulebook, Ruling } from "../core/verify/criterion.ts";
import { type Bound, type Court, imageName, type TagJudging, type Target } from "./judging.ts";

/** From a reference to the bytes that it means: through signed tags where a root is pinned, else by the store's word. */

/** An image that was found, and by what. */
export interface Reached {
  readonly target: Target;
  readonly root: Manifest;
}

/**
 * What a reference means to who judges it.
 *
 * @throws CountersignError as `SignedTags.resolve`, and `resolveTarget`.
 */
export async function reachTarget(target: Target, search: TagSearch): Promise<Reached> {
  const reached = await bindTarget(target, search);
  return { target: reached, root: await resolveTarget(reached) };
}

/** A reference with what its signed tags say of it. @throws CountersignError as `SignedTags.resolve`. */
export async function bindTarget(target: Target, search: TagSearch): Promise<Target> {
  return { ...target, bound: await askSignedTags(target, search) };
}

/**
 * The manifest of a platform as an image that is judged by itself, where it shall go on without its index: reached through the index
 * that the reference means.
 *
 * @throws CountersignError as `reachTarget`; `platform-missing`.
 */
export async function reachPlatform(target: Target, platform: Platform, search: TagSearch): Promise<Target> {
  const { target: reached, root } = await reachTarget(target, search);
  if (root.kind !== "index") return reached;
  return { ...reached, digest: choosePlatform(root, platform).digest, resolved: undefined, index: root };
}

/**
 * What a reference means, or one platform of it by that platform's own digest, for who looks at it and judges nothing.
 *
 * @throws CountersignError as `reachPlatform`.
 */
export async function reachNarrowed(
  named: Target,
  platform: Platform | undefined,
  { tags }: Pick<TagSearch, "tags">,
): Promise<Reached> {
  if (platform === undefined) return await reachTarget(named, { tags });
  const chosen = await reachPlatform(named, platform, { tags });
  const target = chosen.index === undefined ? chosen : { ...chosen, tag: undefined };
  return { target, root: await resolveTarget(target) };
}

/** By which signed tags, and by which rules for them. */
export interface TagSearch {
  readonly tags?: TagJudging | undefined;
  readonly rulebook?: Pick<Rulebook, "digestPulls"> | undefined;
}

/** Resolves a tag once; everything after uses the digest. @throws `not-found`, `size-mismatch`, `binding-mismatch`. */
export async function resolveTarget(target: Target): Promise<Manifest> {
  const { bound, index, store, digest, tag, resolved } = target;
  const binding = bound?.signedTag?.binding;
  const named = index === undefined ? (binding?.digest ?? digest ?? tag) : digest;
  const manifest = resolved ?? (await store.resolve(named));
  if (manifest === undefined) throw missing(target, index === undefined ? binding : undefined);
  if (binding !== undefined) requireBound(index ?? manifest, binding);
  if (index !== undefined) requireListed(manifest, index);
  return manifest;
}

/** What is said of an index holds for what it lists, and for nothing else. */
function requireListed({ descriptor: { digest } }: Manifest, { manifests, descriptor }: ImageIndex): void {
  if (manifests.some((entry) => entry.digest === digest)) return;
  throw new CountersignError("binding-mismatch", "the index does not list this platform", {
    found: digest,
    wanted: `a manifest that ${descriptor.digest} lists`,
  });
}

function missing({ image, store }: Target, binding: Binding | undefined): CountersignError {
  if (binding === undefined) return new CountersignError("not-found", "there is no such image", { wanted: image });
  return new CountersignError("not-found", "the registry does not hold what the publisher signed", {
    found: `nothing under ${binding.digest}`,
    wanted: `${store.location}@${binding.digest}`,
    next: "treat the registry as damaged; ask the publisher to push the image again",
  });
}

function requireBound({ bytes }: Manifest, { digest, length }: Binding): void {
  const found = digestOf(bytes);
  if (found !== digest) {
    throw new CountersignError("binding-mismatch", "the image is not what the publisher signed", {
      found,
      wanted: digest,
    });
  }
  if (bytes.byteLength === length) return;
  throw new CountersignError("size-mismatch", "the manifest is not as long as the publisher signed", {
    found: `${bytes.byteLength} bytes`,
    wanted: `${length} bytes`,
  });
}

// --- signed tags ------------------------------------------------------------------------------------------------------

async function askSignedTags(target: Target, { tags, rulebook }: TagSearch): Promise<Bound | undefined> {
  const { store, bound } = target;
  // Files have no name that a root could be pinned for.
  if (bound !== undefined || tags === undefined || store.repository === undefined) return bound;
  const demand = { ...demandOn(target, rulebook), required: tags.isRequired };
  const tag = target.isTagNote === true ? undefined : target.tag;
  const { signedTags } = tags;
  const answer = await signedTags.resolve({ store, tag, digest: await digestIn(target), demand });
  if (answer.signedTag !== undefined || target.digest === undefined) return { ...answer, isExempt: false };
  const { digestPulls } = demand;
  const isExempt = digestPulls === "any" || (digestPulls === "signed" && (await signedTags.isPinned(store.repository)));
  return { ...answer, isExempt };
}

function demandOn(target: Target, rulebook: TagSearch["rulebook"]): TagDemand {
  const digestPulls = rulebook?.digestPulls?.({ ...imageName(target), digest: target.digest });
  return digestPulls === undefined ? DEFAULT_TAG_DEMAND : { ...DEFAULT_TAG_DEMAND, digestPulls };
}

/** The digest that a reference is about, as signed tags write digests: the same content is no other by another hash. */
async function digestIn(target: Target): Promise<Digest | undefined> {
  const { digest, resolved, index } = target;
  if (index !== undefined) return digestOf(index.bytes);
  if (resolved !== undefined) return digestOf(resolved.bytes);
  if (digest === undefined || digestAlgorithm(digest) === "sha256") return digest;
  return digestOf((await resolveTarget(target)).bytes);
}

/** The court for an image whose binding asks for signatures beside itself: both have to hold. */
export async function courtFor({ bound }: Target, court: Court): Promise<Court> {
  const requires = bound?.requires ?? [];
  if (requires.length === 0) return court;
  const { tags } = court.options;
  if (tags === undefined) throw new Error("a binding asks for signatures, and nobody says how they are proven");
  return { ...court, rulebook: requiringBeside(court.rulebook, await tags.signedBy(requires)) };
}

type Beside = Extract<Criterion, { readonly kind: "evidence" }>["requirement"];

function requiringBeside(rulebook: Rulebook, requirement: Beside): Rulebook {
  const { now, policy } = rulebook;
  const beside: Criterion = { kind: "evidence", requirement };
  const within = (ruling: Ruling): Ruling => ({
    ...ruling,
    criterion: { kind: "all", of: [ruling.criterion, beside] },
  });
  return { now, policy, rulingOf: async (image) => within(await rulebook.rulingOf(image)) };
}
