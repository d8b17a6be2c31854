import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { describe as describeBytes } from "../../../../src/core/oci/descriptor.ts";
import { type Digest, digestOf } from "../../../../src/core/oci/digest.ts";
import { MEDIA_TYPES } from "../../../../src/core/oci/media-types.ts";
import { type Registry, startRegistry } from "../../../../src/testbed/registry.ts";
import {
  type Answer,
  call,
  MANIFEST_HEADERS,
  manifestOf,
  ok,
  pushBlob,
  pushImage,
  refused,
  STORAGES,
  startStored,
} from "../client.ts";

const UNKNOWN = `sha256:${"0".repeat(64)}` as Digest;

for (const storage of STORAGES) {
  describe(`manifests, in ${storage}`, () => {
    let registry: Registry;
    let end: () => Promise<void>;

    before(async () => {
      ({ registry, end } = await startStored(storage));
    });
    after(() => end());

    const get = (path: string): Promise<Answer> => call(registry.address, "GET", `/v2/${path}`);
    const put = (path: string, body: string, type: string = MEDIA_TYPES.ociManifest): Promise<Answer> =>
      call(registry.address, "PUT", `/v2/${path}`, { body, headers: { "content-type": type } });

    it('come back byte for byte, by tag and by digest, with their type (spec, "Pulling manifests")', async () => {
      const { digest, size } = await pushImage(registry.address, "app", "1");
      for (const reference of ["1", digest]) {
        const found = await ok(get(`app/manifests/${reference}`), 200);
        assert.equal(digestOf(found.body), digest);
        assert.equal(found.headers["content-type"], MEDIA_TYPES.ociManifest);
        assert.equal(found.headers["docker-content-digest"], digest);
        const head = await ok(call(registry.address, "HEAD", `/v2/app/manifests/${reference}`), 200);
        assert.equal(head.headers["content-length"], String(size));
        assert.equal(head.body.byteLength, 0);
      }
    });

    it("a tag moves with the next push, and the old digest stays", async () => {
      const before = await pushImage(registry.address, "move", "1");
      const now = await pushImage(registry.address, "move", "1", { layers: ["other"] });
      assert.equal((await get("move/manifests/1")).headers["docker-content-digest"], now.digest);
      await ok(get(`move/manifests/${before.digest}`), 200);
    });

    it("sha512: pushed and pulled by that digest", async () => {
      const body = manifestOf({});
      await pushImage(registry.address, "long", "1");
      const digest = digestOf(Buffer.from(body), "sha512");
      await ok(put(`long/manifests/${digest}`, body), 201);
      assert.equal((await ok(get(`long/manifests/${digest}`), 200)).body.toString(), body);
    });

    it("tags given with a push by digest are set and named in the answer", async () => {
      await pushImage(registry.address, "tagged", undefined);
      const body = manifestOf({});
      const digest = digestOf(Buffer.from(body));
      const answer = await ok(put(`tagged/manifests/${digest}?tag=a&tag=b`, body), 201);
      assert.equal(answer.headers["oci-tag"], "a, b");
      await ok(get("tagged/manifests/b"), 200);
      await refused(put(`tagged/manifests/${digest}?tag=-a`, body), 400, "TAG_INVALID");
    });

    it("another digest than the content's is refused, and nothing is stored", async () => {
      await pushImage(registry.address, "strict", "1");
      await refused(put(`strict/manifests/${UNKNOWN}`, manifestOf({})), 400, "DIGEST_INVALID");
      await refused(get(`strict/manifests/${UNKNOWN}`), 404, "MANIFEST_UNKNOWN");
    });

    for (const [what, body, type] of [
      ["no JSON", "not json", MEDIA_TYPES.ociManifest],
      ["a list", "[]", MEDIA_TYPES.ociManifest],
      [
        "both manifest and index (CVE-2021-41190)",
        manifestOf({}).replace("}", ',"x":0},"manifests":[').replace(/$/, ""),
        MEDIA_TYPES.ociManifest,
      ],
      ["another type than announced", manifestOf({}), MEDIA_TYPES.ociIndex],
      ["a type that is no manifest's", manifestOf({}), "application/vnd.example"],
      ["Docker's schema 1", '{"schemaVersion":1}', "application/vnd.docker.distribution.manifest.v1+prettyjws"],
      ["duplicate members", '{"schemaVersion":2,"schemaVersion":2}', MEDIA_TYPES.ociManifest],
      ["empty", "", MEDIA_TYPES.ociManifest],
    ] as const) {
      it(`${what}: MANIFEST_INVALID`, async () => {
        await refused(put("invalid/manifests/1", body, type), 400, "MANIFEST_INVALID");
        await refused(get("invalid/manifests/1"), 404, "NAME_UNKNOWN");
      });
    }

    it('what a manifest is made of must be in the same repository first (spec, "Pushing Manifests")', async () => {
      await pushBlob(registry.address, "elsewhere", "layer");
      await pushBlob(registry.address, "parts", "{}");
      await refused(put("parts/manifests/1", manifestOf({})), 400, "MANIFEST_BLOB_UNKNOWN");
      await pushBlob(registry.address, "parts", "layer");
      await ok(put("parts/manifests/1", manifestOf({})), 201);
    });

    it("an index needs its manifests; nested indexes count as such", async () => {
      const image = await pushImage(registry.address, "index", undefined);
      const index = (digest: Digest) =>
        JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [{ ...image, digest }] });
      await refused(put("index/manifests/1", index(UNKNOWN), MEDIA_TYPES.ociIndex), 400, "MANIFEST_BLOB_UNKNOWN");
      await ok(put("index/manifests/1", index(image.digest), MEDIA_TYPES.ociIndex), 201);
    });

    it("layers that are fetched from elsewhere need not be here, the subject neither", async () => {
      const foreign = {
        ...describeBytes(Buffer.from("foreign"), "application/vnd.oci.image.layer.nondistributable.v1.tar"),
        urls: ["https://example.com/layer"],
      };
      const config = describeBytes(Buffer.from("{}"), MEDIA_TYPES.ociConfig);
      const subject = { mediaType: MEDIA_TYPES.ociManifest, digest: UNKNOWN, size: 3 };
      await pushBlob(registry.address, "foreign", "{}");
      const body = JSON.stringify({
        schemaVersion: 2,
        mediaType: MEDIA_TYPES.ociManifest,
        config,
        layers: [foreign],
        subject,
      });
      const answer = await ok(put("foreign/manifests/1", body), 201);
      assert.equal(answer.headers["oci-subject"], UNKNOWN);
      const without = body.replace(/,"urls":\[[^\]]*\]/, "");
      await refused(put("foreign/manifests/2", without), 400, "MANIFEST_BLOB_UNKNOWN");
    });

    it("Docker's types are stored as they are", async () => {
      await pushBlob(registry.address, "docker", "{}");
      await pushBlob(registry.address, "docker", "layer");
      const body = manifestOf({}).replace(MEDIA_TYPES.ociManifest, MEDIA_TYPES.dockerManifest);
      await ok(put("docker/manifests/1", body, MEDIA_TYPES.dockerManifest), 201);
      assert.equal((await get("docker/manifests/1")).headers["content-type"], MEDIA_TYPES.dockerManifest);
    });

    it('4 MiB are taken; a byte more is 413, with a length and without (spec, "Pushing Manifests")', async () => {
      await pushImage(registry.address, "large", "1");
      const small = manifestOf({ annotations: { fill: "" } });
      const fill = (bytes: number) => manifestOf({ annotations: { fill: "x".repeat(bytes - small.length) } });
      await ok(put("large/manifests/2", fill(LIMITS.manifestBytes)), 201);
      const tooLarge = fill(LIMITS.manifestBytes + 1);
      await refused(put("large/manifests/3", tooLarge), 413, "SIZE_INVALID");
      const headers = { ...MANIFEST_HEADERS, "transfer-encoding": "chunked" };
      await refused(
        call(registry.address, "PUT", "/v2/large/manifests/3", { body: tooLarge, headers }),
        413,
        "SIZE_INVALID",
      );
      await refused(get("large/manifests/3"), 404, "MANIFEST_UNKNOWN");
    });

    it('DELETE of a tag leaves the manifest; of a digest, it takes the tags along (spec, "Deleting")', async () => {
      const { digest } = await pushImage(registry.address, "gone", "1");
      await pushImage(registry.address, "gone", "2");
      await ok(call(registry.address, "DELETE", "/v2/gone/manifests/1"), 202);
      await refused(get("gone/manifests/1"), 404, "MANIFEST_UNKNOWN");
      await ok(get(`gone/manifests/${digest}`), 200);
      await ok(call(registry.address, "DELETE", `/v2/gone/manifests/${digest}`), 202);
      await refused(get("gone/manifests/2"), 404, "MANIFEST_UNKNOWN");
      await refused(call(registry.address, "DELETE", `/v2/gone/manifests/${digest}`), 404, "MANIFEST_UNKNOWN");
      await refused(call(registry.address, "DELETE", "/v2/gone/manifests/2"), 404, "MANIFEST_UNKNOWN");
      await refused(call(registry.address, "DELETE", "/v2/none/manifests/2"), 404, "NAME_UNKNOWN");
    });
  });
}

