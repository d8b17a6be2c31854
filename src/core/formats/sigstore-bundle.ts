import { encodeBase64, encodeUtf8 } from "../bytes.ts";
import { isSelfIssued, parseCertificate } from "../crypto/certificate.ts";
import { type JsonObject, type JsonValue, parseJsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { type Annotations, type Descriptor, describe, EMPTY_DESCRIPTOR } from "../oci/descriptor.ts";
import { type ImageManifest, parseManifest } from "../oci/manifest.ts";
import { EMPTY_JSON, MEDIA_TYPES } from "../oci/media-types.ts";
import { formatInstant, type Instant } from "../time.ts";
import { type DsseEnvelope, preAuthEncoding, readDsse } from "./dsse.ts";
import {
  type Origin,
  SIGNATURE_PREDICATE,
  type StoredSignature,
  type UntrustedEnvelope,
  type UntrustedLogEntry,
} from "./envelope.ts";
import { readLogEntry, writeLogEntry } from "./log-entry.ts";
import {
  isPresent,
  malformed,
  optionalList,
  requireBase64,
  requireClosed,
  requireOneOf,
  requireString,
} from "./members.ts";

type Version = "0.1" | "0.2" | "0.3";

/** The closed list (protobuf-specs, sigstore_bundle.proto): a prefix test would let `…+jsonX` and version 9 through. */
const VERSIONS: ReadonlyMap<string, Version> = new Map([
  ["application/vnd.dev.sigstore.bundle+json;version=0.1", "0.1"],
  ["application/vnd.dev.sigstore.bundle+json;version=0.2", "0.2"],
  ["application/vnd.dev.sigstore.bundle+json;version=0.3", "0.3"],
  [MEDIA_TYPES.sigstoreBundle, "0.3"],
]);

const READING = { what: "the bundle", code: "malformed-signature", maxBytes: LIMITS.signatureBytes } as const;

/** A signature over a file rather than over a statement. */
export interface MessageSignature {
  readonly digestAlgorithm: string;
  readonly digest: Uint8Array;
  readonly signature: Uint8Array;
}

/** A Sigstore bundle, parsed; nothing in it is proven. */
export interface UntrustedBundle {
  readonly version: Version;
  readonly content:
    | { readonly kind: "dsse"; readonly envelope: DsseEnvelope }
    | { readonly kind: "message"; readonly message: MessageSignature };
  readonly signer:
    | { readonly kind: "public-key"; readonly hint: string | undefined }
    | { readonly kind: "certificate"; readonly certificates: readonly Uint8Array[] };
  readonly logEntries: readonly UntrustedLogEntry[];
  /** DER TimeStampResp each. */
  readonly timestamps: readonly Uint8Array[];
}

// --- writing ----------------------------------------------------------------------------------------------------------

export interface BundleParts {
  /** The statement exactly as it was signed (as a pre-authentication encoding). */
  readonly statement: Uint8Array;
  readonly signature: Uint8Array;
  /** `PublicKey.hint` of the signer, or the certificate that it signed with (DER). */
  readonly signer: { readonly hint: string } | { readonly certificate: Uint8Array };
  readonly logEntries?: readonly UntrustedLogEntry[] | undefined;
  /** DER TimeStampResp each. */
  readonly timestamps?: readonly Uint8Array[] | undefined;
}

/** What a signer signs for a bundle: the pre-authentication encoding of the statement. */
export function bundleSignedBytes(statement: Uint8Array): Uint8Array {
  return preAuthEncoding(MEDIA_TYPES.intoto, statement);
}

/** A bundle v0.3, member for member as cosign 3 writes it. */
export function makeBundle(parts: BundleParts): Uint8Array {
  return encodeUtf8(
    JSON.stringify({
      mediaType: MEDIA_TYPES.sigstoreBundle,
      verificationMaterial: writeMaterial(parts),
      dsseEnvelope: {
        payload: encodeBase64(parts.statement),
        payloadType: MEDIA_TYPES.intoto,
        signatures: [{ sig: encodeBase64(parts.signature) }],
      },
    }),
  );
}

/** @internal Members that would be empty are absent, as in ProtoJSON. */
export function writeMaterial(parts: Pick<BundleParts, "signer" | "logEntries" | "timestamps">): JsonObject {
  const { signer, logEntries = [], timestamps = [] } = parts;
  const rfc3161Timestamps = timestamps.map((timestamp) => ({ signedTimestamp: encodeBase64(timestamp) }));
  return {
    ...("hint" in signer
      ? { publicKey: { hint: signer.hint } }
      : { certificate: { rawBytes: encodeBase64(signer.certificate) } }),
    ...(logEntries.length === 0 ? {} : { tlogEntries: logEntries.map(writeLogEntry) }),
    ...(timestamps.length === 0 ? {} : { timestampVerificationData: { rfc3161Timestamps } }),
  };
}

export interface MessageBundleParts extends Pick<BundleParts, "signature" | "signer" | "logEntries" | "timestamps"> {
  /** sigstore_common.proto, HashAlgorithm: `SHA2_256`. */
  readonly digestAlgorithm: string;
  /** Of the file. */
  readonly digest: Uint8Array;
}

/** A bundle v0.3 over a file itself. */
export function makeMessageBundle(parts: MessageBundleParts): Uint8Array {
  return encodeUtf8(
    JSON.stringify({
      mediaType: MEDIA_TYPES.sigstoreBundle,
      verificationMaterial: writeMaterial(parts),
      messageSignature: {
        messageDigest: { algorithm: parts.digestAlgorithm, digest: encodeBase64(parts.digest) },
        signature: encodeBase64(parts.signature),
      },
    }),
  );
}

export interface ReferrerParts {
  readonly bundle: Uint8Array;
  /** What was signed. */
  readonly subject: Descriptor;
  /** The time of signing, or SOURCE_DATE_EPOCH. */
  readonly created: Instant;
  readonly predicateType?: string | undefined;
  /** The signature lacks its log entry, and `sign --finish` is to add it. */
  readonly isPostponed?: boolean | undefined;
}

/** On the manifest of a bundle whose log entry is to be added: the note that there is something to do. */
export const POSTPONED_ANNOTATION = "dev.countersign.log-entry";

/**
 * The referrer that stores a bundle (cosign BUNDLE_SPEC.md), byte for byte as cosign 3 writes it: its order of members,
 * and `artifactType` on the configuration too.
 */
export function makeReferrerManifest(parts: ReferrerParts): StoredSignature {
  const type = MEDIA_TYPES.sigstoreBundle;
  const layer = describe(parts.bundle, type);
  const config = EMPTY_DESCRIPTOR;
  const annotations: Annotations = {
    "dev.sigstore.bundle.content": "dsse-envelope",
    "dev.sigstore.bundle.predicateType": parts.predicateType ?? SIGNATURE_PREDICATE,
    "org.opencontainers.image.created": formatInstant(parts.created),
    ...(parts.isPostponed === true ? { [POSTPONED_ANNOTATION]: "postponed" } : {}),
  };
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: { ...bare(config), artifactType: type },
    layers: [bare(layer)],
    annotations,
    subject: bare(parts.subject),
    artifactType: type,
  });
  return {
    manifest: parseManifest(encodeUtf8(text), MEDIA_TYPES.ociManifest) as ImageManifest,
    blobs: [
      { descriptor: config, bytes: EMPTY_JSON },
      { descriptor: layer, bytes: parts.bundle },
    ],
  };
}

