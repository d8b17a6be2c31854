import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { countKinds, kindOf, spawnProxy, startProxy } from "../../../bench/proxy.ts";
import { type Registry, startRegistry } from "../../../src/testbed/registry.ts";
import { call, ok, pushImage } from "./client.ts";

describe("the counting proxy", () => {
  let registry: Registry;

  before(async () => {
    registry = await startRegistry();
  });
  after(() => registry.close());

  it("passes everything on unchanged and counts it by kind", async () => {
    const proxy = await startProxy({ target: registry.address });
    const { digest } = await pushImage(proxy.address, "app", "1");
    const [near, far] = await Promise.all(
      [registry.address, proxy.address].map((address) => call(address, "GET", "/v2/app/manifests/1")),
    );
    assert.deepEqual(far?.body, near?.body);
    assert.equal(far?.headers["docker-content-digest"], digest);
    await ok(call(proxy.address, "HEAD", `/v2/app/manifests/${digest}`), 200);
    await ok(call(proxy.address, "GET", "/v2/app/blobs/x"), 400);
    assert.deepEqual(
      countKinds(proxy.requests()),
      new Map([
        ["POST uploads", 2],
        ["PUT manifests", 1],
        ["GET manifests", 1],
        ["HEAD manifests", 1],
        ["GET blobs", 1],
      ]),
    );
    proxy.reset();
    assert.deepEqual(proxy.requests(), []);
    await proxy.close();
  });

  it("counts the content that passes each way, and none where nothing has any", async () => {
    const proxy = await startProxy({ target: registry.address });
    await pushImage(registry.address, "counted", "1");
    const { body } = await call(proxy.address, "GET", "/v2/counted/manifests/1");
    await call(proxy.address, "HEAD", "/v2/counted/manifests/1");
    assert.deepEqual(proxy.bytes(), { sent: 0, received: body.byteLength });
    proxy.reset();
    await call(proxy.address, "PUT", "/v2/counted/manifests/2", {
      body,
      headers: { "content-type": "application/vnd.oci.image.manifest.v1+json" },
    });
    assert.deepEqual(proxy.bytes(), { sent: body.byteLength, received: 0 });
    await proxy.close();
  });

  it("counts the connections that were opened", async () => {
    const proxy = await startProxy({ target: registry.address });
    for (const connections of [1, 2]) {
      await fetch(`http://${proxy.address}/v2/`, { headers: { connection: "close" } });
      assert.equal(proxy.connections(), connections);
    }
    proxy.reset();
    assert.equal(proxy.connections(), 0);
    await proxy.close();
  });

  it("names the kinds of requests", () => {
    assert.equal(kindOf("GET /v2/"), "GET ping");
    assert.equal(kindOf("GET /v2/a/b/referrers/sha256:abc?artifactType=x"), "GET referrers");
    assert.equal(kindOf("PUT /v2/a/blobs/uploads/id?digest=x"), "PUT uploads");
    assert.equal(kindOf("GET /token?scope=x"), "GET /token");
  });

  it("delays every request", async () => {
    const proxy = await startProxy({ target: registry.address, delayMs: 60 });
    const start = performance.now();
    await ok(call(proxy.address, "GET", "/v2/"), 200);
    assert.ok(performance.now() - start >= 55);
    await proxy.close();
  });

  it("breaks what matches: a status without asking the target, or a fault", async () => {
    const faults = [
      { pattern: /^GET .*\/manifests\//, status: 429 },
      { pattern: /tags/, fault: { kind: "flip-bit" } },
      { pattern: /_catalog/, fault: { kind: "reset" } },
    ] as const;
    const proxy = await startProxy({ target: registry.address, faults });
    await pushImage(proxy.address, "broken", "1");
    registry.restart();
    await ok(call(proxy.address, "GET", "/v2/broken/manifests/1"), 429);
    assert.equal(registry.requests.length, 0);
    const [near, far] = await Promise.all(
      [registry.address, proxy.address].map((address) => call(address, "GET", "/v2/broken/tags/list")),
    );
    assert.notDeepEqual(far?.body, near?.body);
    await assert.rejects(call(proxy.address, "GET", "/v2/_catalog"), { code: "ECONNRESET" });
    await proxy.close();
  });

  it("a target that is not there is a broken connection", async () => {
    const gone = await startRegistry();
    await gone.close();
    const proxy = await startProxy({ target: gone.address });
    await assert.rejects(call(proxy.address, "GET", "/v2/"), { code: "ECONNRESET" });
    await proxy.close();
  });

  it("does the same in a process of its own", async () => {
    const faults = [{ pattern: /tags/, status: 503 }];
    const proxy = await spawnProxy({ target: registry.address, faults });
    await ok(call(proxy.address, "GET", "/v2/"), 200);
    await ok(call(proxy.address, "GET", "/v2/a/tags/list"), 503);
    assert.deepEqual(await proxy.requests(), ["GET /v2/", "GET /v2/a/tags/list"]);
    assert.equal((await proxy.bytes()).sent, 0);
    await proxy.reset();
    assert.deepEqual(await proxy.requests(), []);
    await proxy.close();
    await assert.rejects(call(proxy.address, "GET", "/v2/"), { code: "ECONNREFUSED" });
  });
});
