import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { parsePublicKey } from "../../../src/core/crypto/public-key.ts";
import { CountersignError } from "../../../src/core/errors.ts";
import type { SignatureFormat } from "../../../src/core/formats/envelope.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import type { Manifest } from "../../../src/core/oci/manifest.ts";
import { cosignTag } from "../../../src/core/oci/referrers.ts";
import { instant } from "../../../src/core/time.ts";
import { keySignatory, type SignOptions, signImage, signImages } from "../../../src/ops/sign.ts";
import { updateTag } from "../../../src/ops/update-tag.ts";
import { type Target, verifyImage } from "../../../src/ops/verify.ts";
import { rejectedBy } from "../../support/codes.ts";
import { makeImage, makeIndex, pushImage } from "../../support/images.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { requirementOf, testSigner } from "../../support/signatures.ts";

const alice = testSigner("alice.pub");
const bob = testSigner("bob.pub");
const BOTH: readonly SignatureFormat[] = ["bundle", "cosign-legacy"];

function target(store: MemoryStore): Target {
  return { image: "registry.example/app:1.0", store, tag: "1.0" };
}

function options(more: Partial<SignOptions> = {}): SignOptions {
  return {
    signatory: keySignatory(alice),
    formats: ["bundle"],
    annotations: {},
    createdAt: instant(0),
    now: instant(0),
    ...more,
  };
}

async function storeWithImage(): Promise<MemoryStore> {
  const store = new MemoryStore();
  await pushImage(store, await makeImage(), "1.0");
  store.calls.length = 0;
  return store;
}

function writes(store: MemoryStore): readonly string[] {
  return store.calls.filter((call) => call.startsWith("push"));
}

test("signing the same image with the same key and annotations again writes nothing, and says so", async () => {
  const store = await storeWithImage();
  await signImage(target(store), options({ formats: BOTH, annotations: { env: "prod" } }));
  store.calls.length = 0;
  const again = await signImage(target(store), options({ formats: BOTH, annotations: { env: "prod" } }));
  assert.deepEqual(
    again.outcomes.map((outcome) => outcome.state),
    ["unchanged", "unchanged"],
  );
  assert.deepEqual(writes(store), []);
});

test("other annotations, more annotations and another key are other signatures", async () => {
  const store = await storeWithImage();
  const states: (string | undefined)[] = [];
  for (const more of [
    {},
    { annotations: { env: "prod" } },
    { annotations: { env: "prod", more: "yes" } },
    { annotations: { env: "dev" } },
    { signatory: keySignatory(bob) },
    {},
  ]) {
    const signed = await signImage(target(store), options({ formats: BOTH, ...more }));
    states.push(...new Set(signed.outcomes.map((outcome) => outcome.state)));
  }
  assert.deepEqual(states, ["signed", "signed", "signed", "signed", "signed", "unchanged"]);
  for (const signer of [alice, bob]) {
    assert.equal((await verifyImage(target(store), { requirement: requirementOf([signer]) })).accepted, true);
  }
});

test("a dry run does everything but write", async () => {
  const store = await storeWithImage();
  const signed = await signImage(target(store), options({ formats: BOTH, dryRun: true }));
  assert.deepEqual(
    signed.outcomes.map((outcome) => outcome.state),
    ["would-sign", "would-sign"],
  );
  assert.deepEqual(writes(store), []);
});

test("recursive signs the index and every manifest in it, each once", async () => {
  const store = new MemoryStore();
  const index = await makeIndex({ attestation: true });
  await pushImage(store, index, "1.0");
  const signed = await signImage(target(store), options({ recursive: true }));
  assert.equal(signed.outcomes.length, 5);
  assert.equal(new Set(signed.outcomes.map((outcome) => outcome.digest)).size, 5);
});

test("a signature that does not verify is not stored", async () => {
  const store = await storeWithImage();
  const broken = { publicKey: alice.publicKey, sign: (data: Uint8Array) => bob.sign(data) };
  const signed = await signImage(target(store), options({ signatory: keySignatory(broken) }));
  assert.equal(signed.finding?.code, "internal");
  assert.deepEqual(writes(store), []);
});

test("an image that is not there is not signed", async () => {
  const signed = await signImage(target(new MemoryStore()), options());
  assert.equal(signed.finding?.code, "not-found");
  assert.deepEqual(signed.outcomes, []);
});

test("one image that fails stops no other", async () => {
  const store = await storeWithImage();
  const gone = { image: "registry.example/app:gone", store, tag: "gone" };
  const signed = await signImages([gone, target(store)], options());
  assert.deepEqual(
    signed.map((image) => image.finding?.code ?? image.outcomes[0]?.state),
    ["not-found", "signed"],
  );
});

test("a legacy signature needs a name: a file has none of its own", async () => {
  const store = new MemoryStore("oci-layout");
  await pushImage(store, await makeImage(), "1.0");
  const signed = await signImage(target(store), options({ formats: ["cosign-legacy"] }));
  assert.equal(signed.finding?.code, "unsupported");
  const named = await signImage(target(store), options({ formats: ["cosign-legacy"], signAs: "registry.example/app" }));
  assert.equal(named.outcomes[0]?.state, "signed");
});

test("an interruption is thrown", async () => {
  const store = await storeWithImage();
  store.misbehaviour = {
    before: () => {
      throw new CountersignError("interrupted", "stop");
    },
  };
  await rejectedBy(() => signImage(target(store), options()), "interrupted");
});

