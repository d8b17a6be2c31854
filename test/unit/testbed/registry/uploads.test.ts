import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { connect, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { digestOf } from "../../../../src/core/oci/digest.ts";
import { type Registry, startRegistry } from "../../../../src/testbed/registry.ts";
import { type Answer, call, ok, pushBlob, refused, STORAGES, startStored } from "../client.ts";

const CONTENT = Buffer.from("0123456789");
const DIGEST = digestOf(CONTENT);
const START = "/v2/a/blobs/uploads/";

for (const storage of STORAGES) {
  describe(`uploads, in ${storage}`, () => {
    let registry: Registry;
    let end: () => Promise<void>;

    before(async () => {
      ({ registry, end } = await startStored(storage));
    });
    after(() => end());

    const begin = async (): Promise<string> => locationOf(await ok(call(registry.address, "POST", START), 202));
    const patch = (location: string, range: string, body: Uint8Array): Promise<Answer> =>
      call(registry.address, "PATCH", location, { body, headers: { "content-range": range } });
    const put = (location: string, digest: string, body?: Uint8Array): Promise<Answer> =>
      call(registry.address, "PUT", `${location}&digest=${digest}`, body === undefined ? {} : { body });
    /** Announces ten bytes and sends five, which the registry has then. */
    const sendHalf = async (location: string): Promise<Socket> => {
      const socket = connect(Number(registry.address.split(":")[1]), "127.0.0.1");
      socket.on("error", () => undefined);
      socket.write(`PATCH ${location} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234`);
      while ((await ok(call(registry.address, "GET", location), 204)).headers.range !== "0-4") await sleep(10);
      return socket;
    };
    const stored = async (digest = DIGEST): Promise<void> => {
      const { body } = await ok(call(registry.address, "GET", `/v2/a/blobs/${digest}`), 200);
      assert.deepEqual(body, CONTENT);
      await ok(call(registry.address, "DELETE", `/v2/a/blobs/${digest}`), 202);
    };

    it('POST then PUT (spec, "POST then PUT")', async () => {
      const created = await ok(put(await begin(), DIGEST, CONTENT), 201);
      assert.equal(created.headers.location, `/v2/a/blobs/${DIGEST}`);
      assert.equal(created.headers["docker-content-digest"], DIGEST);
      await stored();
    });

    it('a single POST (spec, "Single POST")', async () => {
      await ok(call(registry.address, "POST", `${START}?digest=${DIGEST}`, { body: CONTENT }), 201);
      await stored();
    });

    it("sha512, in one piece and in chunks", async () => {
      const digest = digestOf(CONTENT, "sha512");
      await ok(put(await begin(), digest, CONTENT), 201);
      await stored(digest);
      const next = locationOf(await ok(patch(await begin(), "0-9", CONTENT), 202));
      await ok(put(next, digest), 201);
      await stored(digest);
    });

    it('chunks in order, the last one with the PUT (spec, "Pushing a blob in chunks")', async () => {
      const first = await ok(patch(await begin(), "0-3", CONTENT.subarray(0, 4)), 202);
      assert.equal(first.headers.range, "0-3");
      const second = await ok(patch(locationOf(first), "4-7", CONTENT.subarray(4, 8)), 202);
      const last = `${locationOf(second)}&digest=${DIGEST}`;
      const headers = { "content-range": "8-9" };
      await ok(call(registry.address, "PUT", last, { body: CONTENT.subarray(8), headers }), 201);
      await stored();
    });

    it("a chunk out of order is 416 and changes nothing; the status says where to go on", async () => {
      const location = locationOf(await ok(patch(await begin(), "0-3", CONTENT.subarray(0, 4)), 202));
      for (const range of ["0-3", "6-9", "3-4", "5-9"]) {
        const [from = 0, to = 0] = range.split("-").map(Number);
        const answer = await refused(
          patch(location, range, CONTENT.subarray(from, to + 1)),
          416,
          "BLOB_UPLOAD_INVALID",
        );
        assert.equal(answer.headers.range, "0-3");
      }
      const status = await ok(call(registry.address, "GET", location), 204);
      assert.equal(status.headers.range, "0-3");
      await ok(patch(locationOf(status), "4-9", CONTENT.subarray(4)), 202);
      await ok(put(location, DIGEST), 201);
      await stored();
    });

    it("ranges that are none, or another length than the content, are refused", async () => {
      const location = await begin();
      for (const range of ["bytes 0-9/10", "0", "-9", "0-", "a-b", "0-9/10"]) {
        await refused(patch(location, range, CONTENT), 400, "BLOB_UPLOAD_INVALID");
      }
      await refused(patch(location, "0-8", CONTENT), 400, "SIZE_INVALID");
      await refused(patch(location, "0-10", CONTENT), 400, "SIZE_INVALID");
      const headers = { "content-range": "0-9", "transfer-encoding": "chunked" };
      await refused(call(registry.address, "PATCH", location, { headers, body: CONTENT }), 411, "SIZE_INVALID");
    });

    it("content that does not match its digest is refused and gone, its session too", async () => {
      const wrong = digestOf(Buffer.from("else"));
      const location = await begin();
      await refused(put(location, wrong, CONTENT), 400, "DIGEST_INVALID");
      await refused(call(registry.address, "GET", location), 404, "BLOB_UPLOAD_UNKNOWN");
      await refused(
        call(registry.address, "POST", `${START}?digest=${wrong}`, { body: CONTENT }),
        400,
        "DIGEST_INVALID",
      );
      for (const digest of [wrong, DIGEST]) {
        await ok(call(registry.address, "GET", `/v2/a/blobs/${digest}`), 404);
      }
    });

    it("a PUT without a digest, or with one that is none, is refused and may be repeated", async () => {
      const location = await begin();
      await refused(call(registry.address, "PUT", location, { body: CONTENT }), 400, "DIGEST_INVALID");
      await refused(put(location, "md5:abc", CONTENT), 400, "DIGEST_INVALID");
      await refused(
        call(registry.address, "PUT", `${location}?digest=${DIGEST}`, { body: CONTENT }),
        404,
        "BLOB_UPLOAD_UNKNOWN",
      );
      await ok(put(location, DIGEST, CONTENT), 201);
      await stored();
    });

    it("a session belongs to its repository, and its location is to be used as it was given", async () => {
      const location = await begin();
      await refused(call(registry.address, "GET", location.replace("/a/", "/b/")), 404, "BLOB_UPLOAD_UNKNOWN");
      await refused(call(registry.address, "GET", location.replace(/\?.*/, "")), 404, "BLOB_UPLOAD_UNKNOWN");
      await refused(call(registry.address, "PATCH", `${START}unknown?_state=x`), 404, "BLOB_UPLOAD_UNKNOWN");
    });

    it('DELETE cancels a session (spec, "Cancelling a blob upload")', async () => {
      const location = locationOf(await ok(patch(await begin(), "0-9", CONTENT), 202));
      await ok(call(registry.address, "DELETE", location), 204);
      await refused(put(location, DIGEST), 404, "BLOB_UPLOAD_UNKNOWN");
    });

    it("what arrived before the connection broke stays, and the upload goes on from there", async () => {
      const location = await begin();
      const writer = await sendHalf(location);
      writer.resetAndDestroy();
      let answer: Answer;
      // That the connection broke is noticed in a moment; until then the session has its writer.
      do answer = await patch(location, "5-9", CONTENT.subarray(5));
      while (answer.status === 409);
      assert.equal(answer.status, 202);
      await ok(put(location, DIGEST), 201);
      await stored();
    });

    it("two writers at once: the second is told so", async () => {
      const location = await begin();
      const slow = await sendHalf(location);
      await refused(patch(location, "5-9", CONTENT.subarray(5)), 409, "BLOB_UPLOAD_INVALID");
      await refused(call(registry.address, "DELETE", location), 409, "BLOB_UPLOAD_INVALID");
      slow.destroy();
    });

    it("a blob of several megabytes arrives as it was sent", async () => {
      const large = createHash("sha256").update("seed").digest().toString("hex").repeat(100_000);
      const digest = await pushBlob(registry.address, "large", large);
      const { body } = await ok(call(registry.address, "GET", `/v2/large/blobs/${digest}`), 200);
      assert.equal(digestOf(body), digest);
    });
  });
}

describe('mounts (spec, "Mounting a blob from another repository")', () => {
  let registry: Registry;

  before(async () => {
    registry = await startRegistry();
    await pushBlob(registry.address, "from", CONTENT);
  });
  after(() => registry.close());

  const mount = (query: string, repository: string): Promise<Answer> =>
    call(registry.address, "POST", `/v2/${repository}/blobs/uploads/?${query}`);

  it("from a repository that holds the blob", async () => {
    const created = await ok(mount(`mount=${DIGEST}&from=from`, "to/one"), 201);
    assert.equal(created.headers.location, `/v2/to/one/blobs/${DIGEST}`);
    await ok(call(registry.address, "GET", `/v2/to/one/blobs/${DIGEST}`), 200);
  });

  it("from anywhere, without `from`", async () => {
    await ok(mount(`mount=${DIGEST}`, "to/two"), 201);
  });

  for (const [what, query] of [
    ["a repository that lacks it", `mount=${DIGEST}&from=nobody`],
    ["a repository whose name is none", `mount=${DIGEST}&from=../from`],
    ["a blob that nobody has", `mount=sha256:${"0".repeat(64)}`],
    ["a digest that is none", "mount=sha256:abc&from=from"],
  ] as const) {
    it(`${what}: an ordinary session instead`, async () => {
      const answer = await ok(mount(query, "to/three"), 202);
      assert.match(locationOf(answer), /^\/v2\/to\/three\/blobs\/uploads\//);
      await ok(call(registry.address, "GET", `/v2/to/three/blobs/${DIGEST}`), 404);
    });
  }

  it("a manifest is not mounted as a blob", async () => {
    const digest = registry.control.putManifest("from", Buffer.from("{}"), "application/json");
    await ok(mount(`mount=${digest}`, "to/four"), 202);
  });
});

describe("a registry without the single POST", () => {
  it("opens a session and leaves the content unread", async () => {
    await using registry = await startRegistry({ singlePost: false });
    const answer = await ok(call(registry.address, "POST", `${START}?digest=${DIGEST}`, { body: CONTENT }), 202);
    const status = await ok(call(registry.address, "GET", locationOf(answer)), 204);
    assert.equal(status.headers.range, "0-0");
    const finish = `${locationOf(answer)}&digest=${DIGEST}`;
    await ok(call(registry.address, "PUT", finish, { body: CONTENT }), 201);
  });
});

function locationOf(answer: Answer): string {
  const { location } = answer.headers;
  assert.match(location ?? "", /^\/v2\//);
  return location ?? "";
}
