import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { copyFile, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { after, describe, it, type TestContext } from "node:test";
import { CountersignError } from "../../../src/core/errors.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import type { Digest } from "../../../src/core/oci/digest.ts";
import type { Manifest } from "../../../src/core/oci/manifest.ts";
import { MEDIA_TYPES } from "../../../src/core/oci/media-types.ts";
import { cosignTag } from "../../../src/core/oci/referrers.ts";
import type { ContentStore } from "../../../src/core/ports.ts";
import type { ReasonCode } from "../../../src/core/reasons.ts";
import { instant } from "../../../src/core/time.ts";
import { layoutCollection } from "../../../src/io/layout/collection.ts";
import { openLayout } from "../../../src/io/layout/open.ts";
import { loadKit } from "../../../src/ops/kit.ts";
import { type KitContents, proveBlobs, readKit } from "../../../src/ops/kit-contents.ts";
import { filePlace, parsePrefix, registryPlace } from "../../../src/ops/kit-place.ts";
import { rejectedBy, thrownBy } from "../../support/codes.ts";
import {
  addBlob,
  editIndex,
  editList,
  editManifest,
  entryOf,
  forge,
  KIT_TIME,
  type KitFiles,
  type MadeKit,
  makeKit,
  openKit,
  pathOf,
} from "../../support/kit.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { addImage, addIndex, gzipLayer } from "../../support/sample-image.ts";
import { temporaryFolder } from "../../support/temp.ts";

/** Attaches an artifact to a manifest, as an OCI 1.1 referrer. */
function attach(store: MemoryStore, subject: Manifest, text = "a bundle"): Manifest {
  const json = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    artifactType: MEDIA_TYPES.sigstoreBundle,
    config: store.addBlob(Buffer.from("{}"), MEDIA_TYPES.ociEmpty),
    layers: [store.addBlob(Buffer.from(text), MEDIA_TYPES.sigstoreBundle)],
    subject: subject.descriptor,
  };
  return store.addManifest(json, MEDIA_TYPES.ociManifest);
}

function attachTag(store: MemoryStore, subject: Digest, suffix: "sig" | "att" | "sbom"): Manifest {
  const json = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: store.addBlob(Buffer.from(`{"of":"${suffix}"}`), MEDIA_TYPES.ociConfig),
    layers: [store.addBlob(Buffer.from(`${suffix} of ${subject}`), MEDIA_TYPES.simpleSigning)],
  };
  return store.addManifest(json, MEDIA_TYPES.ociManifest, cosignTag(subject, suffix));
}

interface Scene {
  readonly app: MemoryStore;
  readonly db: MemoryStore;
  readonly index: Manifest;
  readonly image: Manifest;
  readonly kit: MadeKit;
}

/** Made once: storing cosign's tags takes its time. Every test gets a copy of the file. */
const folder = temporaryFolder({ after });
const made = folder.then((path) => makeScene(join(path, "kit.tar")));

async function scene(t: TestContext): Promise<Scene> {
  const on = await made;
  const path = join(await temporaryFolder(t), "kit.tar");
  await copyFile(on.kit.path, path);
  return { ...on, kit: { ...on.kit, path } };
}

/** A kit of an index with all kinds of things attached at all depths, and of an image. */
async function makeScene(path: string): Promise<Scene> {
  const app = new MemoryStore("registry", "registry.example/acme/app");
  const db = new MemoryStore("registry", "registry.example/acme/db");
  const platforms = [addImage(app, [gzipLayer()]), addImage(app, [gzipLayer()])] as const;
  const index = addIndex(app, platforms, "1.4");
  const image = addImage(db, [gzipLayer()], { tag: "9" });
  const sbom = attach(app, index, "an sbom");
  attach(app, sbom, "its signature");
  attach(app, platforms[1], "a platform's signature");
  attachTag(app, index.descriptor.digest, "sig");
  attachTag(app, platforms[0].descriptor.digest, "att");
  attach(db, image, "a signature");
  const kit = await makeKit({ after }, [entryOf(app, index, "1.4"), entryOf(db, image, "9")], { path });
  return { app, db, index, image, kit };
}

