import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { JsonValue } from "../../../../src/core/json.ts";
import type { ReasonCode } from "../../../../src/core/reasons.ts";
import { discoverIssuer, optionalEndpoint } from "../../../../src/io/identity/discovery.ts";
import { thrownBy } from "../../../support/codes.ts";
import { httpServer, reply } from "../../../support/http-server.ts";
import { badAnswers, quickService, quietlyRejected, startIssuer } from "../../../support/identity.ts";

/** What a provider at `url` says of itself, with other members than the right ones. */
function description(url: string, others: Readonly<Record<string, JsonValue | undefined>> = {}): string {
  return JSON.stringify({
    issuer: url,
    jwks_uri: `${url}/keys`,
    authorization_endpoint: `${url}/auth`,
    token_endpoint: `${url}/token`,
    device_authorization_endpoint: `${url}/device/code`,
    code_challenge_methods_supported: ["plain", "S256"],
    ...others,
  });
}

/** Discovers a provider that says so; `path` is the issuer's own. */
async function discover(others: Readonly<Record<string, JsonValue | undefined>> = {}, path = "") {
  const server = await httpServer((request, response) => {
    const isThere = request.target === `${path.replace(/\/$/, "")}/.well-known/openid-configuration`;
    reply(response, isThere ? 200 : 404, isThere ? description(`http://${server.host}${path}`, others) : "");
  });
  const service = quickService();
  try {
    return await discoverIssuer(service, `http://${server.host}${path}`);
  } finally {
    await service.close();
    await server.close();
  }
}

async function refused(work: () => Promise<unknown>, code: ReasonCode) {
  return await quietlyRejected(work, code, []);
}

describe("a token issuer", () => {
  it("says where it signs people in (OpenID Connect Discovery §4)", async () => {
    const issuer = await discover();
    assert.equal(issuer.authorizationEndpoint?.href, `${issuer.issuer}/auth`);
    assert.equal(issuer.tokenEndpoint.href, `${issuer.issuer}/token`);
    assert.equal(issuer.deviceEndpoint?.href, `${issuer.issuer}/device/code`);
    assert.equal(issuer.keysAddress.href, `${issuer.issuer}/keys`);
    assert.equal(issuer.namesItself, false);
  });

  it("is asked below its own path, a slash at its end or not (§4.1)", async () => {
    for (const path of ["/auth", "/auth/", "/a/b"]) assert.ok((await discover({}, path)).issuer.endsWith(path));
  });

  it("may lack one of the two ways to sign in", async () => {
    const members = { authorization_endpoint: undefined, device_authorization_endpoint: undefined };
    const issuer = await discover(members);
    assert.deepEqual([issuer.authorizationEndpoint, issuer.deviceEndpoint], [undefined, undefined]);
    assert.equal((await discover({ authorization_response_iss_parameter_supported: true })).namesItself, true);
  });

  it("has to be the one that was asked for, to the letter (§4.3)", async () => {
    for (const issuer of ["https://evil.example.com", "", undefined, null, 5, ["http://127.0.0.1"]]) {
      const error = await refused(() => discover({ issuer }), "protocol-error");
      assert.match(error.message, /is another issuer/);
    }
    const server = await startIssuer();
    const service = quickService();
    await refused(() => discoverIssuer(service, `${server.url}/`), "protocol-error");
    server.fault = "other-issuer";
    await refused(() => discoverIssuer(service, server.url), "protocol-error");
    await service.close();
    await server.close();
  });

  it("has to offer PKCE with S256 (RFC 7636)", async () => {
    for (const methods of [undefined, null, [], ["plain"], "S256", [["S256"]], { S256: true }]) {
      await refused(() => discover({ code_challenge_methods_supported: methods }), "unsupported");
    }
  });

  it("has to say where tokens and keys are", async () => {
    for (const member of ["token_endpoint", "jwks_uri"]) {
      for (const value of [undefined, null, 5, "", "not a URL", ["http://127.0.0.1/"]]) {
        await refused(() => discover({ [member]: value }), "protocol-error");
      }
    }
  });

  it("sends nobody to an address that is less safe than its own", async () => {
    for (const address of [
      "http://example.com/token",
      "ftp://127.0.0.1/",
      "http://a:b@127.0.0.1/",
      "file:///etc/passwd",
    ]) {
      for (const member of ["token_endpoint", "jwks_uri", "authorization_endpoint", "device_authorization_endpoint"]) {
        await refused(() => discover({ [member]: address }), "protocol-error");
      }
    }
    const outside = new URL("https://issuer.example.com");
    for (const address of [
      "http://127.0.0.1:8080/token",
      "http://localhost/token",
      "https://127.0.0.1/token",
      "https://169.254.169.254/latest",
      "https://10.0.0.1/",
      "https://[::1]/",
      "https://issuer.example.com/#fragment",
      "javascript:alert(1)",
    ]) {
      thrownBy(() => optionalEndpoint({ token_endpoint: address }, "token_endpoint", outside), "protocol-error");
    }
    const other = { token_endpoint: "https://keys.example.net/token?tenant=a" };
    assert.equal(optionalEndpoint(other, "token_endpoint", outside)?.host, "keys.example.net");
  });

  it("is at https, or on this machine, and its address is nothing but an address", async () => {
    const service = quickService();
    for (const issuer of [
      "",
      "issuer.example.com",
      "http://issuer.example.com",
      "http://10.0.0.1",
      "ftp://127.0.0.1",
      "https://user:password@issuer.example.com",
      "https://issuer.example.com?tenant=1",
      "https://issuer.example.com#a",
    ]) {
      await refused(() => discoverIssuer(service, issuer), "configuration-invalid");
    }
    await service.close();
  });

  for (const { name, code, answer } of badAnswers("nothing-secret-is-here")) {
    it(`cannot be used where its description is ${name}`, async () => {
      const server = await httpServer(answer);
      const service = quickService();
      await refused(() => discoverIssuer(service, `http://${server.host}`), code);
      await service.close();
      await server.close();
    });
  }
});
