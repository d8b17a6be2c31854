import assert from "node:assert/strict";
import { test } from "node:test";
import { CountersignError } from "../../../src/core/errors.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { EMPTY_JSON, MEDIA_TYPES } from "../../../src/core/oci/media-types.ts";
import { cosignTag, fallbackTag } from "../../../src/core/oci/referrers.ts";
import { instant } from "../../../src/core/time.ts";
import { keySignatory, type SignOptions, signImage } from "../../../src/ops/sign.ts";
import { type Target, verifyImage, verifyImages } from "../../../src/ops/verify.ts";
import { rejectedBy } from "../../support/codes.ts";
import {
  bytesSource,
  describeAs,
  makeImage,
  makeIndex,
  makeManifest,
  makeReferrer,
  pushImage,
} from "../../support/images.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { requirementOf, type TestSigner, testSigner } from "../../support/signatures.ts";

const alice = testSigner("alice.pub");
const mallory = testSigner("mallory.pub");
const requirement = requirementOf([alice]);

function target(store: MemoryStore, tag = "1.0"): Target {
  return { image: `registry.example/app:${tag}`, store, tag };
}

function signing(signer: TestSigner, more: Partial<SignOptions> = {}): SignOptions {
  return {
    signatory: keySignatory(signer),
    formats: ["bundle"],
    annotations: {},
    createdAt: instant(0),
    now: instant(0),
    ...more,
  };
}

async function signedStore(more: Partial<SignOptions> = {}): Promise<MemoryStore> {
  const store = new MemoryStore();
  await pushImage(store, await makeImage(), "1.0");
  const signed = await signImage(target(store), signing(alice, more));
  assert.equal(signed.finding, undefined);
  store.calls.length = 0;
  return store;
}

test("a tag is resolved once, and an accepted image costs a listing, a manifest and a blob more", async () => {
  const store = await signedStore();
  const { verdicts, accepted, root } = await verifyImage(target(store), { requirement });
  assert.equal(accepted, true);
  assert.equal(verdicts[0]?.digest, root?.descriptor.digest);
  assert.deepEqual(
    store.calls.map((call) => call.split(" ")[0]),
    ["resolve", "referrers", "manifest", "openBlob"],
  );
});

test("legacy signatures are looked for when bundles do not do", async () => {
  const store = await signedStore({ formats: ["cosign-legacy"] });
  assert.equal((await verifyImage(target(store), { requirement })).accepted, true);
});

test("a bundle by a stranger does not hide a legacy signature by the wanted key", async () => {
  const store = await signedStore({ formats: ["cosign-legacy"] });
  await signImage(target(store), signing(mallory));
  assert.equal((await verifyImage(target(store), { requirement })).accepted, true);
});

test("an image that is not there is undetermined: not-found, never unsigned", async () => {
  const { verdicts, accepted } = await verifyImage(target(new MemoryStore()), { requirement });
  assert.equal(accepted, false);
  assert.equal(verdicts[0]?.status, "undetermined");
  assert.equal(verdicts[0]?.reasons[0]?.code, "not-found");
});

test("a listing that fails is undetermined, though nothing else was found", async () => {
  for (const code of ["throttled", "denied", "timeout", "server-error", "credentials-missing"] as const) {
    const store = new MemoryStore();
    await pushImage(store, await makeImage(), "1.0");
    store.misbehaviour = {
      before: (call) => {
        if (call.startsWith("referrers")) throw new CountersignError(code, "on purpose");
      },
    };
    const { verdicts } = await verifyImage(target(store), { requirement });
    assert.equal(verdicts[0]?.status, "undetermined");
    assert.equal(verdicts[0]?.reasons[0]?.code, code);
  }
});

test("a listing that fails does not matter where a legacy signature does", async () => {
  const store = await signedStore({ formats: ["cosign-legacy"] });
  store.misbehaviour = {
    before: (call) => {
      if (call.startsWith("referrers")) throw new CountersignError("throttled", "on purpose");
    },
  };
  assert.equal((await verifyImage(target(store), { requirement })).accepted, true);
});

