import assert from "node:assert/strict";
import { lstat, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { RootPin } from "../../../../src/core/tags/pin.ts";
import { PinsOnDisk } from "../../../../src/io/tags/pins.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { GUN, IMAGE, NOW, OTHER } from "../../../support/tag-repository.ts";
import { temporaryFolder } from "../../../support/temp.ts";

function pin(gun: string, changes: Partial<RootPin> = {}): RootPin {
  const rootKeyIds = ["a".repeat(64)];
  return { gun, rootVersion: 1, root: IMAGE, rootKeyIds, threshold: 1, mode: "pinned", firstSeen: NOW, ...changes };
}

async function book(t: TestContext, isNamed = false) {
  const folder = await temporaryFolder(t);
  const path = join(folder, "below", "pins.json");
  return { folder, path, open: () => new PinsOnDisk({ path, label: "pins.json", isNamed }) };
}

describe("the file of pinned roots", () => {
  it("is none at first, and holds what was put into it, in its order", async (t) => {
    const { open } = await book(t);
    assert.equal(await open().find(GUN), undefined);
    const pins = open();
    await pins.put(pin(GUN));
    await pins.put(pin("registry.example/other"));
    await pins.put(pin(GUN, { root: OTHER, rootVersion: 2 }));
    assert.deepEqual((await open().all()).pins, [
      pin(GUN, { root: OTHER, rootVersion: 2 }),
      pin("registry.example/other"),
    ]);
    assert.equal((await pins.find(GUN))?.rootVersion, 2, "also for who has put it there");
  });

  it("says of a pin where its trust metadata is, where that is elsewhere", async (t) => {
    const { open } = await book(t);
    const elsewhere = pin(GUN, { location: "registry.example/app-trust" });
    await open().put(elsewhere);
    assert.deepEqual(await open().find(GUN), elsewhere);
  });

  it("has to be there where somebody has named it: without it nothing would be demanded of anything", async (t) => {
    const { open } = await book(t, true);
    const error = await rejectedBy(() => open().find(GUN), "configuration-invalid");
    assert.equal(error.found, "nothing at pins.json");
    await rejectedBy(() => open().originOf(GUN), "configuration-invalid");
    await open().put(pin(GUN));
    assert.equal((await open().find(GUN))?.root, IMAGE);
  });

  it("has one pin for a repository with and without the port that goes without saying", async (t) => {
    const { open } = await book(t);
    await open().put(pin("registry.example/app"));
    await open().put(pin("other.example:443/app"));
    await open().putMirror("mirror.example/app", "registry.example/app");
    for (const [asked, gun] of [
      ["registry.example:443/app", "registry.example/app"],
      ["registry.example/app", "registry.example/app"],
      ["other.example/app", "other.example:443/app"],
      ["mirror.example:443/app", "registry.example/app"],
      ["registry.example:5000/app", "registry.example:5000/app"],
      ["registry.example:4430/app", "registry.example:4430/app"],
      ["registry.example:443/another", "registry.example:443/another"],
      ["[::1]:443/app", "[::1]:443/app"],
    ] as const) {
      assert.equal(await open().originOf(asked), gun, asked);
    }
  });

  it("is not read as anything else", async (t) => {
    const { path, open } = await book(t);
    await open().put(pin(GUN));
    for (const text of ["", "{}", "[]", '{"schemaVersion":2,"pins":[]}', '{"schemaVersion":1,"pins":[{}]}']) {
      await writeFile(path, text);
      const error = await rejectedBy(() => open().find(GUN), "configuration-invalid");
      assert.match(error.message, /pins\.json/);
      await rejectedBy(() => open().put(pin(GUN)), "configuration-invalid");
      assert.equal(await readFile(path, "utf8"), text, "nor replaced");
    }
  });

  it("loses nothing that two have put there at once", async (t) => {
    const { open } = await book(t);
    const names = Array.from({ length: 8 }, (_, at) => `registry.example/app${at}`);
    await Promise.all(names.map((name) => open().put(pin(name))));
    const found = (await open().all()).pins.map(({ gun }) => gun);
    assert.deepEqual([...found].sort(), names);
  });

  it("is not replaced by another root that was the first one seen, or chosen, while somebody pinned this one", async (t) => {
    const { open } = await book(t);
    for (const mode of ["tofu", "pinned", "dct"] as const) {
      const late = open();
      assert.equal(await late.find(GUN), undefined);
      const pinned = pin(GUN, { mode: "pinned" });
      await open().put(pinned);
      const error = await rejectedBy(() => late.put(pin(GUN, { root: OTHER, mode })), "write-conflict");
      assert.match(error.found ?? "", new RegExp(IMAGE));
      assert.deepEqual(await open().find(GUN), pinned);
      await open().remove(GUN);
    }
  });

  it("stays what somebody has compared, where another process sees the same root for the first time", async (t) => {
    const { open } = await book(t);
    const late = open();
    assert.equal(await late.find(GUN), undefined);
    await open().put(pin(GUN, { mode: "pinned" }));
    await late.put(pin(GUN, { mode: "tofu" }));
    assert.equal((await open().find(GUN))?.mode, "pinned");
  });

  it("loses nothing that is put there at once by those who name it and those who name a link to it", async (t) => {
    const { folder, path, open } = await book(t);
    await open().put(pin(GUN));
    const link = join(folder, "link.json");
    await symlink(path, link);
    const names = Array.from({ length: 16 }, (_, at) => `registry.example/app${at}`);
    await Promise.all(
      names.map((name, at) => {
        const pins = at % 2 === 0 ? open() : new PinsOnDisk({ path: link, label: "link.json", isNamed: false });
        return pins.put(pin(name));
      }),
    );
    assert.equal((await open().all()).pins.length, 1 + names.length);
  });

  it("lets go of a pin, and says whether there was one", async (t) => {
    const { open } = await book(t);
    const pins = open();
    await pins.put(pin(GUN));
    assert.deepEqual([await pins.remove(GUN), await pins.remove(GUN)], [true, false]);
    assert.equal(await open().find(GUN), undefined);
  });

  it("says what is a mirror of what", async (t) => {
    const { open } = await book(t);
    await open().putMirror("mirror.example/app", GUN);
    const pins = open();
    assert.equal(await pins.originOf("mirror.example/app"), GUN);
    assert.equal(await pins.originOf("constructor"), "constructor");
    assert.deepEqual(
      [await pins.removeMirror("mirror.example/app"), await pins.removeMirror("toString")],
      [true, false],
    );
    assert.equal(await open().originOf("mirror.example/app"), "mirror.example/app");
  });

  it("may be a link, as mounted configuration is: what it leads to is read and replaced", async (t) => {
    const { folder, path, open } = await book(t);
    await open().put(pin(GUN));
    const link = join(folder, "link.json");
    await symlink(path, link);
    const linked = () => new PinsOnDisk({ path: link, label: "link.json", isNamed: true });
    assert.equal((await linked().find(GUN))?.root, IMAGE);
    await linked().put(pin(GUN, { root: OTHER }));
    assert.equal((await open().find(GUN))?.root, OTHER);
    assert.ok((await lstat(link)).isSymbolicLink());
  });
});