async function read(t: TestContext, path: string): Promise<KitContents> {
  const whole = await openKit(t, path);
  const contents = await readKit(whole);
  await proveBlobs(whole);
  return contents;
}

const MIRROR = parsePrefix("mirror.example/kits");

/** A registry of repositories in memory. */
function registry(): {
  readonly stores: Map<string, MemoryStore>;
  readonly open: (r: { registry: string; repository: string }) => Promise<ContentStore>;
} {
  const stores = new Map<string, MemoryStore>();
  return {
    stores,
    async open({ registry: host, repository }) {
      const name = `${host}/${repository}`;
      const store = stores.get(name) ?? new MemoryStore("registry", name);
      stores.set(name, store);
      return store;
    },
  };
}

async function load(t: TestContext, { kit }: Scene, target = registry()) {
  const { entries } = await read(t, kit.path);
  const place = registryPlace(
    MIRROR,
    entries.map(({ image }) => image),
    target.open,
  );
  return { target, copies: await loadKit({ entries, place }) };
}

/** The stores that the kit was made of, without what they were asked. */
function contentOf({ manifests, blobs, names }: MemoryStore) {
  return { manifests: new Set(manifests.keys()), blobs: new Set(blobs.keys()), names: new Map(names) };
}

describe("Saving and loading a kit", () => {
  it("carries images and everything attached to them into another registry, digests unchanged", async (t) => {
    const on = await scene(t);
    const { target, copies } = await load(t, on);
    const [app, db] = ["app", "db"].map((name) => target.stores.get(`mirror.example/kits/acme/${name}`));
    assert.deepEqual(contentOf(app ?? on.db), contentOf(on.app));
    assert.deepEqual(contentOf(db ?? on.app), contentOf(on.db));
    assert.deepEqual(
      copies.map(({ attached }) => attached),
      [5, 1],
    );
  });

  it("into a new layout, which another tool reads by names and digests", async (t) => {
    const on = await scene(t);
    const { entries } = await read(t, on.kit.path);
    const path = `${on.kit.path}.layout`;
    const collection = await layoutCollection({ kind: "oci-layout", path });
    const place = filePlace(
      collection,
      "oci:images",
      entries.map(({ image }) => image),
    );
    assert.deepEqual(
      entries.map(({ image }) => place.nameOf(image)),
      ["oci:images:1.4", "oci:images:9"],
    );
    await loadKit({ entries, place });
    const store = await openLayout({ kind: "oci-layout", path }, { mode: "read" });
    assert.equal((await store.resolve("registry.example/acme/app:1.4"))?.descriptor.digest, on.index.descriptor.digest);
    assert.equal((await store.resolve("9"))?.descriptor.digest, on.image.descriptor.digest);
    assert.equal((await store.referrers(on.index.descriptor.digest)).descriptors.length, 1);
    assert.ok(await store.resolve(cosignTag(on.index.descriptor.digest, "sig")));
  });

  it("is an OCI archive whose only image is the image: the kit's own manifest is none", async (t) => {
    const store = new MemoryStore("registry", "registry.example/acme/app");
    const image = addImage(store, [gzipLayer()], { tag: "1" });
    attach(store, image);
    const { path } = await makeKit(t, [entryOf(store, image, "1")]);
    const archive = await openLayout({ kind: "oci-archive", path }, { mode: "read" });
    t.after(() => archive.close());
    assert.equal((await archive.resolve(undefined))?.descriptor.digest, image.descriptor.digest);
  });

  it("is the same file for the same content and time", async (t) => {
    const store = new MemoryStore("registry", "registry.example/acme/app");
    const entry = entryOf(store, addImage(store, [gzipLayer()]), "1");
    const kits = await Promise.all([makeKit(t, [entry]), makeKit(t, [entry])]);
    const [one, other] = await Promise.all(kits.map(({ path }) => readFile(path)));
    assert.ok(other !== undefined && one?.equals(other));
  });

  it("keeps images that have a digest and no tag, or a tag and no repository", async (t) => {
    const store = new MemoryStore("registry", "registry.example/acme/app");
    const file = new MemoryStore("oci-layout");
    const byDigest = entryOf(store, addImage(store, [gzipLayer()]));
    const byTag = entryOf(file, addImage(file, [gzipLayer()]), "2.0");
    const kit = await makeKit(t, [byDigest, byTag]);
    const target = registry();
    const { copies } = await load(t, { kit } as Scene, target);
    assert.equal(copies.length, 2);
    const [app, prefix] = ["mirror.example/kits/acme/app", "mirror.example/kits"].map((name) =>
      target.stores.get(name),
    );
    assert.ok(app?.manifests.has(byDigest.root.descriptor.digest));
    assert.equal(app?.names.size, 0);
    assert.equal(prefix?.names.get("2.0"), byTag.root.descriptor.digest);
  });

  it("holds a content once that several images share", async (t) => {
    const store = new MemoryStore("registry", "registry.example/acme/app");
    const shared = gzipLayer();
    const images = [addImage(store, [shared]), addImage(store, [shared])];
    const kit = await makeKit(
      t,
      images.map((image, at) => entryOf(store, image, `${at}`)),
    );
    assert.deepEqual(
      kit.copies.map(({ presentBytes }) => presentBytes),
      [0, shared.bytes.byteLength],
    );
  });

  it("names everything last, when all content of all images is there", async (t) => {
    const on = await scene(t);
    const calls: string[] = [];
    const target = registry();
    const open = async (reference: { registry: string; repository: string }) => {
      const store = (await target.open(reference)) as MemoryStore;
      store.misbehaviour = { before: (call) => void calls.push(call) };
      return store;
    };
    await load(t, on, { ...target, open });
    const pushes = calls.filter((call) => /^pushManifest|^write/.test(call));
    assert.deepEqual(
      pushes.slice(-2).map((call) => call.split(" ")[2]),
      ["1.4", "9"],
    );
    assert.ok(pushes.slice(0, -2).every((call) => !/ (?:1\.4|9)$/.test(call)));
  });

  it("leaves junk beside an image out of the kit, and says so", async (t) => {
    const store = new MemoryStore("registry", "registry.example/acme/app");
    const image = addImage(store, [gzipLayer()]);
    const bad = attach(store, image, "missing");
    for (const layer of bad.kind === "image" ? bad.layers : []) store.blobs.delete(layer.digest);
    const good = attach(store, image, "good");
    const kit = await makeKit(t, [entryOf(store, image, "1")]);
    assert.equal(kit.copies[0]?.skipped.length, 1);
    assert.deepEqual(kit.list.attached, [good.descriptor.digest]);
    await read(t, kit.path);
  });

  it("asks the layout once for what is attached, however many images there are", async (t) => {
    const on = await scene(t);
    const whole = await openKit(t, on.kit.path);
    const asked: string[] = [];
    const { store } = whole;
    const counted: ContentStore = Object.assign(Object.create(store) as ContentStore, {
      referrers: (subject: Digest) => asked.push(subject),
      manifest: (descriptor: Parameters<ContentStore["manifest"]>[0]) => store.manifest(descriptor),
      readBlob: (...args: Parameters<ContentStore["readBlob"]>) => store.readBlob(...args),
    });
    const { entries } = await readKit({ ...whole, store: counted });
    for (const entry of entries) await entry.store.referrers(entry.image.manifest.digest);
    assert.deepEqual(asked, []);
  });
});

