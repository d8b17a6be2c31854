import { createHash, randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";

/**
 * Images made by hand and pushed with four plain requests, so that neither the program under test nor a peer decides
 * what is in the registry.
 */

export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
const OCI_CONFIG = "application/vnd.oci.image.config.v1+json";
const OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os: string; readonly architecture: string };
}

export interface PushedImage {
  /** `127.0.0.1:PORT/repository:tag` */
  readonly tagged: string;
  /** `127.0.0.1:PORT/repository@sha256:…` */
  readonly pinned: string;
  readonly digest: string;
  readonly descriptor: Descriptor;
  /** Of an image, not of an index. */
  readonly layers: readonly Descriptor[];
}

export interface ImageOptions {
  /** One file in the only layer; random content by default, so that no two images are the same. */
  readonly file?: { readonly name: string; readonly content: Uint8Array };
  readonly entrypoint?: readonly string[];
  readonly architecture?: string;
}

/** The architecture of this machine in the words of an image. */
export const ARCHITECTURE = process.arch === "x64" ? "amd64" : process.arch;

/** Pushes an image of one layer. `name` is `repository:tag`. */
export async function pushImage(address: string, name: string, options: ImageOptions = {}): Promise<PushedImage> {
  const [repository = "", tag = ""] = name.split(":");
  const tar = await makeTar(options.file ?? { name: "random", content: randomBytes(2048) });
  const layer = await pushBlob(address, repository, OCI_LAYER, gzipSync(tar));
  const platform = { os: "linux", architecture: options.architecture ?? ARCHITECTURE };
  const config = await pushJson(address, repository, OCI_CONFIG, {
    ...platform,
    config: options.entrypoint === undefined ? {} : { Entrypoint: options.entrypoint },
    rootfs: { type: "layers", diff_ids: [digestOf(tar)] },
    history: [{ created_by: "countersign interop" }],
  });
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: [layer] };
  const pushed = await pushManifest(address, repository, tag, manifest);
  return { ...pushed, descriptor: { ...pushed.descriptor, platform }, layers: [layer] };
}

/** Pushes an index over two platforms, this machine's first. `name` is `repository:tag`. */
export async function pushIndex(
  address: string,
  name: string,
  options: ImageOptions = {},
): Promise<{ readonly index: PushedImage; readonly platforms: readonly PushedImage[] }> {
  const [repository = "", tag = ""] = name.split(":");
  const other = ARCHITECTURE === "amd64" ? "arm64" : "amd64";
  const platforms: PushedImage[] = [];
  for (const architecture of [ARCHITECTURE, other]) {
    platforms.push(await pushImage(address, `${repository}:${tag}-${architecture}`, { ...options, architecture }));
  }
  const manifests = platforms.map((image) => image.descriptor);
  const index = await pushManifest(address, repository, tag, { schemaVersion: 2, mediaType: OCI_INDEX, manifests });
  return { index, platforms };
}

/** A tar archive of one executable file. */
async function makeTar(file: { readonly name: string; readonly content: Uint8Array }): Promise<Buffer> {
  const tar = pack();
  tar.entry({ name: file.name, mode: 0o755, mtime: new Date(0) }, Buffer.from(file.content));
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

export async function pushJson(address: string, repository: string, mediaType: string, value: unknown) {
  return pushBlob(address, repository, mediaType, Buffer.from(JSON.stringify(value)));
}

/** distribution-spec, "Pushing a blob monolithically": POST then PUT. */
export async function pushBlob(
  address: string,
  repository: string,
  mediaType: string,
  bytes: Buffer,
): Promise<Descriptor> {
  const digest = digestOf(bytes);
  const opened = await fetch(`http://${address}/v2/${repository}/blobs/uploads/`, { method: "POST" });
  const where = opened.headers.get("location");
  if (where === null) throw new Error(`${opened.status} from ${opened.url}: ${await opened.text()}`);
  const location = new URL(where, `http://${address}`);
  location.searchParams.set("digest", digest);
  const headers = { "content-type": "application/octet-stream" };
  await created(await fetch(location, { method: "PUT", headers, body: new Uint8Array(bytes) }));
  return { mediaType, digest, size: bytes.length };
}

/** Puts a manifest under a tag or, with a tag that is its digest, under its digest alone. */
export async function pushManifest(
  address: string,
  repository: string,
  tag: string,
  manifest: { readonly mediaType: string } & Readonly<Record<string, unknown>>,
): Promise<PushedImage> {
  const bytes = Buffer.from(JSON.stringify(manifest));
  const digest = digestOf(bytes);
  const url = `http://${address}/v2/${repository}/manifests/${tag}`;
  const headers = { "content-type": manifest.mediaType };
  await created(await fetch(url, { method: "PUT", headers, body: new Uint8Array(bytes) }));
  return {
    tagged: `${address}/${repository}:${tag}`,
    pinned: `${address}/${repository}@${digest}`,
    digest,
    descriptor: { mediaType: manifest.mediaType, digest, size: bytes.length },
    layers: [],
  };
}

async function created(response: Response): Promise<void> {
  const text = await response.text();
  if (response.status !== 201) throw new Error(`${response.status} from ${response.url}: ${text}`);
}

/** The tags of a repository; empty where there is no such repository. */
export async function listTags(address: string, repository: string): Promise<readonly string[]> {
  const response = await fetch(`http://${address}/v2/${repository}/tags/list`);
  const { tags } = (await response.json()) as { readonly tags?: readonly string[] | null };
  return tags ?? [];
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** The digest of an image's configuration, as the registry's manifest names it. */
export async function fetchConfigDigest(address: string, image: PushedImage): Promise<string> {
  const repository = image.pinned.slice(address.length + 1, image.pinned.indexOf("@"));
  const url = `http://${address}/v2/${repository}/manifests/${image.digest}`;
  const response = await fetch(url, { headers: { accept: OCI_MANIFEST } });
  const manifest = (await response.json()) as { readonly config: Descriptor };
  return manifest.config.digest;
}
