import assert from "node:assert/strict";
import { chmod, lstat, mkdir, open, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../../src/core/bytes.ts";
import { CountersignError } from "../../../../src/core/errors.ts";
import { writeFileAtomic } from "../../../../src/io/disk/atomic.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { makeBytes } from "../../../support/images.ts";
import { temporaryFolder } from "../../../support/temp.ts";

/** Makes one method of every open file fail as a system call would. */
async function failing(folder: string, method: "writev" | "sync", code: string): Promise<() => void> {
  const handle = await open(join(folder, "probe"), "w");
  const prototype = Object.getPrototypeOf(handle) as Record<string, unknown>;
  await handle.close();
  const original = prototype[method];
  prototype[method] = () => Promise.reject(Object.assign(new Error(code), { code, syscall: method }));
  return () => {
    prototype[method] = original;
  };
}

describe("writing a file all or nothing", () => {
  it("writes bytes and streams, readable by the owner only, and leaves no other file", async (t) => {
    const folder = await temporaryFolder(t);
    const large = makeBytes(3_000_000);
    await writeFileAtomic(join(folder, "a"), encodeUtf8("hello"));
    await writeFileAtomic(join(folder, "b"), chunksOf(large, 70_001));
    assert.equal(await readFile(join(folder, "a"), "utf8"), "hello");
    assert.deepEqual(await readFile(join(folder, "b")), Buffer.from(large));
    assert.equal((await stat(join(folder, "a"))).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(folder), ["a", "b"]);
  });

  it("replaces a file, and a link as such without touching what it points at", async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, "target"), "target");
    await symlink("target", join(folder, "link"));
    await writeFileAtomic(join(folder, "link"), encodeUtf8("new"));
    assert.equal((await lstat(join(folder, "link"))).isFile(), true);
    assert.equal(await readFile(join(folder, "target"), "utf8"), "target");
  });

  it("never replaces anything when it shall be exclusive: a file, a folder, a link to nowhere", async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, "file"), "old");
    await mkdir(join(folder, "folder"));
    await symlink("nowhere", join(folder, "link"));
    for (const name of ["file", "folder", "link"]) {
      const write = () => writeFileAtomic(join(folder, name), encodeUtf8("new"), { exclusive: true });
      await rejectedBy(write, "destination-exists");
    }
    assert.equal(await readFile(join(folder, "file"), "utf8"), "old");
    assert.deepEqual(await readdir(folder), ["file", "folder", "link"]);
  });

  it("gives a new exclusive file to one of several writers", async (t) => {
    const path = join(await temporaryFolder(t), "key");
    const write = (text: string) => writeFileAtomic(path, encodeUtf8(text), { exclusive: true });
    const results = await Promise.allSettled(["a", "b", "c"].map(write));
    assert.equal(results.filter((result) => result.status === "fulfilled").length, 1);
  });

  for (const [method, code] of [
    ["writev", "ENOSPC"],
    ["writev", "EIO"],
    ["sync", "EDQUOT"],
  ] as const) {
    it(`keeps the old file and leaves nothing where ${method} fails with ${code}`, async (t) => {
      const folder = await temporaryFolder(t);
      const path = join(folder, "a");
      await writeFile(path, "old");
      const restore = await failing(folder, method, code);
      t.after(restore);
      const error = await rejectedBy(() => writeFileAtomic(path, makeBytes(2_000_000)), "disk-error");
      restore();
      assert.match(error.found ?? "", new RegExp(`^${code}`));
      assert.equal(await readFile(path, "utf8"), "old");
      assert.deepEqual((await readdir(folder)).sort(), ["a", "probe"]);
    });
  }

  it("leaves nothing where the stream fails, and passes its error on", async (t) => {
    const folder = await temporaryFolder(t);
    const broken = async function* () {
      yield makeBytes(100);
      throw new CountersignError("unreachable", "gone");
    };
    await rejectedBy(() => writeFileAtomic(join(folder, "a"), broken()), "unreachable");
    assert.deepEqual(await readdir(folder), []);
  });

  it("stops when it is told to, and leaves nothing", async (t) => {
    const folder = await temporaryFolder(t);
    const controller = new AbortController();
    const endless = async function* () {
      for (;;) {
        yield makeBytes(100);
        controller.abort();
      }
    };
    const write = () => writeFileAtomic(join(folder, "a"), endless(), { signal: controller.signal });
    await rejectedBy(write, "interrupted");
    assert.deepEqual(await readdir(folder), []);
  });

  it("gives disk-error for a folder that is not there, and for one that is a file", async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, "file"), "");
    for (const path of ["missing/a", "file/a"]) {
      const error = await rejectedBy(() => writeFileAtomic(join(folder, path), encodeUtf8("a")), "disk-error");
      assert.equal(error.message, `cannot write ${join(folder, path)}`, "by its own name, and no temporary one");
      assert.match(error.next ?? "", /make the folder/);
    }
  });

  it("takes the mode it is given", async (t) => {
    const folder = await temporaryFolder(t);
    await writeFileAtomic(join(folder, "a"), encodeUtf8("a"), { mode: 0o400 });
    assert.equal((await stat(join(folder, "a"))).mode & 0o777, 0o400);
    await chmod(join(folder, "a"), 0o600);
  });
});

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}
