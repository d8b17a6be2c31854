import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { kitTargets, narrowEntry } from "../../../src/cli/kit-images.ts";
import type { Platform } from "../../../src/core/oci/descriptor.ts";
import type { ImageIndex } from "../../../src/core/oci/manifest.ts";
import { HEAD_TAG } from "../../../src/core/tags/names.ts";
import { requiringBinding } from "../../../src/core/verify/criterion.ts";
import { openSignedTags } from "../../../src/io/tags/client.ts";
import type { TagJudging, Target } from "../../../src/ops/judging.ts";
import type { KitEntry } from "../../../src/ops/kit-contents.ts";
import { readKit } from "../../../src/ops/kit-contents.ts";
import { readHead } from "../../../src/ops/tags/carry.ts";
import { revokeTags } from "../../../src/ops/tags/revoke.ts";
import { signTags } from "../../../src/ops/tags/sign.ts";
import { reachPlatform, verifyImages } from "../../../src/ops/verify.ts";
import { rejectedBy } from "../../support/codes.ts";
import { makeImage, makeIndex, pushImage } from "../../support/images.ts";
import { addBlob, editList, editManifest, entryOf, forge, makeKit, openKit } from "../../support/kit.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { initialised, publisherOf, type TestTrust } from "../../support/tag-publisher.ts";
import { temporaryFolder } from "../../support/temp.ts";

/** One platform of an index whose tag is signed, in a kit: the signed tag is the index's, and the platform is what it lists. */

const ARM: Platform = { os: "linux", architecture: "arm64" };

async function withIndex(tag = "1.0"): Promise<{ trust: TestTrust; index: ImageIndex }> {
  const trust = await initialised({ store: new MemoryStore("registry", "registry.example/app") });
  return { trust, index: await pushIndex(trust, tag) };
}

async function pushIndex(trust: TestTrust, tag: string, isSigned = true): Promise<ImageIndex> {
  const made = await makeIndex({ name: `${tag} at ${trust.clock.now()}` });
  const { manifest } = made;
  await pushImage(trust.store, made, tag);
  if (isSigned) await signTags(publisherOf(trust), { images: trust.store, tags: [tag] });
  trust.clock.pass(1000);
  assert.ok(manifest.kind === "index");
  return manifest;
}

/** A machine with a memory of its own. */
async function machine(t: TestContext, trust: TestTrust, isPinned = true): Promise<TagJudging> {
  const stateFolder = await temporaryFolder(t);
  const pins = {
    find: async (gun: string) => (isPinned && gun === trust.gun ? trust.result.pin : undefined),
    put: async () => {},
    originOf: async (name: string) => name,
  };
  return {
    signedTags: openSignedTags({ pins, stateFolder, now: trust.clock.now() }),
    isRequired: false,
    signedBy: () => Promise.reject(new Error("no binding asks for signatures here")),
  };
}

async function judge(trust: TestTrust, tags: TagJudging, targets: readonly Target[]) {
  const judged = await verifyImages(targets, { requirement: requiringBinding(trust.clock.now()), tags });
  return judged.map(({ verdicts }) => [verdicts[0]?.status, ...(verdicts[0]?.reasons ?? []).map(({ code }) => code)]);
}

function named({ store }: TestTrust, tag = "1.0"): Target {
  return { image: `${store.location}:${tag}`, store, tag };
}

/** As save makes it of what was reached. */
async function entryFor({ store }: TestTrust, { digest, index }: Target, tag = "1.0"): Promise<KitEntry> {
  const root = (await store.resolve(digest)) ?? assert.fail();
  return { ...entryOf(store, root, tag), index };
}

async function kitOf(t: TestContext, trust: TestTrust, entry: KitEntry): Promise<string> {
  const head = (await readHead(trust.store)) ?? assert.fail();
  return (await makeKit(t, [entry, entryOf(trust.store, head, HEAD_TAG)])).path;
}

async function targetsIn(t: TestContext, path: string): Promise<readonly Target[]> {
  return kitTargets((await readKit(await openKit(t, path))).entries);
}

function manifestOf({ manifests }: ImageIndex, { architecture }: Platform) {
  return manifests.find(({ platform }) => platform?.architecture === architecture)?.digest ?? assert.fail();
}

