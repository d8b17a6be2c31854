import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { EMPTY_DESCRIPTOR } from "../../../src/core/oci/descriptor.ts";
import { EMPTY_JSON } from "../../../src/core/oci/media-types.ts";
import { parseReference } from "../../../src/core/oci/reference.ts";
import type { SignedImage } from "../../../src/core/results.ts";
import { instant } from "../../../src/core/time.ts";
import { openRegistry, RegistryPool } from "../../../src/io/registry/store.ts";
import { copyImage } from "../../../src/ops/copy.ts";
import { taggedDestination } from "../../../src/ops/destination.ts";
import { keySignatory, type SignOptions, signImages } from "../../../src/ops/sign.ts";
import { verifyImage } from "../../../src/ops/verify.ts";
import type { LoggedRequest, Registry, RegistryOptions } from "../../../src/testbed/registry.ts";
import { startRegistry } from "../../../src/testbed/registry.ts";
import { rejectedBy } from "../../support/codes.ts";
import { makeImage, makeIndex, pushImage } from "../../support/images.ts";
import { sourceOf, TestClock, testManifest } from "../../support/registry-client.ts";
import { requirementOf, testSigner } from "../../support/signatures.ts";
import { temporaryFolder } from "../../support/temp.ts";

const alice = testSigner("alice.pub");

/** As CNCF distribution 2: no referrers API, two requests an upload. */
const PLAIN: RegistryOptions = { referrersApi: false, singlePost: false };

interface Signed {
  readonly images: readonly SignedImage[];
  readonly requests: readonly LoggedRequest[];
}

interface Scene {
  readonly registry: Registry;
  /** `REPOSITORY:TAG` of an image of its own. */
  publish(name: string, isIndex?: boolean): Promise<void>;
  /** As a command of its own would, with what earlier ones remember. */
  sign(names: readonly string[], more?: Partial<SignOptions>): Promise<Signed>;
  count(name: string, more?: Partial<SignOptions>): Promise<number>;
}

async function scene(t: TestContext, options: RegistryOptions, remembers = true): Promise<Scene> {
  const registry = await startRegistry(options);
  t.after(() => registry.close());
  const cacheDirectory = await temporaryFolder(t);
  const openPool = (cache?: string) =>
    new RegistryPool({ env: {}, homeDirectory: "/nonexistent", clock: new TestClock(), cacheDirectory: cache });
  const storeOf = (name: string, pool: RegistryPool) =>
    openRegistry(parseReference(`${registry.address}/${name}`), pool);
  const sign = async (names: readonly string[], more: Partial<SignOptions> = {}) => {
    const pool = openPool(remembers ? cacheDirectory : undefined);
    const before = registry.requests.length;
    const targets = names.map((image) => ({ image, store: storeOf(image, pool), tag: image.split(":")[1] ?? "" }));
    const images = await signImages(targets, {
      signatory: keySignatory(alice),
      formats: ["bundle"],
      annotations: {},
      createdAt: instant(0),
      now: instant(0),
      ...more,
    });
    await pool.close();
    return { images, requests: registry.requests.slice(before) };
  };
  return {
    registry,
    sign,
    publish: async (name, isIndex = false) => {
      const pool = openPool();
      const image = isIndex ? await makeIndex({ name }) : await makeImage({ name });
      await pushImage(storeOf(name, pool), image, name.split(":")[1]);
      await pool.close();
    },
    count: async (name, more) => {
      const { images, requests } = await sign([name], more);
      assert.equal(images[0]?.finding, undefined);
      return requests.length;
    },
  };
}

function of(requests: readonly LoggedRequest[], method: string, path: RegExp): number {
  return requests.filter((request) => request.method === method && path.test(request.path)).length;
}

