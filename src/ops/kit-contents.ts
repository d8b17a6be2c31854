import { CountersignError } from "../core/errors.ts";
import {
  checkKitManifest,
  isHead,
  type KitBlob,
  type KitImage,
  type KitList,
  kitBlobs,
  kitImageName,
  kitListOf,
  layoutNameOf,
  parseKitList,
} from "../core/formats/kit.ts";
import { LIMITS } from "../core/limits.ts";
import { type Descriptor, sizeMismatch } from "../core/oci/descriptor.ts";
import type { Digest } from "../core/oci/digest.ts";
import { artifactTypeOf, childrenOf, type ImageIndex, type Manifest } from "../core/oci/manifest.ts";
import { isManifestType, MEDIA_TYPES } from "../core/oci/media-types.ts";
import { subjectOfCosignTag } from "../core/oci/referrers.ts";
import type { ContentStore, ListedManifest, OnTransfer, WholeLayout } from "../core/ports.ts";
import { HEAD_TAG } from "../core/tags/names.ts";
import { parseTrustedRoot, type TrustRoot } from "../core/trust/root.ts";
import { Budget } from "./budget.ts";
import { forEachConcurrently } from "./concurrency.ts";
import { KitStore } from "./kit-store.ts";
import { DEFAULT_WORKERS } from "./transfer.ts";
import { readTree } from "./tree.ts";

/** An image of a kit: what the list says of it, its manifest, and where all that belongs to it is read. */
export interface KitEntry {
  readonly image: KitImage;
  readonly root: Manifest;
  readonly store: ContentStore;
  /** Of a platform: the index that it was chosen from. */
  readonly index?: ImageIndex | undefined;
}

/** A kit in which there is what its list says, no more and no less. */
export interface KitContents {
  /** Of its manifest, and through it of all that is in it: there is no other kit with this digest. */
  readonly digest: Digest;
  readonly list: KitList;
  readonly entries: readonly KitEntry[];
  /** The trust roots of the list, in its order. */
  readonly trustRoots: readonly TrustRoot[];
  /** A file of trust material, or the policy, that the list names. */
  readBlob(blob: KitBlob): Promise<Uint8Array>;
}

export interface ReadKitOptions {
  /** The digest that the kit has to have. */
  readonly digest?: Digest | undefined;
  readonly maxWorkers?: number | undefined;
}

/**
 * Reads a kit and holds all of it to its list: every manifest that the layout lists is an image of the list, attached to
 * one, or the kit's own; each is there with everything below it, and under the name that the list gives it. Judges nothing.
 *
 * @throws CountersignError `layout-invalid`, `digest-mismatch`, `size-mismatch`, `manifest-invalid`, `limit-reached`.
 */
export async function readKit(layout: WholeLayout, options: ReadKitOptions = {}): Promise<KitContents> {
  const { digest, maxWorkers = DEFAULT_WORKERS } = options;
  const listed = await layout.listed();
  const { summaries, kits } = await readListed(layout.store, listed);
  const own = onlyKit(kits, digest);
  const list = await readList(layout.store, own);
  checkListed(listed, own, list);
  const tree = new Tree(layout.store, await layout.blobs(), maxWorkers);
  await tree.requireBelow([own]);
  const found: Found[] = [];
  for (const image of list.images) {
    found.push({ image, root: await tree.requireImage(image), index: await tree.requireIndex(image) });
  }
  await tree.requireAttached(listed, list, summaries);
  const trustRoots = await readTrustRoots(layout.store, list);
  return contentsOf(layout.store, { digest: own.descriptor.digest, list, found, trustRoots, listed, summaries });
}

/**
 * Hashes every blob of a kit, also those that nothing in it names.
 *
 * @throws CountersignError `digest-mismatch`, `size-mismatch`, `disk-error`, `interrupted`.
 */
export async function proveBlobs(
  layout: WholeLayout,
  options: { readonly maxWorkers?: number | undefined; readonly onTransfer?: OnTransfer | undefined } = {},
): Promise<void> {
  const { maxWorkers = DEFAULT_WORKERS, onTransfer } = options;
  await forEachConcurrently(await layout.blobs(), maxWorkers, async ([digest, size]) => {
    let bytes = 0;
    for await (const chunk of layout.store.openBlob({ mediaType: ANY_TYPE, digest, size })) {
      bytes += chunk.byteLength;
      onTransfer?.({ digest, what: "layer", state: "progress", bytes, total: size });
    }
    onTransfer?.({ digest, what: "layer", state: "present", bytes, total: size });
  });
}