test("a .sig tag that cannot be read is undetermined", async () => {
  const store = new MemoryStore();
  await pushImage(store, await makeImage(), "1.0");
  store.misbehaviour = {
    before: (call) => {
      if (call.endsWith(".sig")) throw new CountersignError("server-error", "on purpose");
    },
  };
  const { verdicts } = await verifyImage(target(store), { requirement });
  assert.equal(verdicts[0]?.reasons[0]?.code, "server-error");
});

test("an interruption is thrown, not judged", async () => {
  const store = await signedStore();
  store.misbehaviour = {
    before: () => {
      throw new CountersignError("interrupted", "stop");
    },
  };
  await rejectedBy(() => verifyImage(target(store), { requirement }), "interrupted");
});

test("a defect of ours is undetermined and internal, never an acceptance", async () => {
  const store = await signedStore();
  store.misbehaviour = {
    before: (call) => {
      if (call.startsWith("referrers")) throw new TypeError("a defect");
    },
  };
  const { verdicts } = await verifyImage(target(store), { requirement });
  assert.equal(verdicts[0]?.status, "undetermined");
  assert.equal(verdicts[0]?.reasons[0]?.code, "internal");
});

test("a referrer whose manifest names another subject is not believed", async () => {
  const store = new MemoryStore();
  const image = await makeImage();
  await pushImage(store, image, "1.0");
  const other = await makeImage({ name: "other" });
  await pushImage(store, other, "other");
  await signImage(target(store, "other"), signing(alice));
  const [referrer] = (await store.referrers(other.manifest.descriptor.digest)).descriptors;
  assert.ok(referrer);
  store.referrers = async () => ({ descriptors: [referrer], via: "referrers-api" });
  const { verdicts } = await verifyImage(target(store), { requirement });
  assert.equal(verdicts[0]?.reasons[0]?.code, "unsigned");
});

test("a referrer that cannot be fetched keeps an unsigned image undetermined", async () => {
  const store = new MemoryStore();
  const image = await makeImage();
  await pushImage(store, image, "1.0");
  const gone = makeReferrer(image.manifest).manifest.descriptor;
  store.referrers = async () => ({ descriptors: [gone], via: "referrers-api" });
  const { verdicts } = await verifyImage(target(store), { requirement });
  assert.equal(verdicts[0]?.status, "undetermined");
  assert.equal(verdicts[0]?.reasons[0]?.code, "not-found");
});

test("other artifacts beside a signature change nothing", async () => {
  const store = await signedStore();
  const image = await makeImage();
  for (let n = 0; n < 20; n++) await pushImage(store, makeReferrer(image.manifest, { content: `note ${n}` }));
  assert.equal((await verifyImage(target(store), { requirement })).accepted, true);
});

test("more candidates than the limit are undetermined, with the limit as the reason", async () => {
  const store = new MemoryStore();
  const image = await makeImage();
  await pushImage(store, image, "1.0");
  for (let at = 0; at <= LIMITS.candidates; at++) {
    await pushImage(store, makeReferrer(image.manifest, { content: String(at) }));
  }
  const { verdicts } = await verifyImage(target(store), { requirement });
  assert.equal(verdicts[0]?.status, "undetermined");
  assert.equal(verdicts[0]?.reasons[0]?.code, "limit-reached");
});

test("the signature is found among thousands of referrers that say what they are", async () => {
  const store = await signedStore();
  const image = await makeImage();
  const listing = await store.referrers(image.manifest.descriptor.digest);
  await pushImage(store, makeReferrer(image.manifest));
  const note = { ...makeReferrer(image.manifest).manifest.descriptor, artifactType: "application/vnd.example.note.v1" };
  const junk = Array.from({ length: 5000 }, () => note);
  store.referrers = async () => ({ descriptors: [...junk, ...listing.descriptors], via: "referrers-api" });
  store.calls.length = 0;
  assert.equal((await verifyImage(target(store), { requirement })).accepted, true);
  assert.ok(store.calls.length < 20, `${store.calls.length} calls`);
});

