import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Digest } from "../../../../src/core/oci/digest.ts";
import type { Remembered } from "../../../../src/core/tags/remembered.ts";
import { PublisherMemory } from "../../../../src/io/tags/publisher-memory.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { temporaryFolder } from "../../../support/temp.ts";

const GUN = "registry.example/acme/app";
const OTHER_ROOT = `sha256:${"0b".repeat(32)}` as Digest;
const STAGED = { version: 8, keyids: ["0c".repeat(32)] };
const ROOT = `sha256:${"0a".repeat(32)}` as Digest;

function seen(versions: readonly (readonly [string, number])[], more: Partial<Remembered> = {}): Remembered {
  return { versions: new Map(versions), staged: new Map(), roots: new Map(), ...more };
}

describe("what a publisher remembers", () => {
  it("is nothing at first, then what was noted last, of each repository apart", async (t) => {
    const memory = new PublisherMemory(await temporaryFolder(t));
    assert.deepEqual(await memory.recall(GUN), seen([]));
    await memory.note(GUN, seen([["targets", 5]]));
    const last = seen([["timestamp", 7]], { staged: new Map([["ci", STAGED]]), roots: new Map([[2, ROOT]]) });
    await memory.note(GUN, last);
    await memory.note(`${GUN}-other`, seen([["targets", 1]]));
    assert.deepEqual(await memory.recall(GUN), last);
  });

  it("does not go back where another job on this machine noted more meanwhile; under a new root it may", async (t) => {
    const memory = new PublisherMemory(await temporaryFolder(t));
    const roots = new Map([[1, ROOT]]);
    await memory.note(
      GUN,
      seen(
        [
          ["targets", 5],
          ["ci", 7],
        ],
        { roots },
      ),
    );
    await memory.note(GUN, seen([["targets", 6]], { roots }));
    assert.deepEqual(
      await memory.recall(GUN),
      seen(
        [
          ["targets", 6],
          ["ci", 7],
        ],
        { roots },
      ),
    );
    const next = seen([["targets", 2]], { roots: new Map([...roots, [2, OTHER_ROOT]]) });
    await memory.note(GUN, next);
    assert.deepEqual(await memory.recall(GUN), next);
    await memory.note(GUN, seen([["targets", 9]], { roots }));
    assert.deepEqual(await memory.recall(GUN), next, "what was seen under the old root");
  });

  it("takes every name that a role can have", async (t) => {
    const memory = new PublisherMemory(await temporaryFolder(t));
    const all = seen([
      ["constructor", 1],
      ["tostring", 2],
      ["releases.bin-0f", 3],
    ]);
    await memory.note(GUN, all);
    assert.deepEqual(await memory.recall(GUN), all);
  });

  it("is read as an earlier release wrote it: versions alone", async (t) => {
    const folder = await temporaryFolder(t);
    const memory = new PublisherMemory(folder);
    await mkdir(join(folder, "tags", "published"), { recursive: true });
    await writeFile(memory.placeOf(GUN), `{"schemaVersion":1,"gun":"${GUN}","versions":{"targets":5}}\n`);
    assert.deepEqual(await memory.recall(GUN), seen([["targets", 5]]));
  });

  for (const [what, text] of [
    ["cut off", '{"schemaVersion":1,"gun":"registry.example/ac'],
    ["of a newer form", `{"schemaVersion":2,"gun":"${GUN}","versions":{}}`],
    ["another repository's", '{"schemaVersion":1,"gun":"registry.example/x","versions":{}}'],
    ["without versions", `{"schemaVersion":1,"gun":"${GUN}"}`],
    ["with a version that is none", `{"schemaVersion":1,"gun":"${GUN}","versions":{"targets":-1}}`],
    ["with roots that are no digests", `{"schemaVersion":1,"gun":"${GUN}","versions":{},"roots":{"1":"sha256:0"}}`],
    ["with roots of no version", `{"schemaVersion":1,"gun":"${GUN}","versions":{},"roots":{"x":"${ROOT}"}}`],
    ["with something staged that is no version", `{"schemaVersion":1,"gun":"${GUN}","versions":{},"staged":[1]}`],
    ["with something staged that is a number", `{"schemaVersion":1,"gun":"${GUN}","versions":{},"staged":{"ci":1}}`],
    [
      "with keys that are no list",
      `{"schemaVersion":1,"gun":"${GUN}","versions":{},"staged":{"ci":{"version":1,"keyids":1}}}`,
    ],
    ["with a version that is a text", `{"schemaVersion":1,"gun":"${GUN}","versions":{"targets":"9"}}`],
  ] as const) {
    it(`is not taken for nothing where the file is ${what}: a rollback would pass`, async (t) => {
      const folder = await temporaryFolder(t);
      const memory = new PublisherMemory(folder);
      await memory.note(GUN, seen([["targets", 5]]));
      await writeFile(memory.placeOf(GUN), text);
      const { found, next } = await rejectedBy(() => memory.recall(GUN), "disk-error");
      assert.match(found ?? "", /published/);
      assert.match(next, /rolled back/);
    });
  }
});
