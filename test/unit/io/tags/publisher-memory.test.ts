import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { PublisherMemory } from "../../../../src/io/tags/publisher-memory.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { temporaryFolder } from "../../../support/temp.ts";

const GUN = "registry.example/acme/app";

describe("what a publisher remembers", () => {
  it("is nothing at first, then the versions that were noted last, of each repository apart", async (t) => {
    const memory = new PublisherMemory(await temporaryFolder(t));
    assert.equal((await memory.recall(GUN)).size, 0);
    await memory.note(GUN, new Map([["targets", 5]]));
    await memory.note(GUN, new Map([["timestamp", 7]]));
    await memory.note(`${GUN}-other`, new Map([["targets", 1]]));
    assert.deepEqual([...(await memory.recall(GUN))], [["timestamp", 7]]);
  });

  it("takes every name that a role can have", async (t) => {
    const memory = new PublisherMemory(await temporaryFolder(t));
    const versions = new Map([
      ["constructor", 1],
      ["tostring", 2],
      ["releases.bin-0f", 3],
    ]);
    await memory.note(GUN, versions);
    assert.deepEqual(await memory.recall(GUN), versions);
  });

  for (const [what, text] of [
    ["cut off", '{"schemaVersion":1,"gun":"registry.example/ac'],
    ["of a newer form", `{"schemaVersion":2,"gun":"${GUN}","versions":{}}`],
    ["another repository's", '{"schemaVersion":1,"gun":"registry.example/x","versions":{}}'],
    ["without versions", `{"schemaVersion":1,"gun":"${GUN}"}`],
    ["with a version that is none", `{"schemaVersion":1,"gun":"${GUN}","versions":{"targets":-1}}`],
    ["with a version that is a text", `{"schemaVersion":1,"gun":"${GUN}","versions":{"targets":"9"}}`],
  ] as const) {
    it(`is not taken for nothing where the file is ${what}: a rollback would pass`, async (t) => {
      const folder = await temporaryFolder(t);
      const memory = new PublisherMemory(folder);
      await memory.note(GUN, new Map([["targets", 5]]));
      const place = join(folder, "tags", "published");
      const [name = ""] = (await readdir(place)).filter((file) => file.endsWith(".json"));
      await writeFile(join(place, name), text);
      const { found, next } = await rejectedBy(() => memory.recall(GUN), "disk-error");
      assert.match(found ?? "", /published/);
      assert.match(next, /rolled back/);
    });
  }
});
