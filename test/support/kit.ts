import { createReadStream } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { extract } from "tar-stream";
import { type Digest, digestOf } from "../../src/core/oci/digest.ts";
import type { Manifest } from "../../src/core/oci/manifest.ts";
import { MEDIA_TYPES } from "../../src/core/oci/media-types.ts";
import type { ContentStore, WholeLayout } from "../../src/core/ports.ts";
import { instant } from "../../src/core/time.ts";
import { layoutCollection } from "../../src/io/layout/collection.ts";
import { openWholeArchive } from "../../src/io/layout/whole.ts";
import { type BroughtTrust, type SavedKit, saveKit } from "../../src/ops/kit.ts";
import type { KitEntry } from "../../src/ops/kit-contents.ts";
import { makeTar } from "./images.ts";
import { temporaryFolder } from "./temp.ts";

export const KIT_TIME = instant(Date.UTC(2026, 0, 1));

/** An image as it goes into a kit, under the name of the store that it is in. */
export function entryOf(store: ContentStore, root: Manifest, tag?: string): KitEntry {
  const { mediaType, digest, size } = root.descriptor;
  return { image: { repository: store.repository, tag, manifest: { mediaType, digest, size } }, root, store };
}

export interface MadeKit extends SavedKit {
  readonly path: string;
}

interface Scope {
  after(work: () => Promise<void>): void;
}

export interface MakeKitOptions {
  readonly trust?: readonly BroughtTrust[];
  /** In a folder of the test's own where nothing is said. */
  readonly path?: string;
}

export async function makeKit(t: Scope, entries: readonly KitEntry[], options: MakeKitOptions = {}): Promise<MadeKit> {
  const { trust = [], path = join(await temporaryFolder(t), "kit.tar") } = options;
  const collection = await layoutCollection({ kind: "oci-archive", path });
  return { path, ...(await saveKit({ collection, entries, trust, createdAt: KIT_TIME })) };
}

/** An archive that is open until the test ends. */
export async function openKit(t: Scope, path: string): Promise<WholeLayout> {
  const whole = await openWholeArchive(path);
  t.after(() => whole.store.close());
  return whole;
}

// --- forging ----------------------------------------------------------------------------------------------------------

export type KitFiles = Map<string, Buffer>;

/** The files of an archive, by their names. */
export async function readFiles(path: string): Promise<KitFiles> {
  const files: KitFiles = new Map();
  const entries = createReadStream(path).pipe(extract());
  for await (const entry of entries) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    files.set(entry.header.name, Buffer.concat(chunks));
  }
  return files;
}

export async function writeFiles(path: string, files: KitFiles): Promise<void> {
  await writeFile(path, await makeTar(Object.fromEntries(files)));
}

/** Changes the files of an archive. */
export async function forge(path: string, change: (files: KitFiles) => void): Promise<void> {
  const files = await readFiles(path);
  change(files);
  await writeFiles(path, files);
}

export type Json = Record<string, unknown>;

interface IndexJson {
  manifests: (Json & { digest: Digest; size: number; annotations?: Record<string, string> })[];
}

export function pathOf(digest: Digest): string {
  return `blobs/${digest.replace(":", "/")}`;
}

export function editIndex(files: KitFiles, edit: (index: IndexJson) => void): void {
  const index = JSON.parse(String(files.get("index.json"))) as IndexJson;
  edit(index);
  files.set("index.json", Buffer.from(JSON.stringify(index)));
}

export function addBlob(files: KitFiles, content: Uint8Array): { digest: Digest; size: number } {
  const digest = digestOf(content);
  files.set(pathOf(digest), Buffer.from(content));
  return { digest, size: content.byteLength };
}

/** A kit that says something else of itself, with every digest made to fit: what somebody who makes kits could make. */
export function editList(
  files: KitFiles,
  edit: (list: Json & { images: Json[]; attached: string[]; trust: Json[] }) => void,
): void {
  editManifest(files, (manifest) => {
    const [layer] = manifest.layers;
    if (layer === undefined) throw new Error("no list");
    const list = JSON.parse(String(files.get(pathOf(layer.digest))));
    files.delete(pathOf(layer.digest));
    edit(list);
    manifest.layers[0] = { ...layer, ...addBlob(files, Buffer.from(JSON.stringify(list))) };
  });
}

type KitManifest = Json & { layers: { mediaType: string; digest: Digest; size: number }[] };

export function editManifest(files: KitFiles, edit: (manifest: KitManifest) => void): void {
  editIndex(files, (index) => {
    const entry = index.manifests.find(({ artifactType }) => artifactType === MEDIA_TYPES.kit);
    if (entry === undefined) throw new Error("no kit");
    const manifest = JSON.parse(String(files.get(pathOf(entry.digest)))) as KitManifest;
    files.delete(pathOf(entry.digest));
    edit(manifest);
    Object.assign(entry, addBlob(files, Buffer.from(JSON.stringify(manifest))));
  });
}
