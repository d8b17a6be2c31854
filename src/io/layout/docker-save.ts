import { encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { isObject, type JsonValue, parseJson, parseJsonObject, refuseCaseVariants } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { type Descriptor, describe } from "../../core/oci/descriptor.ts";
import { type Digest, DigestStream, isDigest } from "../../core/oci/digest.ts";
import { type ImageManifest, parseManifest } from "../../core/oci/manifest.ts";
import { isIndexType, MEDIA_TYPES } from "../../core/oci/media-types.ts";
import { isRunnable, platformName } from "../../core/oci/platform.ts";
import { gather } from "../disk/files.ts";
import {
  blobPath,
  bytesSource,
  DOCKER_MANIFEST_FILE,
  type FileSource,
  INDEX_FILE,
  LAYOUT_FILE,
  type LayoutFiles,
  MappedFiles,
} from "./files.ts";
import { distinct, type IndexEntry, LayoutIndex, type LayoutName, referenceName } from "./layout-index.ts";
import { listManifests, readManifest } from "./scan.ts";
import type { TarFile, TarFiles } from "./tar-reader.ts";

/** One image of the `manifest.json` that `docker save` writes and `docker load` reads. */
export interface DockerImage {
  /** Path of its configuration in the archive. */
  readonly config: string;
  readonly repoTags: readonly string[];
  /** Paths of its layers, the lowest first. */
  readonly layers: readonly string[];
}

export const LAYOUT_VERSION: Uint8Array = encodeUtf8('{"imageLayoutVersion":"1.0.0"}');

const READING = { what: "manifest.json", code: "layout-invalid", maxBytes: LIMITS.manifestBytes } as const;
const MEMBERS: ReadonlySet<string> = new Set(["Config", "RepoTags", "Layers", "Parent", "LayerSources"]);

/** @throws CountersignError `layout-invalid` or `limit-reached`. */
export async function readDockerImages(files: LayoutFiles): Promise<readonly DockerImage[]> {
  const document = parseJson(await readBounded(files, DOCKER_MANIFEST_FILE, LIMITS.manifestBytes), READING);
  if (!Array.isArray(document)) throw invalid("manifest.json is not a list", typeof document);
  if (document.length > LIMITS.indexEntries) throw tooMany("images", document.length, LIMITS.indexEntries);
  return document.map(readDockerImage);
}

function readDockerImage(entry: JsonValue): DockerImage {
  if (!isObject(entry)) throw invalid("an entry of manifest.json is not an object", typeof entry);
  refuseCaseVariants(entry, MEMBERS, READING);
  const config = entry["Config"];
  if (typeof config !== "string") {
    const found = config === undefined ? "nothing" : typeof config;
    throw invalid("an image in manifest.json has no configuration", found);
  }
  const layers = strings(entry["Layers"] ?? [], "Layers");
  if (layers.length > LIMITS.layers) throw tooMany("layers", layers.length, LIMITS.layers);
  return { config, layers, repoTags: strings(entry["RepoTags"] ?? [], "RepoTags") };
}

function strings(value: JsonValue, what: string): readonly string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === "string")) return value;
  throw invalid(`${what} in manifest.json is not a list of strings`, typeof value);
}

/**
 * An archive of `docker save` without an OCI layout in it (Docker before 25, podman, skopeo), seen as a layout.
 *
 * Such an archive holds no manifest: the one an image was pushed and signed with is lost when Docker unpacks it. What
 * is seen here instead is a Docker schema 2 manifest made of the configuration and the layers as they lie in the
 * archive. It is the same for the same archive content and stands for exactly these bytes, but its digest is no
 * registry's: signatures made for the image in a registry do not fit it, and signing it signs this archive's content.
 * An uncompressed layer goes by its diff_id, so reading it proves it against the configuration.
 *
 * @throws CountersignError `layout-invalid`, `unsupported`, `limit-reached`.
 */
export async function dockerSaveAsLayout(tar: TarFiles): Promise<LayoutFiles> {
  const sources = new Map<string, FileSource>();
  let index = LayoutIndex.empty;
  for (const image of await readDockerImages(tar)) {
    const manifest = await synthesise(tar, image, sources);
    sources.set(blobPath(manifest.digest), bytesSource(manifest.bytes));
    index = index.withEntry(manifest.descriptor);
    for (const tag of image.repoTags) index = index.withName(manifest.descriptor, archiveName(tag));
  }
  sources.set(LAYOUT_FILE, bytesSource(LAYOUT_VERSION));
  sources.set(INDEX_FILE, bytesSource(index.serialise()));
  return new MappedFiles(sources, () => tar.close());
}

