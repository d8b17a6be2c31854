import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { describe, it, type TestContext } from "node:test";
import { MEDIA_TYPES } from "../../src/core/oci/media-types.ts";
import { selfSigned } from "../support/certificate.ts";
import { httpServer, reply } from "../support/http-server.ts";
import { alice, failure, openTestStore, testManifest } from "../support/registry-client.ts";

const image = testManifest();
const { pem, key } = selfSigned("registry.test");
const tls = { cert: pem, key: key.export({ type: "pkcs8", format: "pem" }).toString() };

interface Proxy {
  readonly port: number;
  readonly seen: { readonly target: string; readonly authorization: string | undefined }[];
}

/** A proxy that leads every tunnel to one host, or refuses. */
async function proxy(t: TestContext, to: string | undefined): Promise<Proxy> {
  const seen: { target: string; authorization: string | undefined }[] = [];
  const server: Server = createServer();
  server.on("connect", ({ url = "", headers }, socket) => {
    seen.push({ target: url, authorization: headers["proxy-authorization"] });
    socket.on("error", () => undefined);
    if (to === undefined) return socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    const upstream = connect(Number(to.split(":")[1]), "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on("error", () => socket.destroy());
    return undefined;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => new Promise<void>((resolve) => server.close(() => resolve()) && server.closeAllConnections()));
  return { port: (server.address() as AddressInfo).port, seen };
}

describe("a proxy", () => {
  it("is asked to tunnel, gets its own credentials and none of the registry's", async (t) => {
    const registry = await httpServer(({ headers }, response) => {
      if (headers.authorization === undefined) return reply(response, 401, "", { "www-authenticate": "Basic" });
      return reply(response, 200, image.bytes, { "content-type": MEDIA_TYPES.ociManifest });
    }, tls);
    t.after(() => registry.close());
    const { port, seen } = await proxy(t, registry.host);
    const env = { HTTPS_PROXY: `http://pat:pr0xy@127.0.0.1:${port}` };
    const store = openTestStore("registry.test", { env, insecureTls: true, credentials: alice });
    assert.equal((await store.resolve("1"))?.descriptor.digest, image.descriptor.digest);
    assert.ok(seen.every(({ target }) => target === "registry.test:443"));
    assert.equal(seen[0]?.authorization, `Basic ${Buffer.from("pat:pr0xy").toString("base64")}`);
    assert.ok(registry.requests.every(({ headers }) => headers["proxy-authorization"] === undefined));
    await store.close();
  });

  it("does not weaken the check of the registry's certificate", async (t) => {
    const registry = await httpServer((_, response) => reply(response, 200), tls);
    t.after(() => registry.close());
    const { port } = await proxy(t, registry.host);
    const store = openTestStore("other.test", { env: { HTTPS_PROXY: `127.0.0.1:${port}` }, ca: pem });
    const error = await failure("unreachable", store.resolve("1"));
    assert.match(error.message, /certificate of other\.test is for another name/);
    assert.equal(registry.requests.length, 0);
    await store.close();
  });

  it("that refuses is named without its password", async (t) => {
    const { port } = await proxy(t, undefined);
    const env = { HTTPS_PROXY: `http://pat:pr0xy@127.0.0.1:${port}` };
    const store = openTestStore("registry.test", { env });
    const error = await failure("unreachable", store.resolve("1"));
    assert.match(error.message, new RegExp(`the proxy http://127\\.0\\.0\\.1:${port}`));
    assert.doesNotMatch(JSON.stringify([error.message, error.found, error.next]), /pr0xy/);
    await store.close();
  });
});
