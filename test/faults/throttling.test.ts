import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setImmediate as settled } from "node:timers/promises";
import { LIMITS } from "../../src/core/limits.ts";
import { type Descriptor, describe as describeBytes } from "../../src/core/oci/descriptor.ts";
import { MEDIA_TYPES } from "../../src/core/oci/media-types.ts";
import { parseReference } from "../../src/core/oci/reference.ts";
import { openRegistry, RegistryPool } from "../../src/io/registry/store.ts";
import { forEachConcurrently } from "../../src/ops/concurrency.ts";
import { type Registry, startRegistry } from "../../src/testbed/registry.ts";
import { FastClock, Throttle } from "../support/fast-clock.ts";
import { failure, sourceOf, testManifest } from "../support/registry-client.ts";

const IMAGES = 400;
const WORKERS = 32;

async function registryWithImages(t: TestContext, count: number): Promise<Registry> {
  const registry = await startRegistry();
  t.after(() => registry.close());
  const pool = new RegistryPool({ env: {}, homeDirectory: "/nonexistent", certificateFolders: [] });
  const store = openRegistry(parseReference(`${registry.address}/acme/app:1`), pool);
  const { descriptor, bytes } = emptyConfig();
  await store.pushBlob(descriptor, sourceOf(bytes));
  for (let at = 0; at < count; at++)
    await store.pushManifest(testManifest({ annotations: { n: String(at) } }), `t${at}`);
  await pool.close();
  registry.restart();
  return registry;
}

function emptyConfig(): { descriptor: Descriptor; bytes: Buffer } {
  const bytes = Buffer.from("{}");
  return { bytes, descriptor: describeBytes(bytes, MEDIA_TYPES.ociEmpty) };
}

describe("an audit's worth of requests", () => {
  it("through a gateway that throttles, fails and breaks off: each is answered, and no host is hammered", async (t) => {
    const registry = await registryWithImages(t, IMAGES);
    const clock = new FastClock();
    const throttle = new Throttle(clock, 5, 5);
    registry.faults
      .when(() => throttle.refuses(), { kind: "status", status: 429, retryAfter: "1" })
      .when(({ index }) => index % 23 === 0, { kind: "status", status: 503 })
      .when(({ index }) => index % 31 === 0, { kind: "reset" });
    const pool = new RegistryPool({ env: {}, homeDirectory: "/nonexistent", certificateFolders: [], clock });
    t.after(() => pool.close());
    const failed: unknown[] = [];
    await forEachConcurrently(Array(IMAGES).keys(), WORKERS, async (at) => {
      const store = openRegistry(parseReference(`${registry.address}/acme/app:t${at}`), pool);
      await store.resolve(`t${at}`).catch((thrown: unknown) => failed.push(thrown));
    });
    assert.deepEqual(failed, []);
    assert.ok(throttle.refused > 0, "the gateway did throttle");
    assert.ok(
      throttle.refused < registry.requests.length / 2,
      `${throttle.refused} of ${registry.requests.length} refused`,
    );
  });

  it("to another registry are not held up by one that throttles everything", { timeout: 120_000 }, async (t) => {
    const [closed, open] = [await registryWithImages(t, 1), await registryWithImages(t, 20)];
    closed.faults.when(() => true, { kind: "status", status: 429, retryAfter: "30" });
    const clock = new FastClock();
    const pool = new RegistryPool({ env: {}, homeDirectory: "/nonexistent", certificateFolders: [], clock });
    t.after(() => pool.close());
    const resolve = (registry: Registry, tag: string) =>
      openRegistry(parseReference(`${registry.address}/acme/app:1`), pool).resolve(tag);
    clock.hold();
    const refused = failure("throttled", resolve(closed, "t0"));
    while (clock.sleeping === 0) await settled();
    for (let at = 0; at < 20; at++) assert.notEqual(await resolve(open, `t${at}`), undefined);
    clock.release();
    assert.match((await refused).found ?? "", /^429 on the manifest t0 .*, 5 tries in 1[0-9]{2} s; retry after 30 s$/);
  });

  it("come to an end where only one image is refused, however many others are let through", async (t) => {
    const registry = await registryWithImages(t, 2);
    registry.faults.when(({ url }) => url.endsWith("/t1"), { kind: "status", status: 429, retryAfter: "1" });
    const clock = new FastClock(() => 0);
    const pool = new RegistryPool({ env: {}, homeDirectory: "/nonexistent", certificateFolders: [], clock });
    t.after(() => pool.close());
    const store = openRegistry(parseReference(`${registry.address}/acme/app:1`), pool);
    let isOver = false;
    const refused = failure("throttled", store.resolve("t1")).finally(() => {
      isOver = true;
    });
    while (!isOver) await store.resolve("t0");
    await refused;
    const tries = registry.requests.filter(({ url }) => url.endsWith("/t1")).length;
    assert.ok(tries > LIMITS.tries && tries <= LIMITS.tries + LIMITS.sparedTries, `${tries} tries`);
  });
});
