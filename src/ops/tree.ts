import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { Descriptor } from "../core/oci/descriptor.ts";
import type { Digest } from "../core/oci/digest.ts";
import type { Manifest } from "../core/oci/manifest.ts";
import { isManifestType } from "../core/oci/media-types.ts";
import type { ContentStore } from "../core/ports.ts";
import { mapConcurrently } from "./concurrency.ts";

/**
 * The manifests of an image, in groups: each group's manifests name only manifests of groups before it, and the last
 * group is the root alone.
 */
export type ImageTree = readonly (readonly Manifest[])[];

/**
 * Reads every manifest below `root`, each once, by digest only, within LIMITS.indexDepth, treeManifests and treeBytes.
 *
 * @throws CountersignError `limit-reached`, `manifest-invalid`, `not-found`, or what the store throws.
 */
export async function readTree(store: ContentStore, root: Manifest, maxWorkers: number): Promise<ImageTree> {
  const found = new Map<Digest, Manifest>([[root.descriptor.digest, root]]);
  let bytes = root.bytes.byteLength;
  let level: readonly Manifest[] = [root];
  for (let depth = 0; ; depth++) {
    const wanted = newEntries(level, found);
    if (wanted.length === 0) return inGroups(root, found);
    bytes += wanted.reduce((sum, entry) => sum + entry.size, 0);
    checkDepth(depth);
    if (found.size + wanted.length > LIMITS.treeManifests) throw beyond(`${LIMITS.treeManifests} manifests`);
    if (bytes > LIMITS.treeBytes) throw beyond(`${LIMITS.treeBytes} bytes of manifests`);
    level = await mapConcurrently(wanted, maxWorkers, (entry) => store.manifest(entry));
    for (const manifest of level) found.set(manifest.descriptor.digest, manifest);
  }
}

/** The manifests that a manifest names; an index may name blobs too. */
export function childManifests(manifest: Manifest): readonly Descriptor[] {
  return manifest.kind === "index" ? manifest.manifests.filter((entry) => isManifestType(entry.mediaType)) : [];
}

function newEntries(level: readonly Manifest[], found: ReadonlyMap<Digest, Manifest>): readonly Descriptor[] {
  const entries = level.flatMap(childManifests).filter((entry) => !found.has(entry.digest));
  return [...new Map(entries.map((entry) => [entry.digest, entry])).values()];
}

/** An index at `depth` indexes below the root. */
function checkDepth(depth: number): void {
  if (depth > LIMITS.indexDepth) throw beyond(`indexes nested ${LIMITS.indexDepth} deep`);
}

function beyond(limit: string): CountersignError {
  return new CountersignError("limit-reached", "the image has too many manifests", { wanted: `at most ${limit}` });
}

/**
 * Grouped by height, which is the longest way down: the search above went the shortest. A cycle would need a manifest
 * that holds its own digest; its depth would end it.
 */
function inGroups(root: Manifest, found: ReadonlyMap<Digest, Manifest>): ImageTree {
  const heights = new Map<Digest, number>();
  const heightOf = (manifest: Manifest, depth: number): number => {
    checkDepth(depth - 1);
    const digest = manifest.descriptor.digest;
    const known = heights.get(digest);
    if (known !== undefined) return known;
    const below = childManifests(manifest).flatMap((entry) => found.get(entry.digest) ?? []);
    const height = below.reduce((highest, child) => Math.max(highest, heightOf(child, depth + 1) + 1), 0);
    checkDepth(height - 1);
    heights.set(digest, height);
    return height;
  };
  const groups: Manifest[][] = Array.from({ length: heightOf(root, 0) + 1 }, () => []);
  for (const manifest of found.values()) groups[heights.get(manifest.descriptor.digest) ?? 0]?.push(manifest);
  return groups;
}
