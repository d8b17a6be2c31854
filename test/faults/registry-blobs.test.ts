import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LIMITS } from "../../src/core/limits.ts";
import { type Handler, httpServer, reply } from "../support/http-server.ts";
import { failure, openAgainst, readAll, sourceOf, testBlob } from "../support/registry-client.ts";

const blob = testBlob(300_000);

/** Serves the blob, or the part of it that was asked for. */
function serve(request: Parameters<Handler>[0], response: Parameters<Handler>[1], bytes = blob.bytes): void {
  const [, start] = /^bytes=(\d+)-$/.exec(request.headers.range ?? "") ?? [];
  const at = Number(start ?? 0);
  const range = `bytes ${at}-${bytes.byteLength - 1}/${bytes.byteLength}`;
  if (start === undefined) reply(response, 200, bytes);
  else reply(response, 206, bytes.subarray(at), { "content-range": range });
}

/** Announces all of it, sends some and hangs up. */
function breakOff(response: Parameters<Handler>[1], status: number, part: Buffer, length: number, range = ""): void {
  response.writeHead(status, { "content-length": String(length), ...(range === "" ? {} : { "content-range": range }) });
  response.write(part, () => setTimeout(() => response.destroy(), 5));
}

describe("reading a blob", () => {
  it("is continued where the connection broke", async (t) => {
    const { store, server } = await openAgainst(t, (request, response) => {
      if (request.headers.range === undefined) breakOff(response, 200, blob.bytes.subarray(0, 100_000), 300_000);
      else serve(request, response);
    });
    assert.deepEqual(await readAll(store.openBlob(blob.descriptor)), blob.bytes);
    assert.deepEqual(
      server.requests.map(({ headers }) => headers.range),
      [undefined, "bytes=100000-"],
    );
  });

  it("is continued by a registry that ignores ranges: what is known is skipped", async (t) => {
    let count = 0;
    const { store } = await openAgainst(t, (_, response) => {
      if (++count === 1) breakOff(response, 200, blob.bytes.subarray(0, 100_000), 300_000);
      else reply(response, 200, blob.bytes);
    });
    assert.deepEqual(await readAll(store.openBlob(blob.descriptor)), blob.bytes);
  });

  it("starts over once where the range is refused", async (t) => {
    const { store, server } = await openAgainst(t, (request, response) =>
      request.headers.range === undefined ? reply(response, 200, blob.bytes) : reply(response, 416),
    );
    assert.deepEqual(await readAll(store.openBlob(blob.descriptor, 1000)), blob.bytes.subarray(1000));
    assert.equal(server.requests.length, 2);
  });

  it("asks the registry again, not the place it redirected to: that may have expired", async (t) => {
    let count = 0;
    const { store, server } = await openAgainst(t, (request, response) => {
      if (request.target.startsWith("/v2/"))
        return reply(response, 307, "", { location: `/cdn/${++count}?sig=secret` });
      if (count === 1) return breakOff(response, 200, blob.bytes.subarray(0, 50_000), 300_000);
      return serve(request, response);
    });
    assert.deepEqual(await readAll(store.openBlob(blob.descriptor)), blob.bytes);
    assert.deepEqual(
      server.requests.map(({ target }) => target.split("?")[0]?.slice(0, 5)),
      ["/v2/a", "/cdn/", "/v2/a", "/cdn/"],
    );
  });

  it("gives up when the connection breaks again and again, in a bounded number of requests", async (t) => {
    const { store, server } = await openAgainst(t, (_, response) => breakOff(response, 200, Buffer.alloc(0), 300_000));
    await failure("unreachable", readAll(store.openBlob(blob.descriptor)));
    assert.equal(server.requests.length, LIMITS.tries);
  });

  it("that ends in good order and too soon is asked for the rest, and then has the wrong size", async (t) => {
    const short = blob.bytes.subarray(0, 200_000);
    const { store, server } = await openAgainst(t, (request, response) => {
      if (request.headers.range !== undefined) return reply(response, 416);
      response.writeHead(200);
      return void response.end(short);
    });
    await failure("size-mismatch", readAll(store.openBlob(blob.descriptor)));
    assert.ok(server.requests.length <= 2 * LIMITS.tries);
  });

  it("of another length than described ends before the first byte", async (t) => {
    for (const length of [299_999, 300_001]) {
      const { store, server } = await openAgainst(t, (_, response) => reply(response, 200, Buffer.alloc(length)));
      const seen: number[] = [];
      const reading = async () => {
        for await (const chunk of store.openBlob(blob.descriptor)) seen.push(chunk.byteLength);
      };
      await failure("size-mismatch", reading());
      assert.deepEqual([seen, server.requests.length], [[], 1]);
    }
  });

  it("never passes on more than the described size, however much comes", async (t) => {
    const { store } = await openAgainst(t, (_, response) => {
      response.writeHead(200);
      const more = () => {
        while (!response.destroyed && response.write(blob.bytes));
        response.once("drain", more);
      };
      more();
    });
    let size = 0;
    const reading = async () => {
      for await (const chunk of store.openBlob(blob.descriptor)) size += chunk.byteLength;
    };
    await failure("size-mismatch", reading());
    assert.ok(size <= 300_000);
  });

  it("with one flipped bit ends in an error, never in a plain end, and is not tried again", async (t) => {
    for (const at of [0, 150_000, 299_999]) {
      const flipped = Buffer.from(blob.bytes);
      flipped.writeUInt8(flipped.readUInt8(at) ^ 0x10, at);
      const { store, server } = await openAgainst(t, (_, response) => reply(response, 200, flipped));
      await failure("digest-mismatch", readAll(store.openBlob(blob.descriptor)));
      await failure("digest-mismatch", store.readBlob(blob.descriptor, 300_000));
      assert.equal(server.requests.length, 2);
    }
  });

  it("with a flipped bit in the continued part ends in an error", async (t) => {
    const flipped = Buffer.from(blob.bytes);
    flipped.writeUInt8(flipped.readUInt8(250_000) ^ 1, 250_000);
    const { store } = await openAgainst(t, (request, response) => {
      if (request.headers.range === undefined) breakOff(response, 200, blob.bytes.subarray(0, 100_000), 300_000);
      else serve(request, response, flipped);
    });
    await failure("digest-mismatch", readAll(store.openBlob(blob.descriptor)));
  });

  for (const [name, headers] of [
    ["another start", { "content-range": "bytes 0-299999/300000" }],
    ["another total", { "content-range": "bytes 1000-299999/300001" }],
    ["no Content-Range", {}],
    ["several parts", { "content-type": "multipart/byteranges; boundary=x" }],
    ["a transformed part", { "content-range": "bytes 1000-299999/300000", "content-encoding": "gzip" }],
  ] as const) {
    it(`refuses a partial answer with ${name} (RFC 9110 §14.4)`, async (t) => {
      const { store } = await openAgainst(t, (_, response) => reply(response, 206, blob.bytes.subarray(1000), headers));
      await failure("protocol-error", readAll(store.openBlob(blob.descriptor, 1000)));
    });
  }

  it("refuses a transformed answer: the digest is over the bytes as stored", async (t) => {
    const { store, server } = await openAgainst(t, (_, response) =>
      reply(response, 200, blob.bytes, { "content-encoding": "br" }),
    );
    await failure("protocol-error", readAll(store.openBlob(blob.descriptor)));
    assert.equal(server.requests[0]?.headers["accept-encoding"], "identity");
  });

  it("that stalls in the middle is left after the idle time, without another try", async (t) => {
    const { store, server } = await openAgainst(
      t,
      (_, response) => void response.writeHead(200, { "content-length": "300000" }).write(blob.bytes.subarray(0, 9)),
      { idleMs: 150 },
    );
    await failure("timeout", readAll(store.openBlob(blob.descriptor)));
    assert.equal(server.requests.length, 1);
  });

  it("that nobody reads on frees its connection", async (t) => {
    const { store } = await openAgainst(t, (request, response) => serve(request, response));
    for (let round = 0; round < 3 * LIMITS.connections; round++) {
      for await (const chunk of store.openBlob(blob.descriptor)) {
        assert.ok(chunk.byteLength > 0);
        break;
      }
    }
    assert.deepEqual(await readAll(store.openBlob(blob.descriptor)), blob.bytes);
  });
});

