import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../src/core/bytes.ts";
import { CountersignError } from "../../../src/core/errors.ts";
import { makePolicyArtifact, type PolicyArtifact } from "../../../src/core/formats/policy-artifact.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { type Digest, digestOf } from "../../../src/core/oci/digest.ts";
import type { Binding } from "../../../src/core/tags/binding.ts";
import { type Instant, instant } from "../../../src/core/time.ts";
import type { Requirement } from "../../../src/core/verify/requirement.ts";
import { fetchPolicy, type PolicyPin, publishPolicy } from "../../../src/ops/policy-artifact.ts";
import { sourceOf } from "../../../src/ops/prepare-signature.ts";
import { keySignatory, signImage } from "../../../src/ops/sign.ts";
import type { Target } from "../../../src/ops/verify.ts";
import { rejectedBy } from "../../support/codes.ts";
import { FakeTags } from "../../support/fake-tags.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { addImage, addIndex, gzipLayer } from "../../support/sample-image.ts";
import { requirementOf, type TestSigner, testSigner } from "../../support/signatures.ts";

const POLICY = encodeUtf8("apiVersion: countersign/v1\nrules: []\n");
const NOW = instant(Date.UTC(2026, 7, 30, 12));
const DAY = 86_400_000;
const alice = testSigner("alice.pub");
const eve = testSigner("eve.pub");

const REPOSITORY = "registry.example/policies/prod";

function storeOf(): MemoryStore {
  return new MemoryStore("registry", REPOSITORY);
}

function byTag(store: MemoryStore, tag = "1"): Target {
  return { image: `oci://registry.example/policies/prod:${tag}`, store, tag };
}

function wanting(...signers: readonly TestSigner[]): Requirement {
  return requirementOf(signers, { now: NOW });
}

async function sign(target: Target, signer: TestSigner): Promise<Requirement> {
  const common = { annotations: {}, createdAt: NOW, now: NOW };
  const { finding } = await signImage(target, { signatory: keySignatory(signer), formats: ["bundle"], ...common });
  assert.equal(finding, undefined);
  return wanting(signer);
}

/** Stores an artifact as anybody could, signed by these and named. */
async function put(store: MemoryStore, { manifest, blobs }: PolicyArtifact, ...signers: readonly TestSigner[]) {
  for (const { descriptor, bytes } of blobs) await store.pushBlob(descriptor, sourceOf(bytes));
  await store.pushManifest(manifest, "1");
  for (const signer of signers) await sign({ ...byTag(store), digest: manifest.descriptor.digest }, signer);
  return manifest.descriptor.digest;
}

function artifact(policy = POLICY, repository = REPOSITORY, createdAt = NOW): PolicyArtifact {
  return makePolicyArtifact(policy, repository, createdAt);
}

function fetchBy(store: MemoryStore, pin: Partial<PolicyPin>, more: Partial<Target> = {}) {
  return fetchPolicy({ ...byTag(store), ...more }, { now: NOW, ...pin });
}

