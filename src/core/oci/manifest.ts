import { CountersignError } from "../errors.ts";
import {
  describeJson,
  isObject,
  type JsonObject,
  type JsonValue,
  kindOf,
  parseJsonObject,
  refuseCaseVariants,
} from "../json.ts";
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
const DESCRIPTOR_MEMBERS: ReadonlySet<string> = new Set([
  "mediaType",
  "digest",
  "size",
  "urls",
  "annotations",
  "data",
  "platform",
  "artifactType",
]);
const PLATFORM_MEMBERS: ReadonlySet<string> = new Set(["os", "architecture", "variant", "os.version", "os.features"]);
/** What servers that know no better announce: it says nothing, so the document speaks for itself. */
const UNSPECIFIC: ReadonlySet<string> = new Set(["", "application/json", "text/plain", "application/octet-stream"]);
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
  if (json["schemaVersion"] !== 2) throw invalid("unknown schema version", describeJson(json["schemaVersion"]), "2");
  const common: Common = {
    bytes,
    descriptor: describe(bytes, mediaType),
    artifactType: optionalString(json, "artifactType"),
    subject: isAbsent(json["subject"]) ? undefined : parseDescriptor(json["subject"], "subject"),
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
    throw invalid("Docker's schema 1, an obsolete format", "schema 1", "an OCI or Docker schema 2 manifest");
  }
  const isIndex = isIndexShape(json);
  const shape = isIndex ? MEDIA_TYPES.ociIndex : MEDIA_TYPES.ociManifest;
  if (!isManifestType(announced) && !UNSPECIFIC.has(announced)) {
    throw invalid("its media type is not one of a manifest", announced, shape);
  }
  const known = isManifestType(announced) ? announced : undefined;
  if (stated !== undefined && known !== undefined && stated !== known) {
    throw invalid("its media type is not the one it was announced with", stated, known);
  }
  const mediaType = stated ?? known ?? shape;
  if (!isManifestType(mediaType)) throw invalid("its media type is not one of a manifest", mediaType, shape);
  if (isIndexType(mediaType) !== isIndex) {
    throw invalid("its content is not what its media type says", shape, mediaType);
  }
  return mediaType;
}

/** CVE-2021-41190: a document with the members of both kinds is a manifest to one tool and an index to another. */
function isIndexShape(json: JsonObject): boolean {
  const isIndex = json["manifests"] !== undefined;
  const isImage = json["layers"] !== undefined || json["config"] !== undefined;
  if (isIndex && isImage) throw invalid("it can be read as a manifest and as an index", "both", "one of the two");
  if (!isIndex && !isImage) throw invalid("it is neither a manifest nor an index", "neither", "one of the two");
  return isIndex;
}

function descriptors(json: JsonObject, name: string, max: number): readonly Descriptor[] {
  const list = json[name];
  if (!Array.isArray(list)) throw invalid(`"${name}" is not a list`, kindOf(list), "a list");
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
  if (!isObject(value)) throw invalid(`"${where}" is not a descriptor`, kindOf(value), "an object");
  refuseCaseVariants(value, DESCRIPTOR_MEMBERS, READING);
  const mediaType = value["mediaType"];
  if (typeof mediaType !== "string") throw invalid(`"${where}" has no media type`, kindOf(mediaType), "a string");
  const size = value["size"];
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) {
    throw invalid(`"${where}" has no valid size`, describeJson(size), "a number of bytes");
  }
  return {
    mediaType: bareDescriptorType(mediaType),
    digest: parseDescribedDigest(value["digest"], where),
    size,
    ...present("artifactType", optionalString(value, "artifactType")),
    ...present("annotations", parseAnnotations(value["annotations"])),
    ...present("platform", parsePlatform(value["platform"], where)),
    ...present("urls", optionalStrings(value, "urls")),
  };
}

/** Blob media types may carry parameters (`…bundle+json;version=0.2`) and are kept; manifest types never do. */
function bareDescriptorType(mediaType: string): string {
  const bare = bareType(mediaType);
  return isManifestType(bare) ? bare : mediaType;
}

function parseDescribedDigest(value: JsonValue | undefined, where: string): Digest {
  if (typeof value === "string" && isDigest(value)) return value;
  throw invalid(`"${where}" has no valid digest`, describeJson(value), "a sha256 or sha512 digest");
}

function parsePlatform(value: JsonValue | undefined, where: string): Platform | undefined {
  if (isAbsent(value)) return undefined;
  if (!isObject(value)) throw invalid(`"${where}.platform" is not a platform`, kindOf(value), "an object");
  refuseCaseVariants(value, PLATFORM_MEMBERS, READING);
  const { os, architecture } = value;
  if (typeof os !== "string" || typeof architecture !== "string") {
    throw invalid(`"${where}.platform" is incomplete`, `${kindOf(os)}/${kindOf(architecture)}`, "os and architecture");
  }
  return {
    os,
    architecture,
    ...present("variant", optionalString(value, "variant")),
    ...present("os.version", optionalString(value, "os.version")),
    ...present("os.features", optionalStrings(value, "os.features")),
  };
}

function parseAnnotations(value: JsonValue | undefined): Annotations | undefined {
  if (isAbsent(value)) return undefined;
  if (!isObject(value)) throw invalid("annotations are not an object", kindOf(value), "an object");
  const entries = Object.entries(value);
  if (entries.length > LIMITS.annotations) {
    throw new CountersignError("limit-reached", "the manifest has too many annotations", {
      found: String(entries.length),
      wanted: `at most ${LIMITS.annotations}`,
    });
  }
  for (const [name, item] of entries) {
    if (typeof item !== "string") throw invalid(`annotation "${name}" is not a string`, kindOf(item), "a string");
  }
  return value as Annotations;
}

function optionalString(json: JsonObject, name: string): string | undefined {
  const value = json[name];
  if (isAbsent(value) || value === "") return undefined;
  if (typeof value !== "string") throw invalid(`"${name}" is not a string`, kindOf(value), "a string");
  return value;
}

function optionalStrings(json: JsonObject, name: string): readonly string[] | undefined {
  const value = json[name];
  if (isAbsent(value)) return undefined;
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw invalid(`"${name}" is not a list of strings`, kindOf(value), "a list of strings");
}

/** Tools written in Go write null for an optional member that is not set, and read it as such. */
function isAbsent(value: JsonValue | undefined): value is undefined | null {
  return value === undefined || value === null;
}

function present<Name extends string, Value>(name: Name, value: Value | undefined): { [K in Name]?: Value } {
  return (value === undefined ? {} : { [name]: value }) as { [K in Name]?: Value };
}

function invalid(message: string, found: string, wanted: string): CountersignError {
  return new CountersignError("manifest-invalid", `the manifest is not valid: ${message}`, { found, wanted });
}