describe("A kit cannot be made", () => {
  const names: Readonly<
    Record<string, (a: MemoryStore, b: MemoryStore, file: MemoryStore) => Parameters<typeof makeKit>[1]>
  > = {
    "of two images of one name": (a) => [
      entryOf(a, addImage(a, [gzipLayer()]), "1"),
      entryOf(a, addImage(a, [gzipLayer()]), "1"),
    ],
    "of an image from a file that has another one's tag": (a, _b, file) => [
      entryOf(a, addImage(a, [gzipLayer()]), "1"),
      entryOf(file, addImage(file, [gzipLayer()]), "1"),
    ],
  };
  for (const [name, entries] of Object.entries(names)) {
    it(name, async (t) => {
      const [a, b] = ["a", "b"].map((path) => new MemoryStore("registry", `registry.example/${path}`));
      const file = new MemoryStore("oci-layout");
      await rejectedBy(() => makeKit(t, entries(a ?? file, b ?? file, file)), "reference-invalid");
    });
  }

  it("over a file that is there", async (t) => {
    const on = await scene(t);
    await rejectedBy(() => layoutCollection({ kind: "oci-archive", path: on.kit.path }), "destination-exists");
    await rejectedBy(() => layoutCollection({ kind: "oci-layout", path: dirname(on.kit.path) }), "destination-exists");
  });

  for (const [name, misbehave, code] of [
    ["a layer is altered", (store) => alter(store), "digest-mismatch"],
    ["what is attached cannot be listed", (store) => fail(store, "referrers ", "throttled"), "throttled"],
    ["somebody stops it", (store) => fail(store, "openBlob ", "interrupted"), "interrupted"],
  ] as readonly (readonly [string, (store: MemoryStore) => void, ReasonCode])[]) {
    it(`where ${name}: nothing is to be seen, and the error names the image`, async (t) => {
      const store = new MemoryStore("registry", "registry.example/acme/app");
      const entries = ["1", "2"].map((tag) => entryOf(store, addImage(store, [gzipLayer()], { tag }), tag));
      misbehave(store);
      const folder = await temporaryFolder(t);
      const error = await rejectedBy(() => makeKit(t, entries, { path: join(folder, "kit.tar") }), code);
      const left = await readdir(folder);
      // What the network did can be gone on with by the next run, out of sight.
      assert.deepEqual(left, code === "throttled" ? [".kit.tar.countersign-partial"] : []);
      if (code !== "interrupted") assert.match(error.message, /^registry\.example\/acme\/app:[12]: /);
    });
  }
});