test("a second legacy signer keeps the first one's signature", async () => {
  const store = await storeWithImage();
  await signImage(target(store), options({ formats: ["cosign-legacy"] }));
  await signImage(target(store), options({ formats: ["cosign-legacy"], signatory: keySignatory(bob) }));
  const requirement = requirementOf([alice, bob], { threshold: 2 });
  assert.equal((await verifyImage(target(store), { requirement })).accepted, true);
});

test("a legacy signature that another writer overwrote is written again, and the other's is kept", async () => {
  const store = await storeWithImage();
  const image = await makeImage();
  const tag = cosignTag(image.manifest.descriptor.digest, "sig");
  const other = await storeWithImage();
  await signImage(target(other), options({ formats: ["cosign-legacy"], signatory: keySignatory(bob) }));
  const theirs = await other.resolve(tag);
  assert.ok(theirs?.kind === "image");
  for (const [digest, bytes] of other.blobs) store.blobs.set(digest, bytes);
  let overwritten = 0;
  store.misbehaviour = {
    before: async (call) => {
      if (call === `resolve ${tag}` && store.names.has(tag) && overwritten++ === 0) {
        store.manifests.set(theirs.descriptor.digest, { bytes: theirs.bytes, mediaType: theirs.descriptor.mediaType });
        store.names.set(tag, theirs.descriptor.digest);
      }
    },
  };
  const signed = await signImage(target(store), options({ formats: ["cosign-legacy"] }));
  assert.equal(signed.finding, undefined);
  assert.equal(overwritten > 0, true);
  const requirement = requirementOf([alice, bob], { threshold: 2 });
  assert.equal((await verifyImage(target(store), { requirement })).accepted, true);
});

test("a tag that is always overwritten is a write conflict after bounded rounds", async () => {
  const store = await storeWithImage();
  const image = await makeImage({ name: "theirs" });
  const pace = { now: () => 0, sleep: async () => undefined, random: () => 0 };
  let rounds = 0;
  const merge = async () => {
    rounds++;
    return image.manifest;
  };
  await pushImage(store, image);
  await rejectedBy(
    () => updateTag(store, "shared", { seen: undefined, merge, holds: () => false }, pace),
    "write-conflict",
  );
  assert.ok(rounds > 1 && rounds < 20);
});

test("what is there already must be seen: a throttled registry is not signed into", async () => {
  const store = await storeWithImage();
  store.misbehaviour = {
    before: (call) => {
      if (call.startsWith("referrers")) throw new CountersignError("throttled", "on purpose");
    },
  };
  const signed = await signImage(target(store), options());
  assert.equal(signed.finding?.code, "throttled");
  assert.deepEqual(writes(store), []);
});

test("a key that is published as an example signs nowhere but in a loopback registry", async () => {
  const example = new URL("../../../keys-example/demo.pub", import.meta.url);
  const publicKey = parsePublicKey(await readFile(example), "demo.pub");
  const store = await storeWithImage();
  const signed = await signImage(target(store), options({ signatory: keySignatory({ ...alice, publicKey }) }));
  assert.equal(signed.finding?.code, "key-published");
  assert.deepEqual(writes(store), []);
  await rejectedBy(
    () => verifyImage(target(new MemoryStore("oci-layout")), { requirement: requirementOf([{ ...alice, publicKey }]) }),
    "key-published",
  );
});

test("what another writer adds while we merge is merged too before anything is written", async () => {
  const store = await storeWithImage();
  const [theirs, both] = [await makeImage({ name: "theirs" }), await makeImage({ name: "both" })];
  await pushImage(store, theirs);
  const seen: (string | undefined)[] = [];
  const merge = async (existing: Manifest | undefined) => {
    seen.push(existing?.descriptor.digest);
    if (existing === undefined) store.names.set("shared", theirs.manifest.descriptor.digest);
    return both.manifest;
  };
  const holds = (found: Manifest) => found.descriptor.digest === both.manifest.descriptor.digest;
  const pace = { now: () => 0, sleep: async () => undefined, random: () => 0 };
  await updateTag(store, "shared", { seen: undefined, merge, holds }, pace);
  assert.deepEqual(seen, [undefined, theirs.manifest.descriptor.digest]);
  assert.equal(store.calls.filter((call) => call.endsWith(" shared") && call.startsWith("pushManifest")).length, 1);
});

test("what comes to hold our part while we merge is not written once more: some keys sign alike each time", async () => {
  const store = await storeWithImage();
  const [both, again] = [await makeImage({ name: "both" }), await makeImage({ name: "ours again" })];
  await pushImage(store, both);
  const merge = async () => {
    store.names.set("shared", both.manifest.descriptor.digest);
    return again.manifest;
  };
  const holds = (found: Manifest) => found.descriptor.digest === both.manifest.descriptor.digest;
  const pace = { now: () => 0, sleep: async () => undefined, random: () => 0 };
  const written = await updateTag(store, "shared", { seen: undefined, merge, holds }, pace);
  assert.equal(written.descriptor.digest, both.manifest.descriptor.digest);
  assert.equal(store.calls.filter((call) => call.endsWith(" shared") && call.startsWith("pushManifest")).length, 0);
});

test("a shared tag is read again soon, though its writing took the minutes that a registry asked to wait", async () => {
  const store = await storeWithImage();
  const ours = await makeImage({ name: "ours" });
  await pushImage(store, ours);
  const slept: number[] = [];
  let now = 0;
  const pace = { now: () => (now += 120_000), sleep: async (ms: number) => void slept.push(ms), random: () => 0 };
  const holds = (found: Manifest) => found.descriptor.digest === ours.manifest.descriptor.digest;
  await updateTag(store, "shared", { seen: undefined, merge: async () => ours.manifest, holds }, pace);
  assert.deepEqual(slept, [2 * LIMITS.settleMostMs]);
});
