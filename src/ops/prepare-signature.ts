import { encodeBase64 } from "../core/bytes.ts";
import { CountersignError } from "../core/errors.ts";
import { LEGACY_ANNOTATIONS, makeLegacyManifest, makeLegacyPayload } from "../core/formats/cosign-legacy.ts";
import type { StoredSignature } from "../core/formats/envelope.ts";
import { makeStatement } from "../core/formats/intoto.ts";
import { bundleSignedBytes, makeBundle, makeReferrerManifest } from "../core/formats/sigstore-bundle.ts";
import type { Annotations } from "../core/oci/descriptor.ts";
import type { Digest } from "../core/oci/digest.ts";
import type { ImageManifest, Manifest } from "../core/oci/manifest.ts";
import { MEDIA_TYPES } from "../core/oci/media-types.ts";
import { cosignTag, hasCosignTags } from "../core/oci/referrers.ts";
import type { BlobSource, ContentStore, Signer } from "../core/ports.ts";
import type { Instant } from "../core/time.ts";
import type { Subject, UntrustedCandidate } from "../core/verify/evidence.ts";
import { updateTag } from "./update-tag.ts";

/** A signature that was made and is not stored yet. */
export interface PreparedSignature {
  /** As a verifier would find it. */
  readonly candidate: UntrustedCandidate;
  /** Stores it, and returns when a reader would find it. @throws `write-conflict`, `write-unconfirmed`. */
  store(store: ContentStore): Promise<{ readonly manifest: Digest; readonly tag?: string | undefined }>;
}

/** A bundle over a statement, stored as a referrer of the subject. */
export async function prepareBundle(
  subject: Subject,
  signer: Signer,
  annotations: Annotations,
  created: Instant,
): Promise<PreparedSignature> {
  const statement = makeStatement(subject.descriptor.digest, annotations);
  const signature = await signer.sign(bundleSignedBytes(statement));
  const bytes = makeBundle({ statement, signature, hint: signer.publicKey.hint });
  return {
    candidate: { format: "bundle", origin: { via: "file" }, bytes },
    store: async (store) => {
      const stored = makeReferrerManifest({ bundle: bytes, subject: subject.descriptor, created });
      await pushBlobs(store, stored);
      await store.pushManifest(stored.manifest);
      return { manifest: stored.manifest.descriptor.digest };
    },
  };
}

/** A legacy payload, appended to what is kept under the subject's `.sig` tag. */
export async function prepareLegacy(
  subject: Subject,
  signer: Signer,
  annotations: Annotations,
): Promise<PreparedSignature> {
  const { digest } = subject.descriptor;
  const tag = legacyTag(digest);
  const payload = makeLegacyPayload(repositoryOf(subject), digest, annotations);
  const signature = encodeBase64(await signer.sign(payload));
  const layerAnnotations = { [LEGACY_ANNOTATIONS.signature]: signature };
  const mediaType = MEDIA_TYPES.simpleSigning;
  return {
    candidate: { format: "cosign-legacy", origin: { via: "file" }, payload, mediaType, annotations: layerAnnotations },
    store: async (store) => {
      const written = await updateTag(
        store,
        tag,
        async (existing) => {
          const stored = makeLegacyManifest(imageOrNothing(existing), payload, signature);
          await pushBlobs(store, stored);
          return stored.manifest;
        },
        (found) => holdsSignature(found, signature),
      );
      return { manifest: written.descriptor.digest, tag };
    },
  };
}

function legacyTag(digest: Digest): string {
  if (hasCosignTags(digest)) return cosignTag(digest, "sig");
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

function holdsSignature(manifest: Manifest, signature: string): boolean {
  if (manifest.kind !== "image") return false;
  return manifest.layers.some((layer) => layer.annotations?.[LEGACY_ANNOTATIONS.signature] === signature);
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
