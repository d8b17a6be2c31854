import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Digest, digestOf } from "../../../src/core/oci/digest.ts";
import { MEDIA_TYPES } from "../../../src/core/oci/media-types.ts";
import { instant } from "../../../src/core/time.ts";
import { keySignatory, signImage } from "../../../src/ops/sign.ts";
import { type Target, verifyImages } from "../../../src/ops/verify.ts";
import { makeImage, makeIndex, makeManifest, pushContent, pushImage, type TestImage } from "../../support/images.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { rulebookOf } from "../../support/policies.ts";
import { type TestSigner, testSigner } from "../../support/signatures.ts";

/** Ways round a rule by asking for the same manifest otherwise: by tag or digest, through an index, for a platform. */

const NAME = "registry.example.com/team/app";
const ARM = { os: "linux", architecture: "arm64" };
const [alice, bob] = [testSigner("alice.pub"), testSigner("bob.pub")];
const KEYS = { "alice.pub": alice.publicKey, "bob.pub": bob.publicKey };
const BY_ALICE = "{signature: {by: alice}}";

/** More rules beside the one for the repository. */
function book(...rules: readonly string[]) {
  const all = [`{images: ${NAME}, require: ${BY_ALICE}}`, ...rules].map((rule) => `  - ${rule}\n`);
  const identities = "identities: {alice: {key: alice.pub}, bob: {key: bob.pub}}\n";
  return rulebookOf(`apiVersion: countersign/v1\n${identities}rules:\n${all.join("")}`, { keys: KEYS });
}

async function stored(image: TestImage): Promise<MemoryStore> {
  const store = new MemoryStore("registry", NAME);
  await pushImage(store, image, "dev");
  return store;
}

async function sign(store: MemoryStore, signer: TestSigner, ...digests: readonly Digest[]): Promise<void> {
  const now = instant(0);
  for (const digest of digests) {
    const signing = { signatory: keySignatory(signer), annotations: {}, createdAt: now, now };
    await signImage({ image: digest, store, digest }, { ...signing, formats: ["bundle"] });
  }
}

async function outcomes(
  requirement: ReturnType<typeof book>,
  targets: readonly Target[],
  more: { readonly platform?: typeof ARM; readonly recursive?: boolean } = {},
): Promise<readonly string[]> {
  const results = await verifyImages(targets, { requirement, ...more });
  return results.map(({ accepted, verdicts }) =>
    [accepted ? "accepted" : verdicts[0]?.status, ...(verdicts[0]?.reasons ?? []).map(({ code }) => code)].join(" "),
  );
}

describe("an image that is named by its tag and its digest", () => {
  it("falls under the same rule whatever was judged before it", async () => {
    const store = await stored(await makeImage());
    const digest = store.names.get("dev");
    const requirement = book(`{images: "${NAME}:dev", require: ${BY_ALICE}, mode: warn}`);
    const tagged = { image: "tagged", store, tag: "dev" };
    const both = { image: "both", store, tag: "dev", digest };
    assert.deepEqual(await outcomes(requirement, [tagged, both]), ["accepted", "refused unsigned"]);
    assert.deepEqual(await outcomes(requirement, [both, tagged]), ["refused unsigned", "accepted"]);
  });
});

describe("a rule for the digest of an index", () => {
  it("is about what the index lists, where nothing else is said of that", async () => {
    const index = await makeIndex();
    const store = await stored(index);
    const { digest } = index.manifest.descriptor;
    const children = index.children.map(({ manifest }) => manifest.descriptor.digest);
    await sign(store, alice, ...children);
    const target = { image: "index", store, digest };
    for (const platforms of ["index", "each"]) {
      const closed = book(`{images: "${NAME}@${digest}", require: {never: closed}, platforms: ${platforms}}`);
      assert.deepEqual(await outcomes(closed, [target]), ["refused forbidden"]);
      assert.deepEqual(await outcomes(closed, [target], { platform: ARM }), ["refused forbidden"]);
      assert.deepEqual(await outcomes(closed, [target], { recursive: true }), ["refused forbidden"]);
      const byBob = book(`{images: "${NAME}@${digest}", require: {signature: {by: bob}}, platforms: ${platforms}}`);
      assert.deepEqual(await outcomes(byBob, [target], { platform: ARM }), ["refused wrong-key"]);
      const listed = children.map((child) => ({ image: "child", store, digest: child }));
      assert.deepEqual(await outcomes(byBob, [target, ...listed]).then(([first]) => first?.split(" ")[0]), "refused");
      assert.deepEqual(
        (await outcomes(byBob, [target, ...listed])).slice(1),
        children.map(() => "accepted"),
      );
    }
  });
});

