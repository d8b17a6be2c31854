import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmod, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { digestOf } from "../../../../src/core/oci/digest.ts";
import { MEDIA_TYPES } from "../../../../src/core/oci/media-types.ts";
import type { ContentStore } from "../../../../src/core/ports.ts";
import { gather } from "../../../../src/io/disk/files.ts";
import type { ArchiveKind } from "../../../../src/io/layout/archive.ts";
import { layoutDestination } from "../../../../src/io/layout/destination.ts";
import { openLayout } from "../../../../src/io/layout/open.ts";
import { holdsLayers, mergeLegacy } from "../../../../src/ops/merge-legacy.ts";
import { updateTag } from "../../../../src/ops/update-tag.ts";
import { rejectedBy } from "../../../support/codes.ts";
import {
  bytesSource,
  describeAs,
  makeBytes,
  makeImage,
  makeIndex,
  makeLayer,
  makeReferrer,
  makeTar,
  pushContent,
  pushImage,
  type TestImage,
} from "../../../support/images.ts";
import { temporaryFolder } from "../../../support/temp.ts";
import { type RawEntry, tarOf } from "./raw-tar.ts";

type Files = Record<string, string | Uint8Array>;

async function open(
  t: TestContext,
  kind: ArchiveKind,
  path: string,
  mode: "read" | "write" = "read",
): Promise<ContentStore> {
  const store = await openLayout({ kind, path }, { mode });
  t.after(() => store.close());
  return store;
}

async function openBytes(t: TestContext, kind: ArchiveKind, bytes: Uint8Array): Promise<ContentStore> {
  const path = join(await temporaryFolder(t), "image.tar");
  await writeFile(path, bytes);
  return open(t, kind, path);
}

async function openFiles(t: TestContext, kind: ArchiveKind, files: Files): Promise<ContentStore> {
  return openBytes(t, kind, await makeTar(files));
}

async function archiveOf(t: TestContext, kind: ArchiveKind, image: TestImage, tag: string): Promise<string> {
  const path = join(await temporaryFolder(t), "image.tar");
  const destination = await layoutDestination({ kind, path, tag });
  await pushContent(destination.store, image);
  await destination.commit(image.manifest);
  return path;
}

/** Those who come first wait for the last, once. */
class Barrier {
  readonly #all = Promise.withResolvers<void>();
  #missing: number;

  constructor(count: number) {
    this.#missing = count;
  }

