import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { MEDIA_TYPES } from "../../src/core/oci/media-types.ts";
import { parseReference } from "../../src/core/oci/reference.ts";
import { Authenticator } from "../../src/io/http/auth.ts";
import { HttpClient, type HttpRequest } from "../../src/io/http/client.ts";
import type { HttpResponse } from "../../src/io/http/response.ts";
import { Retrier } from "../../src/io/http/retry.ts";
import { openRegistry, RegistryPool } from "../../src/io/registry/store.ts";
import { selfSigned } from "../support/certificate.ts";
import { type Handler, httpServer, reply, type SeenRequest, type TestServer } from "../support/http-server.ts";
import {
  alice,
  credentialSource,
  failure,
  openTestStore,
  TestClock,
  testBlob,
  testManifest,
} from "../support/registry-client.ts";
import { tokenServer } from "../support/token-server.ts";

const image = testManifest();
const TYPE = { "content-type": MEDIA_TYPES.ociManifest };
const BASIC = `Basic ${Buffer.from("alice:open:sesame").toString("base64")}`;

async function serving(t: TestContext, handler: Handler, tls?: { cert: string; key: string }): Promise<TestServer> {
  const server = await httpServer(handler, tls);
  t.after(() => server.close());
  return server;
}

/** Wants Basic, and serves the image to whoever is alice. */
function basicRegistry({ headers }: SeenRequest, response: Parameters<Handler>[1]): void {
  if (headers.authorization === BASIC) reply(response, 200, image.bytes, TYPE);
  else reply(response, 401, "", { "www-authenticate": 'Negotiate, Basic realm="r"' });
}

/** Wants a token from `realm`, and takes any. */
function bearerRegistry(realm: string): Handler {
  return ({ headers }, response) => {
    if (headers.authorization?.startsWith("Bearer ") === true) return reply(response, 200, image.bytes, TYPE);
    const challenge = `Bearer realm="${realm}",service="reg",scope="repository:acme/app:pull"`;
    return reply(response, 401, "", { "www-authenticate": challenge });
  };
}

