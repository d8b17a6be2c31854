import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import type { Descriptor } from "../../../../src/core/oci/descriptor.ts";
import type { Digest } from "../../../../src/core/oci/digest.ts";
import { MEDIA_TYPES } from "../../../../src/core/oci/media-types.ts";
import { type Registry, startRegistry } from "../../../../src/testbed/registry.ts";
import { type Answer, call, manifestOf, ok, pushBlob, pushImage, refused } from "../client.ts";

const UNKNOWN = `sha256:${"0".repeat(64)}` as Digest;

/** Follows `Link` from page to page; what each held. */
async function pages<Item>(
  registry: Registry,
  path: string,
  read: (document: Readonly<Record<string, Item[]>>) => Item[] | undefined,
): Promise<Item[][]> {
  const found: Item[][] = [];
  for (let next: string | undefined = path; next !== undefined; ) {
    const answer: Answer = await ok(call(registry.address, "GET", next), 200);
    found.push(read(JSON.parse(answer.body.toString())) ?? []);
    next = /^<([^>]*)>; rel="next"$/.exec(String(answer.headers["link"] ?? ""))?.[1];
  }
  return found;
}

describe("tags and the catalog", () => {
  let registry: Registry;

  before(async () => {
    registry = await startRegistry();
    for (const tag of ["b", "a", "B", "c", "10", "9"]) await pushImage(registry.address, "app", tag);
    await pushImage(registry.address, "other", "1");
    await pushBlob(registry.address, "blobs-only", "x");
  });
  after(() => registry.close());

  const tags = (query: string) => pages<string>(registry, `/v2/app/tags/list${query}`, ({ tags: found }) => found);

  it('tags come in the order of their code units (spec, "Listing Tags")', async () => {
    assert.deepEqual(await tags(""), [["10", "9", "B", "a", "b", "c"]]);
  });

  it("n and last cut pages, and Link leads through all of them", async () => {
    assert.deepEqual(await tags("?n=4"), [
      ["10", "9", "B", "a"],
      ["b", "c"],
    ]);
    assert.deepEqual(await tags("?n=3"), [
      ["10", "9", "B"],
      ["a", "b", "c"],
    ]);
    assert.deepEqual(await tags("?last=a"), [["b", "c"]]);
    assert.deepEqual(await tags("?n=1&last=b"), [["c"]]);
    assert.deepEqual(await tags("?last=zzz"), [[]]);
  });

  it("n=0 is an empty list without a link", async () => assert.deepEqual(await tags("?n=0"), [[]]));

  for (const n of ["-1", "x", "1.5", "", "99999999999"]) {
    it(`n=${n} is refused`, async () => {
      await refused(call(registry.address, "GET", `/v2/app/tags/list?n=${n}`), 400, "PAGINATION_NUMBER_INVALID");
    });
  }

  it("a repository without tags has an empty list, an unknown one is 404", async () => {
    const answer = await ok(call(registry.address, "GET", "/v2/blobs-only/tags/list"), 200);
    assert.deepEqual(JSON.parse(answer.body.toString()), { name: "blobs-only", tags: [] });
    await refused(call(registry.address, "GET", "/v2/unknown/tags/list"), 404, "NAME_UNKNOWN");
  });

  it("the catalog lists what holds a manifest, page by page", async () => {
    const read = (document: Readonly<Record<string, string[]>>) => document["repositories"];
    assert.deepEqual(await pages(registry, "/v2/_catalog", read), [["app", "other"]]);
    assert.deepEqual(await pages(registry, "/v2/_catalog?n=1", read), [["app"], ["other"]]);
    await refused(call(registry.address, "GET", "/v2/_catalog?n=x"), 400, "PAGINATION_NUMBER_INVALID");
  });
});