  async reached(): Promise<void> {
    if (--this.#missing === 0) this.#all.resolve();
    await this.#all.promise;
  }
}

/** The entries of an archive made by this project, to be put together in another way. */
async function entriesOf(path: string): Promise<Files> {
  const archive = await readFile(path);
  const files: Files = {};
  for (let at = 0; archive[at] !== 0; ) {
    const name = archive.toString("utf8", at, archive.indexOf(0, at));
    const size = Number.parseInt(archive.toString("utf8", at + 124, at + 135), 8);
    files[name] = archive.subarray(at + 512, at + 512 + size);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

function json(files: Files, name: string): unknown {
  return JSON.parse(Buffer.from(files[name] ?? "").toString());
}

describe("an OCI archive", () => {
  it("may be compressed with gzip; then it is read, and not written", async (t) => {
    const image = await makeImage();
    const path = await archiveOf(t, "oci-archive", image, "1.0");
    const zipped = `${path}.gz`;
    await writeFile(zipped, gzipSync(await readFile(path)));
    const store = await open(t, "oci-archive", zipped, "write");
    assert.equal((await store.resolve("1.0"))?.descriptor.digest, image.manifest.descriptor.digest);
    await rejectedBy(() => pushImage(store, makeReferrer(image.manifest)), "unsupported");
    assert.deepEqual((await readdir(join(path, ".."))).sort(), ["image.tar", "image.tar.gz"]);
  });

  it("is refused where its compression is damaged, cut or hides far more than a layout needs", async (t) => {
    const zipped = gzipSync(await makeTar({ "oci-layout": makeBytes(5000) }));
    await rejectedBy(() => openBytes(t, "oci-archive", zipped.subarray(0, 3000)), "layout-invalid");
    const flipped = Buffer.from(zipped);
    flipped.writeUInt8(flipped.readUInt8(zipped.byteLength - 3) ^ 1, zipped.byteLength - 3);
    await rejectedBy(() => openBytes(t, "oci-archive", flipped), "layout-invalid");
    const bomb = gzipSync(new Uint8Array(40_000_000));
    await rejectedBy(() => openBytes(t, "oci-archive", bomb), "decompression-bomb");
  });

  it("is refused, with the other word for it, where it is of the other kind", async (t) => {
    const docker = await rejectedBy(() => openFiles(t, "oci-archive", { "manifest.json": "[]" }), "layout-invalid");
    assert.match(docker.next, /docker-archive:/);
    const oci = { "oci-layout": "{}", "index.json": "{}" };
    const layout = await rejectedBy(() => openFiles(t, "docker-archive", oci), "layout-invalid");
    assert.match(layout.next, /oci-archive:/);
    await rejectedBy(() => openFiles(t, "oci-archive", {}), "layout-invalid");
  });

  it("is refused where index.json, oci-layout or manifest.json is a link, or there twice", async (t) => {
    const whole: RawEntry[] = [
      { name: "oci-layout", content: '{"imageLayoutVersion":"1.0.0"}' },
      { name: "index.json", content: '{"schemaVersion":2,"manifests":[]}' },
      { name: "manifest.json", content: "[]" },
    ];
    for (const { name } of whole) {
      const others = whole.filter((entry) => entry.name !== name);
      const linked = tarOf(...others, { name, type: "2", linkName: "/etc/hostname" });
      await rejectedBy(() => openBytes(t, "oci-archive", linked), "layout-invalid");
      await rejectedBy(() => openBytes(t, "oci-archive", tarOf(...whole, { name, content: "{}" })), "layout-invalid");
    }
    assert.deepEqual(await (await openBytes(t, "oci-archive", tarOf(...whole))).tags(), []);
  });

  it("keeps its mode and what else is in it when it is written, and a link to it stays one", async (t) => {
    const image = await makeImage();
    const path = await archiveOf(t, "oci-archive", image, "1.0");
    await writeFile(path, await makeTar({ ...(await entriesOf(path)), "NOTES.txt": "theirs" }));
    // What the umask of anybody would take from a new file.
    await chmod(path, 0o666);
    await symlink("image.tar", join(path, "..", "link"));
    const store = await open(t, "oci-archive", join(path, "..", "link"), "write");
    await pushImage(store, makeReferrer(image.manifest));
    assert.equal(Buffer.from((await entriesOf(path))["NOTES.txt"] ?? "").toString(), "theirs");
    assert.equal((await stat(path)).mode & 0o777, 0o666);
    assert.deepEqual((await readdir(join(path, ".."))).sort(), ["image.tar", "link"]);
  });

  it("is unchanged, and nothing lies beside it, after blobs that no manifest followed", async (t) => {
    const path = await archiveOf(t, "oci-archive", await makeImage(), "1.0");
    const before = await readFile(path);
    const store = await openLayout({ kind: "oci-archive", path }, { mode: "write" });
    await store.pushBlob(describeAs(makeBytes(100), "text/plain"), bytesSource(makeBytes(100)));
    await store.close();
    assert.deepEqual(await readFile(path), before);
    assert.deepEqual(await readdir(join(path, "..")), ["image.tar"]);
  });

  it("still gives what was opened to a reader while another writes it anew", async (t) => {
    const image = await makeImage({
      layers: [await makeLayer({ files: { big: makeBytes(3_000_000) }, compression: "none" })],
    });
    const path = await archiveOf(t, "oci-archive", image, "1.0");
    const store = await open(t, "oci-archive", path, "write");
    const [, layer] = image.blobs;
    assert.ok(layer !== undefined);
    const hash = createHash("sha256");
    for await (const chunk of store.openBlob(layer.descriptor)) {
      hash.update(chunk);
      await pushImage(store, makeReferrer(image.manifest));
    }
    assert.equal(`sha256:${hash.digest("hex")}`, layer.descriptor.digest);
  });

  for (const kind of ["oci-archive", "oci-layout"] as const) {
    it(`loses nothing that several merge into one tag of an ${kind} at once, each as if all had written just before`, async (t) => {
      const path = join(await temporaryFolder(t), "image");
      const image = await makeImage();
      const destination = await layoutDestination({ kind, path, tag: "1.0" });
      await pushContent(destination.store, image);
      await destination.commit(image.manifest);
      const parts = await Promise.all(["a", "b", "c"].map(async (name) => (await makeImage({ name })).manifest));
      const stores = await Promise.all(
        parts.map(async () => {
          const store = await openLayout({ kind, path }, { mode: "write" });
          t.after(() => store.close());
          return store;
        }),
      );
      const { descriptor } = image.manifest;
      const tag = `sha256-${descriptor.digest.slice("sha256:".length)}.att`;
      // None of them waits for the others: what one has merged, all have merged before the first of it is written.
      const merged = new Barrier(parts.length);
      await Promise.all(
        parts.map(async (part, at) => {
          const store = stores[at];
          assert.ok(store !== undefined);
          await updateTag(
            store,
            tag,
            {
              seen: undefined,
              merge: async (existing) => {
                const next = await mergeLegacy(store, existing, part, "att");
                await merged.reached();
                return next;
              },
              holds: (found) => holdsLayers(found, part, "att"),
            },
            { now: () => 0, sleep: async () => {}, random: () => 0 },
          );
        }),
      );
      const store = await openLayout({ kind, path }, { mode: "read" });
      t.after(() => store.close());
      const found = await store.resolve(tag);
      assert.ok(found !== undefined);
      for (const part of parts) assert.ok(holdsLayers(found, part, "att"));
    });
  }

  it("is whole after a writer was killed at any moment, and what the writer left is replaced", async (t) => {
    const image = await makeImage({ layers: [await makeLayer({ files: { big: makeBytes(2_000_000) } })] });
    const path = await archiveOf(t, "oci-archive", image, "1.0");
    for (const delay of [1, 15, 40, 70]) {
      const child = await startWriter(path);
      await new Promise((resolve) => setTimeout(resolve, delay));
      child.kill("SIGKILL");
      await once(child, "exit");
      const store = await open(t, "oci-archive", path, "write");
      assert.equal((await store.resolve("1.0"))?.descriptor.digest, image.manifest.descriptor.digest);
      for (const { descriptor } of image.blobs) assert.equal(await store.hasBlob(descriptor), true);
      await pushImage(store, makeReferrer(image.manifest, { content: `after ${delay}` }));
    }
    const left = (await readdir(join(path, ".."))).filter((name) => /lock|rewrite/.test(name));
    assert.deepEqual(left, []);
  });
});

/** An archive as Docker before 25 saves it. */
async function dockerSave(names: readonly string[], tars: readonly Uint8Array[]) {
  const config = Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      rootfs: { type: "layers", diff_ids: tars.map((tar) => digestOf(tar)) },
    }),
  );
  const files: Files = { "config.json": config };
  for (const [at, tar] of tars.entries()) files[`${at}/layer.tar`] = tar;
  const layers = tars.map((_, at) => `${at}/layer.tar`);
  files["manifest.json"] = JSON.stringify([{ Config: "config.json", RepoTags: names, Layers: layers }]);
  return files;
}