interface Synthesised {
  readonly descriptor: Descriptor;
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

async function synthesise(tar: TarFiles, image: DockerImage, sources: Map<string, FileSource>): Promise<Synthesised> {
  if ((await tar.size(image.config)) === undefined) {
    throw invalid("a configuration that manifest.json names is not in it", image.config);
  }
  const configBytes = await readBounded(tar, image.config, LIMITS.configBytes);
  const config = describe(configBytes, MEDIA_TYPES.dockerConfig);
  sources.set(blobPath(config.digest), bytesSource(configBytes));
  const diffIds = readDiffIds(configBytes);
  if (diffIds.length !== image.layers.length) {
    throw invalid("an image has other layers than its configuration says", `${image.layers.length} layers`);
  }
  const layers: Descriptor[] = [];
  for (const [at, path] of image.layers.entries()) {
    const source = tar.source(layerFile(tar, path));
    const layer = await describeLayer(source, path, diffIds[at]);
    sources.set(blobPath(layer.digest), source);
    layers.push(layer);
  }
  const bytes = encodeUtf8(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.dockerManifest, config, layers }));
  const { descriptor } = parseManifest(bytes, MEDIA_TYPES.dockerManifest);
  return { descriptor, digest: descriptor.digest, bytes };
}

/** Image-spec config.md, `rootfs.diff_ids`. */
function readDiffIds(config: Uint8Array): readonly Digest[] {
  const rootfs = parseJsonObject(config, { ...READING, what: "the image's configuration" })["rootfs"];
  const diffIds = isObject(rootfs) ? strings(rootfs["diff_ids"] ?? [], "diff_ids") : [];
  return diffIds.map((diffId) => {
    if (isDigest(diffId)) return diffId;
    throw invalid("a diff_id in the image's configuration is not a digest", diffId);
  });
}

/** Docker before 25 writes a layer that several images share once, and links for the others: one step is followed. */
function layerFile(tar: TarFiles, path: string): TarFile {
  const entry = tar.entries.get(path);
  const target = entry?.kind === "link" ? tar.entries.get(besideOf(path, entry.target)) : entry;
  if (target?.kind === "file") return target;
  throw invalid("a layer that manifest.json names is not in it", path);
}

/** Where a relative link leads; what leads out of the archive is the name of no entry. */
function besideOf(path: string, target: string): string {
  const parts = path.split("/").slice(0, -1);
  for (const part of target.split("/")) {
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return "";
  }
  return parts.join("/");
}

async function describeLayer(source: FileSource, path: string, diffId: Digest | undefined): Promise<Descriptor> {
  const compression = compressionOf(await firstBytes(source));
  if (compression === "none" && diffId !== undefined) {
    return { mediaType: MEDIA_TYPES.dockerLayer, size: source.size, digest: diffId };
  }
  if (compression === "gzip") {
    return { mediaType: MEDIA_TYPES.dockerLayerGzip, size: source.size, digest: await hash(source) };
  }
  throw new CountersignError("unsupported", "a layer in the archive is compressed in a way Docker's format lacks", {
    found: `${path}: ${compression}`,
    wanted: "gzip or no compression",
    next: "save the image as oci-archive: instead",
  });
}

function compressionOf(start: Uint8Array): "none" | "gzip" | "zstd" {
  if (start[0] === 0x1f && start[1] === 0x8b) return "gzip";
  return start[0] === 0x28 && start[1] === 0xb5 && start[2] === 0x2f && start[3] === 0xfd ? "zstd" : "none";
}

async function firstBytes(source: FileSource): Promise<Uint8Array> {
  for await (const chunk of source.open()) return chunk;
  return new Uint8Array(0);
}

async function hash(source: FileSource): Promise<Digest> {
  const stream = new DigestStream("sha256");
  for await (const chunk of source.open()) stream.update(chunk);
  return stream.finish();
}

/**
 * Where an archive holds both a layout and Docker's list, they must tell of the same images: a signature is looked up
 * through the one, and `docker load` unpacks the other.
 *
 * @returns the index, with the names that only Docker's list has.
 * @throws CountersignError `layout-invalid`.
 */
export async function agreeWithDocker(files: LayoutFiles, index: LayoutIndex): Promise<LayoutIndex> {
  const { images, unreadable } = await imagesOf(files, index);
  let named = index;
  for (const docker of await readDockerImages(files)) {
    const [image, ...same] = images.filter((candidate) => isSameImage(candidate, docker));
    if (image === undefined) {
      // The damage, where there is some, says more than its consequence.
      for (const descriptor of unreadable) await readManifest(files, descriptor);
      throw invalid("manifest.json names an image that index.json does not", docker.config);
    }
    for (const tag of docker.repoTags) {
      const name = archiveName(tag);
      const listed = named.entries.filter((entry) => entry.reference === name.reference);
      const agrees = await Promise.all(listed.map((entry) => leadsTo(files, entry.descriptor, [image, ...same])));
      if (agrees.includes(false)) throw invalid("index.json and manifest.json give one name to two images", tag);
      if (listed.length === 0) named = named.withName(image.descriptor, name);
    }
  }
  return named;
}

