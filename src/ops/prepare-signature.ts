import { equalBytes } from "../core/bytes.ts";
import { CountersignError, type Finding } from "../core/errors.ts";
import { attestationAnnotations, makeEnvelope } from "../core/formats/cosign-attestation.ts";
import { legacyAnnotations, makeLegacyManifest, makeLegacyPayload } from "../core/formats/cosign-legacy.ts";
import { SIGNATURE_PREDICATE, type StoredSignature } from "../core/formats/envelope.ts";
import { makeStatement } from "../core/formats/intoto.ts";
import { LEGACY_ANNOTATIONS } from "../core/formats/legacy-material.ts";
import { RecordedBefore } from "../core/formats/log-record.ts";
import {
  type BundleParts,
  bundleSignedBytes,
  makeBundle,
  makeReferrerManifest,
  type ReferrerParts,
} from "../core/formats/sigstore-bundle.ts";
import { type Annotations, type Descriptor, describe } from "../core/oci/descriptor.ts";
import type { Digest } from "../core/oci/digest.ts";
import type { ImageManifest, Manifest } from "../core/oci/manifest.ts";
import { MEDIA_TYPES } from "../core/oci/media-types.ts";
import { cosignTag, hasCosignTags } from "../core/oci/referrers.ts";
import type { BlobSource, ContentStore, Signer, Testimony, Witness, Witnessed } from "../core/ports.ts";
import type { Instant } from "../core/time.ts";
import type { Subject, UntrustedCandidate } from "../core/verify/evidence.ts";
import { updateTag } from "./update-tag.ts";

/** Who signs one image, and what bears witness to it. */
export interface Signing {
  readonly signer: Signer;
  readonly witness?: Witness | undefined;
}

/** A signature that was made and is not stored yet. */
export interface PreparedSignature {
  /** Why its log entry is missing, where that was allowed. */
  readonly postponed?: Finding | undefined;
  /** As a verifier would find it. */
  readonly candidate: UntrustedCandidate;
  /** Stores it, and returns when a reader would find it. @throws `write-conflict`, `write-unconfirmed`. */
  store(
    store: ContentStore,
    tagged: SeenTags,
  ): Promise<{ readonly manifest: Digest; readonly tag?: string | undefined }>;
}

/** What tags were seen to name, those that name nothing among them. */
export type SeenTags = ReadonlyMap<string, Manifest | undefined>;

/** What is signed, and what it is. */
export interface SignedStatement {
  readonly statement: Uint8Array;
  readonly predicateType: string;
}

const NOTHING: Testimony = { logEntries: [], timestamps: [] };

/** A signature and what its witnesses say of it. @throws CountersignError what the key and the services fail with. */
export async function signAndWitness(
  signed: Pick<Witnessed, "signedBytes" | "envelope">,
  { signer, witness }: Signing,
): Promise<Testimony & { readonly signature: Uint8Array }> {
  const signature = await signer.sign(signed.signedBytes);
  if (witness === undefined) return { signature, ...NOTHING };
  try {
    return { signature, ...(await witness.witness({ signer, ...signed, signature })) };
  } catch (error) {
    // The answer to an earlier try was lost: a key that signs anew each time gets an entry with another signature.
    const second = error instanceof RecordedBefore ? await signer.sign(signed.signedBytes) : signature;
    if (equalBytes(second, signature)) throw error;
    return { signature: second, ...(await witness.witness({ signer, ...signed, signature: second })) };
  }
}

/** A statement as it is signed for a bundle. */
export function enveloped(statement: Uint8Array): Pick<Witnessed, "signedBytes" | "envelope"> {
  return {
    signedBytes: bundleSignedBytes(statement),
    envelope: { payloadType: MEDIA_TYPES.intoto, payload: statement },
  };
}

/** A bundle over the statement that signs the image, stored as a referrer of the subject. */
export async function prepareBundle(
  subject: Subject,
  signing: Signing,
  annotations: Annotations,
  created: Instant,
): Promise<PreparedSignature> {
  const statement = makeStatement(subject.descriptor.digest, annotations);
  return await prepareStatement(subject, signing, { statement, predicateType: SIGNATURE_PREDICATE }, created);
}

/** A bundle over any statement about the subject, stored in the same way. */
export async function prepareStatement(
  subject: Subject,
  signing: Signing,
  { statement, predicateType }: SignedStatement,
  created: Instant,
): Promise<PreparedSignature> {
  const { signature, logEntries, timestamps, postponed } = await signAndWitness(enveloped(statement), signing);
  const bytes = makeBundle({ statement, signature, signer: bundleSigner(signing.signer), logEntries, timestamps });
  return {
    postponed,
    candidate: { format: "bundle", origin: { via: "file" }, bytes },
    store: async (store) => {
      const isPostponed = postponed !== undefined;
      const { descriptor } = subject;
      return await storeBundle(store, { bundle: bytes, subject: descriptor, created, predicateType, isPostponed });
    },
  };
}

/** How a bundle names its signer: by the certificate, else by the key's hash. */
export function bundleSigner({ certificates, publicKey }: Signer): BundleParts["signer"] {
  const [certificate] = certificates ?? [];
  return certificate === undefined ? { hint: publicKey.hint } : { certificate };
}