function alter(store: MemoryStore): void {
  for (const [digest, bytes] of store.blobs) {
    if (bytes.byteLength > 900) store.blobs.set(digest, Buffer.from(bytes).fill(1, 20, 40));
  }
}

function fail(store: MemoryStore, prefix: string, code: ReasonCode): void {
  store.misbehaviour = {
    before: (call) => {
      if (call.startsWith(prefix)) throw new CountersignError(code, "on purpose");
    },
  };
}

// --- what is not what it says -----------------------------------------------------------------------------------------

function setMember(name: string, value: unknown) {
  return (list: Record<string, unknown>): void => {
    list[name] = value;
  };
}

type Listed = Parameters<Parameters<typeof editIndex>[1]>[0]["manifests"][number];

function unlist(isLeftOut: (entry: Listed) => boolean): Parameters<typeof editIndex>[1] {
  return (index) => {
    index.manifests = index.manifests.filter((entry) => !isLeftOut(entry));
  };
}

/** The digests of a kit's images, by their tags. */
function digestOf(on: Scene, tag: "1.4" | "9"): Digest {
  return (tag === "9" ? on.image : on.index).descriptor.digest;
}

const FORGERIES: Readonly<Record<string, readonly [ReasonCode, RegExp, (files: KitFiles, on: Scene) => void]>> = {
  "whose list is missing": [
    "layout-invalid",
    /a part of it is missing/,
    (files) =>
      editManifest(files, (manifest) => void files.delete(pathOf(manifest.layers[0]?.digest ?? ("" as Digest)))),
  ],
  "without a list": [
    "layout-invalid",
    /no list of what is in it/,
    (files) => editManifest(files, (manifest) => void manifest.layers.shift()),
  ],
  "with two lists": [
    "layout-invalid",
    /no list of what is in it/,
    (files) =>
      editManifest(
        files,
        ({ layers }) => void layers.push({ ...layers[0], ...addBlob(files, Buffer.from("{}")) } as (typeof layers)[0]),
      ),
  ],
  "with a second kit in it": [
    "layout-invalid",
    /not a kit/,
    (files) => {
      const before = new Map(files);
      editList(files, setMember("createdAt", "2026-01-02T00:00:00Z"));
      for (const [name, bytes] of before) if (!files.has(name)) files.set(name, bytes);
      const [first] = JSON.parse(String(before.get("index.json"))).manifests;
      editIndex(files, ({ manifests }) => void manifests.push(first));
    },
  ],
  "whose list is not JSON": [
    "layout-invalid",
    /not strict JSON/,
    (files) =>
      editManifest(files, ({ layers }) => void Object.assign(layers[0] ?? {}, addBlob(files, Buffer.from("{,}")))),
  ],
  "of another version": ["layout-invalid", /another version/, (files) => editList(files, setMember("kitVersion", 4))],
  "with more in its list than is known": [
    "layout-invalid",
    /unknown member/,
    (files) => editList(files, setMember("policy", {})),
  ],
  "that lacks an image of its list": [
    "layout-invalid",
    /an image of its list is missing/,
    (files, on) =>
      editIndex(
        files,
        unlist(({ digest }) => digest === digestOf(on, "9")),
      ),
  ],
  "that holds an image that its list does not name": [
    "layout-invalid",
    /its list has not/,
    (files) => editList(files, (list) => void list.images.pop()),
  ],
  "that names one image twice": [
    "layout-invalid",
    /one image twice/,
    (files) => editList(files, (list) => void list.images.push(list.images[0] ?? {})),
  ],
  "that gives one name to two images": [
    "layout-invalid",
    /one image twice/,
    (files) =>
      editList(files, ({ images: [one, other] }) => {
        if (one && other) Object.assign(other, { repository: one["repository"], tag: one["tag"] });
      }),
  ],
  "that describes one image in two ways": [
    "layout-invalid",
    /described in two ways/,
    (files, on) => {
      const repository = "registry.example/acme/again";
      editList(files, ({ images }) => {
        const [, first] = images;
        const manifest = { ...(first?.["manifest"] as object), size: 1 };
        images.push({ ...first, repository, manifest });
      });
      editIndex(files, ({ manifests }) => {
        const entry = manifests.find(({ digest }) => digest === digestOf(on, "9"));
        const annotations = { "io.containerd.image.name": `${repository}:9`, "org.opencontainers.image.ref.name": "9" };
        if (entry) manifests.push({ ...entry, annotations });
      });
    },
  ],
  "whose list exchanges two images": [
    "layout-invalid",
    /its list has not/,
    (files) =>
      editList(files, ({ images: [one, other] }) => {
        if (one && other) [one["manifest"], other["manifest"]] = [other["manifest"], one["manifest"]];
      }),
  ],
  "whose index gives an image another name than its list": [
    "layout-invalid",
    /its list has not/,
    (files, on) =>
      editIndex(files, ({ manifests }) => {
        const entry = manifests.find(({ digest }) => digest === digestOf(on, "9"));
        if (entry?.annotations) entry.annotations["io.containerd.image.name"] = "registry.example/acme/db:10";
      }),
  ],
  "whose index gives a second name to an image": [
    "layout-invalid",
    /its list has not/,
    (files, on) =>
      editIndex(files, ({ manifests }) => {
        const entry = manifests.find(({ digest }) => digest === digestOf(on, "9"));
        if (entry) manifests.push({ ...entry, annotations: { "org.opencontainers.image.ref.name": "latest" } });
      }),
  ],
  "whose index names the kit's own manifest": [
    "layout-invalid",
    /its list has not/,
    (files) =>
      editIndex(files, ({ manifests: [kit] }) => {
        if (kit) kit.annotations = { "org.opencontainers.image.ref.name": "latest" };
      }),
  ],
  "that lacks a signature of its list": [
    "layout-invalid",
    /attached to an image is missing/,
    (files) =>
      editIndex(
        files,
        unlist(({ annotations }) => annotations?.["org.opencontainers.image.ref.name"]?.endsWith(".sig") === true),
      ),
  ],
  "that holds a signature that its list does not name": [
    "layout-invalid",
    /its list has not/,
    (files) => editList(files, (list) => void list.attached.pop()),
  ],
  "that holds something that is attached to none of its images": [
    "layout-invalid",
    /attached to none/,
    (files) => {
      const stray = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [] };
      const entry = addBlob(files, Buffer.from(JSON.stringify(stray)));
      editIndex(files, ({ manifests }) => void manifests.push({ mediaType: MEDIA_TYPES.ociIndex, ...entry }));
      editList(files, (list) => void list.attached.push(entry.digest));
    },
  ],
  "that lists something that is no manifest": [
    "layout-invalid",
    /something else than manifests/,
    (files) =>
      editIndex(
        files,
        ({ manifests }) => void manifests.push({ mediaType: "text/plain", ...addBlob(files, Buffer.from("a")) }),
      ),
  ],
  "that lacks a layer": [
    "layout-invalid",
    /a part of it is missing/,
    (files, on) =>
      void files.delete(
        pathOf(on.image.kind === "image" ? (on.image.layers[0]?.digest ?? ("" as Digest)) : ("" as Digest)),
      ),
  ],
  "that lacks the configuration": [
    "layout-invalid",
    /a part of it is missing/,
    (files, on) => void files.delete(pathOf(on.image.kind === "image" ? on.image.config.digest : ("" as Digest))),
  ],
  "that lacks a platform": [
    "layout-invalid",
    /a part of it is missing/,
    (files, on) =>
      void files.delete(
        pathOf(on.index.kind === "index" ? (on.index.manifests[1]?.digest ?? ("" as Digest)) : ("" as Digest)),
      ),
  ],
  "that lacks an image's manifest": [
    "layout-invalid",
    /a part of it is missing/,
    (files, on) => void files.delete(pathOf(digestOf(on, "9"))),
  ],
  "with a layer that is too short": [
    "size-mismatch",
    /wrong size/,
    (files, on) => {
      const path = pathOf(on.image.kind === "image" ? (on.image.layers[0]?.digest ?? ("" as Digest)) : ("" as Digest));
      files.set(path, files.get(path)?.subarray(1) ?? Buffer.of());
    },
  ],
  "with a file beside the layout": [
    "layout-invalid",
    /belongs to no layout/,
    (files) => void files.set("manifest.json", Buffer.from("[]")),
  ],
  "with a file among the blobs that is none": [
    "layout-invalid",
    /belongs to no layout/,
    (files) => void files.set("blobs/sha256/readme", Buffer.from("a")),
  ],
  "without a layout": ["layout-invalid", /not an archive of the OCI kind/, (files) => void files.delete("oci-layout")],
};