describe("a rule for the digest of a platform", () => {
  it("holds for the index that lists it, also where the index is signed", async () => {
    const index = await makeIndex();
    const store = await stored(index);
    const { digest } = index.manifest.descriptor;
    const child = index.children[1]?.manifest.descriptor.digest;
    await sign(store, alice, digest);
    const target = { image: "index", store, tag: "dev" };
    const closed = book(`{images: "${NAME}@${child}", require: {never: broken}}`);
    assert.deepEqual(await outcomes(book(), [target]), ["accepted"]);
    assert.deepEqual(await outcomes(closed, [target]), ["refused forbidden"]);
    assert.deepEqual(await outcomes(closed, [target], { recursive: true }), ["refused forbidden"]);
    assert.deepEqual(await outcomes(closed, [target], { platform: ARM }), ["refused forbidden"]);
    const byBob = book(`{images: "${NAME}@${child}", require: {signature: {by: bob}}}`);
    assert.deepEqual(await outcomes(byBob, [target]), ["refused unsigned"]);
    assert.ok(child);
    await sign(store, bob, child);
    assert.deepEqual(await outcomes(byBob, [target]), ["accepted"]);
  });

  it("does not do for the index, where that has one as well", async () => {
    const index = await makeIndex();
    const store = await stored(index);
    const child = index.children[1]?.manifest.descriptor.digest;
    assert.ok(child);
    await sign(store, alice, child);
    const { digest } = index.manifest.descriptor;
    const requirement = book(
      `{images: "${NAME}@${digest}", require: {never: closed}}`,
      `{images: "${NAME}@${child}", require: ${BY_ALICE}}`,
    );
    assert.deepEqual(await outcomes(requirement, [{ image: "index", store, digest }], { platform: ARM }), [
      "refused forbidden",
    ]);
  });
});

describe("an index in an index", () => {
  it("hides nothing from a rule for each platform", async () => {
    const inner = await makeIndex();
    const outer = makeManifest({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociIndex,
      manifests: [inner.manifest.descriptor],
    });
    const store = new MemoryStore("registry", NAME);
    await pushContent(store, inner);
    await store.pushManifest(inner.manifest);
    await store.pushManifest(outer, "dev");
    await sign(store, alice, outer.descriptor.digest, inner.manifest.descriptor.digest);
    const each = rulebookOf(
      `apiVersion: countersign/v1\nidentities: {alice: {key: alice.pub}}\nrules:\n` +
        `  - {images: ${NAME}, require: ${BY_ALICE}, platforms: each}\n`,
      { keys: KEYS },
    );
    assert.deepEqual(await outcomes(each, [{ image: "outer", store, tag: "dev" }]), ["refused forbidden"]);
    assert.deepEqual(await outcomes(book(), [{ image: "outer", store, tag: "dev" }]), ["accepted"]);
  });
});

describe("a digest by another hash", () => {
  it("is the same image to rules for digests and to what was withdrawn, also where a rule only warns", async () => {
    for (const image of [await makeImage(), await makeIndex()]) {
      const store = await stored(image);
      const { bytes, descriptor } = image.manifest;
      const digest = digestOf(bytes, "sha512");
      store.manifests.set(digest, { bytes, mediaType: descriptor.mediaType });
      store.resolve = async () => ({ ...image.manifest, descriptor: { ...descriptor, digest } });
      const target = { image: "by SHA-512", store, digest };
      const warns = `  - {images: ${NAME}, require: ${BY_ALICE}, mode: warn}\n`;
      const head = "apiVersion: countersign/v1\nidentities: {alice: {key: alice.pub}}\n";
      const closed = `  - {images: "${NAME}@${descriptor.digest}", require: {never: closed}}\n`;
      assert.deepEqual(await outcomes(rulebookOf(`${head}rules:\n${warns}`, { keys: KEYS }), [target]), ["accepted"]);
      assert.deepEqual(await outcomes(rulebookOf(`${head}rules:\n${warns}${closed}`, { keys: KEYS }), [target]), [
        "refused forbidden",
      ]);
      const withdrawn = new Map([[descriptor.digest, { code: "withdrawn", message: "leaked" } as const]]);
      const list = `${head}withdrawn: [{file: withdrawn.json, by: alice}]\nrules:\n${warns}`;
      for (const each of ["", ", platforms: each"]) {
        const requirement = rulebookOf(list.replace("mode: warn", `mode: warn${each}`), { keys: KEYS, withdrawn });
        assert.deepEqual((await outcomes(requirement, [target]))[0]?.split(" ")[0], "refused");
      }
    }
  });
});
