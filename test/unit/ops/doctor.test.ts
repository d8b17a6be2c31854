import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Diagnosis } from "../../../src/core/compat/diagnosis.ts";
import type { PeerName } from "../../../src/core/compat/peer.ts";
import { PEERS } from "../../../src/core/compat/peers.ts";
import { CountersignError } from "../../../src/core/errors.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import type { Digest } from "../../../src/core/oci/digest.ts";
import type { Manifest } from "../../../src/core/oci/manifest.ts";
import { EMPTY_JSON, MEDIA_TYPES } from "../../../src/core/oci/media-types.ts";
import { cosignTag, fallbackTag } from "../../../src/core/oci/referrers.ts";
import type { Acceptance, ReferrersListing } from "../../../src/core/ports.ts";
import { instant } from "../../../src/core/time.ts";
import { type DoctorOptions, diagnose } from "../../../src/ops/doctor.ts";
import { keySignatory, signImage } from "../../../src/ops/sign.ts";
import { rejectedBy } from "../../support/codes.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { addImage, addIndex, gzipLayer } from "../../support/sample-image.ts";
import { testSigner } from "../../support/signatures.ts";

const alice = testSigner("alice.pub");
const eve = testSigner("eve.pub");
const NOW = instant(0);
const BOTH = ["bundle", "cosign-legacy"] as const;
const NOTARY = "application/vnd.cncf.notary.signature";

const asking = (...signers: readonly (typeof alice)[]): Acceptance => ({
  keys: signers.map(({ publicKey }) => publicKey),
  identities: [],
});

async function sign(
  store: MemoryStore,
  signer = alice,
  formats: readonly (typeof BOTH)[number][] = BOTH,
  recursive = false,
) {
  const target = { image: "registry.example/app:1", store, tag: "1" };
  const signatory = keySignatory(signer);
  const signed = await signImage(target, { signatory, formats, annotations: {}, createdAt: NOW, now: NOW, recursive });
  assert.equal(signed.finding, undefined);
}

const look = (store: MemoryStore, more: Partial<DoctorOptions> = {}): Promise<Diagnosis> =>
  diagnose({ image: "registry.example/app:1", store, tag: "1" }, { told: { ignoresLog: true }, now: NOW, ...more });

function verdictOf({ predictions }: Diagnosis, name: PeerName, versions = ""): string | undefined {
  return predictions.find((each) => each.peer === name && each.versions.startsWith(versions))?.verdict;
}

function withImage(store = new MemoryStore()): { readonly store: MemoryStore; readonly image: Manifest } {
  return { store, image: addImage(store, [gzipLayer()], { tag: "1" }) };
}

/** A signature of the Notary Project in one of its two shapes. */
function addNotary(store: MemoryStore, subject: Manifest, shape: "legacy" | "new", envelope: string): Manifest {
  const config = store.addBlob(EMPTY_JSON, shape === "legacy" ? NOTARY : MEDIA_TYPES.ociEmpty);
  const layers = [store.addBlob(new TextEncoder().encode(envelope), envelope)];
  const type = shape === "legacy" ? {} : { artifactType: NOTARY };
  const manifest = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, ...type, config, layers };
  return store.addManifest({ ...manifest, subject: subject.descriptor }, MEDIA_TYPES.ociManifest);
}

