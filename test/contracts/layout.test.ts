import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { encodeUtf8 } from "../../src/core/bytes.ts";
import type { ContentStore } from "../../src/core/ports.ts";
import type { FileLocation } from "../../src/io/layout/destination.ts";
import { openLayout } from "../../src/io/layout/open.ts";
import { makeTar } from "../support/images.ts";
import { temporaryFolder } from "../support/temp.ts";
import { type Place, storeContract } from "./store-contract.ts";

const EMPTY = { "oci-layout": '{"imageLayoutVersion":"1.0.0"}', "index.json": '{"schemaVersion":2,"manifests":[]}' };

/** The same for a file and a folder: only where the bytes lie differs. */
async function place(t: TestContext, location: FileLocation, filesWith: () => Promise<readonly string[]>) {
  const opened: ContentStore[] = [];
  t.after(async () => {
    for (const store of opened) await store.close();
  });
  const made: Place = {
    async open() {
      const store = await openLayout(location, { mode: "write" });
      opened.push(store);
      return store;
    },
    async tamper({ bytes }) {
      for (const file of await filesWith()) {
        const content = await readFile(file);
        const at = content.indexOf(Buffer.from(bytes));
        if (at === -1) continue;
        const last = at + bytes.byteLength - 1;
        content.writeUInt8(content.readUInt8(last) ^ 1, last);
        await writeFile(file, content);
        return;
      }
      assert.fail("the content is stored nowhere");
    },
  };
  return made;
}

async function archivePlace(t: TestContext, kind: "oci-archive" | "docker-archive", files: Record<string, string>) {
  const path = join(await temporaryFolder(t), "image.tar");
  await writeFile(path, await makeTar(files));
  return place(t, { kind, path }, async () => [path]);
}

storeContract({
  name: "An OCI layout",
  via: "layout",
  async makePlace(t) {
    const path = join(await temporaryFolder(t), "layout");
    await mkdir(join(path, "blobs", "sha256"), { recursive: true });
    for (const [name, content] of Object.entries(EMPTY)) await writeFile(join(path, name), encodeUtf8(content));
    return place(t, { kind: "oci-layout", path }, async () => {
      const found = await readdir(path, { recursive: true, withFileTypes: true });
      return found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    });
  },
});

storeContract({
  name: "An OCI archive",
  via: "layout",
  makePlace: (t) => archivePlace(t, "oci-archive", EMPTY),
});

storeContract({
  name: "A Docker archive with a layout in it",
  via: "layout",
  makePlace: (t) => archivePlace(t, "docker-archive", { ...EMPTY, "manifest.json": "[]" }),
});

storeContract({
  name: "A Docker archive as docker save wrote it before version 25",
  via: "layout",
  makePlace: (t) => archivePlace(t, "docker-archive", { "manifest.json": "[]" }),
});