/** A descriptor's three obligatory members in cosign's order. */
function bare(descriptor: Descriptor): Descriptor {
  const { mediaType, size, digest } = descriptor;
  return { mediaType, size, digest };
}

// --- reading ----------------------------------------------------------------------------------------------------------

/**
 * Reads a bundle strictly: the closed list of versions, each "one of" exactly once, no unknown members (so no snake_case
 * spellings, which ProtoJSON readers take for the same members), strict base64, counts bounded.
 *
 * @throws CountersignError `malformed-signature` or `limit-reached`.
 */
export function parseBundle(bytes: Uint8Array): UntrustedBundle {
  const json = requireClosed(parseJsonObject(bytes, READING), "the bundle", [
    "mediaType",
    "verificationMaterial",
    "dsseEnvelope",
    "messageSignature",
  ]);
  const mediaType = requireString(json, "mediaType", "the bundle");
  const version = VERSIONS.get(mediaType);
  if (version === undefined) {
    throw malformed("the bundle is of an unknown version", mediaType, [...VERSIONS.keys()].join(" or "));
  }
  const content = requireOneOf(json, ["dsseEnvelope", "messageSignature"], "the bundle");
  return {
    version,
    content:
      content === "dsseEnvelope"
        ? { kind: "dsse", envelope: readDsse(json[content], "the bundle's dsseEnvelope") }
        : { kind: "message", message: readMessage(json[content]) },
    ...readMaterial(json["verificationMaterial"], version),
  };
}

/**
 * A bundle as the signature of an image. One over a message is refused: it names no image, and cosign writes none.
 *
 * @throws CountersignError `malformed-signature` or `limit-reached`.
 */
export function parseBundleSignature(bytes: Uint8Array, origin: Origin): UntrustedEnvelope {
  const bundle = parseBundle(bytes);
  if (bundle.content.kind === "message") {
    throw malformed("the bundle signs a file, not an image", "messageSignature", "dsseEnvelope");
  }
  const { payloadType, payload, signature } = bundle.content.envelope;
  if (payloadType !== MEDIA_TYPES.intoto) {
    throw malformed("the bundle's payload is not an in-toto statement", payloadType, MEDIA_TYPES.intoto);
  }
  return {
    format: "bundle",
    origin,
    encoding: "dsse",
    signed: { kind: "bytes", bytes: preAuthEncoding(payloadType, payload) },
    signature,
    timestamped: signature,
    payload,
    payloadType,
    keyHint: bundle.signer.kind === "public-key" ? bundle.signer.hint : undefined,
    certificates: bundle.signer.kind === "certificate" ? bundle.signer.certificates : [],
    logEntries: bundle.logEntries,
    timestamps: bundle.timestamps,
  };
}