const ANY_TYPE = "application/octet-stream";

// --- what the layout lists --------------------------------------------------------------------------------------------

/** What is remembered of a manifest, without its bytes. */
interface Summary {
  /** With the artifact type and the annotations that are the manifest's own (distribution-spec, "Listing Referrers"). */
  readonly descriptor: Descriptor;
  readonly subject: Digest | undefined;
}

type Summaries = ReadonlyMap<Digest, Summary>;

async function readListed(
  store: ContentStore,
  listed: readonly ListedManifest[],
): Promise<{ readonly summaries: Summaries; readonly kits: readonly Manifest[] }> {
  const budget = new Budget({ bytes: LIMITS.treeBytes });
  const summaries = new Map<Digest, Summary>();
  const kits: Manifest[] = [];
  for (const { descriptor } of listed) {
    if (summaries.has(descriptor.digest)) continue;
    if (!isManifestType(descriptor.mediaType))
      throw broken("its index lists something else than manifests", descriptor.mediaType);
    budget.spend(descriptor.size);
    const manifest = await readManifest(store, descriptor);
    if (manifest.artifactType === MEDIA_TYPES.kit) kits.push(manifest);
    summaries.set(descriptor.digest, summaryOf(manifest));
  }
  return { summaries, kits };
}

function summaryOf(manifest: Manifest): Summary {
  const { descriptor, annotations, subject } = manifest;
  const { mediaType, digest, size } = descriptor;
  return {
    descriptor: { mediaType, digest, size, artifactType: artifactTypeOf(manifest), annotations },
    subject: subject?.digest,
  };
}

/** What is listed or named and is not there makes the kit a broken one: there is nowhere else to look. */
async function readManifest(store: ContentStore, descriptor: Descriptor): Promise<Manifest> {
  return await orBroken(() => store.manifest(descriptor), descriptor.digest);
}

async function orBroken<Result>(read: () => Promise<Result>, wanted: string): Promise<Result> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof CountersignError && error.code === "not-found")
      throw broken("a part of it is missing", "nothing", wanted);
    throw error;
  }
}

function onlyKit(kits: readonly Manifest[], wanted: Digest | undefined): Manifest {
  const [own, ...others] = kits;
  if (own === undefined || others.length > 0) {
    throw new CountersignError("layout-invalid", "the archive is not a kit", {
      found: own === undefined ? "no list of what is in it" : `${kits.length} lists of what is in it`,
      wanted: "an archive that countersign save has written",
      ...(own === undefined && { next: "for other archives there is countersign copy oci-archive:FILE DESTINATION" }),
    });
  }
  if (wanted === undefined || own.descriptor.digest === wanted) return own;
  throw new CountersignError("digest-mismatch", "this is another kit than the one that was asked for", {
    found: own.descriptor.digest,
    wanted,
    next: "fetch the kit again, or ask whoever made it for its digest",
  });
}

async function readList(store: ContentStore, own: Manifest): Promise<KitList> {
  const descriptor = kitListOf(own);
  const bytes = await orBroken(() => store.readBlob(descriptor, LIMITS.kitListBytes), descriptor.digest);
  const list = parseKitList(bytes);
  if (own.kind === "image") checkKitManifest(own, list);
  return list;
}

/**
 * Other tools read the index of the layout, and this one the list: they have to say the same, name by name.
 *
 * @throws CountersignError `layout-invalid`.
 */
function checkListed(listed: readonly ListedManifest[], own: Manifest, list: KitList): void {
  const wanted = new Map(list.images.map((image) => [imageKey(image), image]));
  const digests = new Set(list.images.map(({ manifest }) => manifest.digest));
  const attached = new Set(list.attached);
  const seen = new Set<string>();
  for (const entry of listed) {
    const { digest } = entry.descriptor;
    const key = keyOf(digest, entry.reference, entry.tag);
    const isOwn = digest === own.descriptor.digest && entry.tag === undefined && entry.reference === undefined;
    const isBeside = (attached.has(digest) || digests.has(digest)) && isCompanion(entry);
    if (!isOwn && !wanted.has(key) && !isBeside)
      throw broken("its index has something that its list has not", describeEntry(entry));
    seen.add(key).add(digest);
  }
  const missing = list.images.find((image) => !seen.has(isNamed(image) ? imageKey(image) : image.manifest.digest));
  if (missing !== undefined) throw broken("an image of its list is missing", "nothing", kitImageName(missing));
  const gone = list.attached.find((digest) => !seen.has(digest));
  if (gone !== undefined) throw broken("something that was attached to an image is missing", "nothing", gone);
}