test("a bundle larger than the limit is not read", async () => {
  const store = new MemoryStore();
  const image = await makeImage();
  await pushImage(store, image, "1.0");
  const large = { ...describeAs(new Uint8Array(1), MEDIA_TYPES.sigstoreBundle), size: LIMITS.signatureBytes + 1 };
  const { mediaType, digest, size } = image.manifest.descriptor;
  const manifest = makeManifest({
    mediaType: MEDIA_TYPES.ociManifest,
    config: describeAs(EMPTY_JSON, MEDIA_TYPES.ociEmpty),
    layers: [large],
    subject: { mediaType, digest, size },
  });
  await store.pushBlob(describeAs(EMPTY_JSON, MEDIA_TYPES.ociEmpty), bytesSource(EMPTY_JSON));
  store.manifests.set(manifest.descriptor.digest, { bytes: manifest.bytes, mediaType: MEDIA_TYPES.ociManifest });
  store.referrers = async () => ({ descriptors: [manifest.descriptor], via: "referrers-api" });
  const { verdicts } = await verifyImage(target(store), { requirement });
  assert.equal(verdicts[0]?.status, "undetermined");
  assert.equal(verdicts[0]?.reasons[0]?.code, "limit-reached");
});

test("a signature under the fallback tag counts where the registry has gained the referrers API since", async () => {
  const store = await signedStore();
  const image = await makeImage();
  const listing = await store.referrers(image.manifest.descriptor.digest);
  const index = makeManifest({ mediaType: MEDIA_TYPES.ociIndex, manifests: listing.descriptors });
  const tag = fallbackTag(image.manifest.descriptor.digest);
  store.manifests.set(index.descriptor.digest, { bytes: index.bytes, mediaType: MEDIA_TYPES.ociIndex });
  store.names.set(tag, index.descriptor.digest);
  store.referrers = async () => ({ descriptors: [], via: "referrers-api" });
  assert.equal((await verifyImage(target(store), { requirement })).accepted, true);
  store.misbehaviour = {
    before: (call) => {
      if (call === `resolve ${tag}`) throw new CountersignError("throttled", "on purpose");
    },
  };
  const { verdicts } = await verifyImage(target(store), { requirement });
  assert.equal(verdicts[0]?.reasons[0]?.code, "throttled");
});

test("a fallback tag that is the image itself lists nothing", async () => {
  const store = new MemoryStore();
  const index = await makeIndex();
  await pushImage(store, index, "1.0");
  store.names.set(fallbackTag(index.manifest.descriptor.digest), index.manifest.descriptor.digest);
  store.referrers = async () => ({ descriptors: [], via: "referrers-api" });
  const { verdicts } = await verifyImage(target(store), { requirement });
  assert.equal(verdicts[0]?.reasons[0]?.code, "unsigned");
});

test("an index as a .sig tag holds no signature", async () => {
  const store = new MemoryStore();
  const image = await makeImage();
  await pushImage(store, image, "1.0");
  await pushImage(store, await makeIndex(), cosignTag(image.manifest.descriptor.digest, "sig"));
  const { verdicts } = await verifyImage(target(store), { requirement });
  assert.equal(verdicts[0]?.reasons[0]?.code, "unsigned");
});

test("a platform of a signed index is accepted through the index, and its own digest is reported", async () => {
  const store = new MemoryStore();
  const index = await makeIndex();
  await pushImage(store, index, "1.0");
  await signImage(target(store), signing(alice));
  const platform = { os: "linux", architecture: "arm64" };
  const { verdicts, selected, root } = await verifyImage(target(store), { requirement, platform });
  assert.equal(verdicts[0]?.status, "accepted");
  assert.equal(verdicts[0]?.index, index.manifest.descriptor.digest);
  assert.equal(verdicts[0]?.digest, selected?.digest);
  assert.notEqual(selected?.digest, root?.descriptor.digest);
});