describe("credentials", () => {
  it("are not sent before the registry asks, and unasked from then on", async (t) => {
    const server = await serving(t, basicRegistry);
    const store = openTestStore(server.host, { credentials: alice });
    await store.resolve("1");
    await store.resolve("2");
    assert.deepEqual(
      server.requests.map(({ headers }) => headers.authorization),
      [undefined, BASIC, BASIC],
    );
    await store.close();
  });

  it("that are missing, and wanted, are told apart from those that are refused", async (t) => {
    const server = await serving(t, basicRegistry);
    const nobody = openTestStore(server.host, { credentials: credentialSource(undefined) });
    const missing = await failure("credentials-missing", nobody.resolve("1"));
    assert.match(missing.wanted ?? "", /in a test$/);
    const mallory = { kind: "password", username: "mallory", password: "guess1", source: "config.json" } as const;
    const store = openTestStore(server.host, { credentials: credentialSource(mallory) });
    const denied = await failure("denied", store.resolve("1"));
    assert.match(denied.message, /config\.json/);
    assert.doesNotMatch(JSON.stringify([denied.message, denied.found, denied.wanted]), /guess1|mallory/);
    assert.equal(server.requests.length, 3);
    await Promise.all([nobody.close(), store.close()]);
  });

  it("do not follow a redirect to another origin, not even to another port", async (t) => {
    const cdn = await serving(t, (_, response) => reply(response, 200, image.bytes, TYPE));
    const server = await serving(t, ({ headers }, response) => {
      if (headers.authorization !== BASIC) return reply(response, 401, "", { "www-authenticate": "Basic" });
      return reply(response, 307, "", { location: `http://${cdn.host}/blob?sig=1` });
    });
    const store = openTestStore(server.host, { credentials: alice });
    assert.equal((await store.resolve("1"))?.descriptor.digest, image.descriptor.digest);
    assert.equal(cdn.requests.length, 1);
    assert.equal(cdn.requests[0]?.headers.authorization, undefined);
    await store.close();
  });

  it("are not shown to a stranger that a redirect led to and that asks for them", async (t) => {
    const cdn = await serving(t, (_, response) => reply(response, 401, "", { "www-authenticate": "Basic" }));
    const server = await serving(t, (_, response) => reply(response, 307, "", { location: `http://${cdn.host}/` }));
    const store = openTestStore(server.host, { credentials: alice });
    await failure("denied", store.resolve("1"));
    assert.ok(cdn.requests.every(({ headers }) => headers.authorization === undefined));
    await store.close();
  });

  it("are not in what is said of a registry that repeats them", async (t) => {
    const server = await serving(t, ({ headers: { authorization = "" } }, response) => {
      const decoded = Buffer.from(authorization.slice("Basic ".length), "base64");
      const headers = { "www-authenticate": 'Basic realm="r"', warning: `299 - "sent ${authorization}"` };
      reply(response, 401, `no ${authorization}, ${decoded}`, headers);
    });
    const warnings: string[] = [];
    const onWarning = (_: string, text: string): void => void warnings.push(text);
    const store = openTestStore(server.host, { credentials: alice, onWarning });
    const error = await failure("denied", store.resolve("1"));
    assert.equal(server.requests[1]?.headers.authorization, BASIC);
    assert.match(error.found ?? "", /^401 \(no Basic …, alice:…\)/);
    assert.doesNotMatch([...warnings, error.message].join(), /sesame|YWxpY2U/);
  });

  for (const [where, answer] of [
    ["a redirect", (response, word) => reply(response, 302, "", { location: `ftp://r.example/${word}` })],
    ["a next page", (response, word) => reply(response, 200, "{}", { link: `<http://r.example/${word}>; rel="next"` })],
    ["an encoding", (response, word) => reply(response, 200, "", { "content-encoding": word })],
  ] as const satisfies readonly (readonly [string, (response: Parameters<Handler>[1], word: string) => void])[]) {
    it(`are not in what is said of ${where} that repeats them`, async (t) => {
      const server = await serving(t, ({ headers: { authorization } }, response) => {
        if (authorization === undefined) reply(response, 401, "", { "www-authenticate": 'Basic realm="r"' });
        else answer(response, authorization.slice("Basic ".length));
      });
      const store = openTestStore(server.host, { credentials: alice });
      const asked = where === "a next page" ? store.tags() : store.resolve("1");
      const error = await failure(where === "an encoding" ? "protocol-error" : "redirect-refused", asked);
      assert.match(error.found ?? "", /…/);
      assert.doesNotMatch(`${error.message} ${error.found}`, /YWxpY2U/i);
    });
  }

  it("are not in what is said of a token service that repeats them", async (t) => {
    const service = await serving(t, ({ headers }, response) => reply(response, 401, `no ${headers.authorization}`));
    const server = await serving(t, bearerRegistry(`http://${service.host}/token`));
    const error = await failure("denied", openTestStore(server.host, { credentials: alice }).resolve("1"));
    assert.equal(service.requests[0]?.headers.authorization, BASIC);
    assert.match(error.found ?? "", /\(no Basic …\)$/);
  });

  it("are not in what is said of a token service that repeats them where the token should be", async (t) => {
    const service = await serving(t, (_, response) => reply(response, 200, '{"open:sesame":1,"open:sesame":2}'));
    const server = await serving(t, bearerRegistry(`http://${service.host}/token`));
    const error = await failure("protocol-error", openTestStore(server.host, { credentials: alice }).resolve("1"));
    assert.match(error.found ?? "", /…/);
    assert.doesNotMatch(`${error.message} ${error.found}`, /sesame/);
  });

  it("do not go to an upload location on another origin", async (t) => {
    const elsewhere = await serving(t, (_, response) => reply(response, 201));
    const server = await serving(t, ({ headers }, response) => {
      if (headers.authorization !== BASIC) return reply(response, 401, "", { "www-authenticate": "Basic" });
      return reply(response, 202, "", { location: `http://${elsewhere.host}/u` });
    });
    const store = openTestStore(server.host, { credentials: alice });
    const blob = testBlob(10);
    await store.pushBlob(blob.descriptor, blob.source);
    assert.equal(elsewhere.requests[0]?.headers.authorization, undefined);
    await store.close();
  });

  it("are exchanged for a token once, for all who wait and for all stores of a command", async (t) => {
    const options = { service: "reg", issuer: "iss", users: { alice: "open:sesame" } };
    const tokens = await tokenServer(options);
    t.after(() => tokens.close());
    const server = await serving(t, bearerRegistry(tokens.realm));
    const clock = new TestClock();
    const pool = new RegistryPool({ env: {}, homeDirectory: "/nonexistent", credentials: alice, clock });
    const stores = [1, 2, 3].map(() => openRegistry(parseReference(`${server.host}/acme/app:1`), pool));
    await Promise.all(stores.flatMap((store) => [store.resolve("1"), store.resolve("2"), store.resolve("3")]));
    assert.equal(tokens.requests.length, 1);
    assert.match(
      tokens.requests[0]?.target ?? "",
      /^\/token\?service=reg&scope=repository%3Aacme%2Fapp%3Apull&account=alice$/,
    );
    clock.sleep(3_600_000);
    await stores[0]?.resolve("1");
    assert.equal(tokens.requests.length, 2, "it was renewed when it had expired");
    const blob = testBlob(10);
    await failure("protocol-error", Promise.resolve(stores[0]?.pushBlob(blob.descriptor, blob.source)));
    assert.match(tokens.requests[2]?.target ?? "", /pull%2Cpush/);
    await stores[0]?.resolve("1");
    assert.equal(tokens.requests.length, 3, "a token to push does for a pull");
    await pool.close();
  });

  it("that are an identity token go to the token service as a form, and nowhere else", async (t) => {
    const options = { service: "reg", issuer: "iss", users: {}, identityTokens: { "refresh-me": "alice" } };
    const tokens = await tokenServer(options);
    t.after(() => tokens.close());
    const server = await serving(t, bearerRegistry(tokens.realm));
    const credential = { kind: "identity-token", token: "refresh-me", source: "x" } as const;
    const store = openTestStore(server.host, { credentials: credentialSource(credential) });
    await store.resolve("1");
    assert.equal(tokens.requests[0]?.method, "POST");
    assert.doesNotMatch(tokens.requests[0]?.target ?? "", /refresh-me/);
    assert.ok(server.requests.every(({ headers }) => !JSON.stringify(headers).includes("refresh-me")));
    await store.close();
  });

  it("that are a registry token are sent as they are, and not to the token service", async (t) => {
    const tokens = await serving(t, (_, response) => reply(response, 200, { token: "never" }));
    const server = await serving(t, bearerRegistry(`http://${tokens.host}/`));
    const credential = { kind: "registry-token", token: "as-it-is", source: "x" } as const;
    const store = openTestStore(server.host, { credentials: credentialSource(credential) });
    await store.resolve("1");
    assert.equal(server.requests[1]?.headers.authorization, "Bearer as-it-is");
    assert.equal(tokens.requests.length, 0);
    await store.close();
  });

  it("that cannot be in a header are refused, not sent", async (t) => {
    const server = await serving(t, basicRegistry);
    const odd = { kind: "password", username: "a", password: "x\r\nX-Evil: 1", source: "config.json" } as const;
    const store = openTestStore(server.host, { credentials: credentialSource(odd) });
    const error = await failure("configuration-invalid", store.resolve("1"));
    assert.doesNotMatch(`${error.message}${error.found}`, /Evil/);
    await store.close();
  });
});