describe("a platform of a signed index, on its way into a kit", () => {
  it("is accepted where it is and as it lies in the kit, without a registry", async (t) => {
    const { trust, index } = await withIndex();
    const target = await reachPlatform(named(trust), ARM, { tags: await machine(t, trust) });
    assert.deepEqual(
      [target.digest, target.index?.descriptor.digest],
      [manifestOf(index, ARM), index.descriptor.digest],
    );
    assert.deepEqual(await judge(trust, await machine(t, trust), [target]), [["accepted"]]);
    const path = await kitOf(t, trust, await entryFor(trust, target));
    trust.store.calls.length = 0;
    assert.deepEqual(await judge(trust, await machine(t, trust), await targetsIn(t, path)), [["accepted"]]);
    assert.deepEqual(trust.store.calls, []);
  });

  it("is of the signed index, whatever the registry's own tag names", async (t) => {
    const { trust, index } = await withIndex();
    await pushIndex(trust, "1.0", false);
    const target = await reachPlatform(named(trust), ARM, { tags: await machine(t, trust) });
    assert.equal(target.digest, manifestOf(index, ARM));
    const unpinned = await reachPlatform(named(trust), ARM, { tags: await machine(t, trust, false) });
    assert.notEqual(unpinned.digest, target.digest);
  });

  it("is not taken for another platform on the other side, though the index lists both", async (t) => {
    const { trust } = await withIndex();
    const target = await reachPlatform(named(trust), ARM, { tags: await machine(t, trust) });
    const path = await kitOf(t, trust, await entryFor(trust, target));
    const [entry = assert.fail()] = (await readKit(await openKit(t, path))).entries;
    assert.equal(await narrowEntry(entry, ARM), entry);
    await rejectedBy(() => narrowEntry(entry, { os: "linux", architecture: "amd64" }), "platform-missing");
    await rejectedBy(() => narrowEntry(entry, { os: "linux", architecture: "riscv64" }), "platform-missing");
  });

  it("has several names, and its index is stored and read once", async (t) => {
    const { trust } = await withIndex();
    const target = await reachPlatform(named(trust), ARM, { tags: await machine(t, trust) });
    const tags = ["1.0", "1", "latest"];
    const { path } = await makeKit(t, await Promise.all(tags.map((tag) => entryFor(trust, target, tag))));
    const { entries } = await readKit(await openKit(t, path));
    const [first, ...others] = entries.map(({ index }) => index);
    assert.equal(first?.descriptor.digest, target.index?.descriptor.digest);
    assert.deepEqual([others.length, others.every((index) => index === first)], [2, true]);
  });

  it("is an image as ever where there is no index", async (t) => {
    const trust = await initialised({ store: new MemoryStore("registry", "registry.example/app") });
    await pushImage(trust.store, await makeImage({ name: "alone" }), "1.0");
    await signTags(publisherOf(trust), { images: trust.store, tags: ["1.0"] });
    trust.clock.pass(1000);
    const target = await reachPlatform(named(trust), ARM, { tags: await machine(t, trust) });
    assert.deepEqual([target.digest, target.index], [undefined, undefined]);
    assert.deepEqual(await judge(trust, await machine(t, trust), [target]), [["accepted"]]);
  });

  it("asks for nothing more where no root is pinned", async (t) => {
    const { trust } = await withIndex();
    trust.store.calls.length = 0;
    await reachPlatform(named(trust), ARM, { tags: await machine(t, trust, false) });
    assert.deepEqual(trust.store.calls, ["resolve 1.0"]);
  });

  it("is refused where the tag is unlisted or taken back, and where the index lists no such platform", async (t) => {
    const { trust } = await withIndex();
    await pushIndex(trust, "2.0", false);
    const tags = await machine(t, trust);
    await rejectedBy(() => reachPlatform(named(trust, "2.0"), ARM, { tags }), "tag-unlisted");
    await rejectedBy(
      () => reachPlatform(named(trust), { os: "linux", architecture: "riscv64" }, { tags }),
      "platform-missing",
    );
    await revokeTags(publisherOf(trust), { tags: ["1.0"], digests: [], reason: "bad" });
    await rejectedBy(async () => reachPlatform(named(trust), ARM, { tags: await machine(t, trust) }), "revoked");
  });
});