test("a platform that is signed itself is accepted though its index is not", async () => {
  const store = new MemoryStore();
  const index = await makeIndex();
  await pushImage(store, index, "1.0");
  const child = index.children[1]?.manifest.descriptor.digest;
  assert.ok(child);
  await signImage({ image: "child", store, digest: child }, signing(alice));
  const platform = { os: "linux", architecture: "arm64" };
  assert.equal((await verifyImage(target(store), { requirement, platform })).accepted, true);
  const other = await verifyImage(target(store), { requirement, platform: { os: "linux", architecture: "amd64" } });
  assert.equal(other.verdicts[0]?.reasons[0]?.code, "unsigned");
});

test("a platform that the index does not list is refused, with what it lists", async () => {
  const store = new MemoryStore();
  await pushImage(store, await makeIndex(), "1.0");
  const { verdicts } = await verifyImage(target(store), {
    requirement,
    platform: { os: "plan9", architecture: "386" },
  });
  assert.equal(verdicts[0]?.status, "refused");
  assert.equal(verdicts[0]?.reasons[0]?.code, "platform-missing");
  assert.match(verdicts[0]?.reasons[0]?.found ?? "", /linux\/amd64/);
});

test("recursive: the index and every manifest in it need their own signature", async () => {
  const store = new MemoryStore();
  await pushImage(store, await makeIndex({ attestation: true }), "1.0");
  await signImage(target(store), signing(alice));
  const shallow = await verifyImage(target(store), { requirement, recursive: true });
  assert.deepEqual(
    shallow.verdicts.map((verdict) => verdict.status),
    ["accepted", "refused", "refused", "refused", "refused"],
  );
  assert.equal(shallow.accepted, false);
  await signImage(target(store), signing(alice, { recursive: true }));
  assert.equal((await verifyImage(target(store), { requirement, recursive: true })).accepted, true);
});

test("many images: each is judged whatever became of the others, in their order", async () => {
  const store = await signedStore();
  await pushImage(store, await makeImage({ name: "plain" }), "plain");
  const targets = [target(store, "gone"), target(store), target(store, "plain"), target(store)];
  const results = await verifyImages(targets, { requirement });
  assert.deepEqual(
    results.map((result) => result.verdicts[0]?.status),
    ["undetermined", "accepted", "refused", "accepted"],
  );
});

test("an image that is mentioned often is judged once", async () => {
  const store = await signedStore();
  await verifyImages(
    Array.from({ length: 10 }, () => target(store)),
    { requirement },
  );
  assert.equal(store.calls.filter((call) => call.startsWith("referrers")).length, 1);
});

test("a bundle that is handed in is looked at instead of what the store holds", async () => {
  const store = await signedStore();
  const { verdicts } = await verifyImage(target(store), { requirement, bundles: [new TextEncoder().encode("{}")] });
  assert.equal(verdicts[0]?.reasons[0]?.code, "malformed-signature");
  assert.deepEqual(
    store.calls.map((call) => call.split(" ")[0]),
    ["resolve"],
  );
});

test("a small signature is read before large junk that calls itself one", async () => {
  const store = new MemoryStore();
  const image = await pushImage(store, await makeImage(), "1.0");
  for (let at = 0; at < 20; at++) {
    const annotations = { at: String(at), filler: "x".repeat(100_000) };
    const artifactType = "application/vnd.dev.sigstore.bundle.v0.3+json";
    const junk = makeReferrer(image, { artifactType, annotations });
    await store.pushManifest(junk.manifest);
  }
  await signImage(target(store), signing(alice));
  store.calls.length = 0;
  assert.equal((await verifyImage(target(store), { requirement })).accepted, true);
  assert.ok(store.calls.filter((call) => call.startsWith("manifest ")).length <= 4, "in the first batch");
});

test("where only a memory says that there is no referrers API, the API is asked before an image is refused", async () => {
  const store = await signedStore();
  const byApi = store.referrers.bind(store);
  store.referrers = async (subject) => ({ descriptors: [], via: "referrers-tag", rest: () => byApi(subject) });
  assert.equal((await verifyImage(target(store), { requirement })).accepted, true);
  const down = () => Promise.reject(new CountersignError("throttled", "slow down"));
  store.referrers = async () => ({ descriptors: [], via: "referrers-tag", rest: down });
  assert.equal((await verifyImage(target(store), { requirement })).verdicts[0]?.status, "undetermined");
});
