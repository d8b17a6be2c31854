import { lstat, mkdir, readdir, stat, unlink, utimes } from "node:fs/promises";
import { join } from "node:path";
import { LIMITS } from "../../core/limits.ts";
import { type Digest, digestAlgorithm, digestHex, digestOf } from "../../core/oci/digest.ts";
import type { ContentCache } from "../../core/ports.ts";
import { writeFileAtomic } from "./atomic.ts";
import { gather, openRegular, readRange } from "./files.ts";

export interface CacheOptions {
  /** All entries together, in bytes. */
  readonly maxBytes?: number | undefined;
  readonly maxEntries?: number | undefined;
  /** Of Math.random's kind. */
  readonly random?: (() => number) | undefined;
}

/** Part of the room that is taken without looking how full it is: to look at 20,000 entries takes a third of a second. */
const BLIND = 1 / 64;

/**
 * Small content by digest: signature manifests, bundles. It spares requests and is never needed: whatever goes wrong
 * here is a miss, not a failure. What it answers was hashed in that very call, so that a changed file cannot lie.
 */
export class DiskCache implements ContentCache {
  readonly #folder: string;
  readonly #maxBytes: number;
  readonly #maxEntries: number;
  readonly #random: () => number;
  /** What was added, and where the folder was looked at all that is there. */
  #used = { bytes: 0, entries: 0 };
  #looked = false;

  constructor(folder: string, options: CacheOptions = {}) {
    this.#folder = folder;
    this.#maxBytes = options.maxBytes ?? LIMITS.cacheBytes;
    this.#maxEntries = options.maxEntries ?? LIMITS.cacheEntries;
    this.#random = options.random ?? Math.random;
  }

  /** The bytes with this digest; undefined where they are not kept. An entry that is not what it should be is removed. */
  async get(digest: Digest): Promise<Uint8Array | undefined> {
    const path = this.#path(digest);
    try {
      const bytes = await readWhole(path);
      if (bytes === undefined) return undefined;
      if (digestOf(bytes, digestAlgorithm(digest)) !== digest) throw new Error("the entry was changed");
      const now = new Date();
      await utimes(path, now, now).catch(() => undefined);
      return bytes;
    } catch {
      await unlink(path).catch(() => undefined);
      return undefined;
    }
  }

  /** Keeps the bytes if they are the named ones and there is room. */
  async put(digest: Digest, bytes: Uint8Array): Promise<void> {
    if (bytes.byteLength > LIMITS.cacheEntryBytes) return;
    if (digestOf(bytes, digestAlgorithm(digest)) !== digest) return;
    try {
      await mkdir(join(this.#folder, digestAlgorithm(digest)), { recursive: true, mode: 0o700 });
      await writeFileAtomic(this.#path(digest), bytes, { mayBeLost: true });
      await this.#makeRoom(bytes.byteLength);
    } catch {
      // A cache that cannot be written is an empty one.
    }
  }

  #path(digest: Digest): string {
    return join(this.#folder, digestAlgorithm(digest), digestHex(digest));
  }

  async #makeRoom(added: number): Promise<void> {
    this.#used = { bytes: this.#used.bytes + added, entries: this.#used.entries + 1 };
    if (!this.#isFull()) return;
    this.#used = await prune(this.#folder, this.#maxBytes, this.#maxEntries);
    this.#looked = true;
  }

  /** A process that adds little looks once in a while: by chance, so that nobody who fills the cache can prevent it. */
  #isFull(): boolean {
    const { bytes, entries } = this.#used;
    const part = this.#looked ? 1 : BLIND;
    if (bytes > this.#maxBytes * part || entries > this.#maxEntries * part) return true;
    return !this.#looked && this.#random() < BLIND;
  }
}

/** Keeps what it is given while the command goes on: a signature need not lie on the disk to be judged. */
export class BackgroundCache implements ContentCache {
  readonly #cache: ContentCache;
  readonly #writes = new Map<Digest, Promise<void>>();

  constructor(cache: ContentCache) {
    this.#cache = cache;
  }

  async get(digest: Digest): Promise<Uint8Array | undefined> {
    await this.#writes.get(digest);
    return await this.#cache.get(digest);
  }

  /** Waits only where the disk is behind: what waits for it is in memory. */
  async put(digest: Digest, bytes: Uint8Array): Promise<void> {
    while (this.#writes.size >= LIMITS.cacheWrites) await Promise.race(this.#writes.values());
    if (this.#writes.has(digest)) return;
    const write = this.#cache.put(digest, bytes).finally(() => this.#writes.delete(digest));
    this.#writes.set(digest, write);
  }

  /** Resolves when everything that was given is kept. */
  async settled(): Promise<void> {
    await Promise.all(this.#writes.values());
  }
}

async function readWhole(path: string): Promise<Uint8Array | undefined> {
  const file = await openRegular(path);
  if (file === undefined) return undefined;
  if (typeof file === "string") throw new Error(file);
  try {
    if (file.size > LIMITS.cacheEntryBytes) throw new Error("the entry is too large");
    return await gather(readRange(file.handle, 0, file.size));
  } finally {
    await file.handle.close();
  }
}

interface Kept {
  readonly path: string;
  readonly bytes: number;
  readonly usedAt: number;
}

/** Removes what was not used for the longest time until a quarter of the room is free again. */
async function prune(folder: string, maxBytes: number, maxEntries: number) {
  const kept = (await listEntries(folder)).sort((a, b) => a.usedAt - b.usedAt);
  let bytes = kept.reduce((sum, entry) => sum + entry.bytes, 0);
  let entries = kept.length;
  if (bytes <= maxBytes && entries <= maxEntries) return { bytes, entries };
  for (const entry of kept) {
    if (bytes <= maxBytes * 0.75 && entries <= maxEntries * 0.75) break;
    await unlink(entry.path).catch(() => undefined);
    bytes -= entry.bytes;
    entries--;
  }
  return { bytes, entries };
}

/** An entry, or what a writer that was killed left of one. */
const OURS = /^\.?[0-9a-f]{64}(?:[0-9a-f]{64})?(?:\.countersign-[0-9a-f]+\.tmp)?$/;

async function isOwnFolder(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined))?.isDirectory() === true;
}

async function listEntries(folder: string): Promise<Kept[]> {
  const kept: Kept[] = [];
  for (const algorithm of ["sha256", "sha512"]) {
    // Who else may write here could lead to a folder of the user's own: nothing but what is ours is ever removed.
    const names = (await isOwnFolder(join(folder, algorithm))) ? await readdir(join(folder, algorithm)) : [];
    for (const name of names.filter((each) => OURS.test(each))) {
      const path = join(folder, algorithm, name);
      const found = await stat(path).catch(() => undefined);
      if (found?.isFile() === true) kept.push({ path, bytes: found.size, usedAt: found.mtimeMs });
    }
  }
  return kept;
}