describe("A kit is refused", () => {
  for (const [name, [code, message, change]] of Object.entries(FORGERIES)) {
    it(name, async (t) => {
      const on = await scene(t);
      await forge(on.kit.path, (files) => change(files, on));
      assert.match((await rejectedBy(() => read(t, on.kit.path), code)).message, message);
    });
  }

  it("that is none: an archive of one image", async (t) => {
    const on = await scene(t);
    await forge(on.kit.path, (files) => editIndex(files, ({ manifests }) => void manifests.shift()));
    const error = await rejectedBy(() => read(t, on.kit.path), "layout-invalid");
    assert.match(error.next, /countersign copy/);
  });

  it("that has another digest than the one that was asked for, before anything else of it is read", async (t) => {
    const on = await scene(t);
    const whole = await openKit(t, on.kit.path);
    await readKit(whole, { digest: on.kit.digest });
    await forge(on.kit.path, (files) => editList(files, setMember("createdAt", "2026-01-02T00:00:00Z")));
    const forged = await openKit(t, on.kit.path);
    await rejectedBy(() => readKit(forged, { digest: on.kit.digest }), "digest-mismatch");
    await readKit(forged);
  });

  it("whatever byte of whichever file in it is another one", async (t) => {
    const on = await scene(t);
    const original = await readFile(on.kit.path);
    for (let at = 0; at < original.byteLength; at += 97) {
      const flipped = Buffer.from(original);
      flipped.writeUInt8(original.readUInt8(at) ^ 1, at);
      await writeFile(on.kit.path, flipped);
      const contents = await readOrError(on.kit.path);
      if (contents instanceof CountersignError) continue;
      // Padding between the files, and what a layout does not tell: the same kit.
      assert.deepEqual([contents.digest, contents.list], [on.kit.digest, on.kit.list], `at byte ${at}`);
    }
  });

  it("but a blob that nothing names is only hashed", async (t) => {
    const on = await scene(t);
    await forge(on.kit.path, (files) => void addBlob(files, Buffer.from("left over")));
    const { digest } = await read(t, on.kit.path);
    assert.equal(digest, on.kit.digest);
    await forge(
      on.kit.path,
      (files) => void files.set(pathOf(`sha256:${"0".repeat(64)}` as Digest), Buffer.from("left over")),
    );
    await rejectedBy(() => read(t, on.kit.path), "digest-mismatch");
  });

  it("with manifests that are too large together", async (t) => {
    const on = await scene(t);
    await forge(on.kit.path, (files) =>
      editIndex(files, ({ manifests }) => {
        for (let at = 0; at * LIMITS.manifestBytes <= LIMITS.treeBytes; at++) {
          const json = {
            schemaVersion: 2,
            mediaType: MEDIA_TYPES.ociIndex,
            manifests: [],
            annotations: { at: `${at}`.padEnd(LIMITS.manifestBytes - 200) },
          };
          manifests.push({ mediaType: MEDIA_TYPES.ociIndex, ...addBlob(files, Buffer.from(JSON.stringify(json))) });
        }
      }),
    );
    await rejectedBy(() => read(t, on.kit.path), "limit-reached");
  });

  it("whose images are too large together, though each of them is small: they share what is in them", async (t) => {
    const on = await scene(t);
    await forge(on.kit.path, (files) => {
      const filler = "x".repeat(LIMITS.manifestBytes - 1000);
      const children = Array.from({ length: 7 }, (_, at) => {
        const json = {
          schemaVersion: 2,
          mediaType: MEDIA_TYPES.ociIndex,
          manifests: [],
          annotations: { at: `${at}${filler}` },
        };
        return { mediaType: MEDIA_TYPES.ociIndex, ...addBlob(files, Buffer.from(JSON.stringify(json))) };
      });
      for (let at = 0; at * 7 * LIMITS.manifestBytes < 1.1 * LIMITS.layoutScanBytes; at++) {
        const json = {
          schemaVersion: 2,
          mediaType: MEDIA_TYPES.ociIndex,
          manifests: children,
          annotations: { at: `${at}` },
        };
        const manifest = { mediaType: MEDIA_TYPES.ociIndex, ...addBlob(files, Buffer.from(JSON.stringify(json))) };
        editIndex(files, ({ manifests }) => void manifests.push(manifest));
        editList(files, (list) => void list.images.push({ repository: `registry.example/many/${at}`, manifest }));
      }
    });
    const whole = await openKit(t, on.kit.path);
    await rejectedBy(() => readKit(whole), "limit-reached");
  });

  it("that attaches things to things too deeply", async (t) => {
    const store = new MemoryStore("registry", "registry.example/acme/app");
    const image = addImage(store, [gzipLayer()]);
    let last = image;
    for (let depth = 0; depth < LIMITS.attachedDepth; depth++) last = attach(store, last, `level ${depth}`);
    const kit = await makeKit(t, [entryOf(store, image, "1")]);
    await read(t, kit.path);
    await forge(kit.path, (files) => {
      let subject = last.descriptor;
      for (let depth = 0; depth < 2; depth++) {
        const json = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [], subject };
        const entry = { mediaType: MEDIA_TYPES.ociIndex, ...addBlob(files, Buffer.from(JSON.stringify(json))) };
        editIndex(files, ({ manifests }) => void manifests.push(entry));
        editList(files, (list) => void list.attached.push(entry.digest));
        subject = entry;
      }
    });
    await rejectedBy(() => read(t, kit.path), "layout-invalid");
  });
});

