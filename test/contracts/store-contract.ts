import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { CountersignError } from "../../src/core/errors.ts";
import { type Digest, digestOf } from "../../src/core/oci/digest.ts";
import { MEDIA_TYPES } from "../../src/core/oci/media-types.ts";
import { cosignTag } from "../../src/core/oci/referrers.ts";
import type { ContentStore, ReferrersListing } from "../../src/core/ports.ts";
import type { ReasonCode } from "../../src/core/reasons.ts";
import { rejectedBy } from "../support/codes.ts";
import {
  bytesSource,
  describeAs,
  makeBytes,
  makeImage,
  makeIndex,
  makeLayer,
  makeReferrer,
  pushImage,
  type TestBlob,
} from "../support/images.ts";

/** One empty place for content, and ways to reach it. */
export interface Place {
  /** Another client of the same content, as another process would be. Closed by the place. */
  open(): Promise<ContentStore>;
  /** Changes one bit of stored content behind the client's back. */
  tamper(content: TestBlob): Promise<void>;
}

export interface Subject {
  readonly name: string;
  readonly via: ReferrersListing["via"];
  makePlace(t: TestContext): Promise<Place>;
}

const ABSENT = describeAs(makeBytes(100, 99), MEDIA_TYPES.ociLayer);
const MISMATCH: readonly ReasonCode[] = ["digest-mismatch", "size-mismatch"];

/** What every ContentStore does, and what none does (src/core/ports.ts). */
export function storeContract(subject: Subject): void {
  const check = (title: string, work: (store: ContentStore, place: Place) => Promise<void>) =>
    it(title, async (t) => {
      const place = await subject.makePlace(t);
      await work(await place.open(), place);
    });

  describe(`${subject.name} as a content store`, () => {
    describe("manifests", () => resolving(check));
    describe("blobs", () => reading(check));
    describe("pushing", () => pushing(check));
    describe("referrers", () => referring(check, subject.via));
  });
}

type Check = (title: string, work: (store: ContentStore, place: Place) => Promise<void>) => void;

function resolving(check: Check): void {
  check("resolves a tag and a digest to the same bytes, the digest computed over them", async (store) => {
    const image = await makeImage();
    const { bytes, descriptor } = await pushImage(store, image, "1.0");
    for (const target of ["1.0", descriptor.digest]) {
      const found = await store.resolve(target);
      assert.ok(found !== undefined, target);
      assert.deepEqual(Buffer.from(found.bytes), Buffer.from(bytes));
      assert.equal(found.descriptor.digest, descriptor.digest);
      assert.equal(found.descriptor.mediaType, MEDIA_TYPES.ociManifest);
    }
  });

  check("answers undefined, and does not throw, for a tag and a digest that are not there", async (store) => {
    await pushImage(store, await makeImage(), "1.0");
    assert.equal(await store.resolve("2.0"), undefined);
    assert.equal(await store.resolve(ABSENT.digest), undefined);
  });

  check("moves a tag to the manifest that is pushed last", async (store, place) => {
    const first = await pushImage(store, await makeImage({ name: "first" }), "latest");
    const second = await pushImage(store, await makeImage({ name: "second" }), "latest");
    const other = await place.open();
    assert.equal((await other.resolve("latest"))?.descriptor.digest, second.descriptor.digest);
    assert.equal((await other.resolve(first.descriptor.digest))?.descriptor.digest, first.descriptor.digest);
  });

  check("fetches a manifest by its descriptor", async (store) => {
    const manifest = await pushImage(store, await makeImage(), "1.0");
    assert.deepEqual(Buffer.from((await store.manifest(manifest.descriptor)).bytes), Buffer.from(manifest.bytes));
    assert.equal(await store.hasManifest(manifest.descriptor), true);
  });

  check("throws not-found for a described manifest that is not there", async (store) => {
    const descriptor = { ...ABSENT, mediaType: MEDIA_TYPES.ociManifest };
    await rejectedBy(() => store.manifest(descriptor), "not-found");
    assert.equal(await store.hasManifest(descriptor), false);
  });

  check("refuses a manifest that is not as long as its descriptor says", async (store) => {
    const { descriptor } = await pushImage(store, await makeImage(), "1.0");
    for (const size of [descriptor.size - 1, descriptor.size + 1]) {
      await mismatches(() => store.manifest({ ...descriptor, size }));
    }
  });

  check("never hands out a manifest that was changed where it is stored as the one it was", async (store, place) => {
    const manifest = await pushImage(store, await makeImage(), "1.0");
    await place.tamper(manifest);
    const { digest } = manifest.descriptor;
    const byTag = async () => assert.notEqual((await (await place.open()).resolve("1.0"))?.descriptor.digest, digest);
    const byDigest = async () => assert.equal(await (await place.open()).resolve(digest), undefined);
    await byTag().catch((error: unknown) => assert.ok(isRefusal(error), String(error)));
    await byDigest().catch((error: unknown) => assert.ok(isMismatch(error), String(error)));
    await mismatches(async () => (await place.open()).manifest(manifest.descriptor));
  });

  check("refuses to read a manifest that is said to be larger than the limit", async (store) => {
    const { descriptor } = await pushImage(store, await makeImage(), "1.0");
    const error = await thrown(() => store.manifest({ ...descriptor, size: 1 << 30 }));
    assert.ok(["limit-reached", "size-mismatch"].includes(error.code), error.code);
  });

  check("keeps an index and its children, which are found by digest", async (store, place) => {
    const index = await makeIndex({ attestation: true });
    await pushImage(store, index, "multi");
    const other = await place.open();
    const found = await other.resolve("multi");
    assert.equal(found?.kind, "index");
    for (const child of found.manifests) {
      assert.equal((await other.manifest(child)).descriptor.digest, child.digest);
      assert.equal((await other.resolve(child.digest))?.descriptor.digest, child.digest);
    }
    assert.deepEqual(await other.tags(), ["multi"]);
  });

  check("keeps Docker's media types as they are", async (store) => {
    const list = await pushImage(store, await makeIndex({ family: "docker" }), "docker");
    const found = await store.resolve("docker");
    assert.equal(found?.descriptor.mediaType, MEDIA_TYPES.dockerList);
    assert.equal(found.descriptor.digest, list.descriptor.digest);
  });

  check("lists all tags, cosign's among them", async (store, place) => {
    const { descriptor } = await pushImage(store, await makeImage({ name: "a" }), "1.0");
    await pushImage(store, await makeImage({ name: "a" }), "1");
    await pushImage(store, await makeImage({ name: "b" }), cosignTag(descriptor.digest, "sig"));
    const tags = await (await place.open()).tags();
    assert.deepEqual([...tags].sort(), ["1", "1.0", cosignTag(descriptor.digest, "sig")].sort());
  });
}

