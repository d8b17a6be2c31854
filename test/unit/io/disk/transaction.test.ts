import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { digestOf } from "../../../../src/core/oci/digest.ts";
import { intentPath, stagedPath, writeIntent } from "../../../../src/io/disk/intent.ts";
import { inTurn, recoverFiles, replaceFiles } from "../../../../src/io/disk/transaction.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { temporaryFolder } from "../../../support/temp.ts";

interface Scene {
  readonly folder: string;
  readonly anchor: string;
  readonly file: string;
}

/** An anchor that is not there yet, and a file. */
async function scene(t: TestContext): Promise<Scene> {
  const folder = await temporaryFolder(t);
  const file = join(folder, "web.yaml");
  await writeFile(file, "old");
  return { folder, anchor: join(folder, "countersign.lock"), file };
}

const bytes = (text: string): Uint8Array => Buffer.from(text);

function changes({ anchor, file }: Scene) {
  return [
    { path: file, before: bytes("old"), after: bytes("new") },
    { path: anchor, before: undefined, after: bytes("lock") },
  ];
}

async function text(path: string): Promise<string | undefined> {
  return await readFile(path, "utf8").catch(() => undefined);
}

describe("files that are replaced together", () => {
  it("are all new afterwards, with nothing beside them", async (t) => {
    const at = await scene(t);
    await inTurn(at.anchor, {}, () => replaceFiles(at.anchor, changes(at)));
    assert.deepEqual([await text(at.file), await text(at.anchor)], ["new", "lock"]);
    assert.deepEqual((await readdir(at.folder)).toSorted(), ["countersign.lock", "web.yaml"]);
    assert.equal(await recoverFiles(at.anchor), undefined);
  });

  it("keep their permissions; a new one gets those of any new file", async (t) => {
    const at = await scene(t);
    await chmod(at.file, 0o750);
    await writeFile(join(at.folder, "usual"), "");
    await inTurn(at.anchor, {}, () => replaceFiles(at.anchor, changes(at)));
    const modes = await Promise.all(
      [at.file, at.anchor, join(at.folder, "usual")].map(async (path) => (await stat(path)).mode),
    );
    assert.equal((modes[0] ?? 0) & 0o777, 0o750);
    assert.equal(modes[1], modes[2]);
  });

  it("are left alone where nothing is to change", async (t) => {
    const at = await scene(t);
    const before = await stat(at.file);
    await replaceFiles(at.anchor, [{ path: at.file, before: bytes("old"), after: bytes("old") }]);
    assert.equal((await stat(at.file)).ino, before.ino);
  });

  it("are replaced by one process after the other", async (t) => {
    const at = await scene(t);
    const add = async (word: string) =>
      inTurn(at.anchor, {}, async () => {
        const before = await readFile(at.file);
        await replaceFiles(at.anchor, [{ path: at.file, before, after: bytes(`${before} ${word}`) }]);
      });
    await Promise.all(["a", "b", "c"].map(add));
    assert.equal((await text(at.file))?.split(" ").toSorted().join(" "), "a b c old");
  });
});

describe("files that cannot be replaced", () => {
  const refused: Readonly<Record<string, (at: Scene) => Promise<void>>> = {
    "was edited since it was read": ({ file }) => writeFile(file, "edited"),
    "was made in the meantime": ({ anchor }) => writeFile(anchor, "somebody else's"),
    "became a folder": ({ anchor }) => mkdir(anchor),
    "became a link": ({ anchor, file }) => symlink(file, anchor),
  };
  for (const [what, spoil] of Object.entries(refused)) {
    it(`are none of them written where one ${what}`, async (t) => {
      const at = await scene(t);
      await spoil(at);
      const before = await text(at.file);
      await rejectedBy(() => inTurn(at.anchor, {}, () => replaceFiles(at.anchor, changes(at))), "write-conflict");
      assert.equal(await text(at.file), before);
      assert.ok((await readdir(at.folder)).every((name) => !name.includes("countersign-")));
    });
  }

  it("are none of them written where one has grown beyond what is ever written", async (t) => {
    const at = await scene(t);
    await writeFile(at.anchor, new Uint8Array(LIMITS.replacedFileBytes + 1));
    await rejectedBy(() => inTurn(at.anchor, {}, () => replaceFiles(at.anchor, changes(at))), "write-conflict");
    assert.equal(await text(at.file), "old");
  });

  it("are none of them written after an interruption", async (t) => {
    const at = await scene(t);
    const signal = AbortSignal.abort();
    await rejectedBy(async () => replaceFiles(at.anchor, changes(at), { signal }), "interrupted");
    assert.deepEqual(await readdir(at.folder), ["web.yaml"]);
  });
});

// --- what a killed process left ---------------------------------------------------------------------------------------

const NONCE = "0123456789abcdef";

/** The record that two files `old` were to be `new`, and what is staged of them. */
async function interrupted(
  t: TestContext,
  staged: readonly string[],
  contents: readonly string[],
  direction: "forward" | "back" = "forward",
) {
  const folder = await temporaryFolder(t);
  const anchor = join(folder, "countersign.lock");
  const paths = ["a.yaml", "b.yaml"].map((name) => join(folder, name));
  const intent = {
    nonce: NONCE,
    direction,
    files: paths.map((path) => ({ path, before: digestOf(bytes("old")), after: digestOf(bytes("new")) })),
  };
  await writeIntent(anchor, intent);
  for (const [at, path] of paths.entries()) {
    await writeFile(path, contents[at] ?? "");
    if (staged[at] !== undefined && staged[at] !== "") await writeFile(stagedPath(intent, path), staged[at]);
  }
  const recovered = await recoverFiles(anchor);
  const names = await readdir(folder);
  assert.deepEqual(names.toSorted(), ["a.yaml", "b.yaml"]);
  return {
    recovered,
    folder,
    now: await Promise.all(paths.map(text)),
    left: recovered?.left.map((path) => path.slice(folder.length + 1)),
  };
}