describe("an archive of docker save without a layout", () => {
  it("is seen as a Docker schema 2 image over the configuration and the layers, under its names", async (t) => {
    const tars = [await makeTar({ a: "a" }), await makeTar({ b: "b" })];
    const files = await dockerSave(["app:1", "ghcr.io/acme/app:1"], tars);
    const store = await openFiles(t, "docker-archive", files);
    for (const name of [undefined, "app:1", "docker.io/library/app:1", "ghcr.io/acme/app:1", "1"]) {
      const image = await store.resolve(name);
      assert.ok(image?.kind === "image");
      assert.equal(image.descriptor.mediaType, MEDIA_TYPES.dockerManifest);
      assert.deepEqual(
        image.layers.map((layer) => layer.digest),
        tars.map((tar) => digestOf(tar)),
      );
      for (const [at, layer] of image.layers.entries()) {
        assert.deepEqual(await gather(store.openBlob(layer)), Buffer.from(tars[at] ?? assert.fail()));
      }
    }
  });

  it("has the same digest whatever else is in the archive, its order and its file names", async (t) => {
    const tars = [await makeTar({ a: "a" }), await makeTar({ b: "b" })];
    const files = await dockerSave(["app:1"], tars);
    const other = { "x/VERSION": "1.0", repositories: "{}", "0/layer.tar": tars[0] ?? "", ...files };
    const one = await (await openFiles(t, "docker-archive", files)).resolve(undefined);
    const two = await (await openFiles(t, "docker-archive", other)).resolve(undefined);
    assert.equal(one?.descriptor.digest, two?.descriptor.digest);
  });

  it("follows the links that Docker writes for shared layers, one step and inside the archive only", async (t) => {
    const tar = await makeTar({ a: "a" });
    const files = await dockerSave([], [tar]);
    const entries = (linkName: string): RawEntry[] => [
      { name: "config.json", content: files["config.json"] ?? "" },
      { name: "manifest.json", content: files["manifest.json"] ?? "" },
      { name: "shared/layer.tar", content: tar },
      { name: "step/layer.tar", type: "2", linkName: "../shared/layer.tar" },
      { name: "0/layer.tar", type: "2", linkName },
    ];
    const store = await openBytes(t, "docker-archive", tarOf(...entries("../shared/layer.tar")));
    const image = await store.resolve(undefined);
    assert.ok(image?.kind === "image");
    assert.deepEqual(await gather(store.openBlob(image.layers[0] ?? assert.fail())), Buffer.from(tar));
    for (const linkName of ["../step/layer.tar", "../../shared/layer.tar", "/etc/passwd", "../missing", ""]) {
      await rejectedBy(() => openBytes(t, "docker-archive", tarOf(...entries(linkName))), "layout-invalid");
    }
  });

  it("takes compressed layers by the digest of what is there", async (t) => {
    const tar = await makeTar({ a: "a" });
    const files = { ...(await dockerSave([], [tar])), "0/layer.tar": gzipSync(tar) };
    const image = await (await openFiles(t, "docker-archive", files)).resolve(undefined);
    assert.ok(image?.kind === "image");
    assert.equal(image.layers[0]?.mediaType, MEDIA_TYPES.dockerLayerGzip);
    assert.equal(image.layers[0]?.digest, digestOf(gzipSync(tar)));
  });

  it("ends reading in an error where a layer is not what the configuration says", async (t) => {
    const files = { ...(await dockerSave([], [await makeTar({ a: "a" })])), "0/layer.tar": await makeTar({ a: "b" }) };
    const store = await openFiles(t, "docker-archive", files);
    const image = await store.resolve(undefined);
    assert.ok(image?.kind === "image");
    const [layer] = image.layers;
    assert.ok(layer !== undefined);
    await rejectedBy(() => gather(store.openBlob(layer)), "digest-mismatch");
  });

  const manifest = (entry: unknown) => ({ "manifest.json": JSON.stringify([entry]), "config.json": '{"rootfs":{}}' });
  const BAD: Readonly<Record<string, Files>> = {
    "whose manifest.json is no JSON": { "manifest.json": "[" },
    "whose manifest.json is no list": { "manifest.json": "{}" },
    "whose manifest.json lists no objects": { "manifest.json": "[1]" },
    "with a member twice": { "manifest.json": '[{"Config":"a","Config":"b"}]' },
    "with a member that Go reads as another": manifest({ Config: "config.json", config: "other.json" }),
    "without a configuration": manifest({ Layers: [] }),
    "whose configuration is elsewhere": manifest({ Config: "../config.json", Layers: [] }),
    "whose layers are no list": manifest({ Config: "config.json", Layers: "layer.tar" }),
    "with more layers than diff_ids": manifest({ Config: "config.json", Layers: ["config.json"] }),
    "with a name that is none": manifest({ Config: "config.json", RepoTags: ["A B"] }),
    "whose configuration is no JSON": { ...manifest({ Config: "config.json" }), "config.json": "no" },
    "whose diff_ids are no digests": {
      ...manifest({ Config: "config.json", Layers: ["config.json"] }),
      "config.json": '{"rootfs":{"diff_ids":["sha256:../../x"]}}',
    },
  };
  for (const [what, files] of Object.entries(BAD)) {
    it(`is refused ${what}`, async (t) => {
      await rejectedBy(() => openFiles(t, "docker-archive", files), "layout-invalid");
    });
  }

  it("becomes a layout and Docker's list together when something is stored, and keeps its digest", async (t) => {
    const path = join(await temporaryFolder(t), "image.tar");
    await writeFile(path, await makeTar(await dockerSave(["app:1", "app:latest"], [await makeTar({ a: "a" })])));
    const store = await open(t, "docker-archive", path, "write");
    const image = await store.resolve("app:1");
    assert.ok(image !== undefined);
    await pushImage(store, makeReferrer(image));
    const other = await open(t, "docker-archive", path);
    assert.equal((await other.resolve("app:latest"))?.descriptor.digest, image.descriptor.digest);
    assert.equal((await other.referrers(image.descriptor.digest)).descriptors.length, 1);
    const [entry, ...others] = json(await entriesOf(path), "manifest.json") as { RepoTags: string[] }[];
    assert.deepEqual(others, []);
    assert.deepEqual(entry?.RepoTags, ["docker.io/library/app:1", "docker.io/library/app:latest"]);
  });
});

