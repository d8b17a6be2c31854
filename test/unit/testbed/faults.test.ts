import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Digest, digestOf } from "../../../src/core/oci/digest.ts";
import type { Fault } from "../../../src/testbed/faults.ts";
import { type Registry, startRegistry } from "../../../src/testbed/registry.ts";
import { call, ok, pushBlob } from "./client.ts";

const CONTENT = "0123456789";

describe("breaking requests on purpose", () => {
  let registry: Registry;
  let digest: Digest;
  let path: string;

  before(async () => {
    registry = await startRegistry();
    digest = await pushBlob(registry.address, "app", CONTENT);
    path = `/v2/app/blobs/${digest}`;
  });
  after(() => registry.close());

  const broken = async (fault: Fault) => {
    registry.faults.clear();
    registry.faults.when(() => true, fault, 1);
    try {
      return await call(registry.address, "GET", path, { headers: { connection: "close" } });
    } finally {
      registry.faults.clear();
    }
  };
  const isCut = { code: "ECONNRESET" };

  it("by index, counted from 1 since the last restart, and only there", async () => {
    registry.restart();
    registry.faults.at(2, { kind: "status", status: 500 });
    const statuses: number[] = [];
    for (let n = 0; n < 3; n++) statuses.push((await call(registry.address, "GET", path)).status);
    assert.deepEqual(statuses, [200, 500, 200]);
    assert.deepEqual(
      registry.requests.map(({ index, method, url, status }) => ({ index, method, url, status })),
      [200, 500, 200].map((status, at) => ({ index: at + 1, method: "GET", url: path, status })),
    );
    registry.faults.clear();
  });

  it("by method and path, so many times", async () => {
    registry.faults.when(({ method, path: asked }) => method === "HEAD" && asked === path, { kind: "html" }, 1);
    await ok(call(registry.address, "GET", path), 200);
    assert.match((await call(registry.address, "HEAD", path)).headers["content-type"] ?? "", /html/);
    assert.match((await call(registry.address, "HEAD", path)).headers["content-type"] ?? "", /octet-stream/);
  });

  it("the first rule that matches wins", async () => {
    registry.faults
      .when(() => true, { kind: "status", status: 429 }, 1)
      .when(() => true, { kind: "status", status: 503 }, 1);
    await ok(call(registry.address, "GET", path), 429);
    await ok(call(registry.address, "GET", path), 503);
    await ok(call(registry.address, "GET", path), 200);
  });

  it("reset", async () => await assert.rejects(broken({ kind: "reset" }), isCut));
  it("truncate: half the content, then a cut", async () => await assert.rejects(broken({ kind: "truncate" }), isCut));

  it("reset: before the request is carried out, or after", async () => {
    for (const [isAfter, status] of [
      [false, 404],
      [true, 200],
    ] as const) {
      const body = `reset ${isAfter}`;
      const upload = `/v2/app/blobs/uploads/?digest=${digestOf(Buffer.from(body))}`;
      registry.faults.when(() => true, { kind: "reset", after: isAfter }, 1);
      await assert.rejects(call(registry.address, "POST", upload, { body }), isCut);
      await ok(call(registry.address, "GET", `/v2/app/blobs/${digestOf(Buffer.from(body))}`), status);
    }
  });

  it("shorten and lengthen: an answer that is whole in itself", async () => {
    assert.equal(String((await broken({ kind: "shorten" })).body), "01234");
    assert.equal(String((await broken({ kind: "lengthen" })).body), "0123456789 ");
  });

  it("flip-bit: exactly one bit, in the middle or where it is said", async () => {
    assert.equal(String((await broken({ kind: "flip-bit" })).body), "0123446789");
    assert.equal(String((await broken({ kind: "flip-bit", byte: 0 })).body), "1123456789");
    assert.equal(String((await call(registry.address, "GET", path)).body), CONTENT, "what is stored is untouched");
  });

  it("wrong headers over right content", async () => {
    const one = await broken({ kind: "wrong-digest-header" });
    assert.notEqual(one.headers["docker-content-digest"], digest);
    assert.equal(String(one.body), CONTENT);
    assert.equal(
      (await broken({ kind: "wrong-content-type", contentType: "text/plain" })).headers["content-type"],
      "text/plain",
    );
    assert.equal(
      (await broken({ kind: "headers", headers: { "Content-Encoding": "gzip" } })).headers["content-encoding"],
      "gzip",
    );
  });

  for (const status of [401, 403, 404, 429, 500, 503]) {
    it(`status ${status}, with an error body`, async () => {
      const answer = await broken({ kind: "status", status, retryAfter: "7", challenge: "Basic" });
      assert.equal(answer.status, status);
      assert.notEqual(answer.code, undefined);
      assert.equal(answer.headers["retry-after"], "7");
      assert.equal(answer.headers["www-authenticate"], "Basic");
    });
  }

  it("redirects: elsewhere, and in a loop", async () => {
    const elsewhere = await broken({ kind: "redirect", to: "http://elsewhere.example/x", status: 303 });
    assert.deepEqual([elsewhere.status, elsewhere.headers.location], [303, "http://elsewhere.example/x"]);
    const loop = await broken({ kind: "redirect" });
    assert.deepEqual([loop.status, loop.headers.location], [307, path]);
  });

  it("any other answer", async () => {
    const answer = await broken({ kind: "reply", reply: { status: 418, headers: { "X-A": "b" } } });
    assert.deepEqual([answer.status, answer.headers["x-a"]], [418, "b"]);
  });

  it("delay: the right answer, later", async () => {
    const start = performance.now();
    await ok(broken({ kind: "delay", ms: 60 }), 200);
    assert.ok(performance.now() - start >= 55);
  });

  it("stall: nothing at all, or half the content and then nothing", async () => {
    for (const [at, received] of [
      ["start", ""],
      ["content", "01234"],
    ] as const) {
      registry.faults.when(() => true, { kind: "stall", at }, 1);
      const body = (text: string) => text.slice(text.indexOf("\r\n\r\n")).trim();
      assert.equal(
        body(await readUntil(registry.address, path, (text) => body(text).length >= received.length)),
        received,
      );
    }
  });

  it("endless: on and on, and closing ends it", async () => {
    await using own = await startRegistry();
    const blob = await pushBlob(own.address, "app", CONTENT);
    own.faults.when(() => true, { kind: "endless" });
    await readUntil(own.address, `/v2/app/blobs/${blob}`, (text) => text.length > 1_000_000);
  });

  it("a stalled connection does not keep the registry from closing", async () => {
    const own = await startRegistry();
    own.faults.when(() => true, { kind: "stall" });
    const waiting = assert.rejects(call(own.address, "GET", "/v2/"));
    while (own.requests.length === 0) await sleep(10);
    await Promise.all([own.close(), waiting]);
  });
});

/** What arrives on a raw connection until it is enough, and a moment later. */
async function readUntil(address: string, path: string, isEnough: (text: string) => boolean): Promise<string> {
  const [host = "", port = ""] = address.split(":");
  const socket = connect(Number(port), host);
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
  });
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${address}\r\n\r\n`);
  while (!isEnough(text)) await sleep(10);
  await sleep(100);
  socket.destroy();
  return text;
}
