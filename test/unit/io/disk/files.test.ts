import assert from "node:assert/strict";
import { type FileHandle, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { FileSink } from "../../../../src/io/disk/files.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { makeBytes } from "../../../support/images.ts";
import { temporaryFolder } from "../../../support/temp.ts";

const CHUNK = makeBytes(1024 * 1024);

describe("a large file, which is brought to the disk while it is still being written", () => {
  let handles: Pick<FileHandle, "datasync">;
  let original: FileHandle["datasync"];
  /** What waits for the disk, and may fail. */
  let waiting: PromiseWithResolvers<void>[];

  beforeEach(async () => {
    const handle = await open("/dev/null", "r");
    handles = Object.getPrototypeOf(handle);
    await handle.close();
    original = handles.datasync;
    waiting = [];
    handles.datasync = () => {
      const disk = Promise.withResolvers<void>();
      waiting.push(disk);
      return disk.promise;
    };
  });

  afterEach(() => {
    for (const disk of waiting) disk.resolve();
    handles.datasync = original;
  });

  /** Writes so many MiB. */
  async function write(sink: FileSink, count: number): Promise<void> {
    for (let n = 0; n < count; n++) await sink.write(CHUNK);
  }

  const brokenDisk = (): Error => Object.assign(new Error("EIO: on purpose"), { code: "EIO", syscall: "fdatasync" });

  it("goes on while the disk works, and is whole", async (t) => {
    const path = join(await temporaryFolder(t), "file");
    const sink = await FileSink.create(path, 0o600);
    await write(sink, 40);
    assert.equal(waiting.length, 1);
    waiting[0]?.resolve();
    await sink.finish();
    const wanted = Buffer.concat(Array.from({ length: 40 }, () => CHUNK));
    assert.ok(wanted.equals(await readFile(path)));
  });

  it("leaves a small one to its end", async (t) => {
    const sink = await FileSink.create(join(await temporaryFolder(t), "file"), 0o600);
    await write(sink, 30);
    await sink.finish();
    assert.equal(waiting.length, 0);
  });

  it("has the disk work for one file at a time", async (t) => {
    const folder = await temporaryFolder(t);
    const [one, other] = [
      await FileSink.create(join(folder, "1"), 0o600),
      await FileSink.create(join(folder, "2"), 0o600),
    ];
    await write(one, 80);
    await write(other, 40);
    assert.equal(waiting.length, 1);
    waiting[0]?.resolve();
    await one.finish();
    await write(other, 2);
    assert.equal(waiting.length, 2);
    waiting[1]?.resolve();
    await other.finish();
  });

  for (const count of [40, 120]) {
    it(`fails at its end where the disk failed in between, after ${count} MiB too`, async (t) => {
      const sink = await FileSink.create(join(await temporaryFolder(t), "file"), 0o600);
      await write(sink, 40);
      waiting[0]?.reject(brokenDisk());
      await new Promise(setImmediate);
      await write(sink, count - 40);
      for (const disk of waiting.slice(1)) disk.resolve();
      await rejectedBy(() => sink.finish(), "disk-error");
    });
  }

  it("does not finish before the disk has answered", async (t) => {
    const sink = await FileSink.create(join(await temporaryFolder(t), "file"), 0o600);
    await write(sink, 40);
    let isFinished = false;
    const finished = sink.finish().then(() => (isFinished = true));
    for (let n = 0; n < 50; n++) await new Promise(setImmediate);
    assert.equal(isFinished, false);
    waiting[0]?.resolve();
    await finished;
  });

  it("is given up without a word of what failed", async (t) => {
    const sink = await FileSink.create(join(await temporaryFolder(t), "file"), 0o600);
    await write(sink, 40);
    waiting[0]?.reject(brokenDisk());
    await sink.abandon();
    const next = await FileSink.create(join(await temporaryFolder(t), "file"), 0o600);
    await write(next, 40);
    assert.equal(waiting.length, 2);
    waiting[1]?.resolve();
    await next.finish();
  });
});
