import { CountersignError, type Finding, findingUnlessInterrupted } from "../core/errors.ts";
import {
  type Origin,
  SIGNATURE_PREDICATE,
  type UntrustedCandidate,
  type UntrustedEnvelope,
  type UntrustedMaterial,
} from "../core/formats/envelope.ts";
import { parseCandidate, readClaim } from "../core/formats/format.ts";
import { LIMITS } from "../core/limits.ts";
import type { Descriptor } from "../core/oci/descriptor.ts";
import type { Digest } from "../core/oci/digest.ts";
import { artifactTypeOf, type ImageManifest, type Manifest } from "../core/oci/manifest.ts";
import { BUNDLE_PREFIX, MEDIA_TYPES } from "../core/oci/media-types.ts";
import { isRunnable, platformName } from "../core/oci/platform.ts";
import { cosignTag, hasCosignTags } from "../core/oci/referrers.ts";
import type { ContentStore, ReferrersListing } from "../core/ports.ts";
import type { InspectedNode, Inspection, UntrustedDescription } from "../core/results.ts";
import { DEFAULT_TAG_DEMAND, type SignedTags } from "../core/tags/signed-tag.ts";
import { Budget } from "./budget.ts";
import { mapConcurrently } from "./concurrency.ts";
import { allReferrers } from "./referrers.ts";
import { resolveTarget, type Target } from "./verify.ts";

/** Where is read, and how much still may be for the whole tree: what is shown of it is kept in memory. */
interface Source {
  readonly store: ContentStore;
  readonly budget: Budget;
}

const WORKERS = 8;

/**
 * The tree of everything attached to an image: signatures, attestations, SBOMs, other artifacts, for the index and for
 * every manifest in it. Judges nothing.
 */
export async function inspectImage(target: Target): Promise<Inspection> {
  const root = await resolveTarget(target);
  const node = await inspectManifest(
    { store: target.store, budget: new Budget({ items: LIMITS.treeManifests }) },
    root,
    target.tag,
  );
  const tag = target.tag === undefined ? "" : `:${target.tag}`;
  return {
    image: target.image,
    name: `${target.store.location}${tag}@${root.descriptor.digest}`,
    root: node,
    incomplete: isIncomplete(node),
  };
}

/**
 * What a reference means by the signed tags of its repository, where a root is pinned. What is looked at is what the registry calls
 * so all the same: here both are shown.
 */
export async function inspectSignedTag(
  { store, tag, digest }: Target,
  signedTags: SignedTags,
): Promise<Inspection["signedTag"]> {
  try {
    if (store.repository === undefined || !(await signedTags.isPinned(store.repository))) return undefined;
    return (await signedTags.resolve({ store, tag, digest, demand: DEFAULT_TAG_DEMAND })).signedTag;
  } catch (error) {
    return findingUnlessInterrupted(error);
  }
}

function isIncomplete(node: InspectedNode): boolean {
  return node.problems.length > 0 || [...node.attached, ...node.manifests].some(isIncomplete);
}

async function inspectManifest(source: Source, manifest: Manifest, tag?: string): Promise<InspectedNode> {
  const attachments = await inspectAttachments(source, manifest.descriptor.digest);
  const entries = manifest.kind === "index" ? manifest.manifests : [];
  return {
    ...plainNode(manifest.descriptor, manifest.kind),
    ...attachments,
    tag,
    artifactType: manifest.artifactType,
    created: manifest.annotations["org.opencontainers.image.created"],
    manifests: await mapConcurrently(entries, WORKERS, (entry) => inspectEntry(source, entry)),
  };
}

/** An entry of an index: what is attached to it; its own manifest is not needed for that. */
async function inspectEntry(source: Source, entry: Descriptor): Promise<InspectedNode> {
  return {
    ...plainNode(entry, isRunnable(entry) ? "image" : "attestation-manifest"),
    ...(await inspectAttachments(source, entry.digest)),
    ...(entry.platform === undefined ? {} : { platform: platformName(entry.platform) }),
  };
}

function plainNode(descriptor: Descriptor, kind: InspectedNode["kind"]): InspectedNode {
  const { digest, mediaType, size } = descriptor;
  return { kind, digest, mediaType, size, signatures: [], problems: [], attached: [], manifests: [] };
}

type Attachments = Pick<InspectedNode, "attached" | "problems">;

async function inspectAttachments(source: Source, subject: Digest): Promise<Attachments> {
  const parts = [
    await collect(() => inspectReferrers(source, subject)),
    await collect(() => inspectCosignTag(source, subject, "sig")),
    await collect(() => inspectCosignTag(source, subject, "att")),
    await collect(() => inspectCosignTag(source, subject, "sbom")),
  ];
  return { attached: parts.flatMap((part) => part.attached), problems: parts.flatMap((part) => part.problems) };
}

async function collect(look: () => Promise<readonly InspectedNode[]>): Promise<Attachments> {
  try {
    return { attached: await look(), problems: [] };
  } catch (error) {
    return { attached: [], problems: [findingUnlessInterrupted(error)] };
  }
}