function reading(check: Check): void {
  check("streams a blob, from the start and from an offset", async (store) => {
    const content = await pushed(store, makeBytes(300_000));
    assert.deepEqual(await gather(store.openBlob(content.descriptor)), Buffer.from(content.bytes));
    for (const offset of [1, 65_536, 299_999]) {
      const found = await gather(store.openBlob(content.descriptor, offset));
      assert.deepEqual(found, Buffer.from(content.bytes.subarray(offset)), `from ${offset}`);
    }
  });

  check("reads a small blob as a whole, but none that is larger than asked for", async (store) => {
    const content = await pushed(store, makeBytes(1000));
    assert.deepEqual(Buffer.from(await store.readBlob(content.descriptor, 1000)), Buffer.from(content.bytes));
    await rejectedBy(() => store.readBlob(content.descriptor, 999), "limit-reached");
  });

  check("reads the empty blob", async (store) => {
    const content = await pushed(store, new Uint8Array(0));
    assert.equal((await store.readBlob(content.descriptor, 10)).byteLength, 0);
  });

  check("throws not-found for a blob that is not there", async (store) => {
    await rejectedBy(() => gather(store.openBlob(ABSENT)), "not-found");
    await rejectedBy(() => store.readBlob(ABSENT, 1000), "not-found");
    assert.equal(await store.hasBlob(ABSENT), false);
  });

  check("ends in an error where a blob is shorter or longer than its descriptor says", async (store) => {
    const { descriptor } = await pushed(store, makeBytes(5000));
    for (const size of [4999, 5001]) {
      await mismatches(() => gather(store.openBlob({ ...descriptor, size })));
      await mismatches(() => store.readBlob({ ...descriptor, size }, 10_000));
    }
  });

  check("ends in an error where one bit of a stored blob was changed", async (store, place) => {
    const content = { bytes: makeBytes(200_000, 7), descriptor: describeAs(makeBytes(200_000, 7), "text/plain") };
    await pushImage(store, await imageOver(content), "1.0");
    await place.tamper(content);
    const other = await place.open();
    await mismatches(() => gather(other.openBlob(content.descriptor)));
    await mismatches(() => other.readBlob(content.descriptor, 1_000_000));
  });

  check("holds content under sha512 as under sha256", async (store, place) => {
    const image = await makeImage({ algorithm: "sha512" });
    const { descriptor } = await pushImage(store, image);
    const other = await place.open();
    assert.equal((await other.resolve(descriptor.digest))?.descriptor.digest, descriptor.digest);
    for (const { descriptor: wanted, bytes } of image.blobs) {
      assert.deepEqual(Buffer.from(await other.readBlob(wanted, 1_000_000)), Buffer.from(bytes));
    }
  });
}