describe("the number of requests that a signature costs", () => {
  it("is eight on a registry without the referrers API, eleven where nothing is known of it", async (t) => {
    const { publish, count } = await scene(t, PLAIN);
    for (const name of ["acme/app:1", "acme/app:2", "acme/other:1"]) await publish(name);
    assert.equal(await count("acme/app:1"), 11);
    assert.equal(await count("acme/app:2"), 8);
    assert.equal(await count("acme/app:2", { annotations: { another: "yes" } }), 8 + 2, "its first one was read too");
    assert.equal(await count("acme/other:1"), 10, "`{}` is not known to be in this repository");
  });

  it("is five with the referrers API, six where nothing is known of the repository", async (t) => {
    const { publish, count } = await scene(t, {});
    for (const name of ["acme/app:1", "acme/app:2", "acme/other:1"]) await publish(name);
    assert.equal(await count("acme/app:1"), 6);
    assert.equal(await count("acme/app:2"), 5);
    assert.equal(await count("acme/other:1"), 6);
  });

  it("is the same every time where nothing can be remembered", async (t) => {
    const { publish, count } = await scene(t, PLAIN, false);
    for (const name of ["acme/app:1", "acme/app:2"]) await publish(name);
    assert.equal(await count("acme/app:1"), 11);
    assert.equal(await count("acme/app:2"), 11);
  });

  it("is nine in cosign's old format: both blobs are new each time", async (t) => {
    const { publish, count } = await scene(t, PLAIN);
    for (const name of ["acme/app:1", "acme/app:2"]) await publish(name);
    await count("acme/app:1", { formats: ["cosign-legacy"] });
    assert.equal(await count("acme/app:2", { formats: ["cosign-legacy"] }), 9);
  });

  for (const [name, options] of [
    ["with", {}],
    ["without", PLAIN],
  ] as const) {
    it(`is one to four for the same again, none of them a write, ${name} the referrers API`, async (t) => {
      const { publish, sign } = await scene(t, options);
      await publish("acme/app:1");
      await sign(["acme/app:1"], { formats: ["bundle", "cosign-legacy"] });
      for (const formats of [["bundle"], ["cosign-legacy"], ["bundle", "cosign-legacy"]] as const) {
        const { images, requests } = await sign(["acme/app:1"], { formats });
        assert.deepEqual(new Set(images[0]?.outcomes.map(({ state }) => state)), new Set(["unchanged"]));
        assert.ok(requests.every(({ method }) => method === "GET"));
      }
    });
  }

  it("shares what is the same for all manifests of an index, and for all images of a call", async (t) => {
    for (const [names, more] of [
      [["acme/app:index"], { recursive: true }],
      [["acme/app:1", "acme/app:2", "acme/app:3", "acme/app:4"], {}],
    ] as const) {
      const { publish, sign } = await scene(t, PLAIN);
      for (const name of names) await publish(name, more.recursive);
      const { images, requests } = await sign(names, more);
      assert.equal(images.flatMap(({ outcomes }) => outcomes).length, 4);
      assert.equal(of(requests, "GET", /\/referrers\//), 1, "whether there is the API");
      assert.equal(of(requests, "POST", /\/uploads\//), 5, "`{}` and four bundles");
      assert.equal(of(requests, "PUT", /\/uploads\//), 5);
    }
  });
});

describe("what is remembered of a registry for signing", () => {
  it("costs a second signature at worst: a registry that has gained the referrers API is known by its answer", async (t) => {
    const { registry, publish, sign } = await scene(t, {});
    await publish("acme/app:1");
    registry.faults.when(({ path }) => path.includes("/referrers/"), { kind: "status", status: 404 }, 1);
    registry.faults.when(({ method }) => method === "PUT", { kind: "status", status: 403 }, 2);
    assert.equal((await sign(["acme/app:1"])).images[0]?.finding?.code, "denied");
    const { images, requests } = await sign(["acme/app:1"]);
    assert.equal(images[0]?.outcomes[0]?.state, "signed");
    assert.deepEqual(
      requests.filter(({ path }) => path.includes("/referrers/")).map(({ index }) => index),
      [requests.at(-1)?.index],
      "it is asked once the registry says that it is there",
    );
    assert.equal(of(requests, "PUT", /manifests\/sha256-/), 0, "nothing is written under the tag");
    const again = await sign(["acme/app:1"]);
    assert.equal(again.images[0]?.outcomes[0]?.state, "unchanged");
    assert.equal(of(again.requests, "GET", /\/referrers\//), 1);
  });

  it("is held against a registry that only says that it lists a signature, as ECR did: consumers find it", async (t) => {
    const { registry, publish, sign } = await scene(t, PLAIN);
    await publish("acme/app:1");
    const subject = registry.control.manifests("acme/app")[0]?.digest ?? "";
    const isManifest = ({ method, path }: { method: string; path: string }) =>
      method === "PUT" && /manifests\/sha256:/.test(path);
    registry.faults.when(isManifest, { kind: "headers", headers: { "OCI-Subject": subject } });
    for (const annotations of [{}, { another: "yes" }]) {
      const { images, requests } = await sign(["acme/app:1"], { annotations });
      assert.equal(images[0]?.outcomes[0]?.state, "signed");
      assert.equal(of(requests, "PUT", /manifests\/sha256-/), 1, "under the tag");
    }
    assert.equal((await sign(["acme/app:1"])).images[0]?.outcomes[0]?.state, "unchanged");
  });

  it("does not leave a signature without its configuration: where `{}` was lost, it is sent again", async (t) => {
    for (const options of [{}, PLAIN]) {
      const { registry, publish, sign } = await scene(t, options);
      for (const name of ["acme/app:1", "acme/app:2", "acme/app:3"]) await publish(name);
      await sign(["acme/app:1"]);
      const empty = registry.control.blobs("acme/app").filter((digest) => digest.startsWith("sha256:44136fa3"));
      assert.equal(empty.length, 1);
      for (const digest of empty) registry.control.deleteBlob("acme/app", digest);
      const { images } = await sign(["acme/app:2"]);
      assert.deepEqual(
        images.map(({ finding, outcomes }) => finding?.code ?? outcomes[0]?.state),
        ["signed"],
      );
      const { requests } = await sign(["acme/app:3"]);
      assert.equal(of(requests, "POST", /\/uploads\//), 1, "it is known to be there again");
    }
  });

  it("is held against a registry that fails where it should refuse what lacks `{}`", async (t) => {
    const { registry, publish, sign } = await scene(t, {});
    for (const name of ["acme/app:1", "acme/app:2"]) await publish(name);
    await sign(["acme/app:1"]);
    const emptyIn = () => registry.control.blobs("acme/app").filter((digest) => digest.startsWith("sha256:44136fa3"));
    for (const digest of emptyIn()) registry.control.deleteBlob("acme/app", digest);
    registry.faults.when(
      ({ method, path }) => method === "PUT" && /manifests\/sha256:/.test(path) && emptyIn().length === 0,
      { kind: "status", status: 500 },
    );
    const { images } = await sign(["acme/app:2"]);
    assert.equal(images[0]?.outcomes[0]?.state, "signed");
    assert.equal(emptyIn().length, 1);
  });

  it("costs no copy its signatures where the registry took them without `{}`, and was not asked for it", async (t) => {
    const { registry, publish, sign } = await scene(t, {});
    await publish("acme/app:1");
    await sign(["acme/app:1"]);
    const empty = EMPTY_DESCRIPTOR.digest;
    registry.control.deleteBlob("acme/app", empty);
    const pool = new RegistryPool({ env: {}, homeDirectory: "/nonexistent", clock: new TestClock() });
    t.after(() => pool.close());
    const [source, store] = ["acme/app:1", "acme/copy:1"].map((name) =>
      openRegistry(parseReference(`${registry.address}/${name}`), pool),
    );
    const root = await source?.resolve("1");
    assert.ok(source && store && root);
    const { attached, skipped } = await copyImage({ source, root, destination: taggedDestination(store, "1") });
    assert.deepEqual([attached, skipped], [1, []]);
    assert.equal(of(registry.requests, "GET", new RegExp(`/blobs/${empty}`)), 0);
    const target = { image: "acme/copy:1", store, tag: "1" };
    assert.equal((await verifyImage(target, { requirement: requirementOf([alice]) })).accepted, true);
    const longer = { ...EMPTY_DESCRIPTOR, size: EMPTY_DESCRIPTOR.size + 1 };
    await rejectedBy(() => Array.fromAsync(store.openBlob(longer)), "size-mismatch");
  });

  it("is forgotten where the registry refuses the manifest for whatever reason, and the refusal is what is said", async (t) => {
    const { registry, publish, sign } = await scene(t, PLAIN);
    for (const name of ["acme/app:1", "acme/app:2"]) await publish(name);
    await sign(["acme/app:1"]);
    registry.faults.when(({ method, path }) => method === "PUT" && /manifests\/sha256:/.test(path), {
      kind: "status",
      status: 400,
      code: "MANIFEST_INVALID",
    });
    const { images, requests } = await sign(["acme/app:2"]);
    assert.equal(images[0]?.finding?.code, "denied");
    assert.match(images[0]?.finding?.found ?? "", /MANIFEST_INVALID/);
    assert.equal(of(requests, "PUT", /manifests\/sha256:/), 2, "once more, with everything sent, and no third time");
    assert.equal(of(requests, "PUT", /manifests\/sha256-/), 0, "nothing is listed that is not there");
  });

  it("writes no shared tag twice: what was lost is sent again, and the caller reads before it writes", async (t) => {
    const registry = await startRegistry(PLAIN);
    t.after(() => registry.close());
    const options = { env: {}, homeDirectory: "/nonexistent", clock: new TestClock() };
    const store = openRegistry(parseReference(`${registry.address}/acme/app`), options);
    t.after(() => store.close());
    const manifest = testManifest();
    const empty = manifest.kind === "image" ? manifest.config : manifest.descriptor;
    await store.pushBlob(empty, sourceOf(EMPTY_JSON));
    registry.control.deleteBlob("acme/app", empty.digest);
    await store.pushManifest(manifest, "shared", { isShared: true });
    assert.equal(of(registry.requests, "PUT", /manifests\/shared/), 1);
    assert.equal(await store.resolve("shared"), undefined);
    await store.pushManifest(manifest, "shared", { isShared: true });
    assert.equal((await store.resolve("shared"))?.descriptor.digest, manifest.descriptor.digest);
  });

  it("is nothing to begin with where the first of several uploads fails: the next one sends it", async (t) => {
    const { registry, publish, sign } = await scene(t, PLAIN);
    for (const name of ["acme/app:1", "acme/app:2"]) await publish(name);
    const isEmpty = ({ method, url }: { method: string; url: string }) => method === "PUT" && /44136fa3/.test(url);
    registry.faults.when(isEmpty, { kind: "status", status: 403 }, 1);
    const { images } = await sign(["acme/app:1", "acme/app:2"]);
    assert.deepEqual(images.map(({ finding }) => finding?.code).toSorted(), ["denied", undefined]);
    const held = registry.control.blobs("acme/app");
    assert.ok(held.some((digest) => digest.startsWith("sha256:44136fa3")));
  });

  it("decides no verdict: what only the referrers API lists is found by who verifies", async (t) => {
    const { registry, publish, sign } = await scene(t, {});
    await publish("acme/app:1");
    const cacheDirectory = await temporaryFolder(t);
    const options = { env: {}, homeDirectory: "/nonexistent", clock: new TestClock(), cacheDirectory };
    const reference = parseReference(`${registry.address}/acme/app:1`);
    registry.faults.when(({ path }) => path.includes("/referrers/"), { kind: "status", status: 404 }, 1);
    const misled = openRegistry(reference, options);
    const image = await misled.resolve("1");
    assert.ok(image);
    assert.equal((await misled.referrers(image.descriptor.digest)).via, "referrers-tag");
    await misled.close();
    await sign(["acme/app:1"]);
    const sparing = openRegistry(reference, options);
    assert.deepEqual((await sparing.referrers(image.descriptor.digest, { isSparing: true })).descriptors, []);
    await sparing.close();
    const store = openRegistry(reference, options);
    const target = { image: "acme/app:1", store, tag: "1" };
    assert.equal((await verifyImage(target, { requirement: requirementOf([alice]) })).accepted, true);
    await store.close();
  });
});
