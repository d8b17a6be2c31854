import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type RegistryOptions, startRegistry } from "../../../../src/testbed/registry.ts";
import { type Answer, call, ok, pushBlob, refused } from "../client.ts";

const USERS = { alice: "s3:cret", constructor: "x" };
const UNKNOWN = `sha256:${"0".repeat(64)}`;

function basic(user: string, password: string): Readonly<Record<string, string>> {
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` };
}

describe("basic authentication", () => {
  it("lets in the right password, on every endpoint, and nothing else", async () => {
    await using registry = await startRegistry({ authentication: { kind: "basic", users: { alice: "s3:cret" } } });
    const { address } = registry;
    await ok(call(address, "GET", "/v2/", { headers: basic("alice", "s3:cret") }), 200);
    for (const headers of [
      {},
      basic("alice", "wrong"),
      basic("alice", ""),
      basic("", ""),
      basic("bob", "s3:cret"),
      basic("constructor", "x"),
      { authorization: "Basic" },
      { authorization: "Basic ***" },
      { authorization: "Bearer s3:cret" },
    ]) {
      for (const path of ["/v2/", "/v2/_catalog", "/v2/a/tags/list", `/v2/a/blobs/${UNKNOWN}`]) {
        const answer = await refused(call(address, "GET", path, { headers }), 401, "UNAUTHORIZED");
        assert.match(answer.headers["www-authenticate"] ?? "", /^Basic realm="/);
      }
    }
  });
});

describe("bearer tokens", () => {
  const start = (more: Partial<Extract<RegistryOptions["authentication"], { kind: "bearer" }>> = {}) =>
    startRegistry({ authentication: { kind: "bearer", users: USERS, ...more } });

  const tokenFor = async (address: string, scope: string, headers = basic("alice", "s3:cret")) => {
    const answer = await ok(call(address, "GET", `/token?service=s&scope=${scope}`, { headers }), 200);
    return { authorization: `Bearer ${JSON.parse(answer.body.toString()).token}` };
  };

  const challenge = (answer: Answer): string => answer.headers["www-authenticate"] ?? "";

  it("the challenge names the endpoint and the scope that is needed", async () => {
    await using registry = await start();
    const { address } = registry;
    for (const [method, path, scope] of [
      ["GET", "/v2/a/b/tags/list", "repository:a/b:pull"],
      ["HEAD", "/v2/a/b/manifests/1", "repository:a/b:pull"],
      ["PUT", "/v2/a/b/manifests/1", "repository:a/b:pull,push"],
      ["POST", "/v2/a/b/blobs/uploads/", "repository:a/b:pull,push"],
      ["DELETE", "/v2/a/b/manifests/1", "repository:a/b:delete"],
      ["GET", "/v2/_catalog", "registry:catalog:*"],
    ] as const) {
      const found = challenge(await ok(call(address, method, path), 401));
      assert.ok(found.startsWith(`Bearer realm="http://${address}/token",service="`), found);
      assert.ok(found.includes(`,scope="${scope}"`), found);
    }
    assert.ok(!challenge(await ok(call(address, "GET", "/v2/"), 401)).includes("scope="));
  });

  it("a token opens what it was given for and nothing else", async () => {
    await using registry = await start();
    const { address } = registry;
    const pull = await tokenFor(address, "repository:a:pull");
    await ok(call(address, "GET", "/v2/", { headers: pull }), 200);
    await refused(call(address, "GET", "/v2/a/tags/list", { headers: pull }), 404, "NAME_UNKNOWN");
    for (const [method, path] of [
      ["GET", "/v2/b/tags/list"],
      ["POST", "/v2/a/blobs/uploads/"],
      ["DELETE", "/v2/a/manifests/1"],
      ["GET", "/v2/_catalog"],
    ] as const) {
      const answer = await refused(call(address, method, path, { headers: pull }), 401, "UNAUTHORIZED");
      assert.match(challenge(answer), /error="insufficient_scope"/);
    }
  });

  it("no token is given for a wrong password, with GET and with POST", async () => {
    await using registry = await start();
    const { address } = registry;
    const path = "/token?scope=repository:a:pull";
    await refused(call(address, "GET", path, { headers: basic("alice", "wrong") }), 401, "UNAUTHORIZED");
    await refused(call(address, "GET", path, { headers: basic("toString", "x") }), 401, "UNAUTHORIZED");
    for (const body of [
      "grant_type=password&username=alice&password=wrong",
      "grant_type=password&username=hasOwnProperty&password=x",
      "grant_type=refresh_token&refresh_token=made-up",
      "",
      "x".repeat(200_000),
    ]) {
      await refused(call(address, "POST", "/token", { body }), 401, "UNAUTHORIZED");
    }
    await refused(call(address, "DELETE", "/token"), 405, "UNSUPPORTED");
  });

  it("an anonymous token opens nothing, or pulls where that is allowed", async () => {
    for (const anonymousPull of [false, true]) {
      await using registry = await start({ anonymousPull });
      const headers = await tokenFor(registry.address, "repository:a:pull,push", {});
      await ok(call(registry.address, "GET", "/v2/a/tags/list", { headers }), anonymousPull ? 404 : 401);
      await ok(call(registry.address, "POST", "/v2/a/blobs/uploads/", { headers }), 401);
    }
  });

  it("a refresh token is exchanged for tokens (OAuth2 form)", async () => {
    await using registry = await start();
    const { address } = registry;
    const body = "grant_type=password&username=alice&password=s3%3Acret&scope=repository:a:pull";
    const first = JSON.parse((await ok(call(address, "POST", "/token", { body }), 200)).body.toString());
    const again = `grant_type=refresh_token&refresh_token=${first.refresh_token}&scope=repository:b:pull`;
    const second = JSON.parse((await ok(call(address, "POST", "/token", { body: again }), 200)).body.toString());
    const headers = { authorization: `Bearer ${second.access_token}` };
    await refused(call(address, "GET", "/v2/b/tags/list", { headers }), 404, "NAME_UNKNOWN");
  });

  it("expired, revoked and made-up tokens are invalid", async () => {
    await using registry = await start();
    const headers = await tokenFor(registry.address, "repository:a:pull");
    registry.control.revokeTokens();
    await using expiring = await start({ lifetimeSeconds: 0 });
    const expired = await tokenFor(expiring.address, "repository:a:pull");
    for (const [address, given] of [
      [registry.address, headers],
      [registry.address, { authorization: "Bearer made-up" }],
      [expiring.address, expired],
    ] as const) {
      const answer = await refused(call(address, "GET", "/v2/a/tags/list", { headers: given }), 401, "UNAUTHORIZED");
      assert.match(challenge(answer), /error="invalid_token"/);
    }
  });

  it("a mount needs the right to read the source too", async () => {
    await using registry = await start();
    const { address, control } = registry;
    const digest = control.putBlob("from", Buffer.from("blob"));
    const path = `/v2/to/blobs/uploads/?mount=${digest}&from=from`;
    const one = await tokenFor(address, "repository:to:pull,push");
    await ok(call(address, "POST", path, { headers: one }), 202);
    const both = await tokenFor(address, "repository:to:pull,push&scope=repository:from:pull");
    await ok(call(address, "POST", path, { headers: both }), 201);
  });

  it("a hostile realm is named as it was configured", async () => {
    await using registry = await start({ realm: "http://evil.example/token" });
    const answer = await ok(call(registry.address, "GET", "/v2/"), 401);
    assert.match(challenge(answer), /^Bearer realm="http:\/\/evil\.example\/token"/);
  });

  it("without authentication anybody pushes", async () => {
    await using registry = await startRegistry();
    await pushBlob(registry.address, "a", "x");
  });
});
