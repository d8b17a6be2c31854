import { type Finding, findingUnlessInterrupted } from "../core/errors.ts";
import { PREDICATE_ANNOTATION } from "../core/formats/cosign-attestation.ts";
import { candidateBytes, type EvidenceFormat, SIGNATURE_PREDICATE } from "../core/formats/envelope.ts";
import { isOfType, type PredicateType } from "../core/formats/predicates.ts";
import { LIMITS } from "../core/limits.ts";
import { type Descriptor, digestMismatch } from "../core/oci/descriptor.ts";
import { type Digest, digestAlgorithm, digestOf } from "../core/oci/digest.ts";
import { type Manifest, parseDescribedManifest } from "../core/oci/manifest.ts";
import { BUNDLE_PREFIX, MEDIA_TYPES } from "../core/oci/media-types.ts";
import { cosignTag, hasCosignTags } from "../core/oci/referrers.ts";
import type { ContentCache, ContentStore, EvidenceSource, ReferrersListing } from "../core/ports.ts";
import type { Evidence, UntrustedCandidate } from "../core/verify/evidence.ts";
import { Budget } from "./budget.ts";
import { mapConcurrently } from "./concurrency.ts";
import { listedBeside } from "./referrers.ts";

/** A part of the evidence: what one step of looking brought. */
export type EvidencePart = Pick<Evidence, "candidates" | "obstacles">;

export interface GatherOptions {
  readonly cache?: ContentCache | undefined;
  /** What all the platforms of one index may cost together. */
  readonly within?: Budget | undefined;
  /** Only these formats; where absent, those of signatures or, where attestations are wanted, those of attestations. */
  readonly formats?: readonly EvidenceFormat[] | undefined;
  /** Attestations of these types are wanted. */
  readonly types?: readonly PredicateType[] | undefined;
  /** The image's own signature is wanted; where nothing is said, unless attestations are. */
  readonly signatures?: boolean | undefined;
  /** Other places to look in, after the store. */
  readonly sources?: readonly EvidenceSource[] | undefined;
  /** As `ContentStore.referrers` has it: not for a verdict. */
  readonly isSparing?: boolean | undefined;
  /** Takes down what cosign's tags name, or that they name nothing: for who is going to add to them. */
  readonly tagged?: Map<string, Manifest | undefined> | undefined;
}

const WORKERS = 8;
const FIRST_BATCH = 4;

/**
 * Looks everywhere a signature or attestation of `subject` can be stored, cheapest and likeliest first, and yields what it finds step by
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
  const { cache, within, types, signatures = types === undefined, sources = [], isSparing = false } = options;
  const { tagged } = options;
  const search: Search = {
    store,
    subject,
    cache,
    types,
    signatures,
    isSparing,
    tagged,
    budget: new Budget({ within }),
  };
  const formats = options.formats ?? formatsOf(search);
  if (formats.includes("bundle")) yield* gatherBundles(search);
  if (formats.includes("cosign-legacy")) yield* gatherTagged(search, SIGNATURE_TAG);
  if (formats.includes("cosign-attestation")) yield* gatherTagged(search, ATTESTATION_TAG);
  for (const source of sources) yield* gatherFrom(source, search, formats);
}

/** Each kind has a tag of its own; what is not wanted is not asked for. */
function formatsOf({ types, signatures }: Pick<Search, "types" | "signatures">): readonly EvidenceFormat[] {
  return [
    "bundle",
    ...(signatures ? (["cosign-legacy"] as const) : []),
    ...(types === undefined ? [] : (["cosign-attestation"] as const)),
  ];
}

/** One looking for the signatures of one subject: where, and how much of it may still be read. */
interface Search {
  readonly store: ContentStore;
  readonly subject: Digest;
  readonly cache: ContentCache | undefined;
  readonly types: readonly PredicateType[] | undefined;
  readonly signatures: boolean;
  readonly isSparing: boolean;
  readonly tagged: GatherOptions["tagged"];
  readonly budget: Budget;
}

async function* gatherBundles(search: Search): AsyncGenerator<EvidencePart, void, undefined> {
  const { store, subject, isSparing } = search;
  const listing = await attempt(() => store.referrers(subject, { isSparing }));
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
  for (const tier of likeliestFirst(descriptors, search)) {
    const readers = tier.map((descriptor) => () => readReferrer(search, descriptor, via));
    if (yield* inBatches(readers, search.budget)) return;
  }
}

/** A tag of cosign 1 and 2, and what its layers are. */
interface CosignTag {
  readonly suffix: "sig" | "att";
  readonly mediaType: string;
  candidate(layer: Descriptor, bytes: Uint8Array, at: Place): UntrustedCandidate;
}

interface Place {
  readonly manifest: Digest;
  readonly layer: number;
}

const SIGNATURE_TAG: CosignTag = {
  suffix: "sig",
  mediaType: MEDIA_TYPES.simpleSigning,
  candidate: ({ mediaType, annotations = {} }, payload, place) => {
    return { format: "cosign-legacy", origin: { via: "sig-tag", ...place }, payload, mediaType, annotations };
  },
};

const ATTESTATION_TAG: CosignTag = {
  suffix: "att",
  mediaType: MEDIA_TYPES.dsse,
  candidate: ({ mediaType, annotations = {} }, envelope, place) => {
    return { format: "cosign-attestation", origin: { via: "att-tag", ...place }, envelope, mediaType, annotations };
  },
};

