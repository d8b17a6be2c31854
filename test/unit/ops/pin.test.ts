import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CountersignError } from "../../../src/core/errors.ts";
import { repositoryName } from "../../../src/core/oci/reference.ts";
import type { Lock } from "../../../src/core/pins/lock.ts";
import { instant } from "../../../src/core/time.ts";
import { decidePins } from "../../../src/ops/pin.ts";
import { type DigestFinder, openDigestFinder } from "../../../src/ops/pin-digests.ts";
import { keySignatory, signImage } from "../../../src/ops/sign.ts";
import { rejectedBy } from "../../support/codes.ts";
import { makeImage, makeIndex, pushImage } from "../../support/images.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { inWords, mentioned } from "../../support/pins.ts";
import { requirementOf, testSigner } from "../../support/signatures.ts";

const alice = testSigner("alice.pub");
const REPOSITORY = "registry.example/app";
const NONE: Lock = new Map();

function finderOf(store: MemoryStore, isJudging = true): DigestFinder {
  const ports = {
    open: async (reference: Parameters<typeof repositoryName>[0]) => {
      if (repositoryName(reference) === store.repository) return store;
      throw new CountersignError("unreachable", "there is no such registry");
    },
  };
  return openDigestFinder(ports, isJudging ? { requirement: requirementOf([alice]) } : undefined);
}

async function pin(
  store: MemoryStore,
  images: readonly string[],
  more: { update?: boolean; isJudging?: boolean } = {},
) {
  const pinnables = images.map((image, line) => mentioned(image, line));
  const wish = { update: more.update ?? false, now: instant(0) };
  return await decidePins(pinnables, NONE, wish, finderOf(store, more.isJudging), 4);
}

async function signedStore(...tags: readonly string[]): Promise<MemoryStore> {
  const store = new MemoryStore();
  for (const tag of tags) await pushImage(store, await makeImage(), tag);
  const options = { signatory: keySignatory(alice), formats: ["bundle" as const], annotations: {} };
  const target = { image: `${REPOSITORY}:${tags[0]}`, store, tag: tags[0] };
  await signImage(target, { ...options, createdAt: instant(0), now: instant(0) });
  store.calls.length = 0;
  return store;
}

const verbs = (store: MemoryStore) => store.calls.map((call) => call.split(" ")[0]);

describe("what pins ask of registries", () => {
  it("is four requests for an image, however often it is mentioned: the tag is resolved once", async () => {
    const store = await signedStore("1");
    const results = await pin(
      store,
      Array.from({ length: 50 }, () => `${REPOSITORY}:1`),
    );
    assert.ok(results.every(({ state }) => state === "pinned"));
    assert.deepEqual(verbs(store), ["resolve", "referrers", "manifest", "openBlob"]);
  });

  it("is one more for another tag of the same digest", async () => {
    const store = await signedStore("1", "latest");
    const results = await pin(store, [`${REPOSITORY}:1`, REPOSITORY]);
    assert.deepEqual(
      results.map(({ state, judged }) => [state, judged?.signers.length]),
      [
        ["pinned", 1],
        ["pinned", 1],
      ],
    );
    assert.deepEqual(verbs(store).toSorted(), ["manifest", "openBlob", "referrers", "resolve", "resolve"]);
  });

  it("is nothing of the tag where a digest stands there", async () => {
    const store = await signedStore("1");
    const digest = store.names.get("1");
    const [result] = await pin(store, [`${REPOSITORY}:1@${digest}`]);
    assert.equal(result?.state, "kept");
    assert.deepEqual(store.calls[0], `resolve ${digest}`);
  });

  it("is only the tag and the manifest where nothing is verified", async () => {
    const store = await signedStore("1");
    const [result] = await pin(store, [`${REPOSITORY}:1`], { isJudging: false });
    assert.deepEqual([result?.state, result?.judged?.status, result?.judged?.signers], ["pinned", "not verified", []]);
    assert.deepEqual(verbs(store), ["resolve"]);
  });
});

describe("what is found out about digests", () => {
  it("is each platform of an index, attestations left out", async () => {
    const store = new MemoryStore();
    const index = await makeIndex({ attestation: true });
    await pushImage(store, index, "1");
    const [result] = await pin(store, [`${REPOSITORY}:1`], { isJudging: false });
    assert.deepEqual(Object.keys(result?.judged?.platforms ?? {}).toSorted(), [
      "linux/amd64",
      "linux/arm/v7",
      "linux/arm64",
    ]);
  });

  it("is refused with its reason: an image that nobody signed, one that another signed", async () => {
    const store = await signedStore("1");
    await pushImage(store, await makeImage({ name: "other" }), "2");
    assert.deepEqual(inWords(await pin(store, [`${REPOSITORY}:2`])), ["refused: unsigned"]);
    const finder = openDigestFinder(
      { open: async () => store },
      { requirement: requirementOf([testSigner("mallory.pub")]) },
    );
    const results = await decidePins(
      [mentioned(`${REPOSITORY}:1`)],
      NONE,
      { update: false, now: instant(0) },
      finder,
      1,
    );
    assert.deepEqual(inWords(results), ["refused: wrong-key"]);
  });

  it("is undetermined where there is no such tag, and where the registry is not there; the rest goes on", async () => {
    const store = await signedStore("1");
    const digest = store.names.get("1");
    const images = [`${REPOSITORY}:9`, "gone.example/app:1", `gone.example/app@${digest}`, `${REPOSITORY}:1`];
    for (const isJudging of [true, false]) {
      const words = (await pin(store, images, { isJudging })).map(({ state, reasons }) => [state, reasons[0]?.code]);
      assert.deepEqual(words, [
        ["undetermined", "not-found"],
        ["undetermined", "unreachable"],
        ["undetermined", "unreachable"],
        ["pinned", undefined],
      ]);
    }
  });

  it("is nothing any more after an interruption", async () => {
    const store = await signedStore("1");
    store.misbehaviour = {
      before: () => {
        throw new CountersignError("interrupted", "stopped");
      },
    };
    await rejectedBy(() => pin(store, [`${REPOSITORY}:1`]), "interrupted");
    await rejectedBy(() => pin(store, [`${REPOSITORY}:1`], { isJudging: false }), "interrupted");
  });
});
