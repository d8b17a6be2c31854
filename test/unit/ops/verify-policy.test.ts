import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CountersignError } from "../../../src/core/errors.ts";
import type { Digest } from "../../../src/core/oci/digest.ts";
import { instant } from "../../../src/core/time.ts";
import type { Rulebook } from "../../../src/core/verify/criterion.ts";
import { keySignatory, type SignOptions, signImage } from "../../../src/ops/sign.ts";
import { type Target, type VerifyOptions, verifyImage, verifyImages } from "../../../src/ops/verify.ts";
import { rejectedBy } from "../../support/codes.ts";
import { makeImage, makeIndex, makeManifest, pushImage, type TestImage } from "../../support/images.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { policyText, rulebookOf, type World } from "../../support/policies.ts";
import { type TestSigner, testSigner } from "../../support/signatures.ts";

const alice = testSigner("alice.pub");
const bob = testSigner("bob.pub");
const mallory = testSigner("mallory.pub");
const PEOPLE = { alice: "{key: alice.pub}", bob: "{key: bob.pub}" };
const KEYS = { "alice.pub": alice.publicKey, "bob.pub": bob.publicKey };
const BY_ALICE = "{signature: {by: alice}}";
const NAME = "registry.example.com/team/app";
const ARM = { os: "linux", architecture: "arm64" };

function book(require: string = BY_ALICE, rule = "", world: World = {}): Rulebook {
  const more = world.withdrawn === undefined ? "" : "withdrawn: [{file: withdrawn.json, by: alice}]\n";
  return rulebookOf(policyText(PEOPLE, require, rule, more), { keys: KEYS, ...world });
}

function target(store: MemoryStore, tag = "1.0"): Target {
  return { image: `${NAME}:${tag}`, store, tag };
}

function signing(signer: TestSigner, more: Partial<SignOptions> = {}): SignOptions {
  const now = instant(0);
  return { signatory: keySignatory(signer), formats: ["bundle"], annotations: {}, createdAt: now, now, ...more };
}

async function stored(image: TestImage, ...signers: readonly TestSigner[]): Promise<MemoryStore> {
  const store = new MemoryStore("registry", NAME);
  await pushImage(store, image, "1.0");
  for (const signer of signers) await signImage(target(store), signing(signer));
  store.calls.length = 0;
  return store;
}

async function sign(store: MemoryStore, digest: Digest | undefined, signer = alice): Promise<void> {
  assert.ok(digest);
  await signImage({ image: digest, store, digest }, signing(signer));
}

async function outcome(store: MemoryStore, options: VerifyOptions, one = target(store)): Promise<readonly string[]> {
  const { verdicts } = await verifyImage(one, options);
  return verdicts.map(({ status, reasons }) => (reasons[0] === undefined ? status : `${status} ${reasons[0].code}`));
}

function requests(store: MemoryStore): readonly string[] {
  return store.calls.map((call) => call.replace(/sha256[:-][0-9a-f]+/, "…"));
}

