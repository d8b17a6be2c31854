import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type Digest, digestOf } from "../../../../src/core/oci/digest.ts";
import type { Manifest } from "../../../../src/core/oci/manifest.ts";
import { EMPTY_JSON, MEDIA_TYPES } from "../../../../src/core/oci/media-types.ts";
import { parseReference } from "../../../../src/core/oci/reference.ts";
import type { ContentStore } from "../../../../src/core/ports.ts";
import { openRegistry } from "../../../../src/io/registry/store.ts";
import { type Registry, startRegistry } from "../../../../src/testbed/registry.ts";
import { contentOf } from "../../../../src/testbed/reply.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { openTestStore, sourceOf, testBlob, testManifest } from "../../../support/registry-client.ts";
import { temporaryFolder } from "../../../support/temp.ts";

interface Scene {
  readonly registry: Registry;
  readonly image: Manifest;
  readonly signature: Manifest;
  open(): ContentStore;
  /** How many requests `work` takes. */
  count(work: () => Promise<unknown>): Promise<number>;
}

const payload = testBlob(500);

async function scene(t: TestContext, referrersApi: boolean): Promise<Scene> {
  const registry = await startRegistry({ referrersApi });
  const cacheDirectory = await temporaryFolder(t);
  const stores: ContentStore[] = [];
  t.after(async () => {
    for (const store of stores) await store.close();
    await registry.close();
  });
  const open = () => {
    const store = openTestStore(registry.address, { cacheDirectory });
    stores.push(store);
    return store;
  };
  const image = testManifest();
  const signature = testManifest({ subject: image.descriptor, layers: [payload.descriptor] });
  const publisher = openTestStore(registry.address);
  stores.push(publisher);
  await publisher.pushBlob(signature.kind === "image" ? signature.config : image.descriptor, sourceOf(EMPTY_JSON));
  await publisher.pushManifest(image, "1");
  const count = async (work: () => Promise<unknown>) => {
    const before = registry.requests.length;
    await work();
    return registry.requests.length - before;
  };
  return { registry, image, signature, open, count };
}

/** What verification asks for, from a tag to a bundle. */
async function verifyFlow(store: ContentStore): Promise<void> {
  const image = await store.resolve("1");
  assert.ok(image);
  const [entry] = (await store.referrers(image.descriptor.digest)).descriptors;
  assert.ok(entry);
  const manifest = await store.manifest(entry);
  assert.ok(manifest.kind === "image");
  for (const layer of manifest.layers) await store.readBlob(layer, 10_000);
}

