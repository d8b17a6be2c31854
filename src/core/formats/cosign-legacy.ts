import { decodeBase64, encodeBase64, encodeUtf8 } from "../bytes.ts";
import { CountersignError } from "../errors.ts";
import { type JsonObject, type JsonValue, parseJsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { type Annotations, type Descriptor, describe } from "../oci/descriptor.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { type ImageManifest, parseManifest } from "../oci/manifest.ts";
import { MEDIA_TYPES } from "../oci/media-types.ts";
import { parseReference, repositoryName } from "../oci/reference.ts";
import { formatAnnotations, goString, readAnnotations } from "./annotations.ts";
import {
  SIGNATURE_PREDICATE,
  type StoredSignature,
  type UntrustedCandidate,
  type UntrustedEnvelope,
  type UntrustedMaterial,
  type VerifiedClaim,
} from "./envelope.ts";
import { LEGACY_ANNOTATIONS, readAnnotation, readLegacyMaterial, writeLegacyMaterial } from "./legacy-material.ts";
import { malformed, requireClosed, requireObject, requireString } from "./members.ts";

const PAYLOAD_TYPE = "cosign container image signature";
const PAYLOAD = "the payload";
const READING = { what: PAYLOAD, code: "malformed-signature", maxBytes: LIMITS.signatureBytes } as const;

// --- writing ----------------------------------------------------------------------------------------------------------

/**
 * The payload that is signed, byte for byte as cosign makes it: compact, in this order, escaped as Go does, `optional`
 * null without annotations. `repository` is `registry/repository` as `repositoryName` gives it.
 */
export function makeLegacyPayload(repository: string, digest: Digest, annotations: Annotations = {}): Uint8Array {
  const optional = Object.keys(annotations).length === 0 ? "null" : formatAnnotations(annotations);
  return encodeUtf8(
    `{"critical":{"identity":{"docker-reference":${goString(cosignName(repository))}},` +
      `"image":{"docker-manifest-digest":"${digest}"},"type":"${PAYLOAD_TYPE}"},"optional":${optional}}`,
  );
}

/** cosign's library calls Docker Hub by its old name; readers take both for the same place. */
function cosignName(repository: string): string {
  return repository.replace(/^docker\.io\//, "index.docker.io/");
}

/** A layer's annotations: the signature, and what is to prove who made it. */
export function legacyAnnotations(signature: Uint8Array, material: UntrustedMaterial): Annotations {
  return { [LEGACY_ANNOTATIONS.signature]: encodeBase64(signature), ...writeLegacyMaterial(material) };
}

/**
 * The manifest under one of cosign's tags with this layer as its last: a new one, or the existing one with every member and layer
 * kept as it is. The configuration is made anew from the layers, as cosign does.
 *
 * @throws CountersignError `limit-reached` where cosign would no longer read the result.
 */
export function makeLegacyManifest(
  existing: ImageManifest | undefined,
  content: Uint8Array,
  annotations: Annotations,
  layerType: string = MEDIA_TYPES.simpleSigning,
): StoredSignature {
  const layer: Descriptor = { ...describe(content, layerType), annotations };
  const digests = [...(existing?.layers ?? []).map((each) => each.digest), layer.digest];
  if (digests.length > LIMITS.candidates) {
    throw new CountersignError("limit-reached", "the image has too many legacy signatures to add one", {
      found: `${digests.length - 1} signatures`,
      wanted: `fewer than ${LIMITS.candidates}`,
    });
  }
  const configBytes = encodeUtf8(legacyConfig(digests));
  const config = describe(configBytes, existing?.config.mediaType ?? MEDIA_TYPES.ociConfig);
  const manifest = existing === undefined ? newManifest(config, layer) : appended(existing, config, layer);
  const mediaType = existing?.descriptor.mediaType ?? MEDIA_TYPES.ociManifest;
  return {
    manifest: parseManifest(encodeUtf8(manifest), mediaType) as ImageManifest,
    blobs: [
      { descriptor: config, bytes: configBytes },
      { descriptor: layer, bytes: content },
    ],
  };
}

function newManifest(config: Descriptor, layer: Descriptor): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: inCosignOrder(config),
    layers: [inCosignOrder(layer)],
  });
}

