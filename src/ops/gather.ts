import { type Finding, findingUnlessInterrupted } from "../core/errors.ts";
import { SIGNATURE_PREDICATE } from "../core/formats/envelope.ts";
import { LIMITS } from "../core/limits.ts";
import { type Annotations, type Descriptor, digestMismatch } from "../core/oci/descriptor.ts";
import { type Digest, digestAlgorithm, digestOf } from "../core/oci/digest.ts";
import { type ImageManifest, type Manifest, parseDescribedManifest } from "../core/oci/manifest.ts";
import { BUNDLE_PREFIX, MEDIA_TYPES } from "../core/oci/media-types.ts";
import { cosignTag, hasCosignTags } from "../core/oci/referrers.ts";
import type { ContentCache, ContentStore, ReferrersListing } from "../core/ports.ts";
import type { Evidence, UntrustedCandidate } from "../core/verify/evidence.ts";
import { Budget } from "./budget.ts";
import { forEachConcurrently } from "./concurrency.ts";
import { listedBeside } from "./referrers.ts";

/** A part of the evidence: what one step of looking brought. */
export type EvidencePart = Pick<Evidence, "candidates" | "obstacles">;

export interface GatherOptions {
  readonly cache?: ContentCache | undefined;
  /** What all the platforms of one index may cost together. */
  readonly within?: Budget | undefined;
  /** Only these formats; both where absent. */
  readonly formats?: readonly UntrustedCandidate["format"][] | undefined;
}

const WORKERS = 8;
const FIRST_BATCH = 4;

/**
 * Looks everywhere a signature of `subject` can be stored, cheapest and likeliest first, and yields what it finds step by
 * step, so that the caller can stop at the first acceptance. What cannot be read is an obstacle, never an absence.
 * Bounded by LIMITS.candidates and LIMITS.candidateBytes; reaching a bound is an obstacle too.
 *
 * @throws CountersignError only `interrupted`.
 */
export async function* gather(
  store: ContentStore,
  subject: Digest,
  options: GatherOptions = {},
): AsyncGenerator<EvidencePart, void, undefined> {
  const search: Search = { store, subject, cache: options.cache, budget: new Budget({ within: options.within }) };
  const formats = options.formats ?? ["bundle", "cosign-legacy"];
  if (formats.includes("bundle")) yield* gatherBundles(search);
  if (formats.includes("cosign-legacy")) yield* gatherLegacy(search);
}

/** One looking for the signatures of one subject: where, and how much of it may still be read. */
interface Search {
  readonly store: ContentStore;
  readonly subject: Digest;
  readonly cache: ContentCache | undefined;
  readonly budget: Budget;
}

async function* gatherBundles(search: Search): AsyncGenerator<EvidencePart, void, undefined> {
  const { store, subject } = search;
  const listing = await attempt(() => store.referrers(subject));
  if ("obstacle" in listing) return yield { candidates: [], obstacles: [listing.obstacle] };
  yield* gatherReferrers(search, listing.value);
  const beside = await attempt(() => listedBeside(store, subject, listing.value));
  if ("obstacle" in beside) return yield { candidates: [], obstacles: [beside.obstacle] };
  yield* gatherReferrers(search, beside.value);
}

async function* gatherReferrers(
  search: Search,
  { descriptors, via }: ReferrersListing,
): AsyncGenerator<EvidencePart, void, undefined> {
  const readers = likeliestFirst(descriptors).map((descriptor) => () => readReferrer(search, descriptor, via));
  yield* inBatches(readers, search.budget);
}

async function* gatherLegacy(search: Search): AsyncGenerator<EvidencePart, void, undefined> {
  const { store, subject } = search;
  if (!hasCosignTags(subject)) return;
  const found = await attempt(() => store.resolve(cosignTag(subject, "sig")));
  if ("obstacle" in found) return yield { candidates: [], obstacles: [found.obstacle] };
  const manifest = found.value;
  if (manifest?.kind !== "image") return;
  const readers = manifest.layers.flatMap((layer, at) =>
    layer.mediaType === MEDIA_TYPES.simpleSigning ? [() => readLegacyLayer(search, manifest, layer, at)] : [],
  );
  yield* inBatches(readers, search.budget);
}

type Reader = () => Promise<readonly UntrustedCandidate[]>;

/** Batches double, so that reading more costs no more than twice what was read before. */
async function* inBatches(readers: readonly Reader[], budget: Budget): AsyncGenerator<EvidencePart, void, undefined> {
  let start = 0;
  for (let size = FIRST_BATCH; start < readers.length; size *= 2) {
    const wanted = Math.min(size, readers.length - start);
    const allowed = budget.take(wanted);
    if (allowed > 0) yield await readBatch(readers.slice(start, start + allowed));
    if (allowed < wanted) return yield { candidates: [], obstacles: [tooMany(readers.length)] };
    start += wanted;
  }
}

