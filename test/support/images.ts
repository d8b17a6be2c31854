import { gzipSync, zstdCompressSync } from "node:zlib";
import { pack } from "tar-stream";
import { encodeUtf8 } from "../../src/core/bytes.ts";
import type { Annotations, Descriptor, Platform } from "../../src/core/oci/descriptor.ts";
import { type Digest, type DigestAlgorithm, digestOf } from "../../src/core/oci/digest.ts";
import { type Manifest, parseManifest } from "../../src/core/oci/manifest.ts";
import { EMPTY_JSON, MEDIA_TYPES } from "../../src/core/oci/media-types.ts";
import type { BlobSource, ContentStore } from "../../src/core/ports.ts";

export type Compression = "none" | "gzip" | "zstd";
type Family = "oci" | "docker";

export interface TestBlob {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

export interface TestLayer extends TestBlob {
  /** Of the uncompressed tar. */
  readonly diffId: Digest;
}

/** A manifest or index with everything below it, in memory. The same call always makes the same bytes. */
export interface TestImage {
  readonly manifest: Manifest;
  readonly blobs: readonly TestBlob[];
  /** What an index lists, in its order. */
  readonly children: readonly TestImage[];
}

export interface LayerOptions {
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly compression?: Compression;
  readonly family?: Family;
  readonly algorithm?: DigestAlgorithm;
}

const LAYER_TYPES: Readonly<Record<Family, Readonly<Partial<Record<Compression, string>>>>> = {
  oci: { none: MEDIA_TYPES.ociLayer, gzip: MEDIA_TYPES.ociLayerGzip, zstd: MEDIA_TYPES.ociLayerZstd },
  docker: { none: MEDIA_TYPES.dockerLayer, gzip: MEDIA_TYPES.dockerLayerGzip },
};

/** A real tar with these files. */
export async function makeTar(files: Readonly<Record<string, string | Uint8Array>>): Promise<Uint8Array> {
  const archive = pack();
  for (const [name, content] of Object.entries(files)) {
    archive.entry({ name, mtime: new Date(0), mode: 0o644 }, Buffer.from(content));
  }
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}

export async function makeLayer(options: LayerOptions = {}): Promise<TestLayer> {
  const { files = { "etc/motd": "hello\n" }, compression = "gzip", family = "oci", algorithm = "sha256" } = options;
  const mediaType = LAYER_TYPES[family][compression];
  if (mediaType === undefined) throw new Error(`${family} images have no ${compression} layers`);
  const tar = await makeTar(files);
  const bytes = compress(tar, compression);
  return { bytes, diffId: digestOf(tar), descriptor: describeAs(bytes, mediaType, algorithm) };
}

function compress(tar: Uint8Array, compression: Compression): Uint8Array {
  if (compression === "none") return tar;
  return compression === "gzip" ? gzipSync(tar) : zstdCompressSync(tar);
}

export interface ImageOptions {
  /** Makes this image another one than those with other names. */
  readonly name?: string;
  readonly platform?: Platform;
  /** One gzip layer where nothing is said. */
  readonly layers?: readonly TestLayer[];
  readonly family?: Family;
  readonly algorithm?: DigestAlgorithm;
  readonly annotations?: Annotations;
}

/** An image of one platform. */
export async function makeImage(options: ImageOptions = {}): Promise<TestImage> {
  const { name = "image", platform = { os: "linux", architecture: "amd64" } } = options;
  const { family = "oci", algorithm = "sha256" } = options;
  const layers = options.layers ?? [await makeLayer({ files: { "etc/name": `${name}\n` }, family, algorithm })];
  const config = blob(
    { ...platform, config: { Labels: { name } }, rootfs: { type: "layers", diff_ids: layers.map(diffIdOf) } },
    family === "oci" ? MEDIA_TYPES.ociConfig : MEDIA_TYPES.dockerConfig,
    algorithm,
  );
  const manifest = makeManifest(
    {
      mediaType: family === "oci" ? MEDIA_TYPES.ociManifest : MEDIA_TYPES.dockerManifest,
      config: config.descriptor,
      layers: layers.map((layer) => layer.descriptor),
      ...(options.annotations === undefined ? {} : { annotations: options.annotations }),
    },
    algorithm,
  );
  return { manifest, blobs: [config, ...layers], children: [] };
}

export interface IndexOptions {
  readonly name?: string;
  readonly platforms?: readonly Platform[];
  readonly family?: Family;
  /** Adds what BuildKit adds: an `unknown/unknown` manifest with in-toto layers for the first platform. */
  readonly attestation?: boolean;
}

export const PLATFORMS: readonly Platform[] = [
  { os: "linux", architecture: "amd64" },
  { os: "linux", architecture: "arm64" },
  { os: "linux", architecture: "arm", variant: "v7" },
];

/** An index with an image for each platform. */
export async function makeIndex(options: IndexOptions = {}): Promise<TestImage> {
  const { name = "index", platforms = PLATFORMS, family = "oci" } = options;
  const images = await Promise.all(platforms.map((platform) => makeImage({ name, platform, family })));
  const entries: Descriptor[] = images.map((image, at) => ({ ...image.manifest.descriptor, platform: platforms[at] }));
  const [first] = images;
  const attested = options.attestation === true && first !== undefined ? [makeAttestation(first)] : [];
  for (const { manifest } of attested) {
    entries.push({
      ...manifest.descriptor,
      platform: { os: "unknown", architecture: "unknown" },
      annotations: {
        "vnd.docker.reference.digest": first?.manifest.descriptor.digest ?? "",
        "vnd.docker.reference.type": "attestation-manifest",
      },
    });
  }
  const mediaType = family === "oci" ? MEDIA_TYPES.ociIndex : MEDIA_TYPES.dockerList;
  const manifest = makeManifest({ mediaType, manifests: entries }, "sha256");
  return { manifest, blobs: [], children: [...images, ...attested] };
}

function makeAttestation(image: TestImage): TestImage {
  const { digest } = image.manifest.descriptor;
  const statement = blob(
    {
      _type: "https://in-toto.io/Statement/v0.1",
      predicateType: "https://slsa.dev/provenance/v0.2",
      subject: [{ name: "image", digest: { sha256: digest.slice("sha256:".length) } }],
      predicate: {},
    },
    MEDIA_TYPES.intoto,
  );
  const config = blob(
    { architecture: "unknown", os: "unknown", rootfs: { type: "layers", diff_ids: [statement.descriptor.digest] } },
    MEDIA_TYPES.ociConfig,
  );
  const manifest = makeManifest({
    mediaType: MEDIA_TYPES.ociManifest,
    config: config.descriptor,
    layers: [statement.descriptor],
  });
  return { manifest, blobs: [config, statement], children: [] };
}

export interface ReferrerOptions {
  readonly artifactType?: string;
  /** Makes this referrer another one than those with other content. */
  readonly content?: string;
  readonly annotations?: Annotations;
}

/** An artifact whose subject is another manifest. */
export function makeReferrer(subject: Manifest, options: ReferrerOptions = {}): TestImage {
  const { artifactType = "application/vnd.example.note.v1", content = "a note", annotations } = options;
  const note = blob({ content }, "application/vnd.example.note.v1+json");
  const config: TestBlob = {
    bytes: EMPTY_JSON,
    descriptor: describeAs(EMPTY_JSON, MEDIA_TYPES.ociEmpty, "sha256"),
  };
  const { mediaType, digest, size } = subject.descriptor;
  const manifest = makeManifest({
    mediaType: MEDIA_TYPES.ociManifest,
    artifactType,
    config: config.descriptor,
    layers: [note.descriptor],
    subject: { mediaType, digest, size },
    ...(annotations === undefined ? {} : { annotations }),
  });
  return { manifest, blobs: [config, note], children: [] };
}

/** Stores blobs, then children, then the manifest itself, as the specifications want it. */
export async function pushImage(store: ContentStore, image: TestImage, tag?: string): Promise<Manifest> {
  await pushContent(store, image);
  await store.pushManifest(image.manifest, tag);
  return image.manifest;
}

/** Everything but the manifest itself: what a Destination's store holds before `commit`. */
export async function pushContent(store: ContentStore, image: TestImage): Promise<void> {
  for (const { descriptor, bytes } of image.blobs) await store.pushBlob(descriptor, bytesSource(bytes));
  for (const child of image.children) await pushImage(store, child);
}

/** Bytes in memory, handed out in chunks of a length that fits nothing. */
export function bytesSource(bytes: Uint8Array, chunkBytes = 1009): BlobSource {
  return {
    async *open(offset) {
      for (let at = offset; at < bytes.byteLength; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
    },
  };
}

/** Content of a size, different for every seed, that does not compress to nothing. */
export function makeBytes(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed >>> 0 || 1;
  for (let at = 0; at < length; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[at] = state & 0xff;
  }
  return bytes;
}

export function describeAs(bytes: Uint8Array, mediaType: string, algorithm: DigestAlgorithm = "sha256"): Descriptor {
  return { mediaType, digest: digestOf(bytes, algorithm), size: bytes.byteLength };
}

/** A manifest or index of these members, under a digest of either algorithm. */
export function makeManifest(members: Readonly<Record<string, unknown>>, algorithm?: DigestAlgorithm): Manifest {
  const bytes = encodeUtf8(JSON.stringify({ schemaVersion: 2, ...members }));
  const manifest = parseManifest(bytes, "");
  return { ...manifest, descriptor: describeAs(bytes, manifest.descriptor.mediaType, algorithm) };
}

function blob(content: unknown, mediaType: string, algorithm?: DigestAlgorithm): TestBlob {
  const bytes = encodeUtf8(JSON.stringify(content));
  return { bytes, descriptor: describeAs(bytes, mediaType, algorithm) };
}

function diffIdOf(layer: TestLayer): Digest {
  return layer.diffId;
}