function pushing(check: Check): void {
  check("stores a blob once, and says so the second time", async (store) => {
    const { bytes, descriptor } = { bytes: makeBytes(2000), descriptor: describeAs(makeBytes(2000), "text/plain") };
    assert.equal(await store.pushBlob(descriptor, bytesSource(bytes)), "stored");
    assert.equal(await store.pushBlob(descriptor, bytesSource(bytes)), "present");
    assert.equal(await store.hasBlob(descriptor), true);
  });

  check("refuses bytes that are not the described ones, and stores nothing", async (store) => {
    const descriptor = describeAs(makeBytes(2000), "text/plain");
    const wrong = [makeBytes(2000, 2), makeBytes(1999), makeBytes(2001), new Uint8Array(0)];
    for (const bytes of wrong) {
      await mismatches(() => store.pushBlob(descriptor, bytesSource(bytes)));
      assert.equal(await store.hasBlob(descriptor), false);
      await rejectedBy(() => store.readBlob(descriptor, 5000), "not-found");
    }
  });

  check("stores nothing where the source fails half-way", async (store) => {
    const descriptor = describeAs(makeBytes(5000), "text/plain");
    const broken = {
      async *open() {
        yield makeBytes(2000);
        throw new CountersignError("unreachable", "the source is gone");
      },
    };
    await rejectedBy(() => store.pushBlob(descriptor, broken), "unreachable");
    assert.equal(await store.hasBlob(descriptor), false);
  });

  check("refuses a manifest whose bytes are not its descriptor's, and leaves the tag alone", async (store) => {
    const image = await makeImage();
    for (const { descriptor, bytes } of image.blobs) await store.pushBlob(descriptor, bytesSource(bytes));
    const forged = { ...image.manifest, descriptor: { ...image.manifest.descriptor, digest: ABSENT.digest } };
    const { code } = await thrown(() => store.pushManifest(forged, "1.0"));
    assert.ok(MISMATCH.includes(code), code);
    assert.equal(await store.resolve(ABSENT.digest), undefined);
    assert.equal(await store.resolve("1.0"), undefined);
  });

  check("stores an image without a tag, to be found by digest alone", async (store, place) => {
    const { descriptor } = await pushImage(store, await makeImage());
    const other = await place.open();
    assert.deepEqual(await other.tags(), []);
    assert.equal((await other.resolve(descriptor.digest))?.descriptor.digest, descriptor.digest);
  });

  check("takes many blobs at once", async (store) => {
    const contents = Array.from({ length: 8 }, (_, seed) => makeBytes(20_000, seed + 1));
    await Promise.all(contents.map((bytes) => pushed(store, bytes)));
    for (const bytes of contents) assert.equal(await store.hasBlob(describeAs(bytes, "text/plain")), true);
  });
}

