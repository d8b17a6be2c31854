import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { run } from "../../../src/cli/main.ts";
import { startRegistry } from "../../../src/testbed/registry.ts";
import { captureContext } from "../../support/session.ts";
import { pushImage } from "../../support/session-image.ts";
import { temporaryFolder } from "../../support/temp.ts";

describe("a lock file that somebody left with an older digest", () => {
  it("is said to have chosen it, in words and in JSON, and only where it has", async (t) => {
    const registry = await startRegistry();
    t.after(() => registry.close());
    const folder = await temporaryFolder(t);
    const image = `${registry.address}/acme/web:1`;
    const list = join(folder, "images.txt");
    const pin = async (...flags: readonly string[]): Promise<string> => {
      await writeFile(list, `${image}\n`);
      const { context, stdout } = captureContext({ workingDirectory: folder, homeDirectory: folder, env: {} });
      assert.equal(await run(["pin", "--no-verify", ...flags, "images.txt"], context), 0);
      return stdout();
    };
    await pushImage(image, "old");
    assert.doesNotMatch(await pin(), /chosen by/);
    const old = await readFile(list, "utf8");
    await pushImage(image, "new");
    assert.match(await pin(), /chosen by +countersign\.lock, .*; the tag may name another now: --update/);
    assert.equal(await readFile(list, "utf8"), old);
    const lock = join(folder, "countersign.lock");
    // The first of all times is one, too.
    await writeFile(lock, (await readFile(lock, "utf8")).replace(/"at": ".*"/, '"at": "1970-01-01T00:00:00Z"'));
    const [told] = JSON.parse(await pin("-o", "json")).images;
    assert.match(told.recalledFrom, /^1970-01-01T.*Z$/);
    assert.doesNotMatch(await pin("--update"), /chosen by/);
    assert.notEqual(await readFile(list, "utf8"), old);
    await rm(lock);
    assert.equal(JSON.parse(await pin("-o", "json")).images[0].recalledFrom, undefined);
  });
});
