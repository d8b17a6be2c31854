import { CountersignError, toFinding } from "../core/errors.ts";
import {
  formatKitList,
  isHead,
  type KitBlob,
  type KitImage,
  type KitList,
  type KitTrust,
  kitImageName,
  layoutNameOf,
  makeKitManifest,
} from "../core/formats/kit.ts";
import { type Descriptor, describe } from "../core/oci/descriptor.ts";
import type { Digest } from "../core/oci/digest.ts";
import { EMPTY_JSON, MEDIA_TYPES } from "../core/oci/media-types.ts";
import type { Collection, ContentStore, Destination } from "../core/ports.ts";
import type { Instant } from "../core/time.ts";
import type { TrustRoot } from "../core/trust/root.ts";
import { type CopyResult, copyUnnamed } from "./copy.ts";
import { type KitContents, type KitEntry, readKit } from "./kit-contents.ts";
import type { KitPlace } from "./kit-place.ts";
import { sourceOf } from "./prepare-signature.ts";
import { giveUp, type TransferOptions } from "./transfer.ts";

/** Trust material on its way into a kit. */
export interface BroughtTrust extends Omit<KitTrust, "trustedRoot" | "tuf"> {
  readonly trustedRoot: Uint8Array;
  /** TUF metadata: the roots one version after the other, the other roles by name. */
  readonly tuf: { readonly roots: readonly Uint8Array[]; readonly roles: ReadonlyMap<string, Uint8Array> } | undefined;
}

export interface SaveKitRequest extends TransferOptions {
  readonly collection: Collection;
  /** Accepted, each under the name that it shall have. */
  readonly entries: readonly KitEntry[];
  readonly trust: readonly BroughtTrust[];
  /** What the images were judged by, where that was a policy: for whoever gets the kit to read. */
  readonly policy?: { readonly file: string; readonly bytes: Uint8Array } | undefined;
  readonly createdAt: Instant;
  /** Called with the kit as it will be read, before it is there: throws where it would not do. */
  readonly check?: ((kit: KitContents) => Promise<void>) | undefined;
}

export interface SavedKit {
  /** What whoever loads the kit can ask for. */
  readonly digest: Digest;
  readonly list: KitList;
  /** The trust roots of the list, in its order. */
  readonly trustRoots: readonly TrustRoot[];
  /** What was moved, image by image. */
  readonly copies: readonly CopyResult[];
}

/**
 * Makes a kit of accepted images, everything attached to them, and trust material. All or nothing; what is written is read
 * back as `load` will read it before it becomes visible.
 *
 * @throws CountersignError `reference-invalid` for two images of one name, what the stores throw; then nothing is left.
 */
export async function saveKit(request: SaveKitRequest): Promise<SavedKit> {
  const { collection, entries } = request;
  try {
    refuseSharedNames(entries.map(({ image }) => image));
    const copies = await copyAll(request, entries, async () => collection.store);
    for (const { image, root } of entries) await collection.list(root, layoutNameOf(image));
    const digest = await addList(request);
    const kit = await readKit(collection, { digest, maxWorkers: request.maxWorkers });
    await request.check?.(kit);
    await collection.commit(digest);
    return { digest, list: kit.list, trustRoots: kit.trustRoots, copies };
  } catch (error) {
    await abandon(collection, error);
    throw error;
  }
}

export interface LoadKitRequest extends TransferOptions {
  /** Accepted; of an index, perhaps the manifest of one platform. */
  readonly entries: readonly KitEntry[];
  readonly place: KitPlace;
}

/**
 * Takes images out of a kit that was read, proven and judged: all their content first, everything attached with it, and
 * their names last.
 *
 * @returns by entry what was moved, and beside an image why the signed tags of its repository stayed behind.
 * @throws CountersignError what the stores throw; then nothing has got a name.
 */
export async function loadKit(request: LoadKitRequest): Promise<readonly CopyResult[]> {
  const { entries, place } = request;
  try {
    const copies = await copyAll(request, entries, (image) => place.storeFor(image));
    // Signed tags first: an image gets its name where it can be reached by it.
    const [heads, images] = [
      entries.filter(({ image }) => isHead(image)),
      entries.filter(({ image }) => !isHead(image)),
    ];
    const notes = new Map<string | undefined, readonly string[]>();
    for (const entry of heads) notes.set(entry.image.repository, await saying(entry, () => place.name(entry)));
    for (const entry of images) await saying(entry, () => place.name(entry));
    await place.commit();
    return copies.map((copy, at) => ({
      ...copy,
      notes: [...copy.notes, ...(notes.get(entries[at]?.image.repository) ?? [])],
    }));
  } catch (error) {
    await abandon(place, error);
    throw error;
  }
}