describe("an image that is judged by a policy", () => {
  it("costs as many requests as by flags, where the policy asks for a signature alone", async () => {
    const store = await stored(await makeImage(), alice);
    assert.deepEqual(await outcome(store, { requirement: book() }), ["accepted"]);
    assert.deepEqual(requests(store), ["resolve 1.0", "referrers …", "manifest …", "openBlob … 0"]);
  });

  it("has only those tags looked at that hold what is wanted", async () => {
    const store = await stored(await makeImage());
    await outcome(store, { requirement: book() });
    assert.deepEqual(
      requests(store).filter((call) => /\.(sig|att)$/.test(call)),
      ["resolve ….sig"],
    );
    store.calls.length = 0;
    await outcome(store, { requirement: book("{attestation: {type: slsaprovenance1, by: alice}}") });
    assert.deepEqual(
      requests(store).filter((call) => /\.(sig|att)$/.test(call)),
      ["resolve ….att"],
    );
    store.calls.length = 0;
    await outcome(store, {
      requirement: book(`{any: [${BY_ALICE}, {attestation: {type: slsaprovenance1, by: alice}}]}`),
    });
    const tags = requests(store).filter((call) => /\.(sig|att)$/.test(call));
    assert.deepEqual(tags, ["resolve ….sig", "resolve ….att"]);
  });

  it("is looked at no further once it is accepted, and not at all where nothing can be", async () => {
    const store = await stored(await makeImage(), alice);
    const closed = "{never: closed}";
    assert.deepEqual(await outcome(store, { requirement: book(closed) }), ["refused forbidden"]);
    assert.deepEqual(requests(store), ["resolve 1.0"]);
    store.calls.length = 0;
    await outcome(store, { requirement: book(`{any: [${closed}, ${BY_ALICE}]}`) });
    assert.deepEqual(requests(store), ["resolve 1.0", "referrers …", "manifest …", "openBlob … 0"]);
  });

  it("is looked at to the end where it shall be explained", async () => {
    const store = await stored(await makeImage(), alice, mallory);
    const { verdicts } = await verifyImage(target(store), { requirement: book(), explained: true });
    assert.equal(verdicts[0]?.signatures.length, 2);
    assert.equal(verdicts[0]?.outcome?.status, "accepted");
    assert.ok(requests(store).includes("resolve ….sig"));
  });

  it("says which policy judged it, also where it could not even be found", async () => {
    const { verdicts } = await verifyImage(target(new MemoryStore("registry", NAME)), { requirement: book() });
    assert.equal(verdicts[0]?.status, "undetermined");
    assert.equal(verdicts[0]?.policy?.label, "policy.yaml");
  });

  it("is refused without a rule for it, before anything but itself is looked at", async () => {
    const store = new MemoryStore("registry", "elsewhere.example.com/app");
    await pushImage(store, await makeImage(), "1.0");
    store.calls.length = 0;
    assert.deepEqual(await outcome(store, { requirement: book() }), ["refused no-policy"]);
    assert.deepEqual(requests(store), ["resolve 1.0"]);
  });

  it("is judged once for each name that it has, since the rules may differ", async () => {
    const rules = `  - images: ${NAME}\n    require: ${BY_ALICE}\n  - images: ${NAME}:dev\n    require: {signature: {by: [alice, bob]}}\n`;
    const yaml = `apiVersion: countersign/v1\nidentities: {alice: {key: alice.pub}, bob: {key: bob.pub}}\nrules:\n${rules}`;
    const store = await stored(await makeImage(), bob);
    await pushImage(store, await makeImage(), "dev");
    const requirement = rulebookOf(yaml, { keys: KEYS });
    const results = await verifyImages([target(store), target(store, "dev")], { requirement });
    assert.deepEqual(
      results.map(({ accepted }) => accepted),
      [false, true],
    );
  });

  it("is not judged by the rule for a tag that stands beside its digest: that is only what somebody says", async () => {
    const yaml =
      `apiVersion: countersign/v1\nidentities: {alice: {key: alice.pub}, bob: {key: bob.pub}}\nrules:\n` +
      `  - images: ${NAME}\n    require: ${BY_ALICE}\n  - images: ${NAME}:dev\n    require: {signature: {by: bob}}\n`;
    const store = await stored(await makeImage(), bob);
    await pushImage(store, await makeImage(), "dev");
    const requirement = rulebookOf(yaml, { keys: KEYS });
    const { digest } = (await makeImage()).manifest.descriptor;
    const claimed = { ...target(store, "dev"), digest };
    const results = await verifyImages([target(store, "dev"), claimed], { requirement });
    assert.deepEqual(
      results.map(({ accepted }) => accepted),
      [true, false],
    );
  });
});

describe("a policy that cannot be used", () => {
  it("stops the call: it is no finding about one image", async () => {
    const store = await stored(await makeImage(), alice);
    const requirement = rulebookOf(policyText({ alice: "{key: gone.pub}" }, BY_ALICE), {});
    await rejectedBy(() => verifyImages([target(store)], { requirement }), "policy-invalid");
  });

  it("for want of a network makes what falls under the rule undetermined", async () => {
    const store = await stored(await makeImage(), alice);
    const rulingOf = () => Promise.reject(new CountersignError("unreachable", "no trust root"));
    assert.deepEqual(await outcome(store, { requirement: { now: instant(0), rulingOf } }), [
      "undetermined unreachable",
    ]);
  });
});

describe("a layout", () => {
  async function layout(): Promise<MemoryStore> {
    const store = new MemoryStore("oci-layout");
    await pushImage(store, await makeImage(), "1.0");
    await signImage(target(store), signing(alice, { formats: ["bundle"] }));
    return store;
  }

  it("is judged by the rules for the image that it is said to be", async () => {
    const store = await layout();
    const named = { ...target(store), ruledAs: { repository: NAME } };
    assert.deepEqual(await outcome(store, { requirement: book() }, named), ["accepted"]);
  });

  it("is refused without a name", async () => {
    assert.deepEqual(await outcome(await layout(), { requirement: book() }), ["refused no-policy"]);
  });
});