const MATERIAL = "the bundle's verificationMaterial";

function readMaterial(
  value: JsonValue | undefined,
  version: Version,
): Pick<UntrustedBundle, "signer" | "logEntries" | "timestamps"> {
  const json = requireClosed(value, MATERIAL, [
    "publicKey",
    "certificate",
    "x509CertificateChain",
    "tlogEntries",
    "timestampVerificationData",
  ]);
  const entries = optionalList(json, "tlogEntries", MATERIAL, LIMITS.bundleLogEntries);
  return {
    signer: readSigner(json, version),
    logEntries: entries.map((entry, at) => readBundleEntry(entry, at, version)),
    timestamps: readTimestamps(json["timestampVerificationData"]),
  };
}

function readSigner(json: JsonObject, version: Version): UntrustedBundle["signer"] {
  const kind = requireOneOf(json, ["publicKey", "certificate", "x509CertificateChain"], MATERIAL);
  if (kind === "publicKey") {
    const key = requireClosed(json[kind], `${MATERIAL}.publicKey`, ["hint"]);
    const hint = isPresent(key["hint"]) ? requireString(key, "hint", `${MATERIAL}.publicKey`) : "";
    return { kind: "public-key", hint: hint === "" ? undefined : hint };
  }
  if (kind === "certificate") return { kind: "certificate", certificates: [readCertificate(json[kind])] };
  // sigstore_bundle.proto: from v0.3 on the leaf alone; roots and intermediates come from the trust root.
  if (version === "0.3") throw malformed("a bundle v0.3 must not carry a chain", "x509CertificateChain", "certificate");
  const chain = requireClosed(json[kind], `${MATERIAL}.${kind}`, ["certificates"]);
  const list = optionalList(chain, "certificates", `${MATERIAL}.${kind}`, LIMITS.bundleCertificates);
  if (list.length === 0) throw malformed("the bundle's chain is empty", "no certificate", "at least the leaf");
  const certificates = list.map(readCertificate);
  // sigstore_bundle.proto: a root in a bundle is no root, and whoever put it there meant it to be one.
  if (certificates.slice(1).some(isRoot)) {
    throw malformed("the bundle's chain has a root in it", "a certificate that issued itself", "the chain without it");
  }
  return { kind: "certificate", certificates };
}

function isRoot(der: Uint8Array): boolean {
  try {
    return isSelfIssued(parseCertificate(der, "a certificate of the bundle", "malformed-signature"));
  } catch {
    return false;
  }
}

function readCertificate(value: JsonValue | undefined): Uint8Array {
  const where = "a certificate of the bundle";
  return requireBase64(requireClosed(value, where, ["rawBytes"]), "rawBytes", where);
}

/** v0.1 bundles carry the log's promise, later ones its proof with a checkpoint; anything less proves nothing. */
function readBundleEntry(value: JsonValue, at: number, version: Version): UntrustedLogEntry {
  const where = `log entry ${at} of the bundle`;
  const entry = readLogEntry(value, where);
  if ((version === "0.1" ? entry.promise : entry.proof) === undefined) {
    const wanted = version === "0.1" ? "inclusionPromise" : "inclusionProof";
    throw malformed(`${where} lacks what bundles v${version} must have`, "nothing", wanted);
  }
  return entry;
}

function readTimestamps(value: JsonValue | undefined): readonly Uint8Array[] {
  if (!isPresent(value)) return [];
  const where = `${MATERIAL}.timestampVerificationData`;
  const json = requireClosed(value, where, ["rfc3161Timestamps"]);
  return optionalList(json, "rfc3161Timestamps", where, LIMITS.bundleTimestamps).map((item, at) => {
    const timestamp = requireClosed(item, `timestamp ${at} of the bundle`, ["signedTimestamp"]);
    return requireBase64(timestamp, "signedTimestamp", `timestamp ${at} of the bundle`);
  });
}

function readMessage(value: JsonValue | undefined): MessageSignature {
  const where = "the bundle's messageSignature";
  const json = requireClosed(value, where, ["messageDigest", "signature"]);
  const digest = requireClosed(json["messageDigest"], `${where}.messageDigest`, ["algorithm", "digest"]);
  return {
    digestAlgorithm: requireString(digest, "algorithm", `${where}.messageDigest`),
    digest: requireBase64(digest, "digest", `${where}.messageDigest`),
    signature: requireBase64(json, "signature", where),
  };
}