function imageKey(image: KitImage): string {
  const reference = image.repository === undefined ? undefined : layoutNameOf(image);
  return keyOf(image.manifest.digest, reference, image.tag);
}

function keyOf(digest: Digest, reference = "", tag = ""): string {
  return `${digest} ${reference} ${tag}`;
}

function isNamed({ tag }: KitImage): boolean {
  return tag !== undefined;
}

/** What is attached has no name, or one of cosign's. */
function isCompanion({ tag, reference }: ListedManifest): boolean {
  return reference === undefined && (tag === undefined || subjectOfCosignTag(tag) !== undefined);
}

function describeEntry({ descriptor, tag, reference }: ListedManifest): string {
  const name = reference ?? tag;
  return name === undefined ? descriptor.digest : `${name}, ${descriptor.digest}`;
}

// --- what is below and beside the images ------------------------------------------------------------------------------

/** What is known to belong into the kit, and whether all of it is there. */
class Tree {
  readonly #store: ContentStore;
  readonly #blobs: ReadonlyMap<Digest, number>;
  readonly #workers: number;
  readonly #known = new Set<Digest>();
  readonly #roots = new Map<Digest, Manifest>();
  readonly #indexes = new Map<Digest, Manifest>();
  /** Of manifests that were read; one that several images list counts for each of them. */
  #bytes = 0;

  constructor(store: ContentStore, blobs: ReadonlyMap<Digest, number>, workers: number) {
    this.#store = store;
    this.#blobs = blobs;
    this.#workers = workers;
  }

