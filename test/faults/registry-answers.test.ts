import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { LIMITS } from "../../src/core/limits.ts";
import { digestOf } from "../../src/core/oci/digest.ts";
import { MEDIA_TYPES } from "../../src/core/oci/media-types.ts";
import type { ContentStore } from "../../src/core/ports.ts";
import type { RegistryOptions } from "../../src/io/registry/store.ts";
import { type Handler, httpServer, reply, type TestServer, tcpServer } from "../support/http-server.ts";
import { failure, openAgainst, openTestStore, TestClock, testManifest } from "../support/registry-client.ts";

interface Setting {
  readonly server: TestServer;
  readonly store: ContentStore;
  readonly clock: TestClock;
}

async function against(t: TestContext, handler: Handler, options: Partial<RegistryOptions> = {}): Promise<Setting> {
  const clock = new TestClock();
  return { ...(await openAgainst(t, handler, { clock, ...options })), clock };
}

const image = testManifest();
const TYPE = { "content-type": MEDIA_TYPES.ociManifest };

describe("a registry that answers badly", () => {
  it("with a web page is not a registry, whatever the status", async (t) => {
    for (const status of [200, 404, 403, 400]) {
      const page = { "content-type": "text/html; charset=utf-8" };
      const { store } = await against(t, (_, response) => reply(response, status, "<h1>Log in</h1>", page));
      await failure("not-a-registry", store.resolve("1"));
    }
  });

  it("with 401 and no challenge is asked once at /v2/, and then given up", async (t) => {
    const { store, server } = await against(t, (_, response) => reply(response, 401));
    const error = await failure("protocol-error", store.resolve("1"));
    assert.match(error.found ?? "", /without a challenge/);
    assert.deepEqual(
      server.requests.map(({ target }) => target),
      ["/v2/acme/app/manifests/1", "/v2/"],
    );
  });

  it("with 429 and Retry-After is asked again when it said", async (t) => {
    let count = 0;
    const { store, clock } = await against(t, (_, response) => {
      if (++count === 1) reply(response, 429, "", { "retry-after": "40" });
      else reply(response, 200, image.bytes, TYPE);
    });
    assert.equal((await store.resolve("1"))?.descriptor.digest, image.descriptor.digest);
    assert.equal(clock.slept[0], 40_000);
  });

  it("with nothing but 429 is throttled, with the number of tries and the time", async (t) => {
    const body = { errors: [{ code: "TOOMANYREQUESTS", message: "slow down" }] };
    const { store, server } = await against(t, (_, response) => reply(response, 429, body), { tries: 4 });
    const error = await failure("throttled", store.referrers(image.descriptor.digest));
    assert.match(error.found ?? "", /^429 on the list of referrers \(TOOMANYREQUESTS: slow down\), 4 tries in \d+ s$/);
    assert.equal(server.requests.length, 4);
  });

  it("with a Retry-After beyond all patience is throttled at once, and that time is told", async (t) => {
    const slow = { "retry-after": "3600" };
    const { store, server } = await against(t, (_, response) => reply(response, 429, "", slow));
    const error = await failure("throttled", store.resolve("1"));
    assert.match(error.found ?? "", /1 try in 0 s; retry after 3600 s$/);
    assert.equal(server.requests.length, 1);
  });

  it("with server errors is asked LIMITS.tries times; with 501 once", async (t) => {
    const failing = await against(t, (_, response) => reply(response, 503));
    await failure("server-error", failing.store.resolve("1"));
    assert.equal(failing.server.requests.length, LIMITS.tries);
    const incapable = await against(t, (_, response) => reply(response, 501));
    await failure("protocol-error", incapable.store.resolve("1"));
    assert.equal(incapable.server.requests.length, 1);
  });

  it("with a redirect loop is left, with a bounded number of requests", async (t) => {
    let count = 0;
    const circle = await against(t, (_, response) =>
      reply(response, 307, "", { location: "/v2/acme/app/manifests/1" }),
    );
    await failure("redirect-refused", circle.store.resolve("1"));
    const endless = await against(t, (_, response) => reply(response, 307, "", { location: `/v2/${++count}` }));
    await failure("redirect-refused", endless.store.resolve("1"));
    assert.ok(circle.server.requests.length <= 2);
    assert.ok(endless.server.requests.length <= LIMITS.redirects + 1);
  });

  it("with a redirect to plain HTTP elsewhere, or to a scheme that is none, is not followed", async (t) => {
    for (const location of ["http://registry.example/x", "ftp://127.0.0.1/x", "https://u:p@127.0.0.1/", ""]) {
      const { store } = await against(t, (_, response) => reply(response, 302, "", { location }));
      await failure("redirect-refused", store.resolve("1"));
    }
  });

  it("with a 30 MiB manifest is not read to the end", async (t) => {
    const big = Buffer.alloc(30 * 1024 * 1024, 0x20);
    const announced = await against(t, (_, response) => reply(response, 200, big, TYPE));
    await failure("limit-reached", announced.store.resolve("1"));
    const chunked = await against(t, (_, response) => {
      response.writeHead(200, TYPE);
      response.end(big);
    });
    await failure("limit-reached", chunked.store.resolve("1"));
  });

  it("with an endless body is not read to the end", async (t) => {
    const { store } = await against(t, (_, response) => {
      response.writeHead(200, TYPE);
      const chunk = Buffer.alloc(65_536, 0x20);
      const more = () => {
        while (!response.destroyed && response.write(chunk));
        response.once("drain", more);
      };
      more();
    });
    await failure("limit-reached", store.resolve("1"));
  });

  it("with a body or headers that stall is left after the idle time, without another try", async (t) => {
    const headers = await against(t, () => undefined, { idleMs: 150 });
    await failure("timeout", headers.store.resolve("1"));
    const body = await against(t, (_, response) => void response.writeHead(200, TYPE).write("{"), { idleMs: 150 });
    await failure("timeout", body.store.resolve("1"));
    assert.equal(headers.server.requests.length + body.server.requests.length, 2);
  });

  it("with a trickle that never amounts to anything is left too", async (t) => {
    const { store } = await against(
      t,
      (_, response) => {
        response.writeHead(200, TYPE);
        const timer = setInterval(() => response.write(" "), 40);
        response.on("close", () => clearInterval(timer));
      },
      { idleMs: 1_000 },
    );
    const error = await failure("timeout", store.resolve("1"));
    assert.match(error.message, /too slowly/);
  });

  it("with a wrong Docker-Content-Digest on a tag is believed for its bytes only", async (t) => {
    const wrong = { ...TYPE, "docker-content-digest": digestOf(Buffer.from("evil")) };
    const { store } = await against(t, (_, response) => reply(response, 200, image.bytes, wrong));
    assert.equal((await store.resolve("1"))?.descriptor.digest, image.descriptor.digest);
  });

  it("with other bytes for a digest, or another size, is caught", async (t) => {
    const other = testManifest({ annotations: { a: "b" } });
    const { store } = await against(t, (_, response) => reply(response, 200, other.bytes, TYPE));
    await failure("digest-mismatch", store.resolve(image.descriptor.digest));
    await failure("size-mismatch", store.manifest(image.descriptor));
    const flipped = Buffer.from(image.bytes);
    flipped.writeUInt8(flipped.readUInt8(20) ^ 1, 20);
    const bits = await against(t, (_, response) => reply(response, 200, flipped, TYPE));
    await failure("digest-mismatch", bits.store.manifest(image.descriptor));
  });

  it("with a transformed manifest is caught", async (t) => {
    const encoded = { ...TYPE, "content-encoding": "gzip" };
    const { store } = await against(t, (_, response) => reply(response, 200, image.bytes, encoded));
    await failure("protocol-error", store.resolve("1"));
  });

  it("with a wrong size of the descriptor is not asked for more than will be read", async (t) => {
    const { store, server } = await against(t, (_, response) => reply(response, 200, image.bytes, TYPE));
    await failure("limit-reached", store.manifest({ ...image.descriptor, size: LIMITS.manifestBytes + 1 }));
    await failure("limit-reached", store.readBlob({ ...image.descriptor, size: 11 }, 10));
    assert.equal(server.requests.length, 0);
  });

  it("with headers of more than 64 KiB is left", async (t) => {
    const { store } = await against(t, (_, response) => reply(response, 200, "", { "x-filler": "x".repeat(70_000) }));
    await failure("limit-reached", store.resolve("1"));
  });

  it("with something that is not HTTP is not a registry", async (t) => {
    const server = await tcpServer((socket) => socket.end("220 mail.example ESMTP\r\n"));
    const store = openTestStore(server.host);
    t.after(async () => {
      await store.close();
      await server.close();
    });
    await failure("not-a-registry", store.resolve("1"));
  });

  it("by hanging up is unreachable, after LIMITS.tries", async (t) => {
    const server = await tcpServer((socket) => socket.destroy());
    const store = openTestStore(server.host);
    t.after(async () => {
      await store.close();
      await server.close();
    });
    const error = await failure("unreachable", store.resolve("1"));
    assert.match(error.found ?? "", /6 tries/);
  });

  it("with nobody listening is unreachable, and says so quickly", async () => {
    const server = await httpServer(() => undefined);
    await server.close();
    const clock = new TestClock();
    const store = openTestStore(server.host, { clock });
    const error = await failure("unreachable", store.resolve("1"));
    assert.match(error.message, /refuses the connection/);
    assert.equal(clock.slept.length, 1);
    await store.close();
  });

  it("with 403 is denied, and tells what the registry said on one line without control characters", async (t) => {
    const body = { errors: [{ code: "DENIED", message: "not\r\nyou\u001b[31m" }] };
    const { store } = await against(t, (_, response) => reply(response, 403, body));
    const error = await failure("denied", store.resolve("1"));
    assert.match(error.found ?? "", /^403 on the manifest 1 \(DENIED: not you \[31m\)$/);
  });

  it("with 404 for a tag answers that there is none, for anything named by digest it is an error", async (t) => {
    const body = { errors: [{ code: "NAME_UNKNOWN", message: "?" }] };
    const { store } = await against(t, (_, response) => reply(response, 404, body));
    assert.equal(await store.resolve("1"), undefined);
    assert.equal(await store.hasBlob(image.descriptor), false);
    await failure("not-found", store.manifest(image.descriptor));
    await failure("not-found", store.readBlob(image.descriptor, 10_000));
    await failure("not-found", store.tags());
  });

  it("tells the reason of a HEAD that has no body", async (t) => {
    const { store } = await against(t, ({ method }, response) =>
      method === "HEAD"
        ? reply(response, 403)
        : reply(response, 403, { errors: [{ code: "DENIED", message: "quota" }] }),
    );
    const error = await failure("denied", store.hasBlob(image.descriptor));
    assert.match(error.found ?? "", /quota/);
  });

  it("ends at once when the command is interrupted, also while it waits", async (t) => {
    const controller = new AbortController();
    const { store } = await against(t, () => controller.abort(), { signal: controller.signal });
    await failure("interrupted", store.resolve("1"));
    await failure("interrupted", store.resolve("2"));
  });

  it("shows a Warning of the registry once, printable", async (t) => {
    const warnings: string[] = [];
    const headers = { ...TYPE, warning: '299 - "say \\"bye\\"\u0085 to v1"' };
    const { store } = await against(t, (_, response) => reply(response, 200, image.bytes, headers), {
      onWarning: (registry, text) => warnings.push(`${registry.replace(/:\d+/, "")}: ${text}`),
    });
    await store.resolve("1");
    await store.resolve("1");
    assert.deepEqual(warnings, ['127.0.0.1: say "bye" to v1']);
  });

  it("that sent nothing within the idle time is not asked anything else: the waiting does not add up", async (t) => {
    const { server, store } = await against(t, () => undefined, { idleMs: 200 });
    await failure("timeout", store.resolve("1"));
    const error = await failure("timeout", store.resolve("2"));
    assert.match(error.message, /makes no progress and is not asked again/);
    assert.equal(server.requests.length, 1);
  });

  it("that stalls on one thing and answers another is asked on", async (t) => {
    const { store } = await against(
      t,
      async ({ target }, response) => {
        if (!target.endsWith("/1")) reply(response, 200, image.bytes, TYPE);
      },
      { idleMs: 1_000 },
    );
    const stalled = failure("timeout", store.resolve("1"));
    await store.resolve("2");
    await stalled;
    assert.equal((await store.resolve("2"))?.descriptor.digest, image.descriptor.digest);
  });

  it("whose errors trickle is not asked again either: their bodies are no progress", async (t) => {
    const { server, store } = await against(
      t,
      (_, response) => {
        response.writeHead(500).write("x");
        const trickle = setInterval(() => response.write("x"), 50);
        response.on("close", () => clearInterval(trickle));
      },
      { idleMs: 200 },
    );
    await failure("timeout", store.resolve("1"));
    assert.equal(server.requests.length, 1);
  });

  it("with interim responses and never a final one times out (RFC 9110, section 15.2)", async (t) => {
    const server = await tcpServer((socket) => {
      const hints = setInterval(() => socket.write("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"), 20);
      socket.on("close", () => clearInterval(hints));
    });
    const store = openTestStore(server.host, { idleMs: 200 });
    t.after(async () => {
      await store.close();
      await server.close();
    });
    await failure("timeout", store.resolve("1"));
  });

  it("with an error of blanks says its status and nothing in brackets", async (t) => {
    const { store } = await against(t, (_, response) => reply(response, 403, " \t\r\n"));
    assert.equal((await failure("denied", store.resolve("1"))).found, "403 on the manifest 1");
  });

  const DISPUTE = { errors: [{ code: "DIGEST_INVALID", message: "provided digest did not match" }] };

  it("that disputes a digest is sent the manifest again: CNCF distribution does while a link is written", async (t) => {
    const { server, store } = await against(t, (_, response) =>
      server.requests.length < 3 ? reply(response, 400, DISPUTE) : reply(response, 201),
    );
    await store.pushManifest(image, "1");
    assert.equal(server.requests.length, 3);
  });

  it("that disputes a digest for good denies the write", async (t) => {
    const { store } = await against(t, (_, response) => reply(response, 400, DISPUTE));
    const error = await failure("denied", store.pushManifest(image, "1"));
    assert.match(error.found ?? "", /DIGEST_INVALID.*6 tries/);
  });

  it("is not sent a tag that others write too again as it is, but waited for", async (t) => {
    const { server, store, clock } = await against(t, (_, response) => reply(response, 503));
    await store.pushManifest(image, "shared", { isShared: true });
    assert.deepEqual([server.requests.length, clock.slept.length], [1, 1]);
  });

  it("is not sent what was merged with a tag that others have changed, while it wanted to be left alone", async (t) => {
    const [ours, others] = [
      testManifest({ annotations: { by: "us" } }),
      testManifest({ annotations: { by: "others" } }),
    ];
    for (const [named, expected] of [
      [image, ours],
      [others, others],
      [undefined, ours],
    ] as const) {
      let stored: Uint8Array | undefined = named?.bytes;
      const { store } = await against(t, ({ method, target, body }, response) => {
        if (method === "HEAD") return reply(response, 200, "", { "ratelimit-remaining": "0", "ratelimit-reset": "60" });
        if (method === "PUT") stored = body;
        if (method === "PUT") return reply(response, 201);
        assert.match(target, /\/manifests\/shared$/);
        return stored === undefined ? reply(response, 404) : reply(response, 200, stored, TYPE);
      });
      await store.hasManifest(image.descriptor);
      const over = named === undefined ? "nothing" : image.descriptor.digest;
      await store.pushManifest(ours, "shared", { isShared: true, over });
      assert.deepEqual(stored === undefined ? undefined : Buffer.from(stored), Buffer.from(expected.bytes));
    }
  });
});