describe("an index under a rule for the index", () => {
  it("is covered by its own signature, and so is a platform of it", async () => {
    const store = await stored(await makeIndex(), alice);
    assert.deepEqual(await outcome(store, { requirement: book() }), ["accepted"]);
    assert.deepEqual(await outcome(store, { requirement: book(), platform: ARM }), ["accepted"]);
  });

  it("that was taken back, or lists what was, is refused, and so is the platform itself", async () => {
    const index = await makeIndex();
    const store = await stored(index, alice);
    const withdrawing = (digest: Digest | undefined) => {
      assert.ok(digest);
      return {
        requirement: book(BY_ALICE, "", { withdrawn: new Map([[digest, { code: "withdrawn", message: "leaked" }]]) }),
      };
    };
    const child = withdrawing(index.children[1]?.manifest.descriptor.digest);
    assert.deepEqual(await outcome(store, child), ["refused withdrawn"]);
    assert.deepEqual(await outcome(store, { ...child, platform: ARM }), ["refused withdrawn"]);
    assert.deepEqual(await outcome(store, { ...child, platform: { os: "linux", architecture: "amd64" } }), [
      "accepted",
    ]);
    const whole = withdrawing(index.manifest.descriptor.digest);
    assert.deepEqual(await outcome(store, { ...whole, platform: ARM }), ["refused withdrawn"]);
  });

  it("does not cover a platform whose digest has a rule of its own", async () => {
    const index = await makeIndex();
    const store = await stored(index, alice);
    const digest = index.children[1]?.manifest.descriptor.digest;
    const yaml =
      `apiVersion: countersign/v1\nidentities: {alice: {key: alice.pub}}\nrules:\n` +
      `  - images: ${NAME}\n    require: ${BY_ALICE}\n  - images: ${NAME}@${digest}\n    require: {never: broken}\n`;
    const requirement = rulebookOf(yaml, { keys: KEYS });
    assert.deepEqual(await outcome(store, { requirement, platform: ARM }), ["refused forbidden"]);
  });
});

describe("an index under a rule for each platform", () => {
  const EACH = "    platforms: each\n";

  it("is not covered by its own signature", async () => {
    const store = await stored(await makeIndex(), alice);
    assert.deepEqual(await outcome(store, { requirement: book(BY_ALICE, EACH) }), ["refused unsigned"]);
    assert.deepEqual(await outcome(store, { requirement: book(BY_ALICE, EACH), platform: ARM }), ["refused unsigned"]);
  });

  it("is accepted where everything that it lists is, and a platform where it is", async () => {
    const index = await makeIndex();
    const store = await stored(index);
    const digests = index.children.map(({ manifest }) => manifest.descriptor.digest);
    await sign(store, digests[1]);
    const requirement = book(BY_ALICE, EACH);
    assert.deepEqual(await outcome(store, { requirement, platform: ARM }), ["accepted"]);
    assert.deepEqual(await outcome(store, { requirement }), ["refused unsigned"]);
    for (const digest of digests) await sign(store, digest);
    assert.deepEqual(await outcome(store, { requirement }), ["accepted"]);
    const { verdicts, accepted } = await verifyImage(target(store), { requirement, recursive: true });
    assert.deepEqual([verdicts.length, accepted], [digests.length + 1, true]);
    assert.equal(verdicts[0]?.digest, index.manifest.descriptor.digest);
  });

  it("asks nothing of what no machine runs, and is refused where it lists nothing else", async () => {
    const index = await makeIndex({ attestation: true });
    const store = await stored(index);
    const platforms = index.manifest.kind === "index" ? index.manifest.manifests : [];
    const images = platforms.filter(({ platform }) => platform?.os !== "unknown");
    assert.equal(images.length, platforms.length - 1);
    for (const { digest } of images) await sign(store, digest);
    assert.deepEqual(await outcome(store, { requirement: book(BY_ALICE, EACH) }), ["accepted"]);
    const none = await stored(await makeIndex({ platforms: [{ os: "unknown", architecture: "unknown" }] }), alice);
    assert.deepEqual(await outcome(none, { requirement: book(BY_ALICE, EACH) }), ["refused platform-missing"]);
  });

  it("asks of what only an annotation says is no image: an engine would run it", async () => {
    const index = await makeIndex();
    const { manifest } = index;
    assert.ok(manifest.kind === "index");
    const entries = manifest.manifests.map((entry, at) => ({
      ...entry,
      ...(at === 0 && { annotations: { "vnd.docker.reference.type": "attestation-manifest" } }),
    }));
    const disguised = makeManifest({ mediaType: manifest.descriptor.mediaType, manifests: entries }, "sha256");
    const store = await stored({ ...index, manifest: disguised });
    for (const { digest } of entries.slice(1)) await sign(store, digest);
    assert.deepEqual(await outcome(store, { requirement: book(BY_ALICE, EACH) }), ["refused unsigned"]);
  });

  it("is refused with the name of the platform that is not", async () => {
    const index = await makeIndex();
    const store = await stored(index);
    for (const { manifest } of index.children.slice(1)) await sign(store, manifest.descriptor.digest);
    const { verdicts } = await verifyImage(target(store), { requirement: book(BY_ALICE, EACH) });
    assert.match(verdicts[0]?.reasons[0]?.message ?? "", /^linux\/amd64: /);
  });

  it("is let through by a rule that only warns, and says of each what it lacks", async () => {
    const store = await stored(await makeIndex());
    const requirement = book(BY_ALICE, `${EACH}    mode: warn\n`);
    const { verdicts, accepted } = await verifyImage(target(store), { requirement });
    assert.equal(accepted, true);
    assert.ok((verdicts[0]?.warnings ?? []).length > 1);
    assert.deepEqual(verdicts[0]?.checked, ["digest"]);
  });
});