describe("an archive that is a layout and Docker's list at once", () => {
  it("keeps the digest that the image had where it came from", async (t) => {
    const image = await makeImage();
    const path = await archiveOf(t, "docker-archive", image, "acme/app:1.4");
    for (const name of ["acme/app:1.4", "docker.io/acme/app:1.4", "1.4"]) {
      const store = await open(t, "docker-archive", path);
      assert.equal((await store.resolve(name))?.descriptor.digest, image.manifest.descriptor.digest);
    }
    assert.deepEqual(json(await entriesOf(path), "manifest.json"), [
      {
        Config: image.blobs[0]?.descriptor.digest.replace("sha256:", "blobs/sha256/"),
        RepoTags: ["docker.io/acme/app:1.4"],
        Layers: [image.blobs[1]?.descriptor.digest.replace("sha256:", "blobs/sha256/")],
      },
    ]);
  });

  it("lists one platform of an index for docker load, and signatures not at all", async (t) => {
    const index = await makeIndex({ attestation: true });
    const path = await archiveOf(t, "docker-archive", index, "app");
    const store = await open(t, "docker-archive", path, "write");
    await pushImage(store, makeReferrer(index.manifest));
    const list = json(await entriesOf(path), "manifest.json") as { RepoTags: string[] }[];
    assert.deepEqual(
      list.map((entry) => entry.RepoTags),
      [["docker.io/library/app:latest"]],
    );
    assert.equal((await store.resolve(undefined))?.descriptor.digest, index.manifest.descriptor.digest);
  });

  it("is refused where docker load would unpack another image than the one that was looked at", async (t) => {
    const path = await archiveOf(t, "docker-archive", await makeImage({ name: "good" }), "app:1");
    const good = await entriesOf(path);
    const evilPath = await archiveOf(t, "docker-archive", await makeImage({ name: "evil" }), "app:1");
    const evil = await entriesOf(evilPath);
    const [goodEntry] = json(good, "manifest.json") as { Config: string; Layers: string[] }[];
    const [evilEntry] = json(evil, "manifest.json") as { Config: string; Layers: string[] }[];
    const lists = [
      [evilEntry],
      [goodEntry, evilEntry],
      [{ ...goodEntry, Config: evilEntry?.Config }],
      [{ ...goodEntry, Layers: evilEntry?.Layers }],
      [{ ...goodEntry, Layers: [] }],
      [{ ...goodEntry, Layers: [...(goodEntry?.Layers ?? []), ...(evilEntry?.Layers ?? [])] }],
    ];
    for (const kind of ["docker-archive", "oci-archive"] as const) {
      for (const list of lists) {
        const files = { ...evil, ...good, "manifest.json": JSON.stringify(list) };
        await rejectedBy(() => openFiles(t, kind, files), "layout-invalid");
      }
    }
  });

  it("is refused where one name stands for two images", async (t) => {
    const path = await archiveOf(t, "docker-archive", await makeImage({ name: "good" }), "app:1");
    const store = await openLayout({ kind: "docker-archive", path }, { mode: "write" });
    await pushImage(store, await makeImage({ name: "other" }), "app:2");
    await store.close();
    const files = await entriesOf(path);
    const list = json(files, "manifest.json") as { RepoTags: string[] }[];
    const swapped = list.map((entry, at) => ({ ...entry, RepoTags: list[1 - at]?.RepoTags }));
    const changed = { ...files, "manifest.json": JSON.stringify(swapped) };
    await rejectedBy(() => openFiles(t, "docker-archive", changed), "layout-invalid");
  });

  it("knows the names that only Docker's list has", async (t) => {
    const image = await makeImage();
    const files = await entriesOf(await archiveOf(t, "docker-archive", image, "app:1"));
    const [entry] = json(files, "manifest.json") as object[];
    const named = { ...files, "manifest.json": JSON.stringify([{ ...entry, RepoTags: ["app:1", "other/name:2"] }]) };
    const store = await openFiles(t, "docker-archive", named);
    assert.equal((await store.resolve("other/name:2"))?.descriptor.digest, image.manifest.descriptor.digest);
  });

  it("takes a new image under a name of its own, for both readers, and moves a name in both", async (t) => {
    const path = await archiveOf(t, "docker-archive", await makeImage({ name: "one" }), "app:1");
    const store = await open(t, "docker-archive", path, "write");
    const two = await pushImage(store, await makeImage({ name: "two" }), "app:2");
    const three = await pushImage(store, await makeImage({ name: "three" }), "app:1");
    const again = await open(t, "docker-archive", path);
    assert.equal((await again.resolve("app:2"))?.descriptor.digest, two.descriptor.digest);
    assert.equal((await again.resolve("app:1"))?.descriptor.digest, three.descriptor.digest);
    const list = json(await entriesOf(path), "manifest.json") as { RepoTags: string[] }[];
    assert.deepEqual(
      list.map((entry) => entry.RepoTags),
      [["docker.io/library/app:2"], ["docker.io/library/app:1"]],
    );
  });
});

async function startWriter(path: string) {
  const program = fileURLToPath(new URL("endless-writer.ts", import.meta.url));
  const child = spawn(process.execPath, [program, "oci-archive", path], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return child;
}
