import { CountersignError } from "../errors.ts";
import { isObject, type JsonObject, type JsonValue, parseJsonObject, refuseCaseVariants } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { type Annotations, checkBytes, type Descriptor, describe, type Platform } from "./descriptor.ts";
import { type Digest, isDigest } from "./digest.ts";
import { bareType, isIndexType, isManifestType, MEDIA_TYPES } from "./media-types.ts";

interface Common {
  /** The exact bytes as fetched: they are hashed, signed, stored and pushed; the fields are a copy to read. */
  readonly bytes: Uint8Array;
  readonly descriptor: Descriptor;
  readonly artifactType?: string | undefined;
  readonly subject?: Descriptor | undefined;
  readonly annotations: Annotations;
}

/** Image-spec manifest.md, and Docker's schema 2. */
export interface ImageManifest extends Common {
  readonly kind: "image";
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** Image-spec image-index.md, and Docker's manifest list. */
export interface ImageIndex extends Common {
  readonly kind: "index";
  readonly manifests: readonly Descriptor[];
}

export type Manifest = ImageManifest | ImageIndex;

const READING = { what: "the manifest", code: "manifest-invalid", maxBytes: LIMITS.manifestBytes } as const;
const MEMBERS: ReadonlySet<string> = new Set([
  "schemaVersion",
  "mediaType",
  "artifactType",
  "config",
  "layers",
  "manifests",
  "subject",
  "annotations",
]);
const DESCRIPTOR_MEMBERS: ReadonlySet<string> = new Set(["mediaType", "digest", "size", "urls", "data", "platform"]);
const OBSOLETE = "application/vnd.docker.distribution.manifest.v1";

/**
 * Reads a manifest or index strictly. The media type is the one it was announced with (a descriptor's or the
 * Content-Type header's, empty if there was none); where the document names one too, they must agree, and a document
 * that could be read both as a manifest and as an index is refused (CVE-2021-41190).
 *
 * @throws CountersignError `manifest-invalid` or `limit-reached`.
 */
export function parseManifest(bytes: Uint8Array, announced: string): Manifest {
  const json = parseJsonObject(bytes, READING);
  refuseCaseVariants(json, MEMBERS, READING);
  const mediaType = chooseType(json, bareType(announced));
  if (json["schemaVersion"] !== 2) throw invalid("unknown schema version", String(json["schemaVersion"]), "2");
  const common: Common = {
    bytes,
    descriptor: describe(bytes, mediaType),
    artifactType: optionalString(json, "artifactType"),
    subject: json["subject"] === undefined ? undefined : parseDescriptor(json["subject"], "subject"),
    annotations: parseAnnotations(json["annotations"]) ?? {},
  };
  if (isIndexType(mediaType)) {
    return { ...common, kind: "index", manifests: descriptors(json, "manifests", LIMITS.indexEntries) };
  }
  return {
    ...common,
    kind: "image",
    config: parseDescriptor(json["config"], "config"),
    layers: descriptors(json, "layers", LIMITS.layers),
  };
}

/** Checks the bytes against the descriptor first, and only then reads them. */
export function parseDescribedManifest(bytes: Uint8Array, wanted: Descriptor): Manifest {
  checkBytes(bytes, wanted, `the manifest ${wanted.digest}`);
  const manifest = parseManifest(bytes, wanted.mediaType);
  return { ...manifest, descriptor: { ...wanted, mediaType: manifest.descriptor.mediaType } };
}

/** What kind of thing this is: an artifact's type, for old artifacts the media type of their configuration. */
export function artifactTypeOf(manifest: Manifest): string | undefined {
  return manifest.artifactType ?? (manifest.kind === "image" ? manifest.config.mediaType : undefined);
}

/** Everything a manifest points at that must travel with it. */
export function childrenOf(manifest: Manifest): readonly Descriptor[] {
  return manifest.kind === "index" ? manifest.manifests : [manifest.config, ...manifest.layers];
}

function chooseType(json: JsonObject, announced: string): string {
  const stated = optionalString(json, "mediaType");
  if (announced.startsWith(OBSOLETE) || json["schemaVersion"] === 1) {
    throw invalid("Docker's schema 1, an obsolete format", announced, "an OCI or Docker schema 2 manifest");
  }
  const isIndex = json["manifests"] !== undefined;
  const isImage = json["layers"] !== undefined || json["config"] !== undefined;
  if (isIndex && isImage) throw invalid("it can be read as a manifest and as an index", "both", "one of the two");
  if (!isIndex && !isImage) throw invalid("it is neither a manifest nor an index", "neither", "one of the two");
  const shape = isIndex ? MEDIA_TYPES.ociIndex : MEDIA_TYPES.ociManifest;
  const known = isManifestType(announced) ? announced : undefined;
  if (stated !== undefined && known !== undefined && stated !== known) {
    throw invalid("its media type is not the one it was announced with", stated, known);
  }
  if (
    known === undefined &&
    announced !== "" &&
    announced !== "application/json" &&
    announced !== "text/plain" &&
    announced !== "application/octet-stream"
  ) {
    throw invalid("its media type is not one of a manifest", announced, shape);
  }
  const mediaType = stated ?? known ?? shape;
  if (!isManifestType(mediaType)) throw invalid("its media type is not one of a manifest", mediaType, shape);
  if (isIndexType(mediaType) !== isIndex)
    throw invalid("its content is not what its media type says", shape, mediaType);
  return mediaType;
}

function descriptors(json: JsonObject, name: string, max: number): readonly Descriptor[] {
  const list = json[name];
  if (!Array.isArray(list)) throw invalid(`"${name}" is not a list`, typeof list, "a list");
  if (list.length > max) {
    throw new CountersignError("limit-reached", `the manifest lists too many ${name}`, {
      found: String(list.length),
      wanted: `at most ${max}`,
    });
  }
  return list.map((entry: JsonValue, at) => parseDescriptor(entry, `${name}[${at}]`));
}

/** Image-spec descriptor.md. @throws CountersignError `manifest-invalid`. */
export function parseDescriptor(value: JsonValue | undefined, where: string): Descriptor {
  if (!isObject(value)) throw invalid(`"${where}" is not a descriptor`, typeof value, "an object");
  refuseCaseVariants(value, DESCRIPTOR_MEMBERS, READING);
  const mediaType = value["mediaType"];
  if (typeof mediaType !== "string") throw invalid(`"${where}" has no media type`, typeof mediaType, "a string");
  const size = value["size"];
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
    throw invalid(`"${where}" has no valid size`, String(size), "a number of bytes");
  }
  const urls = value["urls"];
  return {
    mediaType: bareDescriptorType(mediaType),
    digest: parseDescribedDigest(value["digest"], where),
    size,
    ...present("artifactType", optionalString(value, "artifactType")),
    ...present("annotations", parseAnnotations(value["annotations"])),
    ...present("platform", parsePlatform(value["platform"], where)),
    ...present("urls", Array.isArray(urls) ? urls.filter((url) => typeof url === "string") : undefined),
  };
}