/** An authenticator for a registry at `origin`, and everything that would be sent to token services. */
function authenticatorFor(
  origin: string,
  challenge: string,
  options: { allowHttp?: boolean; tokenHosts?: string[] } = {},
) {
  const sent: HttpRequest[] = [];
  const answer = {
    status: 200,
    contentType: "",
    bytes: async () => Buffer.from('{"token":"t"}'),
    discreetly: async (work: () => Promise<unknown>) => await work(),
  } as unknown as HttpResponse;
  const http = new HttpClient({ env: {}, tlsFor: () => ({ ca: [] }), userAgent: "test" });
  http.send = async (request) => {
    sent.push(request);
    return answer;
  };
  const clock = new TestClock();
  const authenticator = new Authenticator({
    http,
    clock,
    retrier: new Retrier({ clock }),
    credentials: alice,
    allowHttp: options.allowHttp === true,
    tokenHosts: options.tokenHosts,
  });
  const access = {
    origin: new URL(origin),
    registry: new URL(origin).host,
    repository: "a/b",
    scopes: ["repository:a/b:pull"],
  };
  const refused = { status: 401, headers: () => [challenge] } as unknown as HttpResponse;
  return { sent, ask: () => authenticator.answer(access, refused, undefined) };
}

function shown(sent: readonly HttpRequest[]): readonly (string | undefined)[] {
  return sent.map(
    ({ url, headers }) => `${url.host}${headers?.["authorization"] === undefined ? "" : " +credentials"}`,
  );
}

