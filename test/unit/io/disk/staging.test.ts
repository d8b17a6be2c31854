import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { CountersignError } from "../../../../src/core/errors.ts";
import { Staging, stagingFolder } from "../../../../src/io/disk/staging.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { temporaryFolder } from "../../../support/temp.ts";

describe("staging", () => {
  it("happens in a hidden folder beside the destination that only its owner can enter", async (t) => {
    const folder = await temporaryFolder(t);
    const staging = await Staging.open(join(folder, "image"));
    assert.deepEqual(await readdir(folder), [".image.countersign-partial"]);
    assert.equal((await stat(staging.folder)).mode & 0o777, 0o700);
    await staging.discard();
    assert.deepEqual(await readdir(folder), []);
  });

  it("becomes the destination in one step, with nothing left beside it", async (t) => {
    const folder = await temporaryFolder(t);
    const staging = await Staging.open(join(folder, "image"));
    await writeFile(join(staging.content, "a"), "a");
    await writeFile(join(staging.partial, "b"), "b");
    await staging.commitFolder(join(folder, "image"));
    assert.deepEqual(await readdir(folder), ["image"]);
    assert.deepEqual(await readdir(join(folder, "image")), ["a"]);
  });

  for (const what of ["a folder", "a file", "a link to nowhere"]) {
    it(`does not replace ${what} that appeared meanwhile`, async (t) => {
      const folder = await temporaryFolder(t);
      const path = join(folder, "image");
      const staging = await Staging.open(path);
      if (what === "a folder") await mkdir(path);
      else if (what === "a file") await writeFile(path, "theirs");
      else await symlink("nowhere", path);
      await rejectedBy(() => staging.commitFolder(path), "destination-exists");
      await staging.discard();
      assert.deepEqual(await readdir(folder), ["image"]);
    });
  }

  it("keeps what it holds when it is suspended, for the next run", async (t) => {
    const path = join(await temporaryFolder(t), "image");
    const first = await Staging.open(path);
    await writeFile(join(first.partial, "half"), "half");
    await first.suspend();
    const second = await Staging.open(path);
    assert.equal(await readFile(join(second.partial, "half"), "utf8"), "half");
    await second.discard();
  });

  it("keeps nothing when it is suspended empty", async (t) => {
    const folder = await temporaryFolder(t);
    await (await Staging.open(join(folder, "image"))).suspend();
    assert.deepEqual(await readdir(folder), []);
  });

  it("begins, or is somebody else's, whenever that one moves it away", async (t) => {
    const folder = await temporaryFolder(t);
    const path = join(folder, "image");
    let begun = 0;
    const comeAndGo = async () => {
      for (let round = 0; round < 60; round++) {
        const staging = await Staging.open(path).catch((error: unknown) => {
          assert.ok(error instanceof CountersignError && error.code === "write-conflict", String(error));
        });
        if (staging !== undefined) begun++;
        await staging?.discard();
      }
    };
    await Promise.all(Array.from({ length: 6 }, comeAndGo));
    assert.notEqual(begun, 0);
    assert.deepEqual(await readdir(folder), []);
  });

  it("is had by one process at a time", async (t) => {
    const path = join(await temporaryFolder(t), "image");
    const first = await Staging.open(path);
    await rejectedBy(() => Staging.open(path), "write-conflict");
    await first.discard();
    await (await Staging.open(path)).discard();
  });

  it("is not done in a folder that others could write, a file or a link put there before", async (t) => {
    const folder = await temporaryFolder(t);
    await mkdir(stagingFolder(join(folder, "open")));
    await chmod(stagingFolder(join(folder, "open")), 0o777);
    await writeFile(stagingFolder(join(folder, "file")), "");
    await symlink(folder, stagingFolder(join(folder, "link")));
    for (const name of ["open", "file", "link"]) {
      await rejectedBy(() => Staging.open(join(folder, name)), "disk-error");
    }
  });

  for (const inner of ["content", "partial"]) {
    it(`does not follow a link in the place of its folder ${inner}, as an archive or a repository may hold one`, async (t) => {
      const folder = await temporaryFolder(t);
      const path = join(folder, "image");
      await mkdir(join(folder, "precious"));
      await mkdir(stagingFolder(path), { mode: 0o700 });
      await symlink("../precious", join(stagingFolder(path), inner));
      const error = await rejectedBy(() => Staging.open(path), "disk-error");
      assert.match(error.found ?? "", /not a folder/);
    });
  }

  it("finds a name for a destination whose own name is as long as names can be", async (t) => {
    const folder = await temporaryFolder(t);
    const staging = await Staging.open(join(folder, "é".repeat(127)));
    await staging.commitFolder(join(folder, "é".repeat(127)));
    assert.equal((await readdir(folder)).length, 1);
  });
});