async function readOrError(path: string): Promise<KitContents | CountersignError> {
  const scope: (() => Promise<void>)[] = [];
  try {
    const whole = await openKit({ after: (work) => void scope.push(work) }, path);
    const contents = await readKit(whole);
    await proveBlobs(whole);
    return contents;
  } catch (error) {
    if (error instanceof CountersignError) return error;
    throw error;
  } finally {
    for (const work of scope) await work();
  }
}

describe("Loading a kit where something fails", () => {
  for (const [name, prefix, code] of [
    ["the destination denies the last image", "pushManifest", "denied"],
    ["the destination fails in the middle of a blob", "write ", "server-error"],
    ["somebody stops it", "pushBlob ", "interrupted"],
  ] as const) {
    it(`names nothing: ${name}`, async (t) => {
      const on = await scene(t);
      const target = registry();
      const open = async (reference: { registry: string; repository: string }) => {
        const store = (await target.open(reference)) as MemoryStore;
        if (reference.repository.endsWith("db")) fail(store, prefix, code);
        return store;
      };
      await rejectedBy(() => load(t, on, { ...target, open }), code);
      for (const store of target.stores.values()) {
        assert.deepEqual(
          [...store.names.keys()].filter((tag) => !tag.startsWith("sha256-")),
          [],
        );
      }
    });
  }

  it("leaves no layout: a layer that is not what the configuration says", async (t) => {
    const on = await scene(t);
    const { entries } = await read(t, on.kit.path);
    const folder = await temporaryFolder(t);
    const collection = await layoutCollection({ kind: "oci-layout", path: join(folder, "out") });
    const place = filePlace(
      collection,
      "oci:out",
      entries.map(({ image }) => image),
    );
    const openLayerDigester = () => ({
      write: async () => {},
      finish: async () => `sha256:${"0".repeat(64)}` as Digest,
      abort: () => {},
    });
    await rejectedBy(() => loadKit({ entries, place, openLayerDigester }), "layer-invalid");
    assert.deepEqual(await readdir(folder), []);
  });
});