/** Works on the document, not on our reading of it: members that we do not know belong to other signers. */
function appended(existing: ImageManifest, config: Descriptor, layer: Descriptor): string {
  const json = parseJsonObject(existing.bytes, {
    what: "the manifest of signatures",
    code: "manifest-invalid",
    maxBytes: LIMITS.manifestBytes,
  });
  const layers = json["layers"] as readonly JsonValue[];
  return JSON.stringify({
    ...json,
    config: inCosignOrder(config),
    layers: [...layers, inCosignOrder(layer)],
  });
}

function inCosignOrder({ mediaType, size, digest, annotations }: Descriptor): Descriptor {
  return { mediaType, size, digest, annotations };
}

/** An image configuration with nothing in it but the layers; times are Go's zero. */
export function legacyConfig(layers: readonly Digest[]): string {
  const created = "0001-01-01T00:00:00Z";
  return JSON.stringify({
    architecture: "",
    created,
    history: layers.map(() => ({ created })),
    os: "",
    rootfs: { type: "layers", diff_ids: layers },
    config: {},
  });
}

// --- reading ----------------------------------------------------------------------------------------------------------

type LegacyCandidate = Extract<UntrustedCandidate, { format: "cosign-legacy" }>;

/** @throws CountersignError `malformed-signature`. */
export function parseLegacySignature(candidate: LegacyCandidate): UntrustedEnvelope {
  if (candidate.mediaType !== MEDIA_TYPES.simpleSigning) {
    throw malformed("the layer is not a simple signing payload", candidate.mediaType, MEDIA_TYPES.simpleSigning);
  }
  if (candidate.payload.byteLength > LIMITS.signatureBytes) {
    throw new CountersignError("limit-reached", `${PAYLOAD} is too large to read`, {
      found: `${candidate.payload.byteLength} bytes`,
      wanted: `at most ${LIMITS.signatureBytes} bytes`,
    });
  }
  const signature = readSignature(readAnnotation(candidate.annotations, LEGACY_ANNOTATIONS.signature));
  return {
    format: "cosign-legacy",
    origin: candidate.origin,
    encoding: "plain",
    signed: { kind: "bytes", bytes: candidate.payload },
    signature,
    timestamped: signature,
    payload: candidate.payload,
    payloadType: candidate.mediaType,
    ...readLegacyMaterial(candidate.annotations),
  };
}

function readSignature(text: string): Uint8Array {
  const bytes = decodeBase64(text);
  if (bytes !== undefined && bytes.byteLength > 0) return bytes;
  throw malformed(
    "the layer has no signature in its annotations",
    text === "" ? "nothing" : "lax base64",
    `standard base64 in ${LEGACY_ANNOTATIONS.signature}`,
  );
}

/**
 * Reads a payload whose signature was verified (containers-signature.5, "JSON data format", with cosign's type).
 * `critical` is closed: a member that we do not know could restrict what was signed.
 *
 * @throws CountersignError `malformed-signature` or `limit-reached`.
 */
export function readLegacyPayload(payload: Uint8Array): VerifiedClaim {
  const json = requireClosed(parseJsonObject(payload, READING), PAYLOAD, ["critical", "optional"]);
  const critical = requireClosed(json["critical"], `${PAYLOAD}'s critical`, ["identity", "image", "type"]);
  const type = requireString(critical, "type", `${PAYLOAD}'s critical`);
  if (type !== PAYLOAD_TYPE) throw malformed("the payload is not a cosign signature", type, PAYLOAD_TYPE);
  const name = requireOnly(critical, "identity", "docker-reference");
  const digest = requireOnly(critical, "image", "docker-manifest-digest");
  if (!isDigest(digest)) throw malformed("the payload names no valid digest", digest, "a sha256 or sha512 digest");
  const optional = json["optional"] ?? {};
  return {
    predicateType: SIGNATURE_PREDICATE,
    subjects: [digest],
    repository: normalisedRepository(name),
    annotations: readAnnotations(requireObject(optional, `${PAYLOAD}'s optional`)),
  };
}

function requireOnly(critical: JsonObject, object: string, member: string): string {
  const where = `${PAYLOAD}'s critical.${object}`;
  return requireString(requireClosed(critical[object], where, [member]), member, where);
}

/**
 * `docker-reference` without tag and digest, as `repositoryName` spells it. What is no reference at all (cosign lets a
 * signer write anything) stays as it is and matches nothing but itself.
 */
function normalisedRepository(name: string): string {
  try {
    return repositoryName(parseReference(name));
  } catch {
    return name;
  }
}
