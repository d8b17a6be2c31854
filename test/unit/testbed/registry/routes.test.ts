import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { findRoute } from "../../../../src/testbed/registry/routes.ts";
import { startRegistry } from "../../../../src/testbed/registry.ts";
import { ProtocolError } from "../../../../src/testbed/reply.ts";
import { call, ok, refused } from "../client.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;

describe("finding out where a request is for", () => {
  it("takes the last keyword of a path: names may hold the words of the specification", () => {
    assert.deepEqual(findRoute("/v2/a/manifests/b/manifests/latest"), {
      kind: "manifest",
      repository: "a/manifests/b",
      target: { tag: "latest" },
    });
    assert.deepEqual(findRoute(`/v2/blobs/uploads/blobs/${DIGEST}`), {
      kind: "blob",
      repository: "blobs/uploads",
      digest: DIGEST,
    });
    assert.deepEqual(findRoute("/v2/tags/list/tags/list"), { kind: "tags", repository: "tags/list" });
  });

  it("knows uploads with and without an id, and with or without the last slash", () => {
    assert.deepEqual(findRoute("/v2/a/b/blobs/uploads/"), { kind: "uploads", repository: "a/b" });
    assert.deepEqual(findRoute("/v2/a/b/blobs/uploads"), { kind: "uploads", repository: "a/b" });
    assert.deepEqual(findRoute("/v2/a/b/blobs/uploads/x"), { kind: "upload", repository: "a/b", id: "x" });
  });

  const names = [
    "A",
    "a/../b",
    "..",
    "a//b",
    "/a",
    "a/",
    "a..b",
    "a___b",
    "-a",
    "a-",
    "_a",
    "a b",
    "a\0",
    "ä",
    "a".repeat(256),
  ];
  for (const name of names) {
    it(`refuses the name ${JSON.stringify(name).slice(0, 20)} on every endpoint (spec, "Pulling manifests": <name>)`, () => {
      for (const end of ["manifests/latest", `blobs/${DIGEST}`, "blobs/uploads/", "tags/list", `referrers/${DIGEST}`]) {
        assert.throws(() => findRoute(`/v2/${name}/${end}`), ProtocolError, end);
      }
    });
  }

  for (const reference of [
    "-a",
    ".a",
    "a b",
    "a".repeat(129),
    "sha256:abc",
    DIGEST.toUpperCase(),
    `md5:${"a".repeat(32)}`,
  ]) {
    it(`refuses the reference ${reference.slice(0, 20)}`, () => {
      assert.throws(() => findRoute(`/v2/a/manifests/${reference}`), ProtocolError);
    });
  }

  it("accepts the longest name and tag", () => {
    assert.notEqual(findRoute(`/v2/${"a".repeat(255)}/manifests/${"b".repeat(128)}`), undefined);
  });

  for (const path of [
    "/",
    "/v1/",
    "/v2/a",
    "/v2/a/blobs/",
    "/v2/a/manifests/",
    "/v2/a/tags",
    "/v2/a/tags/list/",
    "/v2//tags",
  ]) {
    it(`knows no endpoint at ${path}`, () => assert.equal(findRoute(path), undefined));
  }
});

describe("paths as they come over the wire", () => {
  it("decodes escapes, takes a proxy's absolute form, and never resolves dots", async () => {
    await using registry = await startRegistry();
    const { address } = registry;
    await ok(call(address, "GET", "/v2/"), 200);
    await ok(call(address, "HEAD", "/v2/"), 200);
    await ok(call(address, "GET", `http://${address}/v2/`), 200);
    await refused(call(address, "GET", `/v2/a/blobs/${DIGEST.replace(":", "%3A")}`), 404, "NAME_UNKNOWN");
    await refused(call(address, "GET", "/v2/a/../b/tags/list"), 400, "NAME_INVALID");
    await refused(call(address, "GET", "/v2/%2e%2e/%2e%2e/etc/tags/list"), 400, "NAME_INVALID");
    await refused(call(address, "GET", "/v2/a/manifests/..%2f..%2fetc"), 404, "UNSUPPORTED");
    await refused(call(address, "GET", "/v2/%ff/tags/list"), 400, "NAME_INVALID");
    await refused(call(address, "GET", "/elsewhere"), 404, "UNSUPPORTED");
    await refused(call(address, "GET", "/token"), 404, "UNSUPPORTED");
  });

  it("answers 405 with the methods that there are", async () => {
    await using registry = await startRegistry();
    for (const [method, path, allow] of [
      ["POST", "/v2/", "GET, HEAD"],
      ["POST", "/v2/_catalog", "GET, HEAD"],
      ["DELETE", "/v2/a/tags/list", "GET, HEAD"],
      ["PUT", `/v2/a/referrers/${DIGEST}`, "GET, HEAD"],
      ["POST", `/v2/a/blobs/${DIGEST}`, "GET, HEAD, DELETE"],
      ["PATCH", "/v2/a/manifests/latest", "GET, HEAD, PUT, DELETE"],
      ["GET", "/v2/a/blobs/uploads/", "POST"],
      ["POST", "/v2/a/blobs/uploads/x", "GET, PATCH, PUT, DELETE"],
    ] as const) {
      const answer = await refused(call(registry.address, method, path), 405, "UNSUPPORTED");
      assert.equal(answer.headers.allow, allow, path);
    }
  });
});
