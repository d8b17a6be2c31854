import { CountersignError } from "../core/errors.ts";
import { explainBriefly } from "../core/explain.ts";
import type { Manifest } from "../core/oci/manifest.ts";
import type { TagJudging } from "./judging.ts";
import { bindTarget, resolveTarget, type Target } from "./verify.ts";

/** What images are judged by and a registry holds: which artifact a reference to it means. */
export type ArtifactKind = "policy" | "list of withdrawn digests";

/**
 * The reference with what its tag is signed for, where a root of its repository is pinned. A digest means itself.
 *
 * @throws CountersignError `policy-untrusted` where the tag is signed for nothing that holds; where that could not be looked at,
 *   what `SignedTags.resolve` throws.
 */
export async function bindArtifact(named: Target, kind: ArtifactKind, tags: TagJudging | undefined): Promise<Target> {
  if (named.digest !== undefined) return named;
  return await orUntrusted(named, `no signed tag says which ${kind} this is`, () => bindTarget(named, { tags }));
}

/** @throws CountersignError `not-found`; as `resolveTarget`, and what the store throws. */
export async function resolveArtifact(target: Target, kind: ArtifactKind): Promise<Manifest> {
  const { store, image, tag, digest, bound } = target;
  if (bound?.signedTag !== undefined) return await resolveTarget(target);
  const manifest = await store.resolve(digest ?? tag);
  if (manifest !== undefined) return manifest;
  throw new CountersignError("not-found", `there is no such ${kind}`, { wanted: image });
}

/**
 * Runs what reads an artifact. What would refuse an image refuses none here: it leaves nothing to judge one by.
 *
 * @throws CountersignError `policy-untrusted` in its place; all else as it is.
 */
export async function orUntrusted<Result>(
  { image }: Target,
  message: string,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof CountersignError) || error.class !== "refused") throw error;
    throw new CountersignError("policy-untrusted", message, {
      found: `${image}: ${explainBriefly(error)}`,
      wanted: error.wanted,
      next: error.next,
      cause: error,
    });
  }
}