describe("a policy whose repository has a pinned root", () => {
  /** The tag is signed for the first policy, and names the second in the registry, which the same person has signed. */
  async function scene() {
    const store = storeOf();
    const older = await put(store, artifact(), alice);
    const stricter = encodeUtf8("apiVersion: countersign/v1\nrules: []\n# stricter\n");
    const newer = await put(store, artifact(stricter), alice);
    const tags = new FakeTags();
    const bind = async (digest: Digest, more: Partial<Binding> = {}) => {
      const length = (await store.resolve(digest))?.bytes.byteLength ?? 0;
      tags.bind(REPOSITORY, { tag: "1", digest, length, ...more });
    };
    return { store, older, newer, tags, bind };
  }

  it("is the one that the tag is signed for, whatever the registry's tag names", async () => {
    const { store, older, newer, tags, bind } = await scene();
    for (const digest of [older, newer]) {
      await bind(digest);
      const fetched = await fetchBy(store, { signers: wanting(alice), tags: tags.judging() });
      assert.equal(fetched.digest, digest);
    }
  });

  it("needs nobody else's word, and where somebody is named both have to hold", async () => {
    const { store, older, tags, bind } = await scene();
    await bind(older);
    assert.equal((await fetchBy(store, { tags: tags.judging() })).digest, older);
    await rejectedBy(() => fetchBy(store, { signers: wanting(eve), tags: tags.judging() }), "policy-untrusted");
  });

  it("is not believed where its tag is signed for nothing, or for what is not there or is another length", async () => {
    const { store, older, tags, bind } = await scene();
    const pin = { signers: wanting(alice), tags: tags.judging() };
    tags.pin(REPOSITORY);
    const { found } = await rejectedBy(() => fetchBy(store, pin), "policy-untrusted");
    assert.match(found ?? "", /no publisher binds it/);
    await bind(older, { length: 7 });
    await rejectedBy(() => fetchBy(store, pin), "policy-untrusted");
    await bind(digestOf(encodeUtf8("gone")));
    await rejectedBy(() => fetchBy(store, pin), "not-found");
  });

  it("has to be signed by whom its tag asks for, too", async () => {
    const { store, older, tags, bind } = await scene();
    await bind(older, { requires: [{ identity: "eve", issuer: "https://issuer.example" }] });
    for (const [person, isBelieved] of [
      [eve, false],
      [alice, true],
    ] as const) {
      const asked = tags.judging({ signedBy: async () => wanting(person) });
      for (const signers of [undefined, wanting(alice)]) {
        const fetching = () => fetchBy(store, { signers, tags: asked });
        if (isBelieved) assert.equal((await fetching()).digest, older);
        else await rejectedBy(fetching, "policy-untrusted");
      }
    }
  });

  it("is not called untrusted where its signed tag could not be looked at", async () => {
    const { store, tags } = await scene();
    tags.misbehaviour = () => {
      throw new CountersignError("throttled", "on purpose");
    };
    await rejectedBy(() => fetchBy(store, { signers: wanting(alice), tags: tags.judging() }), "throttled");
  });

  it("means itself by its digest, and no signed tag is asked", async () => {
    const { store, newer, tags, bind, older } = await scene();
    await bind(older);
    const fetched = await fetchBy(store, { tags: tags.judging() }, { tag: undefined, digest: newer });
    assert.equal(fetched.digest, newer);
    assert.deepEqual(tags.asked, []);
  });

  it("that is elsewhere is no matter of this root", async () => {
    const { store, newer, tags } = await scene();
    tags.pin("registry.example/other");
    assert.equal((await fetchBy(store, { signers: wanting(alice), tags: tags.judging() })).digest, newer);
    await rejectedBy(() => fetchBy(store, { tags: tags.judging() }), "policy-untrusted");
  });
});