describe("a platform that is not of the signed index", () => {
  it("is refused with the signed index beside it, and with another index that lists it", async (t) => {
    const { trust, index } = await withIndex();
    const other = await pushIndex(trust, "other", false);
    const foreign = { ...named(trust), digest: manifestOf(other, ARM) };
    const tags = await machine(t, trust);
    assert.deepEqual(
      await judge(trust, tags, [{ ...foreign, index }, { ...foreign, index: other }, foreign]),
      Array(3).fill(["refused", "binding-mismatch"]),
    );
    const own = { ...named(trust), digest: manifestOf(index, ARM) };
    assert.deepEqual(await judge(trust, tags, [{ ...own, index: other }]), [["refused", "binding-mismatch"]]);
  });

  it("is refused although its index is listed, where no root is pinned and files say so", async () => {
    const { trust, index } = await withIndex();
    const other = await pushIndex(trust, "other", false);
    const target = { ...named(trust), digest: manifestOf(other, ARM), index };
    const judged = await verifyImages([target], { requirement: requiringBinding(trust.clock.now()) });
    assert.deepEqual(judged[0]?.verdicts[0]?.reasons[0]?.code, "binding-mismatch");
  });

  it("makes no kit", async (t) => {
    const { trust, index } = await withIndex();
    const other = await pushIndex(trust, "other", false);
    const entry = await entryFor(trust, { ...named(trust), digest: manifestOf(other, ARM), index });
    await rejectedBy(() => kitOf(t, trust, entry), "layout-invalid");
  });

  it("is not accepted out of a kit that has another index, or none", async (t) => {
    const { trust } = await withIndex();
    const other = await pushIndex(trust, "other", false);
    const foreign = { ...named(trust), digest: manifestOf(other, ARM) };
    for (const index of [other, undefined]) {
      const path = await kitOf(t, trust, await entryFor(trust, { ...foreign, index }));
      const judged = await judge(trust, await machine(t, trust), await targetsIn(t, path));
      assert.deepEqual(judged, [["refused", "binding-mismatch"]]);
    }
  });
});

describe("a kit whose index of a platform was tampered with is refused", () => {
  async function forged(t: TestContext, change: Parameters<typeof forge>[1]): Promise<() => Promise<unknown>> {
    const { trust } = await withIndex();
    const target = await reachPlatform(named(trust), ARM, { tags: await machine(t, trust) });
    const path = await kitOf(t, trust, await entryFor(trust, target));
    await forge(path, change);
    return () => targetsIn(t, path);
  }

  /** The image whose index the list names, with another one. */
  function replaceIndex(content: string): Parameters<typeof forge>[1] {
    return (files) => {
      const blob = addBlob(files, Buffer.from(content));
      editList(files, ({ images }) => {
        for (const image of images) if (image["index"] !== undefined) image["index"] = { ...image["index"], ...blob };
      });
      editManifest(files, ({ layers }) => {
        const layer = layers.find(({ mediaType }) => mediaType.includes("index"));
        Object.assign(layer ?? assert.fail(), blob);
      });
    };
  }

  const INDEX = '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}';

  it("with one that does not list it", async (t) => {
    await rejectedBy(await forged(t, replaceIndex(INDEX)), "layout-invalid");
  });

  it("with something that is no index", async (t) => {
    await rejectedBy(await forged(t, replaceIndex('{"schemaVersion":2}')), "manifest-invalid");
  });

  it("with its bytes changed", async (t) => {
    const change = await forged(t, (files) => {
      for (const [name, bytes] of files) {
        if (bytes.includes("image.index") && bytes.includes("arm64")) files.set(name, Buffer.alloc(bytes.length, " "));
      }
    });
    await rejectedBy(change, "digest-mismatch");
  });

  it("with one index described in two ways", async (t) => {
    const { trust } = await withIndex();
    const target = await reachPlatform(named(trust), ARM, { tags: await machine(t, trust) });
    const { path } = await makeKit(t, await Promise.all(["1", "2"].map((tag) => entryFor(trust, target, tag))));
    await forge(path, (files) => {
      editList(files, ({ images }) => {
        const mediaType = "application/vnd.docker.distribution.manifest.list.v2+json";
        Object.assign(images[1]?.["index"] ?? assert.fail(), { mediaType });
      });
    });
    await assert.rejects(() => targetsIn(t, path), { code: "layout-invalid", message: /described in two ways/ });
  });

  it("with its list alone naming it", async (t) => {
    const change = await forged(t, (files) => {
      editManifest(files, (manifest) => {
        manifest.layers = manifest.layers.filter(({ mediaType }) => !mediaType.includes("index"));
      });
    });
    await rejectedBy(change, "layout-invalid");
  });
});