describe("the realm of a challenge", () => {
  for (const [origin, realm, host] of [
    ["https://registry.example", "https://registry.example/token", "registry.example"],
    ["https://registry.example:5000", "https://registry.example:5001/token", "registry.example:5001"],
    ["https://registry.example", "/token", "registry.example"],
    ["https://registry-1.docker.io", "https://auth.docker.io/token", "auth.docker.io"],
    ["https://registry.gitlab.com", "https://gitlab.com/jwt/auth", "gitlab.com"],
    ["https://nvcr.io", "https://authn.nvidia.com/token", "authn.nvidia.com"],
    ["https://10.0.0.1", "https://10.0.0.1/token", "10.0.0.1"],
    ["http://127.0.0.1:5000", "http://127.0.0.1:5001/token", "127.0.0.1:5001"],
    ["http://127.0.0.1:5000", "http://localhost:5001/token", "localhost:5001"],
  ] as const) {
    it(`${realm} gets the credentials for ${origin}`, async () => {
      const { sent, ask } = authenticatorFor(origin, `Bearer realm="${realm}"`);
      assert.equal(await ask(), "Bearer t");
      assert.deepEqual(shown(sent), [`${host} +credentials`]);
    });
  }

  it("of another site is asked without credentials, unless the user named it", async () => {
    const realm = 'Bearer realm="https://token.other.example/t"';
    const stranger = authenticatorFor("https://registry.test", realm);
    assert.equal(await stranger.ask(), "Bearer t");
    assert.deepEqual(shown(stranger.sent), ["token.other.example"]);
    assert.doesNotMatch(String(stranger.sent[0]?.url), /alice|sesame/);
    const named = authenticatorFor("https://registry.test", realm, { tokenHosts: ["token.other.example"] });
    await named.ask();
    assert.deepEqual(shown(named.sent), ["token.other.example +credentials"]);
  });

  for (const realm of [
    "http://registry.example/token",
    "http://127.0.0.1/token",
    "https://169.254.169.254/latest",
    "https://localhost/token",
    "https://192.168.0.1/token",
    "https://u:p@registry.example/token",
    "file:///etc/passwd",
    "https://[",
  ]) {
    it(`${realm} is not asked at all by a public registry`, async () => {
      const { sent, ask } = authenticatorFor("https://registry.example", `Bearer realm="${realm}"`);
      await failure("redirect-refused", ask());
      assert.equal(sent.length, 0);
    });
  }

  it("at another loopback address than the registry's is not asked: it may be another service's", async () => {
    const { sent, ask } = authenticatorFor("http://127.0.0.1:5000", 'Bearer realm="http://127.0.0.2:5000/token"');
    await failure("redirect-refused", ask());
    assert.equal(sent.length, 0);
  });

  it("gets nothing over plain HTTP to another machine, unless that was allowed", async () => {
    const refused = authenticatorFor("http://registry.example", 'Bearer realm="http://registry.example/t"');
    await failure("redirect-refused", refused.ask());
    const allowed = authenticatorFor("http://registry.example", 'Bearer realm="http://registry.example/t"', {
      allowHttp: true,
    });
    await allowed.ask();
    assert.deepEqual(shown(allowed.sent), ["registry.example +credentials"]);
  });

  for (const [name, answer, code] of [
    ["a redirect", (r) => reply(r, 302, "", { location: "http://127.0.0.1:1/" }), "redirect-refused"],
    ["a web page", (r) => reply(r, 200, "<html>", { "content-type": "text/html" }), "not-a-registry"],
    ["no token", (r) => reply(r, 200, { access: "none" }), "protocol-error"],
    ["a token with a line break", (r) => reply(r, 200, { token: "a\r\nX: y" }), "protocol-error"],
    ["a token of 1 MiB", (r) => reply(r, 200, { token: "x".repeat(1 << 20) }), "limit-reached"],
    ["something that is not JSON", (r) => reply(r, 200, "{"), "protocol-error"],
    ["401", (r) => reply(r, 401), "denied"],
    ["403", (r) => reply(r, 403), "denied"],
    ["429 without end", (r) => reply(r, 429), "throttled"],
    ["500 without end", (r) => reply(r, 500), "server-error"],
  ] as const satisfies readonly (readonly [string, (response: Parameters<Handler>[1]) => void, string])[]) {
    it(`that answers with ${name} ends in ${code}, in a bounded number of requests`, async (t) => {
      const tokens = await serving(t, (_, response) => answer(response));
      const server = await serving(t, bearerRegistry(`http://${tokens.host}/token`));
      const store = openTestStore(server.host, { credentials: alice });
      const error = await failure(code, store.resolve("1"));
      assert.doesNotMatch(JSON.stringify([error.message, error.found, error.wanted, error.next]), /sesame/);
      assert.ok(tokens.requests.length <= 6 && server.requests.length === 1);
      await store.close();
    });
  }

  it("whose tokens the registry never takes ends in denied, not in a loop", async (t) => {
    const tokens = await serving(t, (_, response) => reply(response, 200, { token: `t${Math.random()}` }));
    const challenge = { "www-authenticate": `Bearer realm="http://${tokens.host}/"` };
    const server = await serving(t, (_, response) => reply(response, 401, "", challenge));
    const store = openTestStore(server.host, { credentials: alice });
    await failure("denied", store.resolve("1"));
    await failure("denied", store.resolve("1"));
    assert.ok(server.requests.length <= 4 && tokens.requests.length <= 3);
    await store.close();
  });
});