describe("a policy that is fetched", () => {
  it("is believed under a tag where who is pinned has signed it", async () => {
    const store = storeOf();
    const digest = await put(store, artifact(), eve, alice);
    const fetched = await fetchBy(store, { signers: wanting(alice) });
    assert.deepEqual(Buffer.from(fetched.bytes), Buffer.from(POLICY));
    assert.equal(fetched.digest, digest);
    assert.equal(fetched.createdAt, NOW);
    assert.deepEqual(
      fetched.signedBy.map((one) => one.kind === "key" && one.label),
      ["alice.pub"],
    );
  });

  it("is believed by its digest alone, unsigned and published elsewhere", async () => {
    const store = storeOf();
    const digest = await put(store, artifact(POLICY, "elsewhere.example/policies"));
    const fetched = await fetchBy(store, {}, { tag: undefined, digest });
    assert.deepEqual(fetched.signedBy, []);
    assert.equal(fetched.digest, digest);
  });

  it("has to be signed by who is pinned where its digest is pinned too", async () => {
    const store = storeOf();
    const digest = await put(store, artifact(), eve);
    const signers = wanting(alice);
    await rejectedBy(() => fetchBy(store, { signers }, { tag: undefined, digest }), "policy-untrusted");
  });

  it("is not even looked for under a tag where nobody is pinned", async () => {
    const store = storeOf();
    await put(store, artifact(), alice);
    store.calls.length = 0;
    await rejectedBy(() => fetchBy(store, {}), "policy-untrusted");
    assert.deepEqual(store.calls, []);
  });

  it("is not believed unsigned, nor signed by somebody else", async () => {
    for (const signers of [[], [eve]]) {
      const store = storeOf();
      await put(store, artifact(), ...signers);
      await rejectedBy(() => fetchBy(store, { signers: wanting(alice) }), "policy-untrusted");
    }
  });

  it("is not believed under a tag where it was published to another repository: its signer has made it for something else", async () => {
    const store = storeOf();
    await put(store, artifact(POLICY, "registry.example/policies/dev"), alice);
    const error = await rejectedBy(() => fetchBy(store, { signers: wanting(alice) }), "policy-untrusted");
    assert.equal(error.found, "registry.example/policies/dev");
  });

  it("is not believed under a tag that has a signed image, index or nothing of the kind behind it", async () => {
    const signers = wanting(alice);
    const image = storeOf();
    addImage(image, [gzipLayer()], { tag: "1" });
    const index = storeOf();
    addIndex(index, [addImage(index, [gzipLayer()])], "1");
    for (const store of [image, index]) {
      await sign(byTag(store), alice);
      await rejectedBy(() => fetchBy(store, { signers }), "policy-invalid");
    }
    await rejectedBy(() => fetchBy(storeOf(), { signers }), "not-found");
  });

  it("is not believed where its bytes were changed", async () => {
    const store = storeOf();
    await put(store, artifact(), alice);
    store.blobs.set(digestOf(POLICY), Buffer.from("apiVersion: countersign/v1\nrules: {}\n"));
    await rejectedBy(() => fetchBy(store, { signers: wanting(alice) }), "policy-untrusted");
  });

  it("is as old as its signer says, whatever the registry says", async () => {
    const age = async (createdAt: Instant, maxAge: number) => {
      const store = storeOf();
      await put(store, artifact(POLICY, REPOSITORY, createdAt), alice);
      return await fetchBy(store, { signers: wanting(alice), maxAge });
    };
    const dayOld = instant(NOW - DAY);
    assert.ok(await age(dayOld, DAY));
    await rejectedBy(() => age(dayOld, DAY - 1), "policy-untrusted");
    assert.ok(await age(instant(NOW + LIMITS.clockSkewMs), DAY));
    await rejectedBy(() => age(instant(NOW + LIMITS.clockSkewMs + 1000), DAY), "policy-untrusted");
  });

  it("is not known to be recent where it does not say when it was published", async () => {
    const store = storeOf();
    const { manifest, blobs } = artifact();
    const json = JSON.parse(Buffer.from(manifest.bytes).toString());
    delete json.annotations["org.opencontainers.image.created"];
    for (const { descriptor, bytes } of blobs) await store.pushBlob(descriptor, sourceOf(bytes));
    store.addManifest(json, manifest.descriptor.mediaType, "1");
    await sign(byTag(store), alice);
    await rejectedBy(() => fetchBy(store, { signers: wanting(alice), maxAge: DAY }), "policy-untrusted");
    assert.ok(await fetchBy(store, { signers: wanting(alice) }));
  });

  it("is read up to its size, and no further", async () => {
    for (const [size, fits] of [
      [LIMITS.policyBytes, true],
      [LIMITS.policyBytes + 1, false],
    ] as const) {
      const store = storeOf();
      await put(store, artifact(new Uint8Array(size).fill(0x20)), alice);
      const fetching = () => fetchBy(store, { signers: wanting(alice) });
      if (fits) assert.equal((await fetching()).bytes.byteLength, size);
      else await rejectedBy(fetching, "limit-reached");
    }
  });

  it("is not called untrusted where it could not be looked at", async () => {
    const store = storeOf();
    await put(store, artifact(), alice);
    const unreachable = new CountersignError("unreachable", "no answer");
    store.referrers = async () => {
      throw unreachable;
    };
    await rejectedBy(() => fetchBy(store, { signers: wanting(alice) }), "unreachable");
  });
});

describe("a policy that is published", () => {
  it("is stored by digest, signed, fetched back, and named last", async () => {
    const store = storeOf();
    const target = { ...byTag(store), tag: "1" };
    const signing = (published: Target) => {
      assert.equal(published.tag, undefined);
      return sign(published, alice);
    };
    const { digest, signedBy } = await publishPolicy({ target, artifact: artifact(), sign: signing, now: NOW });
    assert.equal(signedBy.length, 1);
    assert.equal((await fetchBy(store, { signers: wanting(alice) })).digest, digest);
    const writes = store.calls.filter((call) => call.startsWith("push"));
    assert.match(writes.at(-1) ?? "", /^pushManifest.*1$/);
  });

  it("is not named where it is not signed as it has to be, or was made for elsewhere", async () => {
    const failures: readonly (readonly [PolicyArtifact, (target: Target) => Promise<Requirement>])[] = [
      [artifact(), async () => wanting(alice)],
      [
        artifact(),
        async (target) => {
          await sign(target, eve);
          return wanting(alice);
        },
      ],
      [artifact(POLICY, "elsewhere.example/policies"), async (target) => await sign(target, alice)],
    ];
    for (const [made, signing] of failures) {
      const store = storeOf();
      const request = { target: { ...byTag(store), tag: "1" }, artifact: made, sign: signing, now: NOW };
      await rejectedBy(() => publishPolicy(request), "policy-untrusted");
      assert.equal(await store.resolve("1"), undefined);
    }
  });
});