async function* gatherTagged(search: Search, tag: CosignTag): AsyncGenerator<EvidencePart, void, undefined> {
  const { store, subject } = search;
  if (!hasCosignTags(subject)) return;
  const name = cosignTag(subject, tag.suffix);
  const found = await attempt(() => store.resolve(name));
  if ("obstacle" in found) return yield { candidates: [], obstacles: [found.obstacle] };
  const manifest = found.value;
  search.tagged?.set(name, manifest);
  if (manifest?.kind !== "image") return;
  const places = manifest.layers.map((layer, at) => ({ layer, at, tier: layerTier(layer, search.types) }));
  const wanted = places.filter(({ layer }) => layer.mediaType === tag.mediaType);
  const readers = wanted
    .toSorted((a, b) => a.tier - b.tier)
    .map(({ layer, at }) => async () => {
      const place = { manifest: manifest.descriptor.digest, layer: at };
      return [tag.candidate(layer, await readSmallBlob(search, layer), place)];
    });
  yield* inBatches(readers, search.budget);
}

/** Another place than the store: what it lists is bounded like the rest. */
async function* gatherFrom(
  source: EvidenceSource,
  { subject, budget }: Search,
  formats: readonly EvidenceFormat[],
): AsyncGenerator<EvidencePart, void, undefined> {
  try {
    for await (const { candidates: offered, obstacles } of source.look(subject)) {
      const candidates = offered.filter(({ format }) => formats.includes(format));
      const allowed = candidates.slice(0, budget.take(candidates.length));
      for (const candidate of allowed) budget.spend(candidateBytes(candidate).byteLength);
      yield { candidates: allowed, obstacles };
      if (allowed.length < candidates.length) return yield { candidates: [], obstacles: [tooMany()] };
    }
  } catch (error) {
    yield { candidates: [], obstacles: [findingUnlessInterrupted(error)] };
  }
}

type Reader = () => Promise<readonly UntrustedCandidate[]>;

/**
 * Batches double, so that reading more costs no more than twice what was read before.
 *
 * @returns whether the budget was used up.
 */
async function* inBatches(
  readers: readonly Reader[],
  budget: Budget,
): AsyncGenerator<EvidencePart, boolean, undefined> {
  let start = 0;
  for (let size = FIRST_BATCH; start < readers.length; size *= 2) {
    const wanted = Math.min(size, readers.length - start);
    const allowed = budget.take(wanted);
    if (allowed > 0) yield await readBatch(readers.slice(start, start + allowed));
    if (allowed < wanted) {
      yield { candidates: [], obstacles: [tooMany()] };
      return true;
    }
    start += wanted;
  }
  return false;
}

async function readBatch(readers: readonly Reader[]): Promise<EvidencePart> {
  // In the order of the readers, not in that of the answers: the same store is told of in the same words every time.
  const results = await mapConcurrently(readers, WORKERS, attempt);
  return {
    candidates: results.flatMap((result) => ("obstacle" in result ? [] : result.value)),
    obstacles: results.flatMap((result) => ("obstacle" in result ? [result.obstacle] : [])),
  };
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
 * What is declared a bundle of the wanted kind comes first, then what declares nothing useful; each tier is read before the
 * next one is begun. Of equals the smaller, so that large junk does not use up what may be read before a signature's turn.
 * Each once. Only the order rests on the claims.
 */
function likeliestFirst(descriptors: readonly Descriptor[], wanted: Wanted): readonly (readonly Descriptor[])[] {
  const distinct = [...new Map(descriptors.map((descriptor) => [descriptor.digest, descriptor])).values()];
  const smallerFirst = distinct.toSorted((a, b) => a.size - b.size);
  return TIERS.map((tier) => smallerFirst.filter((descriptor) => tierOf(descriptor, wanted) === tier));
}

const TIERS = [0, 1, 2, 3, 4] as const;

type Wanted = Pick<Search, "types" | "signatures">;

function tierOf(descriptor: Descriptor, wanted: Wanted): (typeof TIERS)[number] {
  const type = descriptor.artifactType;
  if (type?.startsWith(BUNDLE_PREFIX)) return bundleTier(descriptor, wanted);
  return type === undefined || type === MEDIA_TYPES.ociEmpty || type === MEDIA_TYPES.ociConfig ? 3 : 4;
}

/** 0 for what says that it is wanted, 1 for what says nothing of its type, 2 for what says that it is something else. */
function bundleTier({ annotations }: Descriptor, { types, signatures }: Wanted): 0 | 1 | 2 {
  const claimed = annotations?.["dev.sigstore.bundle.predicateType"];
  const isOfSignature = claimed === undefined || claimed === SIGNATURE_PREDICATE;
  if (signatures && isOfSignature) return 0;
  return types === undefined ? 2 : typeTier(claimed, types);
}

/** The same for a layer of cosign's tags. */
function layerTier({ annotations }: Descriptor, types: Search["types"]): 0 | 1 | 2 {
  return types === undefined ? 0 : typeTier(annotations?.[PREDICATE_ANNOTATION], types);
}

function typeTier(claimed: string | undefined, types: readonly PredicateType[]): 0 | 1 | 2 {
  if (claimed === undefined) return 1;
  return types.some((type) => isOfType(claimed, type)) ? 0 : 2;
}

function tooMany(): Finding {
  return {
    code: "limit-reached",
    message: "more is stored as signatures of this image than is read",
    wanted: `at most ${LIMITS.candidates} entries`,
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