/** Stores a bundle as a referrer of its subject; returns when a reader would find it. */
export async function storeBundle(store: ContentStore, parts: ReferrerParts): Promise<{ readonly manifest: Digest }> {
  const stored = makeReferrerManifest(parts);
  await pushBlobs(store, stored);
  await store.pushManifest(stored.manifest);
  return { manifest: stored.manifest.descriptor.digest };
}

/** A legacy payload, appended to what is kept under the subject's `.sig` tag. */
export async function prepareLegacy(
  subject: Subject,
  signing: Signing,
  annotations: Annotations,
): Promise<PreparedSignature> {
  const { digest } = subject.descriptor;
  const tag = legacyTag(digest, "sig");
  const payload = makeLegacyPayload(repositoryOf(subject), digest, annotations);
  const { signature, logEntries, timestamps, postponed } = await signAndWitness({ signedBytes: payload }, signing);
  const certificates = signing.signer.certificates ?? [];
  const layerAnnotations = legacyAnnotations(signature, { certificates, logEntries, timestamps });
  const mediaType = MEDIA_TYPES.simpleSigning;
  return {
    postponed,
    candidate: { format: "cosign-legacy", origin: { via: "file" }, payload, mediaType, annotations: layerAnnotations },
    store: async (store, tagged) => {
      const layer = { mediaType, content: payload, annotations: layerAnnotations };
      const isOurs = (found: Descriptor) => holdsSignature(found, layerAnnotations);
      return await appendLayer(store, tag, tagged.get(tag), layer, isOurs);
    },
  };
}

/**
 * A DSSE envelope, appended to what is kept under the subject's `.att` tag. Without services: cosign wants log entries and
 * timestamps over the envelope there, and not over the signature in it.
 */
export async function prepareAttestation(
  subject: Subject,
  { signer, witness }: Signing,
  { statement, predicateType }: SignedStatement,
): Promise<PreparedSignature> {
  if (witness !== undefined || signer.certificates !== undefined) {
    throw new CountersignError("unsupported", "a legacy attestation is made with a key alone", {
      found: "services that sign along",
      wanted: "the format bundle",
    });
  }
  const { digest } = subject.descriptor;
  const tag = legacyTag(digest, "att");
  const envelope = makeEnvelope(statement, await signer.sign(bundleSignedBytes(statement)));
  const annotations = attestationAnnotations(predicateType, { certificates: [], logEntries: [], timestamps: [] });
  const mediaType = MEDIA_TYPES.dsse;
  return {
    candidate: { format: "cosign-attestation", origin: { via: "file" }, envelope, mediaType, annotations },
    store: async (store, tagged) => {
      const { digest: stored } = describe(envelope, mediaType);
      const layer = { mediaType, content: envelope, annotations };
      return await appendLayer(store, tag, tagged.get(tag), layer, (found) => found.digest === stored);
    },
  };
}

interface Layer {
  readonly mediaType: string;
  readonly content: Uint8Array;
  readonly annotations: Annotations;
}

/** Adds a layer to the manifest under a tag of cosign's, and returns when it is there. */
async function appendLayer(
  store: ContentStore,
  tag: string,
  seen: Manifest | undefined,
  layer: Layer,
  isOurs: (found: Descriptor) => boolean,
): Promise<{ readonly manifest: Digest; readonly tag: string }> {
  const { content, annotations, mediaType } = layer;
  const written = await updateTag(store, tag, {
    seen,
    merge: async (existing) => {
      const stored = makeLegacyManifest(imageOrNothing(existing), content, annotations, mediaType);
      await pushBlobs(store, stored);
      return stored.manifest;
    },
    holds: (found) => found.kind === "image" && found.layers.some(isOurs),
  });
  return { manifest: written.descriptor.digest, tag };
}

function legacyTag(digest: Digest, suffix: "sig" | "att"): string {
  if (hasCosignTags(digest)) return cosignTag(digest, suffix);
  throw new CountersignError("unsupported", "a legacy signature cannot be kept for this kind of digest", {
    found: digest,
    wanted: "a sha256 digest, or the format bundle",
  });
}

function repositoryOf(subject: Subject): string {
  if (subject.repository !== undefined) return subject.repository;
  throw new CountersignError("unsupported", "a legacy signature names its repository, and a file has none", {
    next: "say with --sign-container-identity where it will be published, or sign with --format bundle",
  });
}

function imageOrNothing(existing: Manifest | undefined): ImageManifest | undefined {
  return existing?.kind === "image" ? existing : undefined;
}

function holdsSignature(layer: Descriptor, annotations: Annotations): boolean {
  return layer.annotations?.[LEGACY_ANNOTATIONS.signature] === annotations[LEGACY_ANNOTATIONS.signature];
}

async function pushBlobs(store: ContentStore, stored: StoredSignature): Promise<void> {
  await Promise.all(stored.blobs.map(({ descriptor, bytes }) => store.pushBlob(descriptor, sourceOf(bytes))));
}

/** Bytes in memory as something an upload can read again. */
export function sourceOf(bytes: Uint8Array): BlobSource {
  return {
    async *open(offset) {
      yield bytes.subarray(offset);
    },
  };
}
