import assert from "node:assert/strict";
import { mkdir, open, readdir, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { digestHex, digestOf } from "../../../../src/core/oci/digest.ts";
import { BackgroundCache, DiskCache } from "../../../../src/io/disk/cache.ts";
import { cacheFolder, configFolder } from "../../../../src/io/disk/paths.ts";
import { makeBytes } from "../../../support/images.ts";
import { temporaryFolder } from "../../../support/temp.ts";

const BYTES = makeBytes(1000);
const DIGEST = digestOf(BYTES);

describe("the cache on disk", () => {
  it("gives back what was put, under both algorithms, to a later process", async (t) => {
    const folder = join(await temporaryFolder(t), "cache");
    for (const digest of [DIGEST, digestOf(BYTES, "sha512")]) {
      await new DiskCache(folder).put(digest, BYTES);
      assert.deepEqual(await new DiskCache(folder).get(digest), Buffer.from(BYTES));
    }
  });

  it("removes nothing but entries of its own, and nothing where a link leads", async (t) => {
    const root = await temporaryFolder(t);
    for (const [folder, isLink] of [
      [join(root, "real"), false],
      [join(root, "linked"), true],
    ] as const) {
      const [photos, place] = [join(root, `photos of ${isLink}`), join(folder, "sha256")];
      await mkdir(isLink ? photos : place, { recursive: true });
      await mkdir(folder, { recursive: true });
      if (isLink) await symlink(photos, place);
      const names = ["photo.jpg", ...(isLink ? [digestHex(digestOf(makeBytes(7, 2)))] : [])];
      for (const name of names) await writeFile(join(place, name), makeBytes(5000));
      await new DiskCache(folder, { maxBytes: 100 }).put(DIGEST, BYTES);
      for (const name of names) assert.ok((await stat(join(place, name))).isFile());
    }
  });

  it("is readable by its owner only", async (t) => {
    const folder = join(await temporaryFolder(t), "cache");
    await new DiskCache(folder).put(DIGEST, BYTES);
    assert.equal((await stat(folder)).mode & 0o777, 0o700);
    assert.equal((await stat(join(folder, "sha256", digestHex(DIGEST)))).mode & 0o777, 0o600);
  });

  it("answers undefined for what it does not have", async (t) => {
    const cache = new DiskCache(join(await temporaryFolder(t), "cache"));
    assert.equal(await cache.get(DIGEST), undefined);
  });

  it("keeps nothing under a digest that is not the content's", async (t) => {
    const folder = join(await temporaryFolder(t), "cache");
    const cache = new DiskCache(folder);
    await cache.put(digestOf(makeBytes(10)), BYTES);
    assert.equal(await cache.get(digestOf(makeBytes(10))), undefined);
  });

  for (const [what, replace] of [
    ["another content", (path: string) => writeFile(path, makeBytes(1000, 2))],
    ["nothing", (path: string) => writeFile(path, "")],
    ["more than fits", (path: string) => writeFile(path, new Uint8Array(LIMITS.cacheEntryBytes + 1))],
    [
      "a link to the right content",
      async (path: string) => {
        await writeFile(`${path}-real`, BYTES);
        await symlink(`${path}-real`, path);
      },
    ],
  ] as const) {
    it(`answers undefined for an entry that became ${what}, and removes it`, async (t) => {
      const folder = join(await temporaryFolder(t), "cache");
      const cache = new DiskCache(folder);
      await cache.put(DIGEST, BYTES);
      const path = join(folder, "sha256", digestHex(DIGEST));
      await rm(path);
      await replace(path);
      assert.equal(await cache.get(DIGEST), undefined);
      assert.equal((await readdir(join(folder, "sha256"))).includes(digestHex(DIGEST)), false);
    });
  }

  it("fails nothing where it cannot be written or read", async (t) => {
    const file = join(await temporaryFolder(t), "file");
    await writeFile(file, "");
    const cache = new DiskCache(file);
    await cache.put(DIGEST, BYTES);
    assert.equal(await cache.get(DIGEST), undefined);
  });

  it("forgets what was not used for the longest time when it is full", async (t) => {
    const folder = join(await temporaryFolder(t), "cache");
    const contents = Array.from({ length: 6 }, (_, seed) => makeBytes(1000, seed + 1));
    await mkdir(join(folder, "sha256"), { recursive: true });
    for (const [at, bytes] of contents.slice(0, 5).entries()) {
      const path = join(folder, "sha256", digestHex(digestOf(bytes)));
      await writeFile(path, bytes);
      await utimes(path, 1000 + at, 1000 + at);
    }
    const cache = new DiskCache(folder, { maxBytes: 5500 });
    const [first, ...rest] = contents;
    assert.ok(first !== undefined);
    await cache.get(digestOf(first));
    await cache.put(digestOf(rest.at(-1) ?? first), rest.at(-1) ?? first);
    const kept = await Promise.all(contents.map(async (bytes) => (await cache.get(digestOf(bytes))) !== undefined));
    assert.deepEqual(kept, [true, false, false, true, true, true]);
  });

  it("bounds the number of entries", async (t) => {
    const folder = join(await temporaryFolder(t), "cache");
    const cache = new DiskCache(folder, { maxEntries: 8 });
    for (let seed = 1; seed <= 30; seed++) await cache.put(digestOf(makeBytes(10, seed)), makeBytes(10, seed));
    assert.ok((await readdir(join(folder, "sha256"))).length <= 8);
  });

  it("looks how full it is once in a while, and after it has added much: a look takes time", async (t) => {
    const folder = join(await temporaryFolder(t), "cache");
    await mkdir(join(folder, "sha256"), { recursive: true });
    for (let seed = 1; seed <= 300; seed++) {
      await writeFile(join(folder, "sha256", digestHex(digestOf(makeBytes(10, seed)))), "x");
    }
    const count = async () => (await readdir(join(folder, "sha256"))).length;
    const put = async (chance: number, times: number) => {
      const cache = new DiskCache(folder, { maxEntries: 256, random: () => chance });
      for (let seed = 1; seed <= times; seed++) await cache.put(digestOf(makeBytes(20, seed)), makeBytes(20, seed));
    };
    await put(0.5, 4);
    assert.equal(await count(), 304);
    await put(0.01, 1);
    assert.equal(await count(), 192);
    for (let seed = 1; seed <= 100; seed++) {
      await writeFile(join(folder, "sha256", digestHex(digestOf(makeBytes(30, seed)))), "x");
    }
    await put(0.5, 5);
    assert.equal(await count(), 192);
  });

  it("does not wait for the disk: what a crash leaves half of is not what it is called", async (t) => {
    const folder = join(await temporaryFolder(t), "cache");
    const handle = await open(join(await temporaryFolder(t), "probe"), "w");
    const prototype = Object.getPrototypeOf(handle) as { sync: () => Promise<void> };
    await handle.close();
    const sync = t.mock.method(prototype, "sync");
    await new DiskCache(folder).put(DIGEST, BYTES);
    assert.equal(sync.mock.callCount(), 0);
    await writeFile(join(folder, "sha256", digestHex(DIGEST)), BYTES.subarray(0, 500));
    assert.equal(await new DiskCache(folder).get(DIGEST), undefined);
  });
});

describe("folders of this user", () => {
  it("follow the XDG base directory specification, and ignore relative paths as it says", () => {
    assert.equal(cacheFolder({ XDG_CACHE_HOME: "/c" }, "/h"), "/c/countersign");
    assert.equal(configFolder({ XDG_CONFIG_HOME: "/e" }, "/h"), "/e/countersign");
    for (const value of [undefined, "", "c", "./c"]) {
      assert.equal(cacheFolder({ XDG_CACHE_HOME: value }, "/h"), "/h/.cache/countersign");
      assert.equal(configFolder({ XDG_CONFIG_HOME: value }, "/h"), "/h/.config/countersign");
    }
  });
});

describe("what is kept in the background", () => {
  /** A disk that finishes a write when it is told to. */
  function slowDisk() {
    const kept = new Map<string, Uint8Array>();
    const waiting: (() => void)[] = [];
    return {
      waiting,
      get: async (digest: string) => kept.get(digest),
      put: async (digest: string, bytes: Uint8Array) => {
        await new Promise<void>((resolve) => waiting.push(resolve));
        kept.set(digest, bytes);
      },
    };
  }

  it("keeps nobody waiting, and is there for who asks", async () => {
    const disk = slowDisk();
    const cache = new BackgroundCache(disk);
    await cache.put(DIGEST, BYTES);
    const asked = cache.get(DIGEST);
    disk.waiting.shift()?.();
    assert.equal(await asked, BYTES);
  });

  it("is not settled before the last of it is written", async () => {
    const disk = slowDisk();
    const cache = new BackgroundCache(disk);
    await cache.put(DIGEST, BYTES);
    let isSettled = false;
    const settled = cache.settled().then(() => {
      isSettled = true;
    });
    await new Promise(setImmediate);
    assert.equal(isSettled, false);
    disk.waiting.shift()?.();
    await settled;
    assert.equal(await disk.get(DIGEST), BYTES);
  });

  it("waits for a disk that is far behind", async () => {
    const disk = slowDisk();
    const cache = new BackgroundCache(disk);
    const contents = Array.from({ length: LIMITS.cacheWrites + 1 }, (_, at) => makeBytes(10, at + 1));
    let given = 0;
    const all = (async () => {
      for (const bytes of contents) {
        await cache.put(digestOf(bytes), bytes);
        given++;
      }
    })();
    await new Promise(setImmediate);
    assert.equal(given, LIMITS.cacheWrites);
    disk.waiting.shift()?.();
    await all;
    assert.equal(given, contents.length);
  });
});
