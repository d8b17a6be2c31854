import { createHash } from "node:crypto";
import type { Digest } from "../../src/core/oci/digest.ts";

/** A made-up image for sessions, pushed with plain requests: nothing of the client is used to make what it is tested on. */
export async function pushImage(reference: string, content: string): Promise<void> {
  const { base, tag } = split(reference);
  const layer = tarOf("hello.txt", content);
  const config = Buffer.from(
    JSON.stringify({ architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: [digestOf(layer)] } }),
  );
  await putBlob(base, layer);
  await putBlob(base, config);
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: describe(config, "application/vnd.oci.image.config.v1+json"),
    layers: [describe(layer, "application/vnd.oci.image.layer.v1.tar")],
  });
  await putManifest(base, tag, manifest);
}

export async function copyTag(from: string, to: string): Promise<void> {
  const { base, tag } = split(to);
  await putManifest(base, tag, await readManifest(from));
}

const INDEX = "application/vnd.oci.image.index.v1+json";
const ARCHITECTURES = ["amd64", "arm64", "riscv64"];

/** An index of images that are in the same repository: the first is listed for linux/amd64, the second for linux/arm64. */
export async function pushIndex(reference: string, images: readonly string[]): Promise<void> {
  const { base, tag } = split(reference);
  const manifests = [];
  for (const [at, image] of images.entries()) {
    const bytes = Buffer.from(await readManifest(image));
    manifests.push({ ...describe(bytes, MANIFEST), platform: { os: "linux", architecture: ARCHITECTURES[at] } });
  }
  await putManifest(base, tag, JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests }), INDEX);
}

export async function firstLayer(reference: string): Promise<string> {
  const { layers } = JSON.parse(await readManifest(reference)) as { layers: { digest: string }[] };
  const [layer] = layers;
  if (layer === undefined) throw new Error(`no layer: ${reference}`);
  return layer.digest;
}

async function readManifest(reference: string): Promise<string> {
  const { base, tag } = split(reference);
  const response = await fetch(`${base}/manifests/${tag}`, { headers: { accept: MANIFEST } });
  if (!response.ok) throw new Error(`GET answered ${response.status}`);
  return await response.text();
}

/** An image as what a signature is about. */
export interface Subject {
  readonly base: string;
  /** `registry/repository`. */
  readonly repository: string;
  readonly digest: Digest;
  readonly size: number;
}

export async function readSubject(reference: string): Promise<Subject> {
  const bytes = Buffer.from(await readManifest(reference));
  const { base } = split(reference);
  const repository = reference.slice(0, reference.lastIndexOf(":"));
  return { base, repository, digest: digestOf(bytes) as Digest, size: bytes.byteLength };
}

const BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json";

/** Stores a bundle as a referrer of an image, or a legacy payload under its tag. */
export async function pushSignature(
  { base, digest, size }: Subject,
  signature:
    | { readonly bundle: Uint8Array }
    | {
        readonly payload: Uint8Array;
        readonly mediaType: string;
        readonly annotations: Readonly<Record<string, string>>;
      },
): Promise<void> {
  const config = Buffer.from("{}");
  await putBlob(base, config);
  const common = { schemaVersion: 2, mediaType: MANIFEST };
  if ("bundle" in signature) {
    const bundle = Buffer.from(signature.bundle);
    await putBlob(base, bundle);
    const manifest = JSON.stringify({
      ...common,
      artifactType: BUNDLE,
      config: describe(config, "application/vnd.oci.empty.v1+json"),
      layers: [describe(bundle, BUNDLE)],
      subject: { mediaType: MANIFEST, digest, size },
    });
    return await putManifest(base, digestOf(Buffer.from(manifest)), manifest);
  }
  const { mediaType, annotations } = signature;
  const payload = Buffer.from(signature.payload);
  await putBlob(base, payload);
  const manifest = JSON.stringify({
    ...common,
    config: describe(config, "application/vnd.oci.image.config.v1+json"),
    layers: [{ ...describe(payload, mediaType), annotations }],
  });
  await putManifest(base, `${digest.replace(":", "-")}.sig`, manifest);
}

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

function split(reference: string): { readonly base: string; readonly tag: string } {
  const [, registry, repository, tag] = /^([^/]+)\/(.+):([^:/]+)$/.exec(reference) ?? [];
  if (registry === undefined || repository === undefined || tag === undefined)
    throw new Error(`not a tag: ${reference}`);
  return { base: `http://${registry}/v2/${repository}`, tag };
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

function describe(bytes: Uint8Array, mediaType: string): Record<string, unknown> {
  return { mediaType, digest: digestOf(bytes), size: bytes.byteLength };
}

async function putBlob(base: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const opened = await fetch(`${base}/blobs/uploads/`, { method: "POST" });
  const location = new URL(opened.headers.get("location") ?? "", base);
  location.searchParams.set("digest", digestOf(bytes));
  const headers = { "content-type": "application/octet-stream" };
  const stored = await fetch(location, { method: "PUT", headers, body: bytes });
  if (stored.status !== 201) throw new Error(`PUT answered ${stored.status}`);
}

async function putManifest(base: string, tag: string, body: string, mediaType = MANIFEST): Promise<void> {
  const stored = await fetch(`${base}/manifests/${tag}`, {
    method: "PUT",
    headers: { "content-type": mediaType },
    body,
  });
  if (stored.status !== 201) throw new Error(`PUT answered ${stored.status}`);
}

/** POSIX ustar: one header block, the content padded to blocks, two empty blocks. */
function tarOf(name: string, content: string): Buffer<ArrayBuffer> {
  const body = Buffer.from(content);
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write("0000644\0", 100);
  header.write("0000000\0", 108);
  header.write("0000000\0", 116);
  header.write(`${body.byteLength.toString(8).padStart(11, "0")}\0`, 124);
  header.write("00000000000\0", 136);
  header.write("        ", 148);
  header.write("0", 156);
  header.write("ustar\0" + "00", 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  const padding = Buffer.alloc((512 - (body.byteLength % 512)) % 512);
  return Buffer.concat([header, body, padding, Buffer.alloc(1024)]);
}
