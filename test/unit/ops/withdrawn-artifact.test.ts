import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { makeWithdrawnArtifact } from "../../../src/core/formats/withdrawn-artifact.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { digestOf } from "../../../src/core/oci/digest.ts";
import { sourceOf } from "../../../src/ops/prepare-signature.ts";
import type { Target } from "../../../src/ops/verify.ts";
import { fetchWithdrawn, pushWithdrawn } from "../../../src/ops/withdrawn-artifact.ts";
import { rejectedBy } from "../../support/codes.ts";
import { FakeTags } from "../../support/fake-tags.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { addImage, gzipLayer } from "../../support/sample-image.ts";

const REPOSITORY = "registry.example/withdrawn";
const LIST = { bytes: Buffer.from('{"apiVersion":"countersign/v1"}'), bundle: Buffer.from("{}") };

function target(store: MemoryStore): Target {
  return { image: "oci://registry.example/withdrawn:1", store, tag: "1" };
}

/** What is stored, its manifest changed. */
async function storeWith(change: (manifest: Record<string, unknown>) => void): Promise<MemoryStore> {
  const store = new MemoryStore();
  const { manifest, blobs } = makeWithdrawnArtifact(LIST.bytes, LIST.bundle);
  for (const { descriptor, bytes } of blobs) await store.pushBlob(descriptor, sourceOf(bytes));
  const json = JSON.parse(Buffer.from(manifest.bytes).toString());
  change(json);
  store.addManifest(json, manifest.descriptor.mediaType, "1");
  return store;
}

describe("a list of withdrawn digests in a registry", () => {
  it("is stored with its bundle, and fetched as it was", async () => {
    const store = new MemoryStore();
    const digest = await pushWithdrawn(store, "1", LIST);
    const fetched = await fetchWithdrawn(target(store));
    assert.deepEqual([Buffer.from(fetched.bytes), Buffer.from(fetched.bundle)], [LIST.bytes, LIST.bundle]);
    assert.equal((await store.resolve("1"))?.descriptor.digest, digest);
    assert.match(store.calls.filter((call) => call.startsWith("push")).at(-1) ?? "", /^pushManifest/);
  });

  const changes: readonly (readonly [which: string, change: (json: Record<string, unknown>) => void])[] = [
    ["another artifact", (json) => (json["artifactType"] = "application/vnd.example")],
    ["an image", (json) => delete json["artifactType"]],
    ["nothing", (json) => (json["layers"] = [])],
    ["a list without its bundle", (json) => (json["layers"] = (json["layers"] as unknown[]).slice(0, 1))],
    ["a bundle without its list", (json) => (json["layers"] = (json["layers"] as unknown[]).slice(1))],
    ["the two the other way round", (json) => (json["layers"] = (json["layers"] as unknown[]).toReversed())],
    ["two lists", (json) => (json["layers"] = [...(json["layers"] as unknown[]), ...(json["layers"] as unknown[])])],
  ];
  for (const [which, change] of changes) {
    it(`is not ${which}`, async () => {
      const store = await storeWith(change);
      await rejectedBy(() => fetchWithdrawn(target(store)), "policy-invalid");
    });
  }

  it("is not an image, and not nothing", async () => {
    const store = new MemoryStore();
    addImage(store, [gzipLayer()], { tag: "1" });
    await rejectedBy(() => fetchWithdrawn(target(store)), "policy-invalid");
    await rejectedBy(() => fetchWithdrawn(target(new MemoryStore())), "not-found");
  });

  it("is the one that its tag is signed for where a root is pinned: an older list names fewer", async () => {
    const store = new MemoryStore("registry", REPOSITORY);
    const longer = { ...LIST, bytes: Buffer.from('{"apiVersion":"countersign/v1","digests":[]}') };
    const digest = await pushWithdrawn(store, "1", longer);
    await pushWithdrawn(store, "1", LIST);
    const tags = new FakeTags();
    tags.pin(REPOSITORY);
    const { found } = await rejectedBy(() => fetchWithdrawn(target(store), tags.judging()), "policy-untrusted");
    assert.match(found ?? "", /no publisher binds it/);
    const length = (await store.resolve(digest))?.bytes.byteLength ?? 0;
    tags.bind(REPOSITORY, { tag: "1", digest, length });
    assert.deepEqual(Buffer.from((await fetchWithdrawn(target(store), tags.judging())).bytes), longer.bytes);
    tags.bind(REPOSITORY, { tag: "1", digest, length: length + 1 });
    await rejectedBy(() => fetchWithdrawn(target(store), tags.judging()), "policy-untrusted");
  });

  it("is not believed where its bytes or its bundle's were changed", async () => {
    for (const bytes of [LIST.bytes, LIST.bundle]) {
      const store = new MemoryStore();
      await pushWithdrawn(store, "1", LIST);
      store.blobs.set(digestOf(bytes), Buffer.from("x".repeat(bytes.byteLength)));
      await rejectedBy(() => fetchWithdrawn(target(store)), "policy-untrusted");
    }
  });

  it("is not read where it says that it is larger than any", async () => {
    for (const [at, most] of [LIMITS.withdrawnBytes, LIMITS.signatureBytes].entries()) {
      const store = await storeWith((json) => {
        const layers = json["layers"] as JsonObject[];
        json["layers"] = layers.map((layer, index) => (index === at ? { ...layer, size: most + 1 } : layer));
      });
      await rejectedBy(() => fetchWithdrawn(target(store)), "limit-reached");
    }
  });
});