describe("looking at an image as others would", () => {
  it("finds every form, and who made it", async () => {
    const { store } = withImage();
    await sign(store);
    await sign(store, eve, ["bundle"]);
    const { stored, broken, obstacles } = await look(store, { acceptance: asking(alice) });
    const made = stored.root.signatures.map(({ form, wanted }) => `${form} ${wanted?.made}`);
    assert.deepEqual(made.toSorted(), ["bundle false", "bundle true", "cosign-legacy true"]);
    assert.deepEqual([broken, obstacles], [[], []]);
  });

  it("predicts for whoever is asked for, and refuses for another", async () => {
    const { store } = withImage();
    await sign(store);
    for (const name of ["cosign3", "podman", "kyverno"] as const) {
      assert.equal(verdictOf(await look(store, { acceptance: asking(alice) }), name), "accepts");
      assert.equal(verdictOf(await look(store, { acceptance: asking(eve) }), name), "refuses");
      assert.equal(verdictOf(await look(store), name), "accepts");
    }
  });

  it("finds signatures of the Notary Project in both shapes, and no other artifact", async () => {
    for (const shape of ["legacy", "new"] as const) {
      const { store, image } = withImage();
      assert.equal(verdictOf(await look(store), "notation"), "refuses");
      addImage(store, [gzipLayer()], { subject: image });
      assert.equal(verdictOf(await look(store), "notation"), "refuses");
      addNotary(store, image, shape, "application/cose");
      const diagnosis = await look(store);
      assert.equal(verdictOf(diagnosis, "notation"), "depends");
      assert.match(diagnosis.predictions.at(-1)?.because ?? "", /application\/cose/);
    }
  });

  it("does not take a Notary signature of another image for one of this", async () => {
    const { store, image } = withImage();
    const other = addImage(store, [gzipLayer()]);
    const { descriptor } = addNotary(store, other, "new", "application/jose+json");
    const listing = { descriptors: [{ ...descriptor, artifactType: NOTARY }], via: "referrers-api" } as const;
    store.referrers = async (subject: Digest): Promise<ReferrersListing> =>
      subject === image.descriptor.digest ? listing : { descriptors: [], via: "referrers-api" };
    assert.equal(verdictOf(await look(store), "notation"), "refuses");
  });

  it("tells what the fallback tag lists beside the API, which others do not see", async () => {
    const { store, image } = withImage();
    await sign(store, alice, ["bundle"]);
    const [bundle] = (await store.referrers(image.descriptor.digest)).descriptors;
    assert.ok(bundle);
    const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [bundle] };
    store.addManifest(index, MEDIA_TYPES.ociIndex, fallbackTag(image.descriptor.digest));
    assert.equal(verdictOf(await look(store), "cosign3"), "accepts");
    store.referrers = async () => ({ descriptors: [], via: "referrers-api" });
    const { stored } = await look(store);
    assert.deepEqual(
      stored.root.signatures.map(({ listing }) => listing),
      ["tag-beside-api"],
    );
    assert.equal(verdictOf(await look(store), "cosign3"), "refuses");
    store.referrers = async () => ({ descriptors: [bundle], via: "referrers-tag" });
    assert.equal(verdictOf(await look(store), "cosign3"), "accepts");
  });

  it("settles how a registry lists where a memory decided how it was asked", async () => {
    const { store, image } = withImage();
    await sign(store, alice, ["bundle"]);
    const real = await store.referrers(image.descriptor.digest);
    let isSettled = false;
    const rest = async (): Promise<ReferrersListing> => {
      isSettled = true;
      return real;
    };
    store.referrers = async () => (isSettled ? real : { descriptors: [], via: "referrers-tag", rest });
    assert.equal(verdictOf(await look(store), "cosign3"), "accepts");
  });

  it("calls nothing unsigned that it could not look at", async () => {
    const { store, image } = withImage();
    await sign(store);
    store.misbehaviour = {
      before: (call) => {
        if (call.startsWith("referrers")) throw new CountersignError("throttled", "the registry is busy");
      },
    };
    const diagnosis = await look(store);
    assert.equal(verdictOf(diagnosis, "cosign3"), "unknown");
    assert.equal(verdictOf(diagnosis, "notation"), "unknown");
    assert.equal(verdictOf(diagnosis, "podman"), "accepts");
    assert.deepEqual(
      diagnosis.obstacles.map(({ code }) => code),
      ["throttled"],
    );
    const tag = cosignTag(image.descriptor.digest, "sig");
    store.misbehaviour = {
      before: (call) => {
        if (call === `resolve ${tag}`) throw new CountersignError("denied", "no");
      },
    };
    assert.equal(verdictOf(await look(store), "podman"), "unknown");
    assert.equal(verdictOf(await look(store), "cosign3"), "accepts");
  });

  it("skips what is stored as a signature and is none, as verifiers do, and tells of it", async () => {
    const { store, image } = withImage();
    await sign(store, alice, ["cosign-legacy"]);
    const layers = [store.addBlob(new TextEncoder().encode("no bundle"), MEDIA_TYPES.sigstoreBundle)];
    const config = store.addBlob(EMPTY_JSON, MEDIA_TYPES.ociEmpty);
    const artifactType = MEDIA_TYPES.sigstoreBundle;
    const manifest = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, artifactType, config, layers };
    store.addManifest({ ...manifest, subject: image.descriptor }, MEDIA_TYPES.ociManifest);
    const diagnosis = await look(store);
    assert.deepEqual(
      diagnosis.broken.map(({ code }) => code),
      ["malformed-signature"],
    );
    assert.equal(verdictOf(diagnosis, "cosign3"), "accepts");
  });

  it("looks at every platform of an index for who judges platforms, and at none for the others", async () => {
    const store = new MemoryStore();
    const platforms = ["amd64", "arm64"].map((architecture) =>
      addImage(store, [gzipLayer()], {
        config: { os: "linux", architecture, rootfs: { type: "layers", diff_ids: [] } },
      }),
    );
    addIndex(store, platforms, "1");
    await sign(store, alice);
    const before = await look(store);
    assert.equal(before.stored.platforms.length, platforms.length);
    assert.equal(verdictOf(before, "podman"), "refuses");
    assert.equal(verdictOf(before, "cosign3"), "accepts");
    await sign(store, alice, BOTH, true);
    assert.equal(verdictOf(await look(store), "podman"), "accepts");
    const named = await look(store, { peers: PEERS.filter(({ judges }) => judges === "named") });
    assert.deepEqual(named.stored.platforms, []);
  });

  it("says that it depends where a layout will be pulled from", async () => {
    const { store } = withImage(new MemoryStore("oci-layout"));
    const target = { image: "oci:out", store, tag: "1" };
    const signed = await signImage(target, {
      ...{ signatory: keySignatory(alice), formats: ["cosign-legacy"], annotations: {}, createdAt: NOW, now: NOW },
      signAs: "registry.example/app",
    });
    assert.equal(signed.finding, undefined);
    assert.equal(verdictOf(await look(store), "podman"), "depends");
    assert.equal(verdictOf(await look(store), "policy-controller"), "accepts");
  });

  it("ends where there is no such image, and where it is interrupted", async () => {
    await rejectedBy(() => look(new MemoryStore()), "not-found");
    const { store } = withImage();
    store.misbehaviour = {
      before: (call) => {
        if (call.startsWith("referrers")) throw new CountersignError("interrupted", "stopped");
      },
    };
    await rejectedBy(() => look(store), "interrupted");
  });

  it("is not endless: more than is read is unknown, not absent", async () => {
    const { store, image } = withImage();
    await sign(store, alice, ["bundle"]);
    const [bundle] = (await store.referrers(image.descriptor.digest)).descriptors;
    assert.ok(bundle);
    const junk = Array.from({ length: LIMITS.candidates + 1 }, (_, at) => ({
      ...bundle,
      digest: `sha256:${at.toString(16).padStart(64, "0")}` as Digest,
      size: bundle.size - 1,
    }));
    store.referrers = async () => ({ descriptors: [...junk, bundle], via: "referrers-api" });
    const diagnosis = await look(store);
    assert.equal(verdictOf(diagnosis, "cosign3"), "unknown");
    assert.ok(diagnosis.obstacles.length > 0);
  });
});
