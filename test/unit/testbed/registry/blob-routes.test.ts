import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { Digest } from "../../../../src/core/oci/digest.ts";
import { parseRange } from "../../../../src/testbed/registry/blob-routes.ts";
import type { Registry } from "../../../../src/testbed/registry.ts";
import { call, ok, pushBlob, refused, STORAGES, startStored } from "../client.ts";

const CONTENT = "0123456789";
const UNKNOWN = `sha256:${"0".repeat(64)}`;

describe("reading the Range header (RFC 9110, 14.1.2)", () => {
  for (const [header, size, expected] of [
    ["bytes=0-0", 10, [0, 0]],
    ["bytes=2-5", 10, [2, 5]],
    ["bytes=5-", 10, [5, 9]],
    ["bytes=-3", 10, [7, 9]],
    ["bytes=-30", 10, [0, 9]],
    ["bytes=5-500", 10, [5, 9]],
    ["bytes=5-4", 10, "unsatisfiable"],
    ["bytes=10-", 10, "unsatisfiable"],
    ["bytes=-0", 10, "unsatisfiable"],
    ["bytes=0-", 0, "unsatisfiable"],
    ["bytes=-5", 0, "unsatisfiable"],
    ["bytes=-", 10, undefined],
    ["bytes=0-1,3-4", 10, undefined],
    ["lines=0-1", 10, undefined],
    ["bytes=a-b", 10, undefined],
    [undefined, 10, undefined],
  ] as const) {
    it(`${header} of ${size} bytes`, () => assert.deepEqual(parseRange(header, size), expected));
  }
});

for (const storage of STORAGES) {
  describe(`blobs, in ${storage}`, () => {
    let registry: Registry;
    let end: () => Promise<void>;
    let digest: Digest;
    let path: string;

    before(async () => {
      ({ registry, end } = await startStored(storage));
      digest = await pushBlob(registry.address, "a/b", CONTENT);
      path = `/v2/a/b/blobs/${digest}`;
    });
    after(() => end());

    it('GET and HEAD give the same headers, and HEAD no content (spec, "Pulling blobs")', async () => {
      const get = await ok(call(registry.address, "GET", path), 200);
      const head = await ok(call(registry.address, "HEAD", path), 200);
      assert.equal(get.body.toString(), CONTENT);
      assert.equal(head.body.byteLength, 0);
      for (const name of ["content-length", "docker-content-digest", "accept-ranges", "etag"] as const) {
        assert.equal(head.headers[name], get.headers[name], name);
      }
      assert.equal(get.headers["content-length"], "10");
      assert.equal(get.headers["docker-content-digest"], digest);
    });

    it("a range is answered with 206 and says where it is", async () => {
      const part = await ok(call(registry.address, "GET", path, { headers: { range: "bytes=3-6" } }), 206);
      assert.equal(part.body.toString(), "3456");
      assert.equal(part.headers["content-range"], "bytes 3-6/10");
    });

    it("a range outside the blob is 416 with the blob's size", async () => {
      const answer = await refused(
        call(registry.address, "GET", path, { headers: { range: "bytes=10-" } }),
        416,
        "SIZE_INVALID",
      );
      assert.equal(answer.headers["content-range"], "bytes */10");
    });

    it("several ranges, and a range on HEAD, are ignored", async () => {
      await ok(call(registry.address, "GET", path, { headers: { range: "bytes=0-1,4-5" } }), 200);
      await ok(call(registry.address, "HEAD", path, { headers: { range: "bytes=0-1" } }), 200);
    });

    it("a client that has it already gets 304", async () => {
      await ok(call(registry.address, "GET", path, { headers: { "if-none-match": `"${digest}"` } }), 304);
      await ok(call(registry.address, "GET", path, { headers: { "if-none-match": `"${UNKNOWN}"` } }), 200);
    });

    it("an empty blob is a blob", async () => {
      const empty = await pushBlob(registry.address, "a/b", "");
      const get = await ok(call(registry.address, "GET", `/v2/a/b/blobs/${empty}`), 200);
      assert.equal(get.headers["content-length"], "0");
    });

    it("what is not there is 404, in words that tell the repository from the blob", async () => {
      for (const method of ["GET", "DELETE"]) {
        await refused(call(registry.address, method, `/v2/a/b/blobs/${UNKNOWN}`), 404, "BLOB_UNKNOWN");
        await refused(call(registry.address, method, `/v2/none/blobs/${UNKNOWN}`), 404, "NAME_UNKNOWN");
      }
      await ok(call(registry.address, "HEAD", `/v2/a/b/blobs/${UNKNOWN}`), 404);
    });

    it("a blob of one repository is not readable through another", async () => {
      await pushBlob(registry.address, "other", "x");
      await refused(call(registry.address, "GET", `/v2/other/blobs/${digest}`), 404, "BLOB_UNKNOWN");
    });

    it("digests that are none are 400", async () => {
      for (const bad of [
        "sha256:abc",
        `sha256:${"A".repeat(64)}`,
        `sha1:${"a".repeat(40)}`,
        `sha256:${"a".repeat(65)}`,
      ]) {
        await refused(call(registry.address, "GET", `/v2/a/b/blobs/${bad}`), 400, "DIGEST_INVALID");
      }
    });

    it('DELETE removes it from this repository only, and once (spec, "Deleting Blobs")', async () => {
      const shared = await pushBlob(registry.address, "one", "shared");
      await pushBlob(registry.address, "two", "shared");
      await ok(call(registry.address, "DELETE", `/v2/one/blobs/${shared}`), 202);
      await refused(call(registry.address, "DELETE", `/v2/one/blobs/${shared}`), 404, "BLOB_UNKNOWN");
      await ok(call(registry.address, "GET", `/v2/two/blobs/${shared}`), 200);
      await ok(call(registry.address, "DELETE", `/v2/two/blobs/${shared}`), 202);
      assert.equal(await registry.control.read(shared), undefined);
    });
  });
}