describe("sending a blob", () => {
  it("of other bytes than described sends nothing, or not all of it", async (t) => {
    const { store, server } = await openAgainst(t, ({ method }, response) => {
      if (method === "HEAD") return reply(response, 404);
      return method === "POST" ? reply(response, 202, "", { location: "/u/1?_state=x" }) : reply(response, 201);
    });
    const wrong = Buffer.from(blob.bytes);
    wrong.writeUInt8(wrong.readUInt8(299_999) ^ 1, 299_999);
    await failure("digest-mismatch", store.pushBlob(blob.descriptor, sourceOf(wrong)));
    await failure("size-mismatch", store.pushBlob(blob.descriptor, sourceOf(blob.bytes.subarray(1))));
    assert.ok(
      server.requests.every(({ method }) => method !== "PUT"),
      "no upload was complete",
    );
    const small = testBlob(10);
    await failure("digest-mismatch", store.pushBlob(small.descriptor, sourceOf(testBlob(10, 2).bytes)));
    await failure("size-mismatch", store.pushBlob(small.descriptor, sourceOf(testBlob(11).bytes)));
    assert.ok(server.requests.every(({ target }) => !target.includes(small.descriptor.digest.slice(7))));
  });

  it("keeps the opaque query of the location and adds the digest to it", async (t) => {
    const { store, server } = await openAgainst(t, ({ method }, response) => {
      if (method === "POST") return reply(response, 202, "", { location: "../../../../u/1?_state=a%2Fb%3D&x=%7B" });
      return reply(response, 201);
    });
    const small = testBlob(10);
    await store.pushBlob(small.descriptor, small.source);
    const encoded = encodeURIComponent(small.descriptor.digest);
    assert.equal(server.requests[1]?.target, `/v2/u/1?_state=a%2Fb%3D&x=%7B&digest=${encoded}`);
  });

  it("starts over with a new upload when one breaks off", async (t) => {
    let count = 0;
    const { store, server } = await openAgainst(t, ({ method }, response) => {
      if (method === "HEAD") return reply(response, 404);
      if (method === "POST") return reply(response, 202, "", { location: `/u/${++count}` });
      return count === 1 ? reply(response, 500) : reply(response, 201);
    });
    assert.equal(await store.pushBlob(blob.descriptor, blob.source), "stored");
    assert.deepEqual(
      server.requests.map(({ method, target }) => `${method} ${target.split("?")[0]?.slice(0, 4)}`),
      ["HEAD /v2/", "POST /v2/", "PUT /u/1", "HEAD /v2/", "POST /v2/", "PUT /u/2"],
    );
  });

  it("in pieces where it is refused as a whole, and asks how far it got after a failure", async (t) => {
    const large = testBlob(LIMITS.uploadChunkBytes + 1000);
    let held = Buffer.alloc(0);
    let failures = 0;
    const { store } = await openAgainst(t, ({ method, body, headers, target }, response) => {
      const session = { location: "/u/2", range: `0-${held.byteLength - 1}` };
      if (method === "HEAD") return reply(response, 404);
      if (method === "POST") return reply(response, 202, "", { location: "/u/1" });
      if (method === "GET") return reply(response, 204, "", session);
      if (method === "PUT" && body.byteLength > 0) return reply(response, 413);
      if (method === "PUT")
        return reply(response, target.includes(encodeURIComponent(large.descriptor.digest)) ? 201 : 400);
      assert.equal(headers["content-range"], `${held.byteLength}-${held.byteLength + body.byteLength - 1}`);
      held = Buffer.concat([held, body]);
      return ++failures === 1 ? reply(response, 502) : reply(response, 202, "", session);
    });
    assert.equal(await store.pushBlob(large.descriptor, large.source), "stored");
    assert.deepEqual(held, large.bytes);
  });

  for (const [status, code] of [
    [400, "UNSUPPORTED"],
    [404, "NAME_UNKNOWN"],
  ] as const) {
    it(`does without a mount that the registry objects to with ${status}: it may not show the other repository`, async (t) => {
      const { store, server } = await openAgainst(t, ({ method, target }, response) => {
        if (target.includes("mount=")) return reply(response, status, { errors: [{ code, message: "no" }] });
        return method === "POST" ? reply(response, 202, "", { location: "/u/1" }) : reply(response, 201);
      });
      const small = testBlob(10);
      assert.equal(await store.pushBlob(small.descriptor, small.source, { mountFrom: "other/app" }), "stored");
      assert.equal(server.requests.length, 3);
    });
  }

  it("is not believed to be stored when the registry names another digest", async (t) => {
    const other = { "docker-content-digest": testBlob(10, 9).descriptor.digest };
    const { store } = await openAgainst(t, ({ method }, response) =>
      method === "POST" ? reply(response, 202, "", { location: "/u/1" }) : reply(response, 201, "", other),
    );
    const small = testBlob(10);
    await failure("write-unconfirmed", store.pushBlob(small.descriptor, small.source));
  });

  it("is not redirected to another host with its body", async (t) => {
    const elsewhere = await httpServer((_, response) => reply(response, 201));
    t.after(() => elsewhere.close());
    const { store } = await openAgainst(t, (_, response) =>
      reply(response, 307, "", { location: `http://${elsewhere.host}/x` }),
    );
    const small = testBlob(10);
    await failure("redirect-refused", store.pushBlob(small.descriptor, small.source));
    assert.equal(elsewhere.requests.length, 0);
  });

  it("is denied with the registry's own words", async (t) => {
    const body = { errors: [{ code: "DENIED", message: "over quota" }] };
    const { store } = await openAgainst(t, (_, response) => reply(response, 403, body));
    const error = await failure("denied", store.pushBlob(blob.descriptor, blob.source));
    assert.match(error.found ?? "", /over quota/);
  });
});