async function copyAll(
  options: TransferOptions,
  entries: readonly KitEntry[],
  storeFor: (image: KitImage) => Promise<ContentStore>,
): Promise<readonly CopyResult[]> {
  const copies: CopyResult[] = [];
  for (const entry of entries) {
    const { image, root, store: source } = entry;
    const copy = async () => copyUnnamed({ ...options, source, root, destination: { store: await storeFor(image) } });
    copies.push(await saying(entry, copy));
  }
  return copies;
}

/** Where one of many fails, which one is what the user wants to know. */
async function saying<Result>({ image }: KitEntry, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof CountersignError) || error.class === "interrupted") throw error;
    const { code, message, found, wanted, next } = toFinding(error);
    throw new CountersignError(code, `${kitImageName(image)}: ${message}`, { found, wanted, next, cause: error });
  }
}

/** A person who stops a kit wants none: only what failed by itself is kept for the next run. */
async function abandon(target: Pick<Destination, "discard" | "suspend">, error: unknown): Promise<void> {
  const isStopped = error instanceof CountersignError && error.class === "interrupted";
  await giveUp(isStopped ? { ...target, suspend: () => target.discard() } : target, error);
}

// --- names ------------------------------------------------------------------------------------------------------------

/** A layout gives a tag to one image; only whole references tell two of one tag apart. */
function refuseSharedNames(images: readonly KitImage[]): void {
  for (const image of images) {
    const other = images.find((one) => one !== image && sharesName(one, image));
    if (other === undefined) continue;
    throw new CountersignError("reference-invalid", "two images of the kit would have one name", {
      found: `${kitImageName(image)}, of ${image.manifest.digest} and ${other.manifest.digest}`,
      wanted: "one name for one image",
      next: "name the image once, or save the other one from a registry, where it has a whole name",
    });
  }
}

function sharesName(one: KitImage, other: KitImage): boolean {
  if (kitImageName(one) === kitImageName(other)) return true;
  const isBare = one.repository === undefined || other.repository === undefined;
  return isBare && one.tag !== undefined && one.tag === other.tag;
}

// --- the list ---------------------------------------------------------------------------------------------------------

/** Stores what is not an image: trust material, the policy, the list, and the manifest that holds both. @returns its digest. */
async function addList({ collection, entries, trust, policy, createdAt }: SaveKitRequest): Promise<Digest> {
  const { store } = collection;
  const images: KitImage[] = [];
  const stored: KitTrust[] = [];
  // One after the other: several images may be of one index, and instances may have one trust root.
  for (const entry of entries) images.push(await storeIndex(store, entry));
  for (const one of trust) stored.push(await storeTrust(store, one));
  const digests = new Set(images.map(({ manifest }) => manifest.digest));
  const others = (await collection.listed()).map(({ descriptor }) => descriptor.digest);
  const list: KitList = {
    createdAt,
    images,
    attached: [...new Set(others)].filter((digest) => !digests.has(digest)).toSorted(),
    trust: stored,
    policy: policy && { file: policy.file, ...(await storeBytes(store, policy.bytes, MEDIA_TYPES.policy)) },
  };
  const bytes = formatKitList(list);
  await storeBytes(store, bytes, MEDIA_TYPES.kitList);
  await storeBytes(store, EMPTY_JSON, MEDIA_TYPES.ociEmpty);
  const manifest = makeKitManifest(bytes, list);
  await collection.list(manifest, undefined);
  return manifest.descriptor.digest;
}

/** The image as the list has it. */
async function storeIndex(store: ContentStore, { image, index }: KitEntry): Promise<KitImage> {
  if (index === undefined) return image;
  return { ...image, index: await storeBytes(store, index.bytes, index.descriptor.mediaType) };
}

async function storeTrust(store: ContentStore, { trustedRoot, tuf, ...said }: BroughtTrust): Promise<KitTrust> {
  const root = await storeBytes(store, trustedRoot, MEDIA_TYPES.trustedRoot);
  if (tuf === undefined) return { ...said, trustedRoot: root, tuf };
  const roots: KitBlob[] = [];
  for (const bytes of tuf.roots) roots.push(await storeBytes(store, bytes, MEDIA_TYPES.tufMetadata));
  const roles: (KitBlob & { role: string })[] = [];
  for (const [role, bytes] of tuf.roles)
    roles.push({ role, ...(await storeBytes(store, bytes, MEDIA_TYPES.tufMetadata)) });
  return { ...said, trustedRoot: root, tuf: { roots, roles } };
}

async function storeBytes(store: ContentStore, bytes: Uint8Array, mediaType: string): Promise<Descriptor> {
  const descriptor = describe(bytes, mediaType);
  await store.pushBlob(descriptor, sourceOf(bytes));
  return descriptor;
}
