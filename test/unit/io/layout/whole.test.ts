import assert from "node:assert/strict";
import { readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { LIMITS } from "../../../../src/core/limits.ts";
import { type Digest, digestOf } from "../../../../src/core/oci/digest.ts";
import { MEDIA_TYPES } from "../../../../src/core/oci/media-types.ts";
import { layoutCollection } from "../../../../src/io/layout/collection.ts";
import { openLayout } from "../../../../src/io/layout/open.ts";
import { openWholeArchive } from "../../../../src/io/layout/whole.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { makeImage, makeReferrer, pushContent, pushImage } from "../../../support/images.ts";
import { temporaryFolder } from "../../../support/temp.ts";
import { END, pax, type RawEntry, rawTar, tarOf } from "./raw-tar.ts";

const BLOB = Buffer.from("content");
const BLOB_PATH = `blobs/sha256/${digestOf(BLOB).slice("sha256:".length)}`;
const LAYOUT: readonly RawEntry[] = [
  { name: "oci-layout", content: '{"imageLayoutVersion":"1.0.0"}' },
  { name: "index.json", content: '{"schemaVersion":2,"manifests":[]}' },
];

async function archive(t: TestContext, bytes: Uint8Array): Promise<string> {
  const path = join(await temporaryFolder(t), "kit.tar");
  await writeFile(path, bytes);
  return path;
}

async function open(t: TestContext, bytes: Uint8Array) {
  const whole = await openWholeArchive(await archive(t, bytes));
  t.after(() => whole.store.close());
  return whole;
}

describe("An archive as a whole", () => {
  it("says what it lists and which blobs it has, and hashes none of them", async (t) => {
    const wrong: RawEntry = { name: `blobs/sha256/${"0".repeat(64)}`, content: "something else" };
    const whole = await open(t, tarOf(...LAYOUT, { name: BLOB_PATH, content: BLOB }, wrong));
    assert.deepEqual(await whole.listed(), []);
    assert.deepEqual(
      await whole.blobs(),
      new Map([
        [digestOf(BLOB), BLOB.byteLength],
        [`sha256:${"0".repeat(64)}`, 14],
      ]),
    );
  });

  it("may have been packed by another program: folders, `./` in front, compression", async (t) => {
    const entries = [...LAYOUT, { name: BLOB_PATH, content: BLOB }].map((entry) => ({
      ...entry,
      name: `./${entry.name}`,
    }));
    const folder: RawEntry = { name: "./blobs/sha256/", type: "5" };
    for (const bytes of [tarOf(folder, ...entries), gzipSync(tarOf(...entries))]) {
      assert.equal((await (await open(t, bytes)).blobs()).size, 1);
    }
  });

  it("cannot be changed", async (t) => {
    const { store } = await open(t, tarOf(...LAYOUT));
    const image = await makeImage();
    await rejectedBy(() => store.pushManifest(image.manifest), "unsupported");
  });
});

describe("An archive as a whole is refused", () => {
  const cases: Readonly<Record<string, readonly RawEntry[]>> = {
    "with a name that leads outside": [...LAYOUT, { name: "../index.json", content: "{}" }],
    "with a name that leads outside by a long way": [...LAYOUT, { name: "blobs/sha256/../../../a", content: "{}" }],
    "with a name that begins at the root": [...LAYOUT, { name: "/etc/passwd", content: "" }],
    "with a name that leads outside in an extended header": [...LAYOUT, pax({ path: "../a" }), { name: "a" }],
    "with a file twice": [...LAYOUT, { name: BLOB_PATH, content: BLOB }, { name: `./${BLOB_PATH}`, content: BLOB }],
    "with two lists of what is in it": [
      ...LAYOUT,
      { name: "index.json", content: '{"schemaVersion":2,"manifests":[]}' },
    ],
    "with a symbolic link among the blobs": [...LAYOUT, { name: BLOB_PATH, type: "2", linkName: "/etc/passwd" }],
    "with a hard link among the blobs": [
      ...LAYOUT,
      { name: BLOB_PATH, content: BLOB },
      { name: `blobs/sha256/${"0".repeat(64)}`, type: "1", linkName: BLOB_PATH },
    ],
    "with a link beside the layout": [...LAYOUT, { name: "link", type: "2", linkName: "index.json" }],
    "with a file beside the layout": [...LAYOUT, { name: "install.sh", content: "#!/bin/sh" }],
    "with a blob below a blob": [
      ...LAYOUT,
      { name: BLOB_PATH, content: BLOB },
      { name: `${BLOB_PATH}/a`, content: BLOB },
    ],
    "with a blob that is named by no digest": [...LAYOUT, { name: "blobs/sha256/a", content: "a" }],
    "with a blob of an unknown algorithm": [...LAYOUT, { name: `blobs/md5/${"0".repeat(32)}`, content: "a" }],
    "with a digest in capitals": [...LAYOUT, { name: `blobs/sha256/${"A".repeat(64)}`, content: "a" }],
    "without a version": LAYOUT.slice(1),
    "without an index": LAYOUT.slice(0, 1),
    "with a file that ends too early": [...LAYOUT, { name: BLOB_PATH, content: "short", size: "00000777777\0" }],
  };
  for (const [name, entries] of Object.entries(cases)) {
    it(name, async (t) => {
      await rejectedBy(async () => open(t, tarOf(...entries)), "layout-invalid");
    });
  }

  it("with 100,000 entries and one more", async (t) => {
    const many = Array.from(
      { length: LIMITS.tarEntries },
      (_, at): RawEntry => ({ name: `blobs/sha256/${`${at}`.padStart(64, "0")}` }),
    );
    const bytes = Buffer.concat([rawTar(...LAYOUT), ...many.map((entry) => rawTar(entry)), END]);
    await rejectedBy(async () => open(t, bytes), "limit-reached");
  });

  it("that grows beyond all measure when it is decompressed", async (t) => {
    const bomb = gzipSync(Buffer.concat([tarOf(...LAYOUT), Buffer.alloc(LIMITS.bombFloorBytes + 1024)]), { level: 9 });
    await rejectedBy(async () => open(t, bomb), "decompression-bomb");
  });

  it("that is not there, or is a folder", async (t) => {
    const folder = await temporaryFolder(t);
    await rejectedBy(() => openWholeArchive(join(folder, "none.tar")), "not-found");
    await rejectedBy(() => openWholeArchive(folder), "layout-invalid");
  });
});

describe("A place for several images", () => {
  for (const kind of ["oci-layout", "oci-archive"] as const) {
    it(`lists each by its whole name, or by its digest alone, in an ${kind}`, async (t) => {
      const path = join(await temporaryFolder(t), "out");
      const collection = await layoutCollection({ kind, path });
      const [named, bare] = await Promise.all([makeImage({ name: "one" }), makeImage({ name: "two" })]);
      const note = makeReferrer(named.manifest);
      for (const image of [named, bare]) await pushContent(collection.store, image);
      await pushImage(collection.store, note);
      await collection.list(named.manifest, "registry.example/acme/app:1");
      await collection.list(bare.manifest, undefined);
      const digests = [named, bare, note].map(({ manifest }) => manifest.descriptor.digest);
      assert.deepEqual(
        (await collection.listed()).map(({ descriptor }) => descriptor.digest).toSorted(),
        digests.toSorted(),
      );
      assert.equal((await collection.blobs()).size, 9);
      assert.deepEqual((await readdir(dirname(path))).length, 1, "nothing is to be seen yet");
      await collection.commit(bare.manifest.descriptor.digest);
      assert.deepEqual(await readdir(dirname(path)), ["out"]);
      const store = await openLayout({ kind, path }, { mode: "read" });
      t.after(() => store.close());
      assert.equal((await store.resolve("registry.example/acme/app:1"))?.descriptor.digest, digests[0]);
      assert.equal((await store.resolve(digests[1]))?.descriptor.digest, digests[1]);
      assert.equal((await store.referrers(digests[0] as Digest)).descriptors.length, 1);
    });

    it(`leaves nothing behind when it is given up, as an ${kind}`, async (t) => {
      const path = join(await temporaryFolder(t), "out");
      const collection = await layoutCollection({ kind, path });
      await pushContent(collection.store, await makeImage());
      await collection.discard();
      assert.deepEqual(await readdir(dirname(path)), []);
    });

    it(`is nowhere that is taken: a file, a folder, a link to nothing (${kind})`, async (t) => {
      const folder = await temporaryFolder(t);
      await writeFile(join(folder, "file"), "kept");
      await symlink("nowhere", join(folder, "link"));
      for (const name of ["file", "link"]) {
        await rejectedBy(() => layoutCollection({ kind, path: join(folder, name) }), "destination-exists");
      }
      await rejectedBy(() => layoutCollection({ kind, path: folder }), "destination-exists");
      await rejectedBy(() => layoutCollection({ kind, path: join(folder, "none", "out") }), "not-found");
      assert.equal(await readFile(join(folder, "file"), "utf8"), "kept");
    });

    it(`is filled by one process at a time (${kind})`, async (t) => {
      const path = join(await temporaryFolder(t), "out");
      const first = await layoutCollection({ kind, path });
      await rejectedBy(() => layoutCollection({ kind, path }), "write-conflict");
      await first.discard();
    });
  }

  it("says what kind of artifact it lists", async (t) => {
    const path = join(await temporaryFolder(t), "out");
    const collection = await layoutCollection({ kind: "oci-layout", path });
    const { manifest } = makeReferrer((await makeImage()).manifest, { artifactType: MEDIA_TYPES.kit });
    await collection.list(manifest, undefined);
    assert.deepEqual(
      (await collection.listed()).map(({ descriptor }) => descriptor.artifactType),
      [MEDIA_TYPES.kit],
    );
    await collection.discard();
  });
});