async function imagesOf(files: LayoutFiles, index: LayoutIndex) {
  const roots = index.entries.map((entry) => entry.descriptor);
  const images: ImageManifest[] = [];
  const unreadable: Descriptor[] = [];
  for await (const { manifest, descriptor } of listManifests(files, roots, LIMITS.indexDepth)) {
    if (manifest?.kind === "image") images.push(manifest);
    if (manifest === undefined) unreadable.push(descriptor);
  }
  return { images, unreadable };
}

function isSameImage(image: ImageManifest, docker: DockerImage): boolean {
  return (
    blobPath(image.config.digest) === docker.config &&
    image.layers.length === docker.layers.length &&
    image.layers.every((layer, at) => blobPath(layer.digest) === docker.layers[at])
  );
}

async function leadsTo(files: LayoutFiles, from: Descriptor, images: readonly ImageManifest[]): Promise<boolean> {
  for await (const { descriptor } of listManifests(files, [from], LIMITS.indexDepth)) {
    if (images.some((image) => image.descriptor.digest === descriptor.digest)) return true;
  }
  return false;
}

function archiveName(tag: string): LayoutName {
  try {
    return referenceName(tag);
  } catch {
    throw invalid("a name in manifest.json is not an image reference", tag);
  }
}

/**
 * The `manifest.json` for the images of a layout: what `docker load` and `podman load` take from the archive. Of an
 * index it lists one platform, since a name can stand for one image only: the one that is there, or among several the
 * one for `host`. Signatures and other artifacts are left out.
 */
export async function writeDockerManifest(files: LayoutFiles, index: LayoutIndex, host: string): Promise<Uint8Array> {
  const images: { Config: string; RepoTags: readonly string[] | null; Layers: readonly string[] }[] = [];
  for (const entry of distinct(index.entries)) {
    const image = await loadableImage(files, entry.descriptor, host);
    if (image === undefined) continue;
    const names = index.entries.flatMap((other) => (isNameOf(other, entry) ? [other.reference] : []));
    images.push({
      Config: blobPath(image.config.digest),
      RepoTags: names.length === 0 ? null : names.flatMap((name) => name ?? []),
      Layers: image.layers.map((layer) => blobPath(layer.digest)),
    });
  }
  return encodeUtf8(JSON.stringify(images));
}

function isNameOf(entry: IndexEntry, of: IndexEntry): boolean {
  return entry.reference !== undefined && entry.descriptor.digest === of.descriptor.digest;
}

/** The image that is loaded for a descriptor; undefined where it stands for none, or not for a whole one. */
export async function loadableImage(
  files: LayoutFiles,
  descriptor: Descriptor,
  host: string,
): Promise<ImageManifest | undefined> {
  if ((await files.size(blobPath(descriptor.digest))) === undefined) return undefined;
  const manifest = await readManifest(files, descriptor);
  if (manifest.kind === "image") return (await isLoadable(files, manifest)) ? manifest : undefined;
  const found: { readonly child: Descriptor; readonly image: ImageManifest }[] = [];
  for (const child of manifest.manifests.filter(isRunnable)) {
    const image = isIndexType(child.mediaType) ? undefined : await loadableImage(files, child, host);
    if (image !== undefined) found.push({ child, image });
  }
  const forHost = found.find(({ child }) => child.platform !== undefined && platformName(child.platform) === host);
  return found.length === 1 ? found[0]?.image : forHost?.image;
}

const CONFIG_TYPES: readonly string[] = [MEDIA_TYPES.ociConfig, MEDIA_TYPES.dockerConfig];

async function isLoadable(files: LayoutFiles, image: ImageManifest): Promise<boolean> {
  if (image.subject !== undefined || !CONFIG_TYPES.includes(image.config.mediaType)) return false;
  if (!image.layers.every((layer) => /\.tar(?:$|[.+])/.test(layer.mediaType))) return false;
  for (const { digest } of [image.config, ...image.layers]) {
    if ((await files.size(blobPath(digest))) === undefined) return false;
  }
  return true;
}

/** A small file as a whole. @throws CountersignError `limit-reached`, `not-found`. */
export async function readBounded(files: LayoutFiles, path: string, maxBytes: number): Promise<Uint8Array> {
  const size = await files.size(path);
  if (size !== undefined && size > maxBytes) {
    throw new CountersignError("limit-reached", `${path} is too large to read`, {
      found: `${size} bytes`,
      wanted: `at most ${maxBytes} bytes`,
    });
  }
  return gather(files.open(path));
}

function invalid(why: string, found: string): CountersignError {
  return new CountersignError("layout-invalid", `the archive is not a valid one: ${why}`, { found });
}

function tooMany(what: string, found: number, limit: number): CountersignError {
  return new CountersignError("limit-reached", `manifest.json lists too many ${what}`, {
    found: String(found),
    wanted: `at most ${limit}`,
  });
}