describe("the number of requests", () => {
  it("from a tag to a signature's bytes is four with the referrers API", async (t) => {
    const { signature, open, count } = await scene(t, true);
    const publisher = open();
    await publisher.pushBlob(payload.descriptor, payload.source);
    await publisher.pushManifest(signature);
    assert.equal(await count(() => verifyFlow(open())), 4);
  });

  it("is five without it, and four once that is known to this command or an earlier one", async (t) => {
    const { signature, open, count } = await scene(t, false);
    const publisher = open();
    await publisher.pushBlob(payload.descriptor, payload.source);
    await publisher.pushManifest(signature);
    const store = open();
    assert.equal(await count(() => verifyFlow(store)), 5);
    assert.equal(await count(() => verifyFlow(store)), 4);
    assert.equal(await count(() => verifyFlow(open())), 4);
  });

  it("to store a signature is one for each blob and one for the manifest, where the registry takes a single POST", async (t) => {
    const { signature, open, count } = await scene(t, true);
    const store = open();
    const empty = { digest: testBlob(0).descriptor.digest, size: 2, mediaType: MEDIA_TYPES.ociEmpty };
    const config = signature.kind === "image" ? signature.config : empty;
    assert.equal(await count(() => store.pushBlob(config, sourceOf(EMPTY_JSON))), 1);
    assert.equal(await count(() => store.pushBlob(config, sourceOf(EMPTY_JSON))), 0, "stored moments ago");
    assert.equal(await count(() => store.pushBlob(payload.descriptor, payload.source)), 1);
    assert.equal(await count(() => store.pushManifest(signature)), 1);
  });

  it("to find a large blob that is there is one; to mount it from a neighbour is one", async (t) => {
    const { registry, open, count } = await scene(t, true);
    const large = testBlob(100_000);
    assert.equal(await count(() => open().pushBlob(large.descriptor, large.source)), 3);
    const again = open();
    assert.equal(
      await count(async () => assert.equal(await again.pushBlob(large.descriptor, large.source), "present")),
      1,
    );
    const reference = parseReference(`${registry.address}/acme/other`);
    const other = openRegistry(reference, { env: {}, homeDirectory: "/nonexistent" });
    const mount = () => other.pushBlob(large.descriptor, large.source, { mountFrom: "acme/app" });
    assert.equal(await count(async () => assert.equal(await mount(), "mounted")), 1);
    await other.close();
  });

  it("is one each for looking whether something is there, and for the tags", async (t) => {
    const { image, open, count } = await scene(t, true);
    const store = open();
    assert.equal(await count(() => store.hasManifest(image.descriptor)), 1);
    assert.equal(await count(() => store.hasBlob(payload.descriptor)), 1);
    assert.equal(await count(() => store.tags()), 1);
    assert.equal(await count(() => store.resolve("absent")), 1);
  });

  it("is one, and no pull, to be told what a tag names", async (t) => {
    const { registry, image, open, count } = await scene(t, true);
    const store = open();
    assert.equal(await count(async () => assert.equal(await store.claimedDigest?.("1"), image.descriptor.digest)), 1);
    assert.equal(registry.requests.at(-1)?.method, "HEAD");
    assert.equal(await store.claimedDigest?.("absent"), undefined);
    for (const status of [400, 403, 405]) {
      registry.faults.when(({ method }) => method === "HEAD", { kind: "status", status }, 1);
      assert.equal(await store.claimedDigest?.("1"), undefined, `${status}`);
    }
    for (const digest of ["", "sha256:12", "md5:abc"]) {
      const fault = { kind: "headers", headers: { "Docker-Content-Digest": digest } } as const;
      registry.faults.when(({ method }) => method === "HEAD", fault, 1);
      assert.equal(await store.claimedDigest?.("1"), undefined, JSON.stringify(digest));
    }
  });

  it("is one to be told whether a tag has changed, past caches, and brings nothing where it has not", async (t) => {
    const { registry, image, open, count } = await scene(t, true);
    const store = open();
    const known = image.descriptor.digest;
    const ask = async (tag: string, digest?: Digest) => {
      const found = await store.resolveChanged?.(tag, digest);
      return typeof found === "object" ? found.descriptor.digest : found;
    };
    assert.equal(await count(async () => assert.equal(await ask("1"), known)), 1);
    assert.equal(await count(async () => assert.equal(await ask("1", known), "unchanged")), 1);
    assert.equal(registry.requests.at(-1)?.status, 304);
    assert.equal(registry.requests.at(-1)?.headers["cache-control"], "no-cache");
    assert.equal(await ask("1", digestOf(Buffer.from("another"))), known);
    assert.equal(await ask("absent", known), undefined);
  });

  it("believes no answer to a question that was not asked, and compares where the registry does not", async (t) => {
    const { registry, image, open } = await scene(t, true);
    const store = open();
    registry.faults.when(() => true, { kind: "status", status: 304 }, 1);
    const error = await rejectedBy(() => Promise.resolve(store.resolveChanged?.("1", undefined)), "protocol-error");
    assert.equal(error.found, "304 to a request without a condition");
    const { mediaType, digest } = image.descriptor;
    const whole = { status: 200, headers: { "Content-Type": mediaType }, content: contentOf(image.bytes) };
    registry.faults.when(() => true, { kind: "reply", reply: whole }, 1);
    assert.equal(await store.resolveChanged?.("1", digest), "unchanged");
  });
});