describe('referrers (spec, "Listing Referrers")', () => {
  let registry: Registry;
  let subject: Descriptor;
  const pushed: Descriptor[] = [];

  before(async () => {
    registry = await startRegistry({ referrersPageSize: 2 });
    subject = await pushImage(registry.address, "app", "1");
    for (const [artifactType, n] of [
      ["a/x", 1],
      ["a/y+json", 2],
      ["a/x", 3],
      [undefined, 4],
      ["a/x", 5],
    ] as const) {
      const annotations = { n: String(n) };
      const options = { subject, annotations, ...(artifactType === undefined ? {} : { artifactType }) };
      pushed.push(await pushImage(registry.address, "app", undefined, options));
    }
  });
  after(() => registry.close());

  const list = (query = "", repository = "app", digest = subject.digest) =>
    pages<Descriptor>(registry, `/v2/${repository}/referrers/${digest}${query}`, ({ manifests }) => manifests);
  const numbers = (found: readonly Descriptor[][]) =>
    found.map((page) => page.map(({ annotations }) => annotations?.["n"]));

  it("are described as the manifests say, in the order of their arrival, page by page", async () => {
    const found = await list();
    assert.deepEqual(numbers(found), [["1", "2"], ["3", "4"], ["5"]]);
    assert.deepEqual(
      found.flat().map(({ digest }) => digest),
      pushed.map(({ digest }) => digest),
    );
    assert.deepEqual(
      found.flat().map(({ artifactType }) => artifactType),
      ["a/x", "a/y+json", "a/x", MEDIA_TYPES.ociConfig, "a/x"],
    );
    assert.deepEqual(
      found.flat().map(({ size }) => size),
      pushed.map(({ size }) => size),
    );
  });

  it("are filtered by type, the filter is said, and it holds on every page", async () => {
    assert.deepEqual(numbers(await list("?artifactType=a/x")), [["1", "3"], ["5"]]);
    assert.deepEqual(numbers(await list("?artifactType=a%2Fy%2Bjson")), [["2"]]);
    assert.deepEqual(await list("?artifactType=none"), [[]]);
    const path = `/v2/app/referrers/${subject.digest}`;
    const filtered = await call(registry.address, "GET", `${path}?artifactType=none`);
    assert.equal(filtered.headers["oci-filters-applied"], "artifactType");
    assert.equal((await call(registry.address, "GET", path)).headers["oci-filters-applied"], undefined);
  });

  it("are an index with the type of one, also where nothing refers to the digest or nobody knows it", async () => {
    for (const [repository, digest] of [
      ["app", UNKNOWN],
      ["unknown", subject.digest],
    ] as const) {
      const answer = await ok(call(registry.address, "GET", `/v2/${repository}/referrers/${digest}`), 200);
      assert.equal(answer.headers["content-type"], MEDIA_TYPES.ociIndex);
      const empty = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [] };
      assert.deepEqual(JSON.parse(answer.body.toString()), empty);
    }
  });

  it("a digest that is none is 400", async () => {
    for (const bad of ["latest", "sha256:abc", "sha256-abc"]) {
      await refused(call(registry.address, "GET", `/v2/app/referrers/${bad}`), 400, "DIGEST_INVALID");
    }
  });

  it("are gone with their manifests, and stay when their subject goes", async () => {
    await using own = await startRegistry();
    const image = await pushImage(own.address, "app", "1");
    const first = await pushImage(own.address, "app", undefined, { subject: image, artifactType: "a/x" });
    const second = await pushImage(own.address, "app", undefined, { subject: image, artifactType: "a/y" });
    await ok(call(own.address, "DELETE", `/v2/app/manifests/${first.digest}`), 202);
    await ok(call(own.address, "DELETE", `/v2/app/manifests/${image.digest}`), 202);
    const answer = await call(own.address, "GET", `/v2/app/referrers/${image.digest}`);
    const { manifests } = JSON.parse(answer.body.toString());
    assert.deepEqual(
      manifests.map(({ digest }: Descriptor) => digest),
      [second.digest],
    );
  });

  it("a page stays below the size of the largest manifest, whatever the annotations", async () => {
    await using own = await startRegistry();
    const fill = "x".repeat(1_500_000);
    for (const n of [1, 2, 3, 4]) {
      const body = manifestOf({ subject, annotations: { n: String(n), fill } });
      own.control.putManifest("app", Buffer.from(body), MEDIA_TYPES.ociManifest);
    }
    const found = await pages<Descriptor>(own, `/v2/app/referrers/${subject.digest}`, ({ manifests }) => manifests);
    assert.deepEqual(numbers(found), [
      ["1", "2"],
      ["3", "4"],
    ]);
    assert.ok(JSON.stringify(found[0]).length < LIMITS.manifestBytes);
  });

  it("5,000 of them are listed quickly", async () => {
    await using own = await startRegistry();
    for (let n = 0; n < 5000; n++) {
      const body = manifestOf({ subject, annotations: { n: String(n) } });
      own.control.putManifest("app", Buffer.from(body), MEDIA_TYPES.ociManifest);
    }
    const found = await pages<Descriptor>(own, `/v2/app/referrers/${subject.digest}`, ({ manifests }) => manifests);
    assert.equal(found.flat().length, 5000);
  });
});
