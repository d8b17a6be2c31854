import type { Diagnosis } from "../core/compat/diagnosis.ts";
import type { Given } from "../core/compat/given.ts";
import type { Peer } from "../core/compat/peer.ts";
import { PEERS } from "../core/compat/peers.ts";
import { predict } from "../core/compat/predict.ts";
import {
  brief,
  describeStored,
  type Listing,
  type Shelf,
  type StoredEvidence,
  type StoredSignature,
  type StoredSubject,
} from "../core/compat/stored.ts";
import { type Finding, findingUnlessInterrupted } from "../core/errors.ts";
import type { EvidenceFormat, UntrustedCandidate } from "../core/formats/envelope.ts";
import { LIMITS } from "../core/limits.ts";
import type { Descriptor, Platform } from "../core/oci/descriptor.ts";
import type { Digest } from "../core/oci/digest.ts";
import { artifactTypeOf } from "../core/oci/manifest.ts";
import { MEDIA_TYPES } from "../core/oci/media-types.ts";
import { isRunnable, platformName } from "../core/oci/platform.ts";
import type { ContentCache, ContentStore } from "../core/ports.ts";
import type { SignedTag } from "../core/tags/signed-tag.ts";
import { divergenceOf } from "../core/tags/signed-tag-words.ts";
import { Budget } from "./budget.ts";
import { mapConcurrently } from "./concurrency.ts";
import { gather } from "./gather.ts";
import { listedBeside } from "./referrers.ts";
import { nameOf, reachNarrowed, type TagJudging, type Target } from "./verify.ts";
import { type Asked, withMaker } from "./wanted-maker.ts";

/** `acceptance`: whose signatures the verifiers ask for; absent where the question is what they find and read. */
export interface DoctorOptions extends Asked {
  /** What the verifiers are told beside: nothing where absent. */
  readonly told?: Partial<Pick<Given, "ignoresLog" | "ignoresScts" | "takesTimestamps">> | undefined;
  /** The rows of the table that are asked for; all where absent. */
  readonly peers?: readonly Peer[] | undefined;
  readonly cache?: ContentCache | undefined;
  /** How tags are resolved; by the registry where absent. */
  readonly tags?: TagJudging | undefined;
  /** Of an index, this one alone. */
  readonly platform?: Platform | undefined;
}

export interface DiagnosedImage extends Diagnosis {
  /** What it was reached by, where a root of the repository is pinned. The others go by the registry's own tag. */
  readonly signedTag: SignedTag | undefined;
}

/**
 * Looks at everything that is stored beside an image, and for an index beside each of its platforms, and says what others
 * will make of it. Judges nothing itself.
 *
 * @throws CountersignError where the image itself cannot be looked at, what signed tags refuse, and `interrupted`.
 */
export async function diagnose(named: Target, options: DoctorOptions): Promise<DiagnosedImage> {
  const { target, root } = await reachNarrowed(named, options.platform, options);
  const { digest } = root.descriptor;
  const look: Look = {
    store: target.store,
    options,
    budget: new Budget({ items: LIMITS.indexCandidates, bytes: LIMITS.indexCandidateBytes }),
    broken: [],
  };
  const peers = options.peers ?? PEERS;
  const perPlatform = root.kind === "index" && peers.some(({ judges }) => judges === "platforms");
  const entries = perPlatform ? root.manifests.filter(isRunnable) : [];
  const stored: StoredEvidence = {
    root: await lookAt(look, digest),
    platforms: await mapConcurrently(entries, WORKERS, (entry) => lookAt(look, entry.digest, platformOf(entry))),
    repository: target.store.repository,
  };
  const obstacles = [stored.root, ...stored.platforms].flatMap((subject) => Object.values(subject.obstacles));
  const given = givenFor(nameForAdvice(target, digest), options);
  const { broken } = look;
  const predictions = predict(stored, given, peers);
  const { image, bound } = target;
  const name = nameOf(target, root.descriptor);
  return { image, name, digest, signedTag: bound?.signedTag, stored, predictions, obstacles, broken };
}

const WORKERS = 8;

function platformOf({ platform }: Descriptor): string | undefined {
  return platform === undefined ? undefined : platformName(platform);
}

/** Where the registry's tag names another image, what is to be done by name would be done to that one. */
function nameForAdvice(target: Target, digest: Digest): Target {
  const signedTag = target.bound?.signedTag;
  if (signedTag === undefined || divergenceOf(signedTag) === undefined) return target;
  return { ...target, image: `${target.store.location}@${digest}` };
}

function givenFor({ image, store }: Target, { acceptance, told }: DoctorOptions): Given {
  const byKey = acceptance === undefined || acceptance.keys.length > 0 ? "key" : "identity";
  const nothing = { ignoresLog: false, ignoresScts: false, takesTimestamps: false };
  return { ...nothing, ...told, signer: acceptance && byKey, repository: store.repository, image };
}

/** One looking: at the image and at all of its platforms. */
interface Look {
  readonly store: ContentStore;
  readonly options: DoctorOptions;
  readonly budget: Budget;
  readonly broken: Finding[];
}