async function inspectReferrers(source: Source, subject: Digest): Promise<readonly InspectedNode[]> {
  const { descriptors, via } = await allReferrers(source.store, subject);
  const shown = descriptors.slice(0, source.budget.take(Math.min(descriptors.length, LIMITS.candidates)));
  const nodes = await mapConcurrently(shown, WORKERS, (descriptor) => inspectReferrer(source, descriptor, via));
  if (shown.length === descriptors.length) return nodes;
  throw new CountersignError("limit-reached", "more refers to this image than is read", {
    found: `${descriptors.length} entries`,
    wanted: `at most ${LIMITS.candidates}`,
  });
}

async function inspectReferrer(
  source: Source,
  descriptor: Descriptor,
  via: ReferrersListing["via"],
): Promise<InspectedNode> {
  try {
    source.budget.spend(descriptor.size);
    const manifest = await source.store.manifest(descriptor);
    const artifactType = artifactTypeOf(manifest);
    const { signatures, problems } = await describeLayers(source, manifest, via);
    const signed = signatures.some((signature) => signature.predicateType === SIGNATURE_PREDICATE);
    const kind = signed ? "signature" : artifactType?.startsWith(BUNDLE_PREFIX) ? "attestation" : "artifact";
    const created = manifest.annotations["org.opencontainers.image.created"];
    return { ...plainNode(manifest.descriptor, kind), artifactType, via, created, signatures, problems };
  } catch (error) {
    return { ...plainNode(descriptor, "artifact"), via, problems: [findingUnlessInterrupted(error)] };
  }
}

async function inspectCosignTag(
  source: Source,
  subject: Digest,
  suffix: "sig" | "att" | "sbom",
): Promise<readonly InspectedNode[]> {
  const tag = cosignTag(subject, suffix);
  const manifest = hasCosignTags(subject) ? await source.store.resolve(tag) : undefined;
  if (manifest === undefined) return [];
  source.budget.spend(manifest.descriptor.size);
  const kind = suffix === "sig" ? "signature" : suffix === "att" ? "attestation" : "sbom";
  const { signatures, problems } = await describeLayers(source, manifest, suffix === "att" ? "att-tag" : "sig-tag");
  return [{ ...plainNode(manifest.descriptor, kind), via: "cosign-tag", tag, signatures, problems }];
}

async function describeLayers(
  source: Source,
  manifest: Manifest,
  via: Origin["via"],
): Promise<Pick<InspectedNode, "signatures" | "problems">> {
  const signatures: UntrustedDescription[] = [];
  const problems: Finding[] = [];
  const layers = manifest.kind === "image" ? manifest.layers.slice(0, LIMITS.candidates) : [];
  for (const [at, layer] of layers.entries()) {
    try {
      const description = await describeLayer(source, manifest as ImageManifest, layer, at, via);
      if (description !== undefined) signatures.push(description);
    } catch (error) {
      problems.push(findingUnlessInterrupted(error));
    }
  }
  return { signatures, problems };
}

async function describeLayer(
  source: Source,
  manifest: ImageManifest,
  layer: Descriptor,
  at: number,
  via: Origin["via"],
): Promise<UntrustedDescription | undefined> {
  const origin = { via, manifest: manifest.descriptor.digest, layer: at };
  const annotations = layer.annotations ?? {};
  if (layer.mediaType.startsWith(BUNDLE_PREFIX)) {
    return describeCandidate({ format: "bundle", origin, bytes: await readBlob(source, layer) });
  }
  const { mediaType } = layer;
  if (mediaType === MEDIA_TYPES.dsse) {
    const envelope = await readBlob(source, layer);
    return describeCandidate({ format: "cosign-attestation", origin, envelope, mediaType, annotations });
  }
  if (mediaType !== MEDIA_TYPES.simpleSigning) return undefined;
  const payload = await readBlob(source, layer);
  return describeCandidate({ format: "cosign-legacy", origin, payload, mediaType, annotations });
}

function readBlob({ store, budget }: Source, layer: Descriptor): Promise<Uint8Array> {
  budget.spend(layer.size);
  return store.readBlob(layer, LIMITS.signatureBytes);
}

function describeCandidate(candidate: UntrustedCandidate): Promise<UntrustedDescription> {
  return describeEnvelope(parseCandidate(candidate));
}

/** What an envelope says of itself. @throws CountersignError `malformed-signature`, `limit-reached`. */
export async function describeEnvelope(envelope: UntrustedEnvelope): Promise<UntrustedDescription> {
  const { format, keyHint } = envelope;
  const { predicateType, annotations, subjects } = readClaim(envelope);
  return { format, predicateType, keyHint, ...(await describeMaterial(envelope)), annotations, subjects };
}

/** The library that reads certificates and timestamps is loaded where there are any. */
async function describeMaterial(
  material: UntrustedMaterial,
): Promise<Pick<UntrustedDescription, "hasCertificate" | "logEntries" | "timestamps" | "claimed">> {
  const counts = {
    hasCertificate: material.certificates.length > 0,
    logEntries: material.logEntries.length,
    timestamps: material.timestamps.length,
  };
  if (!counts.hasCertificate && counts.logEntries + counts.timestamps === 0) return counts;
  const { readClaimedMaterial } = await import("../core/trust/claimed-material.ts");
  return { ...counts, claimed: readClaimedMaterial(material) };
}
