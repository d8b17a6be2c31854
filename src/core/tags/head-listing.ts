import { decodeBase64, encodeBase64 } from "../bytes.ts";
import { CountersignError } from "../errors.ts";
import { isObject, type JsonObject, type JsonValue, parseJsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { checkBytes, type Descriptor } from "../oci/descriptor.ts";
import type { Manifest } from "../oci/manifest.ts";
import { parseFileName } from "./files.ts";
import { FILE_NAME_ANNOTATION, METADATA_MEDIA_TYPE } from "./names.ts";

/** A file of metadata as a head names it. */
export interface HeadFile {
  readonly descriptor: Descriptor;
  /** The file itself, where the head carries it: proven by the descriptor. */
  readonly data?: Uint8Array | undefined;
}

/** What a descriptor carries of its content in its `data` (image-spec, descriptor.md), by its place in the list. */
export function embeddedIn(manifest: Manifest): readonly (Uint8Array | undefined)[] {
  const json = parseJsonObject(manifest.bytes, {
    what: "the head of the trust metadata",
    code: "metadata-malformed",
    maxBytes: LIMITS.manifestBytes,
  });
  const isIndex = manifest.kind === "index";
  const listed: JsonValue | undefined = json[isIndex ? "manifests" : "layers"];
  const descriptors = isIndex ? manifest.manifests : manifest.layers;
  return descriptors.map((descriptor, at) => dataOf(Array.isArray(listed) ? listed[at] : undefined, descriptor));
}

function dataOf(json: JsonValue | undefined, descriptor: Descriptor): Uint8Array | undefined {
  const text = isObject(json) ? json["data"] : undefined;
  if (text === undefined || text === null) return undefined;
  const bytes = typeof text === "string" ? decodeBase64(text) : undefined;
  if (bytes === undefined) throw malformed("embedded data that is not base64");
  try {
    checkBytes(bytes, descriptor, "embedded data");
  } catch (cause) {
    throw malformed("embedded data that its descriptor does not describe", cause);
  }
  return bytes;
}

/** The files that an image manifest lists, by name. @throws CountersignError `metadata-malformed`. */
export function filesOf(manifest: Manifest): ReadonlyMap<string, HeadFile> {
  if (manifest.kind !== "image") throw malformed("an index where files of metadata are wanted");
  const embedded = embeddedIn(manifest);
  const files = new Map<string, HeadFile>();
  for (const [at, descriptor] of manifest.layers.entries()) {
    const name = nameOf(descriptor);
    if (files.has(name)) throw malformed(`two files called ${name}`);
    files.set(name, { descriptor: { ...descriptor }, data: embedded[at] });
  }
  return files;
}

function nameOf({ mediaType, annotations }: Descriptor): string {
  const name = annotations?.[FILE_NAME_ANNOTATION];
  if (mediaType !== METADATA_MEDIA_TYPE || name === undefined || parseFileName(name) === undefined) {
    throw malformed(`a layer that is no file of metadata: ${name ?? mediaType}`);
  }
  return name;
}

/** A descriptor as JSON, with its content in it where that is given. */
export function descriptorJson({ mediaType, digest, size, annotations }: Descriptor, data?: Uint8Array): JsonObject {
  return {
    mediaType,
    digest,
    size,
    ...(annotations !== undefined && { annotations }),
    ...(data !== undefined && { data: encodeBase64(data) }),
  };
}

export function malformed(found: string, cause?: unknown): CountersignError {
  return new CountersignError("metadata-malformed", "the head of the trust metadata cannot be read", { found, cause });
}