describe("conditional pushes", () => {
  const body = manifestOf({});

  it("are ignored unless switched on, as the registries in use do", async () => {
    await using registry = await startRegistry();
    await pushImage(registry.address, "app", "1");
    const headers = { ...MANIFEST_HEADERS, "if-none-match": "*" };
    await ok(call(registry.address, "PUT", "/v2/app/manifests/1", { body, headers }), 201);
  });

  it("tell a writer that it was overtaken (RFC 9110, 13.1)", async () => {
    await using registry = await startRegistry({ conditionalPut: true });
    const { digest } = await pushImage(registry.address, "app", "1");
    const push = (tag: string, condition: Readonly<Record<string, string>>): Promise<Answer> =>
      call(registry.address, "PUT", `/v2/app/manifests/${tag}`, {
        body,
        headers: { ...MANIFEST_HEADERS, ...condition },
      });
    await refused(push("1", { "if-none-match": "*" }), 412, "DENIED");
    await refused(push("1", { "if-match": `"${UNKNOWN}"` }), 412, "DENIED");
    await refused(push("new", { "if-match": "*" }), 412, "DENIED");
    await ok(push("1", { "if-match": `"${digest}"` }), 201);
    await ok(push("new", { "if-none-match": "*" }), 201);
  });
});

describe("a registry without the referrers API", () => {
  it("announces no subject, and its 404 is the one of CNCF distribution 2.8", async () => {
    await using registry = await startRegistry({ referrersApi: false });
    const subject = await pushImage(registry.address, "app", "1");
    const body = manifestOf({ subject });
    const answer = await ok(
      call(registry.address, "PUT", "/v2/app/manifests/2", { body, headers: MANIFEST_HEADERS }),
      201,
    );
    assert.equal(answer.headers["oci-subject"], undefined);
    const listing = await ok(call(registry.address, "GET", `/v2/app/referrers/${subject.digest}`), 404);
    assert.equal(listing.body.toString(), "404 page not found\n");
    assert.equal(listing.code, undefined);
  });
});
