import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Manifest } from "../../../src/core/oci/manifest.ts";
import type { Lock } from "../../../src/core/pins/lock.ts";
import { instant } from "../../../src/core/time.ts";
import { decidePins } from "../../../src/ops/pin.ts";
import { openDigestFinder } from "../../../src/ops/pin-digests.ts";
import { keySignatory, signImage } from "../../../src/ops/sign.ts";
import { FakeTags } from "../../support/fake-tags.ts";
import { makeImage, pushImage } from "../../support/images.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { mentioned } from "../../support/pins.ts";
import { requirementOf, testSigner } from "../../support/signatures.ts";

const alice = testSigner("alice.pub");
const NAME = "registry.example/app";
const NONE: Lock = new Map();

interface Setup {
  readonly store: MemoryStore;
  readonly tags: FakeTags;
  /** Released, and what the publisher bound `1` to; the registry calls the second one so. */
  readonly bound: Manifest;
  readonly moved: Manifest;
}

async function setUp(): Promise<Setup> {
  const store = new MemoryStore("registry", NAME);
  const tags = new FakeTags();
  const [bound, moved] = await Promise.all(["released", "put there"].map((name) => makeImage({ name })));
  assert.ok(bound && moved);
  for (const image of [bound, moved]) {
    await pushImage(store, image, "1");
    const { digest } = image.manifest.descriptor;
    const options = { signatory: keySignatory(alice), formats: ["bundle"], annotations: {} } as const;
    await signImage({ image: digest, store, digest }, { ...options, createdAt: instant(0), now: instant(0) });
  }
  release(tags, bound.manifest, "1");
  store.calls.length = 0;
  return { store, tags, bound: bound.manifest, moved: moved.manifest };
}

/** A binding is always two entries: of the tag, and of the digest. */
function release(tags: FakeTags, { descriptor, bytes }: Manifest, name: string): void {
  for (const tag of [name, undefined]) tags.bind(NAME, { tag, digest: descriptor.digest, length: bytes.byteLength });
}

async function pin({ store, tags }: Setup, image: string, more: { update?: boolean; isJudging?: boolean } = {}) {
  const judging = more.isJudging === false ? undefined : { requirement: requirementOf([alice]) };
  const finder = openDigestFinder({ open: async () => store, tags: tags.judging() }, judging);
  const wish = { update: more.update ?? false, now: instant(0) };
  const [result] = await decidePins([mentioned(image, 0)], NONE, wish, finder, 4);
  assert.ok(result);
  return result;
}

describe("pins of a repository whose root is pinned", () => {
  for (const isJudging of [true, false]) {
    const how = isJudging ? "judged by signatures" : "with nothing judged";
    it(`are to what the publisher bound the tag to, ${how}`, async () => {
      const setup = await setUp();
      const result = await pin(setup, `${NAME}:1`, { isJudging });
      assert.deepEqual([result.state, result.judged?.digest], ["pinned", setup.bound.descriptor.digest]);
      assert.ok(!setup.store.calls.includes("resolve 1"));
    });

    it(`are none for a tag that nobody binds, ${how}`, async () => {
      const setup = await setUp();
      setup.tags.pin(NAME);
      const result = await pin(setup, `${NAME}:1`, { isJudging });
      assert.deepEqual([result.state, result.reasons[0]?.code], ["refused", "tag-unlisted"]);
    });

    it(`are refused where a digest stands there that was not released, ${how}`, async () => {
      const setup = await setUp();
      const result = await pin(setup, `${NAME}:1@${setup.moved.descriptor.digest}`, { isJudging });
      assert.deepEqual([result.state, result.reasons[0]?.code], ["refused", "digest-unlisted"]);
    });
  }

  it("stay where the publisher has bound the tag to another digest since, and move when that is asked for", async () => {
    const setup = await setUp();
    const { digest } = setup.bound.descriptor;
    release(setup.tags, setup.moved, "1");
    assert.equal((await pin(setup, `${NAME}:1@${digest}`)).state, "kept");
    const moved = await pin(setup, `${NAME}:1@${digest}`, { update: true });
    assert.deepEqual([moved.state, moved.judged?.digest], ["moved", setup.moved.descriptor.digest]);
  });

  it("do not move to what the registry alone calls so", async () => {
    const setup = await setUp();
    const result = await pin(setup, `${NAME}:1@${setup.bound.descriptor.digest}`, { update: true });
    assert.deepEqual([result.state, result.judged?.digest], ["kept", setup.bound.descriptor.digest]);
  });
});
