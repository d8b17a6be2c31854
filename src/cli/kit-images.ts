import { CountersignError } from "../core/errors.ts";
import { isHead, type KitImage, kitImageName } from "../core/formats/kit.ts";
import type { Platform } from "../core/oci/descriptor.ts";
import { parseLocation } from "../core/oci/location.ts";
import type { ImageIndex, Manifest } from "../core/oci/manifest.ts";
import { choosePlatform, platformName } from "../core/oci/platform.ts";
import { parseReference, type Reference, repositoryName } from "../core/oci/reference.ts";
import { isCompanionTag } from "../core/oci/referrers.ts";
import type { Collection, ContentStore } from "../core/ports.ts";
import { isTrustTag } from "../core/tags/names.ts";
import type { Verdict } from "../core/verify/verdict.ts";
import type { KitEntry } from "../ops/kit-contents.ts";
import type { Target } from "../ops/verify.ts";

/**
 * What an image is called in a kit: by its whole name where it has one, by its tag where it comes from a file.
 *
 * @throws CountersignError what the store throws.
 */
export async function nameInKit(
  { image, store, tag }: Target,
  root: Manifest,
): Promise<Pick<KitImage, "repository" | "tag">> {
  const location = parseLocation(image);
  if (location.kind === "registry") return asName(location.reference);
  const name = tag ?? (await onlyNameOf(store, root));
  if (name === undefined || !/[:/]/.test(name)) return { repository: undefined, tag: name };
  return asName(parseReference(name));
}

function asName(reference: Reference): Pick<KitImage, "repository" | "tag"> {
  return { repository: repositoryName(reference), tag: reference.tag };
}

/** In a file that was named without a tag: the name of the image, where it has exactly one. */
async function onlyNameOf(store: ContentStore, { descriptor }: Manifest): Promise<string | undefined> {
  const names: string[] = [];
  for (const name of await store.tags()) {
    if (isCompanionTag(name) || isTrustTag(name)) continue;
    const named = await store.resolve(name);
    if (named?.descriptor.digest === descriptor.digest) names.push(name);
  }
  return names.length === 1 ? names[0] : undefined;
}

/**
 * A platform that goes on without its index has to be signed itself: on the other side there is nothing else that could
 * speak for it.
 */
export function explainPlatform(verdict: Verdict, platform: Platform | undefined): Verdict {
  const [first, ...others] = verdict.reasons;
  if (platform === undefined || first?.code !== "unsigned") return verdict;
  const next =
    "take all platforms, by leaving --platform away, or ask the publisher to sign each of them (countersign sign -r)";
  return { ...verdict, reasons: [{ ...first, next }, ...others] };
}

/**
 * One platform of an image of a kit; of an image that is no index, the image itself.
 *
 * @throws CountersignError `platform-missing`.
 */
export async function narrowEntry(entry: KitEntry, platform: Platform): Promise<KitEntry> {
  if (entry.index !== undefined) requirePlatform(entry.image, entry.index, platform);
  if (entry.root.kind !== "index") return entry;
  const root = await entry.store.manifest(choosePlatform(entry.root, platform));
  const { mediaType, digest, size } = root.descriptor;
  return { ...entry, root, index: entry.root, image: { ...entry.image, manifest: { mediaType, digest, size } } };
}

/** A kit of one platform says which by the index alone: whoever passed it on could have put another one there. */
function requirePlatform({ manifest }: KitImage, index: ImageIndex, platform: Platform): void {
  if (choosePlatform(index, platform).digest === manifest.digest) return;
  const held = index.manifests.find(({ digest }) => digest === manifest.digest)?.platform;
  throw new CountersignError("platform-missing", "the kit holds another platform of this image", {
    found: held === undefined ? manifest.digest : platformName(held),
    wanted: platformName(platform),
    next: "have this platform saved, or all of them: countersign save",
  });
}

/** What was begun and does not get any further leaves nothing behind. */
export async function orDiscard<Result>(
  collection: Pick<Collection, "discard"> | undefined,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    await collection?.discard().catch(() => undefined);
    throw error;
  }
}

/** Trust metadata of signed tags goes along, and proves itself where an image is reached by it. */
export function isImage({ image }: KitEntry): boolean {
  return !isHead(image);
}

/** The images of a kit as something to judge. */
export function kitTargets(entries: readonly KitEntry[]): readonly Target[] {
  return entries.filter(isImage).map(({ image, store, index }) => ({
    image: kitImageName(image),
    store,
    tag: image.tag,
    digest: image.manifest.digest,
    index,
  }));
}