async function readBatch(readers: readonly Reader[]): Promise<EvidencePart> {
  const candidates: UntrustedCandidate[] = [];
  const obstacles: Finding[] = [];
  await forEachConcurrently(readers, WORKERS, async (read) => {
    const result = await attempt(read);
    if ("obstacle" in result) obstacles.push(result.obstacle);
    else candidates.push(...result.value);
  });
  return { candidates, obstacles };
}

/** One referrer: its manifest must name our subject and hold exactly one bundle; anything else is not a signature. */
async function readReferrer(
  search: Search,
  descriptor: Descriptor,
  via: ReferrersListing["via"],
): Promise<readonly UntrustedCandidate[]> {
  const manifest = await readManifest(search, descriptor);
  const [layer, ...others] = manifest.kind === "image" ? manifest.layers : [];
  if (manifest.subject?.digest !== search.subject || layer === undefined || others.length > 0) return [];
  if (!layer.mediaType.startsWith(BUNDLE_PREFIX)) return [];
  const bytes = await readSmallBlob(search, layer);
  return [{ format: "bundle", origin: { via, manifest: descriptor.digest, layer: 0 }, bytes }];
}

async function readLegacyLayer(
  search: Search,
  manifest: ImageManifest,
  layer: Descriptor,
  at: number,
): Promise<readonly UntrustedCandidate[]> {
  const payload = await readSmallBlob(search, layer);
  const annotations: Annotations = layer.annotations ?? {};
  const origin = { via: "sig-tag", manifest: manifest.descriptor.digest, layer: at } as const;
  return [{ format: "cosign-legacy", origin, payload, mediaType: layer.mediaType, annotations }];
}

async function readManifest({ store, budget, cache }: Search, descriptor: Descriptor): Promise<Manifest> {
  budget.spend(descriptor.size);
  const known = await cache?.get(descriptor.digest);
  if (known !== undefined) return parseDescribedManifest(known, descriptor);
  const manifest = await store.manifest(descriptor);
  await cache?.put(descriptor.digest, manifest.bytes);
  return manifest;
}

async function readSmallBlob({ store, budget, cache }: Search, descriptor: Descriptor): Promise<Uint8Array> {
  budget.spend(descriptor.size);
  const known = await cache?.get(descriptor.digest);
  if (known !== undefined && known.byteLength === descriptor.size) return known;
  const bytes = await store.readBlob(descriptor, LIMITS.signatureBytes);
  const found = digestOf(bytes, digestAlgorithm(descriptor.digest));
  if (found !== descriptor.digest) throw digestMismatch(`the signature ${descriptor.digest}`, found, descriptor.digest);
  await cache?.put(descriptor.digest, bytes);
  return bytes;
}

/**
 * What is declared a bundle comes first, then what declares nothing useful; of equals the smaller, so that large junk
 * does not use up what may be read before a signature's turn. Each once. Only the order rests on the claims.
 */
function likeliestFirst(descriptors: readonly Descriptor[]): readonly Descriptor[] {
  const tier = (descriptor: Descriptor): number => {
    const type = descriptor.artifactType;
    if (type?.startsWith(BUNDLE_PREFIX)) return isAttestation(descriptor) ? 1 : 0;
    return type === undefined || type === MEDIA_TYPES.ociEmpty || type === MEDIA_TYPES.ociConfig ? 2 : 3;
  };
  const distinct = new Map(descriptors.map((descriptor) => [descriptor.digest, descriptor]));
  return [...distinct.values()].toSorted((a, b) => tier(a) - tier(b) || a.size - b.size);
}

function isAttestation(descriptor: Descriptor): boolean {
  const predicate = descriptor.annotations?.["dev.sigstore.bundle.predicateType"];
  return predicate !== undefined && predicate !== SIGNATURE_PREDICATE;
}

function tooMany(count: number): Finding {
  return {
    code: "limit-reached",
    message: "more is stored as signatures of this image than is read",
    found: `${count} entries`,
    wanted: `at most ${LIMITS.candidates}`,
  };
}

async function attempt<Value>(
  action: () => Promise<Value>,
): Promise<{ readonly value: Value } | { readonly obstacle: Finding }> {
  try {
    return { value: await action() };
  } catch (error) {
    return { obstacle: findingUnlessInterrupted(error) };
  }
}