  /** An image that has several names is read once. */
  async requireImage({ manifest }: KitImage): Promise<Manifest> {
    const known = knownAs(manifest, this.#roots);
    if (known !== undefined) return known;
    const root = await readManifest(this.#store, manifest);
    for (const { descriptor } of await this.#requireTree(root)) this.#known.add(descriptor.digest);
    this.#roots.set(manifest.digest, root);
    return root;
  }

  /** The index of a platform: one manifest, of which the kit has nothing else than that platform. Of several images it is read once. */
  async requireIndex({ manifest, index }: KitImage): Promise<ImageIndex | undefined> {
    if (index === undefined) return undefined;
    const known = knownAs(index, this.#indexes);
    const found = known ?? (await readManifest(this.#store, index));
    if (known === undefined) this.#spend([found]);
    this.#indexes.set(index.digest, found);
    if (found.kind !== "index") throw broken("the index of a platform is none", index.mediaType);
    if (found.manifests.some(({ digest }) => digest === manifest.digest)) return found;
    throw broken("the index of a platform does not list it", index.digest, manifest.digest);
  }

  /** Everything that is attached leads to an image, by its subject or by a tag of cosign's; else nobody would find it. */
  async requireAttached(listed: readonly ListedManifest[], { attached }: KitList, summaries: Summaries): Promise<void> {
    const subjects = subjectsOf(listed, summaries);
    let rest = [...attached];
    for (let depth = 0; rest.length > 0; depth++) {
      const found = rest.filter((digest) => subjects.get(digest)?.some((subject) => this.#known.has(subject)));
      const [stranger] = rest;
      if (found.length === 0 || depth > LIMITS.attachedDepth) {
        throw broken("it holds something that is attached to none of its images", stranger ?? "");
      }
      for (const digest of found) await this.#requireOne(summaries.get(digest));
      rest = rest.filter((digest) => !this.#known.has(digest));
    }
  }

  async #requireOne(summary: Summary | undefined): Promise<void> {
    if (summary === undefined) return;
    await this.#requireTree(await readManifest(this.#store, summary.descriptor));
    this.#known.add(summary.descriptor.digest);
  }

  async #requireTree(root: Manifest): Promise<readonly Manifest[]> {
    const wanted = `everything in ${root.descriptor.digest}`;
    const tree = (await orBroken(() => readTree(this.#store, root, this.#workers), wanted)).flat();
    this.#spend(tree);
    await this.requireBelow(tree);
    return tree;
  }

  #spend(manifests: readonly Manifest[]): void {
    for (const { bytes } of manifests) this.#bytes += bytes.byteLength;
    if (this.#bytes <= LIMITS.layoutScanBytes) return;
    throw new CountersignError("limit-reached", "the manifests of the kit are too large together", {
      wanted: `at most ${LIMITS.layoutScanBytes} bytes`,
    });
  }

  async requireBelow(manifests: readonly Manifest[]): Promise<void> {
    for (const { digest, size } of manifests.flatMap(childrenOf)) {
      const found = this.#blobs.get(digest);
      if (found === undefined) throw broken("a part of it is missing", "nothing", digest);
      if (found !== size) throw sizeMismatch(`the blob ${digest}`, found, size);
    }
  }
}

/** What was read already, if it is described now as it was then. */
function knownAs({ digest, size, mediaType }: Descriptor, read: ReadonlyMap<Digest, Manifest>): Manifest | undefined {
  const known = read.get(digest);
  if (known === undefined || (known.descriptor.size === size && known.descriptor.mediaType === mediaType)) return known;
  throw broken("one image is described in two ways", digest);
}

/** What each manifest is attached to, as it says itself or as its tag does. */
function subjectsOf(listed: readonly ListedManifest[], summaries: Summaries): ReadonlyMap<Digest, readonly Digest[]> {
  const pairs = listed.flatMap(({ descriptor: { digest }, tag = "" }) =>
    [summaries.get(digest)?.subject, subjectOfCosignTag(tag)].flatMap((subject) =>
      subject === undefined ? [] : [{ digest, subject }],
    ),
  );
  const grouped = Map.groupBy(pairs, ({ digest }) => digest);
  return new Map([...grouped].map(([digest, group]) => [digest, group.map(({ subject }) => subject)]));
}

/** One that cannot be used is no trust root, whoever would have used it. */
async function readTrustRoots(store: ContentStore, { trust }: KitList): Promise<readonly TrustRoot[]> {
  const roots: TrustRoot[] = [];
  for (const { trustedRoot } of trust) {
    const bytes = await store.readBlob({ mediaType: ANY_TYPE, ...trustedRoot }, LIMITS.trustedRootBytes);
    try {
      roots.push(parseTrustedRoot(bytes));
    } catch (error) {
      if (!(error instanceof CountersignError) || error.code !== "trust-invalid") throw error;
      throw broken(`a trust root in it cannot be used: ${error.message}`, error.found ?? "", error.wanted);
    }
  }
  return roots;
}

type Found = Omit<KitEntry, "store">;

interface Read {
  readonly digest: Digest;
  readonly list: KitList;
  readonly found: readonly Found[];
  readonly trustRoots: readonly TrustRoot[];
  readonly listed: readonly ListedManifest[];
  readonly summaries: Summaries;
}

function contentsOf(base: ContentStore, { digest, list, found, trustRoots, listed, summaries }: Read): KitContents {
  const attached = [...summaries.values()].flatMap(({ descriptor, subject }) =>
    subject === undefined ? [] : [{ descriptor, subject }],
  );
  const groups = [...Map.groupBy(attached, ({ subject }) => subject)];
  const referrers = new Map(groups.map(([subject, group]) => [subject, group.map(({ descriptor }) => descriptor)]));
  const companions = listed.filter((entry) => entry.tag !== undefined && isCompanion(entry));
  const tags = new Map(companions.map(({ tag = "", descriptor }) => [tag, descriptor]));
  const heads = new Map(list.images.filter(isHead).map(({ repository, manifest }) => [repository, manifest]));
  const named = new Set(kitBlobs(list).map((blob) => blob.digest));
  return {
    digest,
    list,
    trustRoots,
    entries: found.map((one) => {
      const { repository } = one.image;
      const head = heads.get(repository);
      const own = head === undefined ? tags : new Map([...tags, [HEAD_TAG, head]]);
      return { ...one, store: new KitStore({ base, repository, referrers, tags: own }) };
    }),
    readBlob: async ({ digest: wanted, size }) => {
      if (!named.has(wanted)) throw new CountersignError("internal", "a blob that the kit's list does not name");
      return await base.readBlob({ mediaType: ANY_TYPE, digest: wanted, size }, LIMITS.tufTargetBytes);
    },
  };
}

function broken(what: string, found: string, wanted?: string): CountersignError {
  return new CountersignError("layout-invalid", `the kit is broken: ${what}`, {
    found,
    wanted,
    next: "fetch the kit again, or have it made anew with countersign save",
  });
}
