import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { encodeHex, encodeUtf8 } from "../../src/core/bytes.ts";
import { isObject, type JsonObject, parseJsonObject } from "../../src/core/json.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { parseReference } from "../../src/core/oci/reference.ts";
import type { ContentStore } from "../../src/core/ports.ts";
import { buildHead } from "../../src/core/tags/head.ts";
import { HEAD_TAG } from "../../src/core/tags/names.ts";
import { instant } from "../../src/core/time.ts";
import { openRegistry } from "../../src/io/registry/store.ts";
import { askForHead, HeadSource } from "../../src/io/tags/head-source.ts";
import type { TufSource } from "../../src/io/tuf/source.ts";
import { roleOf } from "../../src/io/tuf/updater.ts";
import { sourceOf } from "../../src/ops/prepare-signature.ts";
import { startRegistry } from "../../src/testbed/registry.ts";

/** A repository's metadata as it stands, by the names of TUF's consistent snapshots. */
export type Files = ReadonlyMap<string, Uint8Array>;

/**
 * Publishes the files as the head of a repository in a registry of its own, and hands over what the product reads them by. One
 * registry for one command: what a client knows from before lies in the suite's folder.
 */
export async function throughRegistry(files: Files, work: (source: TufSource) => Promise<void>): Promise<void> {
  await using registry = await startRegistry();
  const ours = { env: {}, homeDirectory: "/nonexistent", certificateFolders: [] };
  const store = openRegistry(parseReference(`${registry.address}/suite/repository`), ours);
  try {
    await publish(store, files);
    await work(await readingFrom(store));
  } finally {
    await store.close();
  }
}

async function publish(store: ContentStore, files: Files): Promise<void> {
  const named = new Map([...files].map(([file, bytes]) => [nameInHead(file), bytes]));
  const facts = { gun: store.location, version: 1, expires: instant(0), history: [] };
  const { blobs, manifests, manifest } = buildHead(named, facts);
  for (const { descriptor, bytes } of blobs) await store.pushBlob(descriptor, sourceOf(bytes));
  for (const part of manifests) await store.pushManifest(part);
  await store.pushManifest(manifest, HEAD_TAG);
}

async function readingFrom(store: ContentStore): Promise<TufSource> {
  const head = await askForHead(store, undefined);
  if (head === undefined) throw new Error("the head that was just pushed is not there");
  const source = new HeadSource({ store, head, roots: [], kept: new Map() });
  return {
    metadata: (file, maxBytes) => source.metadata(nameInHead(file), maxBytes),
    target: () => source.target(),
  };
}

/** Our heads name roles as our publishers may; the suite's are called `../role`, `#` and so on. */
function nameInHead(file: string): string {
  const role = roleOf(file);
  if (/^[a-z][a-z-]*$/.test(role)) return file;
  return file.replace(`${role}.json`, `q.${encodeHex(encodeUtf8(role))}.json`);
}

// --- where the suite's repositories come from ---------------------------------------------------------------------------

/**
 * The state that a simulated repository has now: the suite writes it out before each command of a client
 * (`--repository-dump-dir`), so that nothing has to be asked of its server, which counts. undefined: it has not.
 */
export async function readDump(folder: string, test: string): Promise<Files | undefined> {
  const states = await readdir(join(folder, test)).catch(() => []);
  const newest = Math.max(...states.map((name) => Number(/^refresh-([0-9]+)$/.exec(name)?.[1] ?? 0)), 0);
  if (newest === 0) return undefined;
  const state = join(folder, test, `refresh-${newest}`);
  const files = (await readdir(state)).map(async (name): Promise<[string, Uint8Array]> => {
    const bytes = await readFile(join(state, name));
    return [dumpedName(name, bytes), bytes];
  });
  return new Map(await Promise.all(files));
}

/** Roots have their version in the name; of the other roles the newest file is there, under the role's alone. */
function dumpedName(name: string, bytes: Uint8Array): string {
  const role = decodeURIComponent(name.replace(/\.json$/, ""));
  if (role === "timestamp" || /^[0-9]+\.root$/.test(role)) return `${role}.json`;
  return `${signedPart(bytes)["version"]}.${role}.json`;
}

/** Everything that a repository lists, as one who mirrors it would fetch it. */
export async function mirror(source: TufSource): Promise<Files> {
  const files = new Map<string, Uint8Array>();
  const take = async (file: string): Promise<Uint8Array | undefined> => {
    const bytes = await source.metadata(file, LIMITS.tufSnapshotBytes);
    if (bytes !== undefined) files.set(file, bytes);
    return bytes;
  };
  let root = 1;
  while ((await take(`${root}.root.json`)) !== undefined) root++;
  const timestamp = await take("timestamp.json");
  for (const [file] of listed(timestamp)) {
    for (const [role] of listed(await take(file))) await take(role);
  }
  return files;
}

/** Names, with their versions, of what a timestamp or a snapshot lists. */
function listed(bytes: Uint8Array | undefined): readonly (readonly [file: string])[] {
  const { meta } = bytes === undefined ? {} : signedPart(bytes);
  return Object.entries(isObject(meta) ? meta : {}).map(([file, entry]) => {
    return [`${isObject(entry) ? entry["version"] : ""}.${file}`] as const;
  });
}

function signedPart(bytes: Uint8Array): JsonObject {
  const reading = { what: "a dumped file", code: "metadata-malformed", maxBytes: LIMITS.tufTargetsBytes } as const;
  const { signed } = parseJsonObject(bytes, reading);
  return isObject(signed) ? signed : {};
}