function referring(check: Check, via: ReferrersListing["via"]): void {
  const listed = async (store: ContentStore, subject: Digest) =>
    (await store.referrers(subject)).descriptors.map((descriptor) => descriptor.digest).sort();

  check("answers an empty list where nothing refers to a digest", async (store) => {
    const { descriptor } = await pushImage(store, await makeImage(), "1.0");
    assert.deepEqual((await store.referrers(descriptor.digest)).descriptors, []);
    assert.deepEqual((await store.referrers(ABSENT.digest)).descriptors, []);
  });

  check("lists a manifest with a subject once it is pushed, with its type and annotations", async (store, place) => {
    const image = await pushImage(store, await makeImage(), "1.0");
    const annotations = { "org.example.note": "true" };
    const referrer = makeReferrer(image, { artifactType: "application/vnd.example.sbom", annotations });
    await pushImage(store, referrer);
    const listing = await (await place.open()).referrers(image.descriptor.digest);
    assert.equal(listing.via, via);
    const [found, ...others] = listing.descriptors;
    assert.deepEqual(others, []);
    assert.equal(found?.digest, referrer.manifest.descriptor.digest);
    assert.equal(found.artifactType, "application/vnd.example.sbom");
    assert.deepEqual(found.annotations, annotations);
    assert.equal((await store.manifest(found)).subject?.digest, image.descriptor.digest);
  });

  check("does not list what refers to another digest", async (store) => {
    const one = await pushImage(store, await makeImage({ name: "one" }), "one");
    const two = await pushImage(store, await makeImage({ name: "two" }), "two");
    await pushImage(store, makeReferrer(one));
    assert.deepEqual(await listed(store, two.descriptor.digest), []);
  });

  check("keeps earlier entries when one is added, and counts one that is pushed twice once", async (store) => {
    const image = await pushImage(store, await makeImage(), "1.0");
    const referrers = ["a", "b", "a"].map((content) => makeReferrer(image, { content }));
    for (const referrer of referrers) await pushImage(store, referrer);
    const wanted = new Set(referrers.map((referrer) => referrer.manifest.descriptor.digest));
    assert.deepEqual(await listed(store, image.descriptor.digest), [...wanted].sort());
  });

  check("loses no entry when several clients add to the same list at once", async (store, place) => {
    const image = await pushImage(store, await makeImage(), "1.0");
    const referrers = ["a", "b", "c", "d"].map((content) => makeReferrer(image, { content }));
    const clients = await Promise.all(referrers.map(() => place.open()));
    await Promise.all(clients.map((client, at) => pushImage(client, referrers[at] ?? assert.fail())));
    const wanted = referrers.map((referrer) => referrer.manifest.descriptor.digest).sort();
    assert.deepEqual(await listed(await place.open(), image.descriptor.digest), wanted);
  });

  check("lists what refers to a platform of an index, and to a referrer", async (store) => {
    const index = await makeIndex();
    await pushImage(store, index, "multi");
    const [child] = index.children;
    assert.ok(child !== undefined);
    const onChild = makeReferrer(child.manifest);
    const onReferrer = makeReferrer(onChild.manifest);
    await pushImage(store, onChild);
    await pushImage(store, onReferrer);
    assert.deepEqual(await listed(store, child.manifest.descriptor.digest), [onChild.manifest.descriptor.digest]);
    assert.deepEqual(await listed(store, onChild.manifest.descriptor.digest), [onReferrer.manifest.descriptor.digest]);
    assert.deepEqual(await listed(store, index.manifest.descriptor.digest), []);
  });

  check("lists what refers to a sha512 digest", async (store) => {
    const image = await pushImage(store, await makeImage({ algorithm: "sha512" }));
    const referrer = await pushImage(store, makeReferrer(image));
    assert.deepEqual(await listed(store, image.descriptor.digest), [referrer.descriptor.digest]);
  });

  check("lists a referrer of something that is not there (yet)", async (store) => {
    const { manifest } = await makeImage({ name: "elsewhere" });
    const referrer = await pushImage(store, makeReferrer(manifest));
    assert.deepEqual(await listed(store, manifest.descriptor.digest), [referrer.descriptor.digest]);
  });
}

async function pushed(store: ContentStore, bytes: Uint8Array): Promise<TestBlob> {
  const descriptor = describeAs(bytes, "application/octet-stream");
  await store.pushBlob(descriptor, bytesSource(bytes, 4096));
  return { bytes, descriptor };
}

/** An image whose layer is this content, so that it stays in stores that keep only what a manifest names. */
async function imageOver(content: TestBlob) {
  const layer = await makeLayer();
  return makeImage({ layers: [{ ...layer, ...content, diffId: digestOf(content.bytes) }] });
}

async function gather(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function thrown(action: () => Promise<unknown>): Promise<CountersignError> {
  try {
    await action();
  } catch (error) {
    if (error instanceof CountersignError) return error;
    throw error;
  }
  return assert.fail("nothing was thrown");
}

async function mismatches(action: () => Promise<unknown>): Promise<void> {
  const { code, message } = await thrown(action);
  assert.ok(MISMATCH.includes(code), `${code}: ${message}`);
}

function isMismatch(error: unknown): boolean {
  return error instanceof CountersignError && MISMATCH.includes(error.code);
}

/** By tag alone a registry may answer with anything that is a manifest; what is none is refused. */
function isRefusal(error: unknown): boolean {
  return error instanceof CountersignError && error.class === "refused";
}