describe("Where the images of a kit go", () => {
  const image = (repository: string | undefined, tag: string | undefined, fill = "a") => ({
    repository,
    tag,
    manifest: { mediaType: MEDIA_TYPES.ociManifest, digest: `sha256:${fill.repeat(64)}` as Digest, size: 1 },
  });
  const nobody = () => Promise.reject(new Error("nobody is asked"));

  for (const [prefix, repository, expected] of [
    ["mirror.example", "registry.example/acme/app", "mirror.example/acme/app:1"],
    ["mirror.example/kits/a", "registry.example:5000/acme/app", "mirror.example/kits/a/acme/app:1"],
    ["localhost:5000", "docker.io/library/nginx", "localhost:5000/library/nginx:1"],
    ["docker.io/acme", "registry.example/app", "docker.io/acme/app:1"],
    ["mirror.example/app", undefined, "mirror.example/app:1"],
  ] as const) {
    it(`${repository} below ${prefix} is ${expected}`, () => {
      const place = registryPlace(parsePrefix(prefix), [], nobody);
      assert.equal(place.nameOf(image(repository, "1")), expected);
    });
  }

  for (const text of [
    "kits",
    "acme/app",
    "",
    "/",
    "oci:x",
    "http://mirror.example",
    "mirror.example/kits:1",
    "mirror.example//a",
    "mirror.example/",
    `mirror.example/a@sha256:${"a".repeat(64)}`,
  ]) {
    it(`is not ${JSON.stringify(text)}`, () => {
      thrownBy(() => parsePrefix(text), "reference-invalid");
    });
  }

  it("is not one name for two images", () => {
    const images = [image("one.example/app", "1"), image("other.example/app", "1", "b")];
    thrownBy(() => registryPlace(MIRROR, images, nobody), "usage");
    registryPlace(MIRROR, [image("one.example/app", "1"), image("other.example/app", "1")], nobody);
  });

  it("is not nowhere: an image from a file, at the top of a registry", () => {
    thrownBy(() => registryPlace(parsePrefix("mirror.example"), [image(undefined, "1")], nobody), "reference-invalid");
  });

  it("in a layout is told by digest where two images share a tag", () => {
    const images = [
      image("one.example/app", "1"),
      image("other.example/app", "1", "b"),
      image(undefined, undefined, "c"),
    ];
    const names = images.map((one) => filePlace({} as never, "oci:out", images).nameOf(one));
    assert.deepEqual(
      names,
      images.map(({ manifest }) => `oci:out@${manifest.digest}`),
    );
  });
});

it("a kit's time is the one it was made at", async (t) => {
  const on = await scene(t);
  assert.equal((await read(t, on.kit.path)).list.createdAt, KIT_TIME);
  assert.equal(KIT_TIME, instant(Date.UTC(2026, 0, 1)));
  assert.equal(existsSync(on.kit.path), true);
});