describe("what an interrupted replacement left", () => {
  it("is finished where everything had been staged", async (t) => {
    const { recovered, now } = await interrupted(t, ["new", "new"], ["old", "old"]);
    assert.deepEqual([recovered?.outcome, now], ["finished", ["new", "new"]]);
  });

  it("is finished where some had their names already", async (t) => {
    const { recovered, now } = await interrupted(t, ["", "new"], ["new", "old"]);
    assert.deepEqual([recovered?.outcome, now], ["finished", ["new", "new"]]);
  });

  it("is taken back where something was missing or half written", async (t) => {
    for (const staged of ["", "ne", "other"]) {
      const { recovered, now } = await interrupted(t, ["new", staged], ["old", "old"]);
      assert.deepEqual([recovered?.outcome, now], ["taken back", ["old", "old"]], staged);
    }
  });

  it("is taken back to the end where it was being taken back", async (t) => {
    const { recovered, now } = await interrupted(t, ["old", ""], ["new", "old"], "back");
    assert.deepEqual([recovered?.outcome, now], ["taken back", ["old", "old"]]);
  });

  it("is taken back where somebody has edited a file since, whose edits stay", async (t) => {
    const { recovered, now, left } = await interrupted(t, ["new", "new"], ["edited", "old"]);
    assert.deepEqual([recovered?.outcome, now, left], ["taken back", ["edited", "old"], ["a.yaml"]]);
  });

  it("is finished but for what somebody has edited since, where some was new already", async (t) => {
    const { recovered, now, left } = await interrupted(t, ["", "new"], ["new", "edited"]);
    assert.deepEqual([recovered?.outcome, now, left], ["finished", ["new", "edited"], ["b.yaml"]]);
  });

  it("goes along with a tree that was moved", async (t) => {
    const folder = await temporaryFolder(t);
    const [before, after] = [join(folder, "one"), join(folder, "two")];
    await mkdir(before);
    await mkdir(after);
    const file = { path: join(before, "web.yaml"), before: digestOf(bytes("old")), after: digestOf(bytes("new")) };
    await writeIntent(join(before, "lock"), { nonce: NONCE, direction: "forward", files: [file] });
    await writeFile(intentPath(join(after, "lock")), await readFile(intentPath(join(before, "lock"))));
    await writeFile(join(after, "web.yaml"), "old");
    await writeFile(stagedPath({ nonce: NONCE, direction: "forward" }, join(after, "web.yaml")), "new");
    await recoverFiles(join(after, "lock"));
    assert.equal(await text(join(after, "web.yaml")), "new");
  });
});

const DIGEST = digestOf(bytes("old"));
const FOREIGN: Readonly<Record<string, unknown>> = {
  "is of a newer version": { schemaVersion: 2, nonce: NONCE, direction: "forward", files: [] },
  "would have a file removed": {
    schemaVersion: 1,
    nonce: NONCE,
    direction: "forward",
    files: [{ path: "web.yaml", before: DIGEST, after: null }],
  },
  "would have a file removed by taking it back": {
    schemaVersion: 1,
    nonce: NONCE,
    direction: "back",
    files: [{ path: "web.yaml", before: null, after: DIGEST }],
  },
  "would have files of any name": { schemaVersion: 1, nonce: "../../x", direction: "forward", files: [] },
  "goes in no direction": { schemaVersion: 1, nonce: NONCE, direction: "up", files: [] },
  "names no files": { schemaVersion: 1, nonce: NONCE, direction: "forward" },
  "names a file without a path": { schemaVersion: 1, nonce: NONCE, direction: "forward", files: [{}] },
  "has something else in the place of a digest": {
    schemaVersion: 1,
    nonce: NONCE,
    direction: "forward",
    files: [{ path: "web.yaml", before: "old", after: "new" }],
  },
};

describe("a record that nobody here wrote", () => {
  for (const [what, record] of Object.entries(FOREIGN)) {
    it(`stops the run and changes nothing: one that ${what}`, async (t) => {
      const at = await scene(t);
      await writeFile(intentPath(at.anchor), JSON.stringify(record));
      const error = await rejectedBy(() => recoverFiles(at.anchor), "record-invalid");
      assert.match(error.next, /remove the record/);
      assert.equal(await text(at.file), "old");
    });
  }

  it("stops the run where it is a link, cut or endless", async (t) => {
    const at = await scene(t);
    await symlink(at.file, intentPath(at.anchor));
    await rejectedBy(() => recoverFiles(at.anchor), "record-invalid");
    const cut = await scene(t);
    await writeFile(intentPath(cut.anchor), "{");
    await rejectedBy(() => recoverFiles(cut.anchor), "record-invalid");
    const long = await scene(t);
    await writeFile(intentPath(long.anchor), new Uint8Array(LIMITS.intentBytes + 1));
    await rejectedBy(() => recoverFiles(long.anchor), "record-invalid");
  });
});
