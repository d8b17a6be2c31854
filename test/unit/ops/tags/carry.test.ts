import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CountersignError } from "../../../../src/core/errors.ts";
import { HEAD_TAG } from "../../../../src/core/tags/names.ts";
import { copyImage } from "../../../../src/ops/copy.ts";
import { carryTags, placeHead, readHead } from "../../../../src/ops/tags/carry.ts";
import { signTags } from "../../../../src/ops/tags/sign.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { makeImage, pushImage } from "../../../support/images.ts";
import { MemoryDestination, MemoryStore } from "../../../support/memory-store.ts";
import { initialised, publisherOf, type TestTrust } from "../../../support/tag-publisher.ts";

const MIRROR = "mirror.example/app";

async function headDigest(store: MemoryStore): Promise<string | undefined> {
  return (await readHead(store))?.descriptor.digest;
}

async function released(trust: TestTrust, tag: string): Promise<void> {
  await pushImage(trust.store, await makeImage({ name: tag }), tag);
  await signTags(publisherOf(trust), { images: trust.store, tags: [tag] });
  trust.clock.pass(1000);
}

async function published(...tags: readonly string[]): Promise<TestTrust> {
  const trust = await initialised({ store: new MemoryStore() });
  for (const tag of tags) await released(trust, tag);
  return trust;
}

describe("signed tags on their way to a mirror", () => {
  it("arrive with all that the head names, byte for byte", async () => {
    const { store, gun } = await published("1.0");
    const target = new MemoryStore("registry", MIRROR);
    assert.deepEqual(await carryTags({ source: store, target }), [`the signed tags of ${gun} came along`]);
    const head = await readHead(store);
    assert.equal(await headDigest(target), head?.descriptor.digest);
    assert.ok(head?.kind === "image");
    for (const { digest } of head.layers) assert.ok(target.blobs.has(digest));
  });

  it("take the place of older ones, and are not written again where they are there", async () => {
    const trust = await published("1.0");
    const target = new MemoryStore("registry", MIRROR);
    await carryTags({ source: trust.store, target });
    await released(trust, "1.1");
    assert.equal((await carryTags({ source: trust.store, target }))?.length, 1);
    assert.equal(await headDigest(target), await headDigest(trust.store));
    target.calls.length = 0;
    assert.deepEqual(await carryTags({ source: trust.store, target }), []);
    assert.deepEqual(
      target.calls.filter((call) => call.startsWith("push")),
      [],
    );
  });

  it("stay behind where newer ones are: a mirror is never rolled back", async () => {
    const trust = await published("1.0");
    const old = new MemoryStore("registry", "old.example/app");
    await carryTags({ source: trust.store, target: old });
    await released(trust, "1.1");
    const target = new MemoryStore("registry", MIRROR);
    await carryTags({ source: trust.store, target });
    const notes = await carryTags({ source: old, target });
    assert.match(notes?.[0] ?? "", /stayed behind: mirror\.example\/app has newer ones$/);
    assert.equal(await headDigest(target), await headDigest(trust.store));
  });

  it("stay behind where newer ones came while theirs were on the way", async () => {
    const trust = await published("1.0");
    const old = new MemoryStore("registry", "old.example/app");
    await carryTags({ source: trust.store, target: old });
    await released(trust, "1.1");
    const target = new MemoryStore("registry", MIRROR);
    let isFirst = true;
    target.misbehaviour = {
      before: async (call) => {
        if (!isFirst || !call.startsWith("pushBlob")) return;
        isFirst = false;
        await carryTags({ source: trust.store, target });
      },
    };
    const notes = await carryTags({ source: old, target });
    assert.match(notes?.[0] ?? "", /stayed behind: mirror\.example\/app has newer ones$/);
    assert.equal(await headDigest(target), await headDigest(trust.store));
  });

  it("stay behind where another publisher has signed tags, or something has the tag that is no head", async () => {
    const trust = await published("1.0");
    const other = await initialised({ store: new MemoryStore("registry", MIRROR) });
    const before = await headDigest(other.store);
    const notes = await carryTags({ source: trust.store, target: other.store });
    assert.match(notes?.[0] ?? "", /stayed behind: mirror\.example\/app has those of mirror\.example\/app$/);
    assert.equal(await headDigest(other.store), before);
    const squatted = new MemoryStore("registry", MIRROR);
    await pushImage(squatted, await makeImage(), HEAD_TAG);
    const said = await carryTags({ source: trust.store, target: squatted });
    assert.match(said?.[0] ?? "", /has those of nobody who can be told$/);
  });

  it("are none where the repository has none, and nothing is looked at there", async () => {
    const target = new MemoryStore("registry", MIRROR);
    assert.equal(await carryTags({ source: new MemoryStore(), target }), undefined);
    assert.deepEqual(target.calls, []);
  });

  it("are refused where the tag names no head", async () => {
    const source = new MemoryStore();
    await pushImage(source, await makeImage(), HEAD_TAG);
    const target = new MemoryStore("registry", MIRROR);
    await rejectedBy(() => carryTags({ source, target }), "metadata-malformed");
    assert.deepEqual([...target.names], []);
  });

  it("get no tag where a file of theirs cannot be fetched, or nobody knows what is there", async () => {
    const { store } = await published("1.0");
    const target = new MemoryStore("registry", MIRROR);
    const fail = (word: string) => ({
      before: (call: string) => {
        if (call.startsWith(word)) throw new CountersignError("unreachable", "on purpose");
      },
    });
    store.misbehaviour = fail("openBlob");
    await rejectedBy(() => carryTags({ source: store, target }), "unreachable");
    store.misbehaviour = {};
    target.misbehaviour = fail("resolve");
    await rejectedBy(() => carryTags({ source: store, target }), "unreachable");
    assert.deepEqual([...target.names], []);
  });

  it("have their place before the image has its name, and the image none where they cannot be had", async () => {
    const trust = await published("1.0");
    const { store } = trust;
    const root = await store.resolve("1.0");
    assert.ok(root);
    const copy = (target: MemoryStore) =>
      copyImage({
        source: store,
        root,
        destination: new MemoryDestination(target, "1.0"),
        carry: (to) => carryTags({ source: store, target: to }),
      });
    const target = new MemoryStore("registry", MIRROR);
    const { notes } = await copy(target);
    assert.deepEqual(notes, [`the signed tags of ${trust.gun} came along`]);
    assert.deepEqual([...target.names.keys()].slice(-2), [HEAD_TAG, "1.0"]);
    const other = new MemoryStore("registry", MIRROR);
    store.misbehaviour = {
      before: (call) => {
        if (call === `resolve ${HEAD_TAG}`) throw new CountersignError("timeout", "on purpose");
      },
    };
    await rejectedBy(() => copy(other), "timeout");
    assert.deepEqual([...other.names], []);
  });
});

describe("the head out of a kit", () => {
  it("gets its tag where what it names is there, and never that of a newer one", async () => {
    const trust = await published("1.0");
    const old = await readHead(trust.store);
    assert.ok(old);
    const target = new MemoryStore("registry", MIRROR);
    await carryTags({ source: trust.store, target });
    assert.deepEqual(await placeHead(old, target), []);
    await released(trust, "1.1");
    await carryTags({ source: trust.store, target });
    assert.equal((await placeHead(old, target)).length, 1);
    assert.equal(await headDigest(target), await headDigest(trust.store));
  });
});
