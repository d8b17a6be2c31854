import type { Descriptor } from "./images.ts";

/** What a registry's operator, or who stole its credentials, can do to tags. */

export interface TaggedManifest {
  readonly mediaType: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly digest: string;
}

const ACCEPT = ["application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json"].join(", ");

export async function readTag(address: string, repository: string, tag: string): Promise<TaggedManifest> {
  const response = await fetch(`http://${address}/v2/${repository}/manifests/${tag}`, { headers: { accept: ACCEPT } });
  if (response.status !== 200) throw new Error(`${response.status} for ${repository}:${tag}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  const header = (name: string): string => response.headers.get(name) ?? "";
  return { mediaType: header("content-type"), bytes, digest: header("docker-content-digest") };
}

/** Puts a manifest that was there before under a tag again. */
export async function restoreTag(
  address: string,
  repository: string,
  tag: string,
  { mediaType, bytes }: TaggedManifest,
): Promise<void> {
  const headers = { "content-type": mediaType };
  const url = `http://${address}/v2/${repository}/manifests/${tag}`;
  const response = await fetch(url, { method: "PUT", headers, body: bytes });
  await response.body?.cancel();
  if (response.status !== 201) throw new Error(`${response.status} for ${repository}:${tag}`);
}

export async function deleteTag(address: string, repository: string, tag: string): Promise<void> {
  const { digest } = await readTag(address, repository, tag);
  const response = await fetch(`http://${address}/v2/${repository}/manifests/${digest}`, { method: "DELETE" });
  await response.body?.cancel();
  if (response.status !== 202) throw new Error(`${response.status} for ${repository}:${tag}`);
}

/** Copies what a tag names, with its layers, into another repository. */
export async function copyHead(address: string, from: string, to: string, tag: string): Promise<void> {
  const head = await readTag(address, from, tag);
  const { config, layers } = JSON.parse(Buffer.from(head.bytes).toString()) as {
    readonly config: Descriptor;
    readonly layers: readonly Descriptor[];
  };
  for (const { digest } of [config, ...layers]) {
    const url = `http://${address}/v2/${to}/blobs/uploads/?mount=${digest}&from=${from}`;
    const response = await fetch(url, { method: "POST" });
    await response.body?.cancel();
    if (response.status !== 201) throw new Error(`${response.status} for ${url}`);
  }
  await restoreTag(address, to, tag, head);
}