async function lookAt(look: Look, digest: Digest, platform?: string): Promise<StoredSubject> {
  const obstacles: Partial<Record<Shelf, Finding>> = {};
  const signatures: StoredSignature[] = [];
  let brokenBundles = 0;
  const listings = await noting(obstacles, "referrers", () => listingsOf(look.store, digest));
  for (const { shelf, format } of SHELVES) {
    const found = await candidatesOf(look, digest, format);
    if (found.obstacle !== undefined) obstacles[shelf] ??= found.obstacle;
    const described = describeAll(look, found.candidates, digest, listings);
    signatures.push(...described);
    if (format === "bundle") brokenBundles = found.candidates.length - described.length;
  }
  const notary = await noting(obstacles, "referrers", () => notarySignatures(look, digest, listings ?? []));
  signatures.push(...(notary ?? []));
  return { digest, platform, signatures, referrers: listings?.length ?? 0, brokenBundles, obstacles };
}

const SHELVES: readonly { readonly shelf: Shelf; readonly format: EvidenceFormat }[] = [
  { shelf: "referrers", format: "bundle" },
  { shelf: "sig-tag", format: "cosign-legacy" },
  { shelf: "att-tag", format: "cosign-attestation" },
];

async function noting<Value>(
  obstacles: Partial<Record<Shelf, Finding>>,
  shelf: Shelf,
  look: () => Promise<Value>,
): Promise<Value | undefined> {
  try {
    return await look();
  } catch (error) {
    obstacles[shelf] ??= findingUnlessInterrupted(error);
    return undefined;
  }
}

// --- referrers --------------------------------------------------------------------------------------------------------

interface Listed {
  readonly descriptor: Descriptor;
  readonly listing: Listing;
}

/** All that is listed, and how: what only the tag lists is not seen by who asks the API first. */
async function listingsOf(store: ContentStore, digest: Digest): Promise<readonly Listed[]> {
  const asked = await store.referrers(digest);
  // A memory decided how it was asked: once the other way was tried, it is known, and the next answer rests on that.
  await asked.rest?.();
  const { via, descriptors } = asked.rest === undefined ? asked : await store.referrers(digest);
  const beside = await listedBeside(store, digest, { via, descriptors });
  return [
    ...descriptors.map((descriptor) => ({ descriptor, listing: via })),
    ...beside.descriptors.map((descriptor) => ({ descriptor, listing: "tag-beside-api" as const })),
  ];
}

/** Signatures of the Notary Project: what kind of envelope they hold, and no more. */
async function notarySignatures(
  { store, budget }: Look,
  subject: Digest,
  listings: readonly Listed[],
): Promise<readonly StoredSignature[]> {
  const candidates = listings.filter(({ descriptor: { artifactType } }) => MAY_BE_NOTARY.has(artifactType));
  const found = await mapConcurrently(candidates, WORKERS, async ({ descriptor, listing }) => {
    budget.spend(descriptor.size);
    const manifest = await store.manifest(descriptor);
    const [layer] = manifest.kind === "image" ? manifest.layers : [];
    const isNotary = artifactTypeOf(manifest) === NOTARY_SIGNATURE && manifest.subject?.digest === subject;
    if (!isNotary || layer === undefined) return [];
    return [notarySignature(manifest.descriptor.digest, layer.mediaType, listing)];
  });
  return found.flat();
}

/** Both shapes: named by the manifest itself, or by the media type of its configuration. */
const NOTARY_SIGNATURE = "application/vnd.cncf.notary.signature";

/** Some registries list the type of the configuration, some none. */
const MAY_BE_NOTARY: ReadonlySet<string | undefined> = new Set([NOTARY_SIGNATURE, MEDIA_TYPES.ociEmpty, undefined]);

function notarySignature(manifest: Digest, envelopeType: string, listing: Listing): StoredSignature {
  return {
    form: "notation",
    listing,
    manifest,
    layer: 0,
    isAbout: true,
    envelopeType: brief(envelopeType),
    maker: { kind: "unread" },
    entries: [],
    timestamps: 0,
  };
}

// --- signatures -------------------------------------------------------------------------------------------------------

interface Found {
  readonly candidates: readonly UntrustedCandidate[];
  readonly obstacle: Finding | undefined;
}

async function candidatesOf({ store, options, budget }: Look, digest: Digest, format: EvidenceFormat): Promise<Found> {
  const candidates: UntrustedCandidate[] = [];
  let obstacle: Finding | undefined;
  for await (const part of gather(store, digest, { formats: [format], cache: options.cache, within: budget })) {
    candidates.push(...part.candidates);
    obstacle ??= part.obstacles[0];
  }
  return { candidates, obstacle };
}

/** Everything that can be read; what cannot is skipped by verifiers too, and is told. */
function describeAll(
  { options, broken }: Look,
  candidates: readonly UntrustedCandidate[],
  subject: Digest,
  listings: readonly Listed[] | undefined,
): readonly StoredSignature[] {
  return candidates.flatMap((candidate) => {
    try {
      const described = describeStored(candidate, { subject, listing: listingOf(candidate, listings) });
      return [withMaker(described, candidate, subject, options)];
    } catch (error) {
      broken.push(findingUnlessInterrupted(error));
      return [];
    }
  });
}

function listingOf({ format, origin }: UntrustedCandidate, listings: readonly Listed[] | undefined): Listing {
  if (format !== "bundle") return "cosign-tag";
  const listed = listings?.find(({ descriptor }) => descriptor.digest === origin.manifest);
  return listed?.listing ?? (origin.via === "layout" ? "layout" : "referrers-api");
}
