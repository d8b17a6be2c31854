import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, readdir, readFile, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { LIMITS } from "../../../../src/core/limits.ts";
import type { Manifest } from "../../../../src/core/oci/manifest.ts";
import { MEDIA_TYPES } from "../../../../src/core/oci/media-types.ts";
import { cosignTag, fallbackTag } from "../../../../src/core/oci/referrers.ts";
import type { ContentStore } from "../../../../src/core/ports.ts";
import { gather } from "../../../../src/io/disk/files.ts";
import { blobPath } from "../../../../src/io/layout/files.ts";
import { openLayout } from "../../../../src/io/layout/open.ts";
import { rejectedBy } from "../../../support/codes.ts";
import {
  bytesSource,
  describeAs,
  makeBytes,
  makeImage,
  makeIndex,
  makeManifest,
  makeReferrer,
  pushImage,
} from "../../../support/images.ts";
import { temporaryFolder } from "../../../support/temp.ts";

const REF_NAME = "org.opencontainers.image.ref.name";
const IMAGE_NAME = "io.containerd.image.name";

async function emptyLayout(t: TestContext): Promise<string> {
  const path = join(await temporaryFolder(t), "layout");
  await mkdir(join(path, "blobs", "sha256"), { recursive: true });
  await writeFile(join(path, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(join(path, "index.json"), '{"schemaVersion":2,"manifests":[]}');
  return path;
}

function openFolder(path: string, mode: "read" | "write" = "write"): Promise<ContentStore> {
  return openLayout({ kind: "oci-layout", path }, { mode });
}

async function withImage(t: TestContext) {
  const path = await emptyLayout(t);
  const store = await openFolder(path);
  const image = await makeImage();
  await pushImage(store, image, "1.0");
  return { path, store, image, manifest: image.manifest };
}

interface RawIndex {
  schemaVersion: number;
  manifests: Record<string, unknown>[];
  [member: string]: unknown;
}

async function editIndex(path: string, edit: (index: RawIndex) => void): Promise<void> {
  const file = join(path, "index.json");
  const index = JSON.parse(await readFile(file, "utf8")) as RawIndex;
  edit(index);
  await writeFile(file, JSON.stringify(index));
}

describe("opening a layout folder (image-layout.md)", () => {
  it("gives not-found for a folder that is not there", async (t) => {
    await rejectedBy(async () => openFolder(join(await temporaryFolder(t), "none")), "not-found");
  });

  for (const [what, name, content] of [
    ["without oci-layout", "oci-layout", undefined],
    ["without index.json", "index.json", undefined],
    ["of an unknown version", "oci-layout", '{"imageLayoutVersion":"2.0.0"}'],
    ["whose oci-layout is no JSON", "oci-layout", "1.0.0"],
    ["whose oci-layout has a member twice", "oci-layout", '{"imageLayoutVersion":"2","imageLayoutVersion":"1.0.0"}'],
  ] as const) {
    it(`refuses a folder ${what}`, async (t) => {
      const path = await emptyLayout(t);
      if (content === undefined) await rm(join(path, name));
      else await writeFile(join(path, name), content);
      await rejectedBy(() => openFolder(path), "layout-invalid");
    });
  }

  for (const [what, content] of [
    ["is no JSON", "{"],
    ["has a member twice", '{"schemaVersion":2,"manifests":[],"manifests":[]}'],
    ["is an image manifest", '{"schemaVersion":2,"config":{},"layers":[]}'],
    ["is both", '{"schemaVersion":2,"manifests":[],"layers":[]}'],
    [
      "names a digest with .. in it",
      '{"schemaVersion":2,"manifests":[{"mediaType":"a","digest":"sha256:../../x","size":1}]}',
    ],
    ["has members that differ in case", '{"schemaVersion":2,"Manifests":[],"manifests":[]}'],
  ] as const) {
    it(`refuses an index.json that ${what}`, async (t) => {
      const path = await emptyLayout(t);
      await writeFile(join(path, "index.json"), content);
      const { message } = await rejectedBy(() => openFolder(path), "layout-invalid");
      assert.match(message, /^the layout's index\.json /);
    });
  }

  it("refuses an index.json that is larger, or lists more, than is read", async (t) => {
    const path = await emptyLayout(t);
    await truncate(join(path, "index.json"), LIMITS.manifestBytes + 1);
    await rejectedBy(() => openFolder(path), "limit-reached");
    const entry = describeAs(makeBytes(1), "text/plain");
    const manifests = Array.from({ length: LIMITS.indexEntries + 1 }, () => entry);
    await writeFile(join(path, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
    await rejectedBy(() => openFolder(path), "limit-reached");
  });

  it("refuses links in the place of index.json, oci-layout, blobs, blobs/sha256 and a blob", async (t) => {
    for (const name of ["index.json", "oci-layout", "blobs", "blobs/sha256", "blob"]) {
      const { path, manifest } = await withImage(t);
      const victim = join(path, name === "blob" ? blobPath(manifest.descriptor.digest) : name);
      const outside = join(dirname(path), "outside");
      await rename(victim, outside);
      await symlink(outside, victim);
      await rejectedBy(async () => (await openFolder(path)).resolve("1.0"), "layout-invalid");
    }
  });

  it("writes nothing through a link in the place of blobs/sha256", async (t) => {
    const path = await emptyLayout(t);
    const outside = await temporaryFolder(t);
    await rm(join(path, "blobs", "sha256"), { recursive: true });
    await symlink(outside, join(path, "blobs", "sha256"));
    const store = await openFolder(path);
    const bytes = makeBytes(10);
    await rejectedBy(() => store.pushBlob(describeAs(bytes, "text/plain"), bytesSource(bytes)), "layout-invalid");
    assert.deepEqual(await readdir(outside), []);
  });

  it("says of a damaged signature that it is damaged, not that the layout holds several images", async (t) => {
    const path = await emptyLayout(t);
    const store = await openFolder(path);
    const image = await pushImage(store, await makeImage(), "1.0");
    const note = await pushImage(store, makeReferrer(image));
    await truncate(join(path, blobPath(note.descriptor.digest)), 10);
    await rejectedBy(() => store.resolve(undefined), "size-mismatch");
  });

  it("follows a link to the layout as a whole, which is the user's own choice", async (t) => {
    const { path, manifest } = await withImage(t);
    const link = join(dirname(path), "link");
    await symlink(path, link);
    const store = await openFolder(link);
    assert.equal((await store.resolve("1.0"))?.descriptor.digest, manifest.descriptor.digest);
  });

  it("does not wait for a FIFO in the place of a blob", async (t) => {
    const { path, manifest } = await withImage(t);
    const blob = join(path, blobPath(manifest.descriptor.digest));
    await rm(blob);
    await once(spawn("mkfifo", [blob]), "exit");
    await rejectedBy(async () => (await openFolder(path)).manifest(manifest.descriptor), "layout-invalid");
  });
});

describe("finding an image in a layout", () => {
  it("takes the only image where nothing is said, past its signatures, their tags and the referrers tag", async (t) => {
    const { store, manifest } = await withImage(t);
    const { digest } = manifest.descriptor;
    await pushImage(store, makeReferrer(manifest));
    for (const tag of [cosignTag(digest, "sig"), cosignTag(digest, "att"), fallbackTag(digest)]) {
      await pushImage(store, await makeImage({ name: tag }), tag);
    }
    assert.equal((await store.resolve(undefined))?.descriptor.digest, digest);
  });

  it("answers undefined for an empty layout and for one that holds only a signature", async (t) => {
    const store = await openFolder(await emptyLayout(t));
    assert.equal(await store.resolve(undefined), undefined);
    await pushImage(store, makeReferrer((await makeImage()).manifest));
    assert.equal(await store.resolve(undefined), undefined);
  });

  it("names the choices where there are several images", async (t) => {
    const { store } = await withImage(t);
    await pushImage(store, await makeImage({ name: "other" }), "2.0");
    const error = await rejectedBy(() => store.resolve(undefined), "reference-invalid");
    assert.equal(error.found, "1.0, 2.0");
  });

  it("counts an image with two tags once", async (t) => {
    const { store, image, manifest } = await withImage(t);
    await pushImage(store, image, "latest");
    assert.equal((await store.resolve(undefined))?.descriptor.digest, manifest.descriptor.digest);
  });

  it("takes what the location names where nothing is said", async (t) => {
    const { path, store, manifest } = await withImage(t);
    const other = await pushImage(store, await makeImage({ name: "other" }), "2.0");
    const { digest } = manifest.descriptor;
    const byTag = await openLayout({ kind: "oci-layout", path, tag: "2.0" }, { mode: "read" });
    const byDigest = await openLayout({ kind: "oci-layout", path, digest }, { mode: "read" });
    assert.equal((await byTag.resolve(undefined))?.descriptor.digest, other.descriptor.digest);
    assert.equal((await byDigest.resolve(undefined))?.descriptor.digest, digest);
  });

  it("understands whole references in both annotations, in any spelling", async (t) => {
    for (const annotations of [
      { [REF_NAME]: "docker.io/library/app:3" },
      { [REF_NAME]: "app:3" },
      { [IMAGE_NAME]: "docker.io/library/app:3", [REF_NAME]: "3" },
      { [IMAGE_NAME]: "docker.io/library/app:3" },
    ]) {
      const { path, store, manifest } = await withImage(t);
      await editIndex(path, (index) => Object.assign(index.manifests[0] ?? {}, { annotations }));
      for (const name of ["3", "app:3", "docker.io/library/app:3", "index.docker.io/app:3"]) {
        assert.equal((await store.resolve(name))?.descriptor.digest, manifest.descriptor.digest, name);
      }
      for (const name of ["4", "other:3", "app", "library"]) assert.equal(await store.resolve(name), undefined, name);
    }
  });

  it("refuses a tag that two images have, and takes their references", async (t) => {
    const { path, store, manifest } = await withImage(t);
    const other = await pushImage(store, await makeImage({ name: "other" }), "2.0");
    await editIndex(path, (index) => {
      for (const [at, name] of ["a", "b"].entries()) {
        const annotations = { [IMAGE_NAME]: `example.com/${name}:3`, [REF_NAME]: "3" };
        Object.assign(index.manifests[at] ?? {}, { annotations });
      }
    });
    await rejectedBy(() => store.resolve("3"), "reference-invalid");
    assert.equal((await store.resolve("example.com/a:3"))?.descriptor.digest, manifest.descriptor.digest);
    assert.equal((await store.resolve("example.com/b:3"))?.descriptor.digest, other.descriptor.digest);
    assert.deepEqual(await store.tags(), ["example.com/a:3", "example.com/b:3"]);
  });

  it("throws not-found, and does not say that there is no such tag, where only the manifest's file is missing", async (t) => {
    const { path, store, manifest } = await withImage(t);
    await rm(join(path, blobPath(manifest.descriptor.digest)));
    await rejectedBy(() => store.resolve("1.0"), "not-found");
  });

  it("holds an index of which some platforms are absent (image-layout.md, Blobs)", async (t) => {
    const store = await openFolder(await emptyLayout(t));
    const index = await makeIndex();
    const [first, second] = index.children;
    assert.ok(first !== undefined && second !== undefined);
    await pushImage(store, first);
    await store.pushManifest(index.manifest, "multi");
    await pushImage(store, makeReferrer(index.manifest));
    assert.equal((await store.referrers(index.manifest.descriptor.digest)).descriptors.length, 1);
    assert.equal(await store.resolve(second.manifest.descriptor.digest), undefined);
    assert.equal((await store.resolve(undefined))?.descriptor.digest, index.manifest.descriptor.digest);
  });

  it("does not read a layer as a manifest", async (t) => {
    const { store, image } = await withImage(t);
    for (const { descriptor } of image.blobs)
      await rejectedBy(() => store.resolve(descriptor.digest), "manifest-invalid");
    const large = makeBytes(LIMITS.manifestBytes + 1);
    const descriptor = describeAs(large, MEDIA_TYPES.ociLayer);
    await store.pushBlob(descriptor, bytesSource(large, 100_000));
    await rejectedBy(() => store.resolve(descriptor.digest), "limit-reached");
  });
});

describe("referrers in a layout", () => {
  it("are found in an index that the layout lists, as tools write it that keep the referrers tag", async (t) => {
    const { path, store, manifest } = await withImage(t);
    const referrer = makeReferrer(manifest);
    await pushImage(store, referrer);
    const list = makeManifest({ mediaType: MEDIA_TYPES.ociIndex, manifests: [referrer.manifest.descriptor] });
    await editIndex(path, (index) => index.manifests.pop());
    await store.pushManifest(list, fallbackTag(manifest.descriptor.digest));
    const { descriptors } = await store.referrers(manifest.descriptor.digest);
    assert.deepEqual(
      descriptors.map((descriptor) => descriptor.digest),
      [referrer.manifest.descriptor.digest],
    );
  });

  it("are not what merely is listed as one: the manifest's own subject counts", async (t) => {
    const { path, store, manifest } = await withImage(t);
    const other = await pushImage(store, await makeImage({ name: "other" }), "other");
    await editIndex(path, (index) =>
      Object.assign(index.manifests[1] ?? {}, { artifactType: "signature", subject: {} }),
    );
    assert.deepEqual((await store.referrers(manifest.descriptor.digest)).descriptors, []);
    assert.deepEqual((await store.referrers(other.descriptor.digest)).descriptors, []);
  });

  it("include what is listed but damaged, so that it is not taken for absent", async (t) => {
    const { path, store, manifest } = await withImage(t);
    const referrer = await pushImage(store, makeReferrer(manifest));
    await writeFile(join(path, blobPath(referrer.descriptor.digest)), "damaged");
    const { descriptors } = await store.referrers(manifest.descriptor.digest);
    assert.deepEqual(
      descriptors.map((descriptor) => descriptor.digest),
      [referrer.descriptor.digest],
    );
    await rejectedBy(() => store.manifest(descriptors[0] ?? assert.fail()), "size-mismatch");
  });

  it("end in limit-reached, not in a shorter list, where there are too many to look at", async (t) => {
    const path = await emptyLayout(t);
    const store = await openFolder(path);
    const lists: Manifest[] = [];
    for (let list = 0; list < 3; list++) {
      const manifests = Array.from({ length: 4000 }, (_, at) => ({
        ...describeAs(makeBytes(8, list * 4000 + at + 1), MEDIA_TYPES.ociManifest),
      }));
      lists.push(makeManifest({ mediaType: MEDIA_TYPES.ociIndex, manifests }));
    }
    for (const [at, list] of lists.entries()) await store.pushManifest(list, `list${at}`);
    const { digest } = lists[0]?.descriptor ?? assert.fail();
    await rejectedBy(() => store.referrers(digest), "limit-reached");
  });
});

describe("changing a layout folder", () => {
  it("keeps every entry and member of index.json that it does not know", async (t) => {
    const { path, store, manifest } = await withImage(t);
    const theirs = { ...describeAs(makeBytes(9), "text/plain"), "x-member": { a: [1] }, annotations: { b: "c" } };
    await editIndex(path, (index) => {
      index.manifests.push(theirs);
      index["x-top"] = true;
    });
    await pushImage(store, makeReferrer(manifest));
    const index = JSON.parse(await readFile(join(path, "index.json"), "utf8")) as RawIndex;
    assert.deepEqual(index.manifests[1], theirs);
    assert.equal(index["x-top"], true);
  });

  it("refuses to grow index.json beyond what it would read again, and leaves it as it was", async (t) => {
    const { path, store, manifest } = await withImage(t);
    await editIndex(path, (index) => {
      while (index.manifests.length < LIMITS.indexEntries) {
        index.manifests.push({ ...describeAs(makeBytes(2, index.manifests.length), "text/plain") });
      }
    });
    const before = await readFile(join(path, "index.json"), "utf8");
    await rejectedBy(() => store.pushManifest(makeReferrer(manifest).manifest), "limit-reached");
    assert.equal(await readFile(join(path, "index.json"), "utf8"), before);
  });

  it("stores nothing and moves no tag for a manifest that is not what its descriptor says", async (t) => {
    const { path, store, manifest } = await withImage(t);
    const { descriptor } = (await makeImage({ name: "other" })).manifest;
    const before = (await readdir(path, { recursive: true })).sort();
    const forged = { ...manifest, descriptor: { ...descriptor, size: manifest.bytes.byteLength } };
    await rejectedBy(() => store.pushManifest(forged, "1.0"), "digest-mismatch");
    assert.deepEqual((await readdir(path, { recursive: true })).sort(), before);
    assert.equal((await store.resolve("1.0"))?.descriptor.digest, manifest.descriptor.digest);
  });

  it("puts a whole blob in the place of a damaged one", async (t) => {
    const { path, image } = await withImage(t);
    const [blob] = image.blobs;
    assert.ok(blob !== undefined);
    await writeFile(join(path, blobPath(blob.descriptor.digest)), makeBytes(blob.bytes.byteLength, 5));
    const store = await openFolder(path);
    assert.equal(await store.hasBlob(blob.descriptor), false);
    assert.equal(await store.pushBlob(blob.descriptor, bytesSource(blob.bytes)), "stored");
    assert.deepEqual(Buffer.from(await gather(store.openBlob(blob.descriptor))), Buffer.from(blob.bytes));
  });

  it("refuses every push to a layout that was opened for reading, and names that are none", async (t) => {
    const { path, image, store } = await withImage(t);
    const reader = await openFolder(path, "read");
    const other = await makeImage({ name: "other" });
    await rejectedBy(() => pushImage(reader, other, "2.0"), "unsupported");
    await rejectedBy(() => reader.pushManifest(image.manifest, "2.0"), "unsupported");
    for (const tag of ["", "-a", ".a", "a b", "a\n", "ü", "A/b:c"]) {
      await rejectedBy(() => store.pushManifest(image.manifest, tag), "reference-invalid");
    }
  });

  it("leaves no lock and no temporary file behind", async (t) => {
    const { path } = await withImage(t);
    assert.deepEqual((await readdir(path)).sort(), ["blobs", "index.json", "oci-layout"]);
  });

  it("stops where the command was stopped", async (t) => {
    const { path, manifest } = await withImage(t);
    const stopped = { mode: "write", signal: AbortSignal.abort() } as const;
    await rejectedBy(() => openLayout({ kind: "oci-layout", path }, stopped), "interrupted");
    const controller = new AbortController();
    const store = await openLayout({ kind: "oci-layout", path }, { mode: "write", signal: controller.signal });
    controller.abort();
    await rejectedBy(() => store.manifest(manifest.descriptor), "interrupted");
    await rejectedBy(() => store.pushManifest(makeReferrer(manifest).manifest), "interrupted");
  });

  it("is whole and usable after a writer was killed at any moment", async (t) => {
    const { path, manifest } = await withImage(t);
    for (const delay of [5, 20, 40, 80]) {
      const copy = join(dirname(path), `copy-${delay}`);
      await cp(path, copy, { recursive: true });
      const child = await startWriter(copy);
      await new Promise((resolve) => setTimeout(resolve, delay));
      child.kill("SIGKILL");
      await once(child, "exit");
      const store = await openFolder(copy);
      assert.equal((await store.resolve("1.0"))?.descriptor.digest, manifest.descriptor.digest);
      for (const descriptor of (await store.referrers(manifest.descriptor.digest)).descriptors) {
        await store.manifest(descriptor);
      }
      await pushImage(store, makeReferrer(manifest, { content: "after the crash" }));
    }
  });
});

async function startWriter(path: string) {
  const program = fileURLToPath(new URL("endless-writer.ts", import.meta.url));
  const child = spawn(process.execPath, [program, "oci-layout", path], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return child;
}
