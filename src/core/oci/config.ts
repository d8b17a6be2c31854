import { CountersignError } from "../errors.ts";
import { isObject, type JsonObject, type JsonOptions, parseJsonObject, refuseCaseVariants } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { type Digest, isDigest } from "./digest.ts";
import { MEDIA_TYPES } from "./media-types.ts";

/** What is read of an image's configuration (image-spec config.md); the rest of it belongs to the engine. */
export interface ImageConfig {
  /** `rootfs.diff_ids`: the digest of each layer's tar before compression, the lowest layer first. */
  readonly diffIds: readonly Digest[];
}

const READING: JsonOptions = {
  what: "the image's configuration",
  code: "manifest-invalid",
  maxBytes: LIMITS.configBytes,
};
const MEMBERS: ReadonlySet<string> = new Set(["architecture", "os", "variant", "config", "rootfs", "history"]);
const ROOTFS_MEMBERS: ReadonlySet<string> = new Set(["type", "diff_ids"]);

/** Whether a configuration of this media type describes layers; an artifact's does not. */
export function isImageConfigType(mediaType: string): boolean {
  return mediaType === MEDIA_TYPES.ociConfig || mediaType === MEDIA_TYPES.dockerConfig;
}

/**
 * Reads an image's configuration: strict about the members that decide what runs, indifferent to the names that users
 * give their labels and volumes.
 *
 * @throws CountersignError `manifest-invalid` or `limit-reached`.
 */
export function parseImageConfig(bytes: Uint8Array): ImageConfig {
  const json = parseJsonObject(bytes, READING);
  refuseCaseVariants(json, MEMBERS, READING);
  const rootfs = json["rootfs"];
  if (!isObject(rootfs)) throw invalid('"rootfs" is missing', rootfs === undefined ? "nothing" : typeof rootfs);
  refuseCaseVariants(rootfs, ROOTFS_MEMBERS, READING);
  if (rootfs["type"] !== "layers")
    throw invalid('"rootfs.type" is unknown', String(rootfs["type"] ?? "none"), "layers");
  return { diffIds: parseDiffIds(rootfs) };
}

/** Go writes an image without layers as `null`. */
function parseDiffIds(rootfs: JsonObject): readonly Digest[] {
  const list = rootfs["diff_ids"] ?? [];
  if (!Array.isArray(list)) throw invalid('"rootfs.diff_ids" is not a list', typeof list, "a list of digests");
  return list.map((entry) => {
    if (typeof entry === "string" && isDigest(entry)) return entry;
    throw invalid('an entry of "rootfs.diff_ids" is not a digest', JSON.stringify(entry).slice(0, 100), "a digest");
  });
}

function invalid(why: string, found: string, wanted?: string): CountersignError {
  return new CountersignError("manifest-invalid", `${READING.what} is not valid: ${why}`, { found, wanted });
}