describe("plain HTTP and TLS", () => {
  const { pem, key } = selfSigned("127.0.0.1");
  const tls = { cert: pem, key: key.export({ type: "pkcs8", format: "pem" }).toString() };

  it("loopback that turns out to speak TLS is asked over TLS, and credentials only there", async (t) => {
    const server = await serving(t, basicRegistry, tls);
    const store = openTestStore(server.host, { ca: pem, credentials: alice });
    assert.equal((await store.resolve("1"))?.descriptor.digest, image.descriptor.digest);
    await store.resolve("1");
    assert.equal(server.requests.length, 3);
    await store.close();
  });

  it("a certificate of an unknown authority is unreachable, with the way out; --registry-cacert or no checks help", async (t) => {
    const server = await serving(t, basicRegistry, tls);
    const store = openTestStore(server.host, { credentials: alice });
    const error = await failure("unreachable", store.resolve("1"));
    assert.match(error.message, /authority that is not known/);
    // Node goes on with advice to people who run Node.
    assert.equal(error.found, "DEPTH_ZERO_SELF_SIGNED_CERT: self-signed certificate");
    assert.match(error.next, /--registry-cacert/);
    assert.equal(server.requests.length, 0);
    const careless = openTestStore(server.host, { credentials: alice, insecureTls: true });
    assert.ok(await careless.resolve("1"));
    await Promise.all([store.close(), careless.close()]);
  });

  it("other hosts are never spoken to in plain HTTP unasked", async (t) => {
    const server = await serving(t, basicRegistry);
    const port = server.host.split(":")[1];
    // 0.0.0.0 reaches this machine and is not one of the loopback names.
    const store = openTestStore(`0.0.0.0:${port}`, { credentials: alice });
    const error = await failure("unreachable", store.resolve("1"));
    assert.match(error.message, /does not speak TLS/);
    assert.match(error.next, /--allow-http-registry/);
    assert.equal(server.requests.length, 0);
    const allowed = openTestStore(`0.0.0.0:${port}`, { credentials: alice, allowHttp: true });
    assert.ok(await allowed.resolve("1"));
    await Promise.all([store.close(), allowed.close()]);
  });

  it("a wrong certificate is never a reason for plain HTTP, though that is allowed", async (t) => {
    const server = await serving(t, basicRegistry, tls);
    const store = openTestStore(`0.0.0.0:${server.host.split(":")[1]}`, { credentials: alice, allowHttp: true });
    const error = await failure("unreachable", store.resolve("1"));
    assert.match(error.message, /certificate/);
    assert.equal(server.requests.length, 0);
    await store.close();
  });

  it("what is configured for a registry is not for where it redirects to", async (t) => {
    const cdn = await serving(t, (_, response) => reply(response, 200, image.bytes, TYPE), tls);
    const server = await serving(t, (_, response) => reply(response, 307, "", { location: `https://${cdn.host}/` }));
    const store = openTestStore(server.host, { insecureTls: true });
    await failure("unreachable", store.resolve("1"));
    assert.equal(cdn.requests.length, 0);
    await store.close();
  });
});