/** Blob media types may carry parameters (`…bundle+json;version=0.2`) and are kept; manifest types never do. */
function bareDescriptorType(mediaType: string): string {
  const bare = bareType(mediaType);
  return isManifestType(bare) ? bare : mediaType;
}

function parseDescribedDigest(value: JsonValue | undefined, where: string): Digest {
  if (typeof value === "string" && isDigest(value)) return value;
  throw invalid(`"${where}" has no valid digest`, String(value), "a sha256 or sha512 digest");
}

function parsePlatform(value: JsonValue | undefined, where: string): Platform | undefined {
  if (value === undefined) return undefined;
  if (!isObject(value)) throw invalid(`"${where}.platform" is not a platform`, typeof value, "an object");
  const { os, architecture, variant } = value;
  if (typeof os !== "string" || typeof architecture !== "string") {
    throw invalid(`"${where}.platform" is incomplete`, JSON.stringify(value), "os and architecture");
  }
  const features = value["os.features"];
  return {
    os,
    architecture,
    ...present("variant", typeof variant === "string" && variant !== "" ? variant : undefined),
    ...present("os.version", optionalString(value, "os.version")),
    ...present(
      "os.features",
      Array.isArray(features) ? features.filter((item) => typeof item === "string") : undefined,
    ),
  };
}

function parseAnnotations(value: JsonValue | undefined): Annotations | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw invalid("annotations are not an object", typeof value, "an object");
  const entries = Object.entries(value);
  if (entries.length > LIMITS.annotations) {
    throw new CountersignError("limit-reached", "the manifest has too many annotations", {
      found: String(entries.length),
      wanted: `at most ${LIMITS.annotations}`,
    });
  }
  for (const [name, item] of entries) {
    if (typeof item !== "string") throw invalid(`annotation "${name}" is not a string`, typeof item, "a string");
  }
  return value as Annotations;
}

function optionalString(json: JsonObject, name: string): string | undefined {
  const value = json[name];
  if (value === undefined || value === null || value === "") return undefined;
  if (typeof value !== "string") throw invalid(`"${name}" is not a string`, typeof value, "a string");
  return value;
}

function present<Name extends string, Value>(name: Name, value: Value | undefined): { [K in Name]?: Value } {
  return (value === undefined ? {} : { [name]: value }) as { [K in Name]?: Value };
}

function invalid(message: string, found: string, wanted: string): CountersignError {
  return new CountersignError("manifest-invalid", `the manifest is not valid: ${message}`, { found, wanted });
}
