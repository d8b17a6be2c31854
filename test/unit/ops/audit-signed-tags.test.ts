import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pinOf } from "../../../src/core/audit/assemble.ts";
import { formatFacts, parseFacts } from "../../../src/core/audit/facts.ts";
import { CountersignError } from "../../../src/core/errors.ts";
import { digestOf } from "../../../src/core/oci/digest.ts";
import type { Manifest } from "../../../src/core/oci/manifest.ts";
import { openAuditor } from "../../../src/ops/audit.ts";
import { keySignatory, signImage } from "../../../src/ops/sign.ts";
import { FakeTags, PINNED_ROOT } from "../../support/fake-tags.ts";
import { makeImage, pushImage } from "../../support/images.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { requirementOf, testSigner } from "../../support/signatures.ts";

const alice = testSigner("alice.pub");
const NAME = "registry.example/app";
const BY_ALICE = requirementOf([alice]);

interface Setup {
  readonly store: MemoryStore;
  readonly tags: FakeTags;
  /** What the publisher bound `1.0` to, and released. */
  readonly bound: Manifest;
  /** What the registry calls `1.0`: signed by alice, released by nobody. */
  readonly moved: Manifest;
}

async function setUp(): Promise<Setup> {
  const store = new MemoryStore("registry", NAME);
  const bound = await makeImage({ name: "what was released" });
  const moved = await makeImage({ name: "what was put there" });
  for (const image of [bound, moved]) {
    await pushImage(store, image, "1.0");
    const { digest } = image.manifest.descriptor;
    const options = { signatory: keySignatory(alice), formats: ["bundle"], annotations: {} } as const;
    await signImage({ image: digest, store, digest }, { ...options, createdAt: BY_ALICE.now, now: BY_ALICE.now });
  }
  const tags = new FakeTags();
  const { bytes, descriptor } = bound.manifest;
  for (const tag of ["1.0", undefined]) tags.bind(NAME, { tag, digest: descriptor.digest, length: bytes.byteLength });
  store.calls.length = 0;
  return { store, tags, bound: bound.manifest, moved: moved.manifest };
}

function examine({ store, tags }: Pick<Setup, "store" | "tags">, image: string) {
  return openAuditor({ open: async () => store }, { requirement: BY_ALICE, tags: tags.judging() }).examine(image);
}

describe("an audit of a repository whose root is pinned", () => {
  it("judges what the publisher bound the tag to, and tells whose word that is", async () => {
    const setup = await setUp();
    const facts = await examine(setup, `${NAME}:1.0`);
    const { digest } = setup.bound.descriptor;
    assert.deepEqual([facts.verdict, facts.digest], ["accepted", digest]);
    const { signedTag } = facts;
    assert.deepEqual(
      [signedTag?.repository, signedTag?.digest, signedTag?.role, signedTag?.root],
      [NAME, digest, "targets", PINNED_ROOT],
    );
    assert.deepEqual(
      parseFacts(formatFacts(facts), "facts", 65_536),
      JSON.parse(JSON.stringify({ ...facts, warnings: [] })),
    );
  });

  it("calls it drift where the registry's tag names something else than the signed one", async () => {
    const setup = await setUp();
    const signedTag = setup.tags.pinned.get(NAME)?.get("1.0");
    assert.ok(signedTag);
    const registryDigest = setup.moved.descriptor.digest;
    setup.tags.pinned.get(NAME)?.set("1.0", { ...signedTag, registryDigest });
    const facts = await examine(setup, `${NAME}:1.0`);
    assert.deepEqual([facts.verdict, facts.tagDigest], ["accepted", registryDigest]);
    assert.deepEqual(pinOf(facts), { pinned: false, drift: true });
    assert.deepEqual(
      facts.warnings.map(({ code }) => code),
      ["tag-moved"],
    );
    setup.tags.pinned.get(NAME)?.set("1.0", { ...signedTag, registryDigest: signedTag.binding.digest });
    assert.deepEqual(pinOf(await examine(setup, `${NAME}:1.0`)), { pinned: false, drift: false });
  });

  it("refuses a tag that nobody binds", async () => {
    const setup = await setUp();
    setup.tags.pin(NAME);
    const facts = await examine(setup, `${NAME}:1.0`);
    assert.deepEqual([facts.verdict, facts.reasons[0]?.code], ["refused", "tag-unlisted"]);
    assert.equal(facts.signedTag, undefined);
  });

  it("takes a digest that was released, though the tag beside it has moved on since, and says so", async () => {
    const setup = await setUp();
    const { digest } = setup.bound.descriptor;
    const { descriptor, bytes } = setup.moved;
    setup.tags.bind(NAME, { tag: "1.0", digest: descriptor.digest, length: bytes.byteLength });
    const facts = await examine(setup, `${NAME}:1.0@${digest}`);
    assert.deepEqual([facts.verdict, facts.digest, facts.tagDigest], ["accepted", digest, descriptor.digest]);
    assert.deepEqual(pinOf(facts), { pinned: true, drift: true });
  });

  it("refuses a digest that was not released, though the registry calls it by the tag", async () => {
    const setup = await setUp();
    const facts = await examine(setup, `${NAME}:1.0@${setup.moved.descriptor.digest}`);
    assert.deepEqual([facts.verdict, facts.reasons[0]?.code], ["refused", "digest-unlisted"]);
  });

  it("says why the signed tag beside a digest is not known, and takes the registry's word for nothing", async () => {
    const setup = await setUp();
    setup.tags.pinned.get(NAME)?.delete("1.0");
    const facts = await examine(setup, `${NAME}:1.0@${setup.bound.descriptor.digest}`);
    assert.deepEqual([facts.verdict, facts.tagFinding?.code, facts.tagDigest], ["accepted", "tag-unlisted", undefined]);
  });

  it("compares digests by the algorithm of the reference", async () => {
    const setup = await setUp();
    const digest = digestOf(setup.bound.bytes, "sha512");
    const stored = setup.store.manifests.get(setup.bound.descriptor.digest);
    assert.ok(stored);
    setup.store.manifests.set(digest, stored);
    const facts = await examine(setup, `${NAME}:1.0@${digest}`);
    assert.equal(facts.tagDigest, digestOf(setup.moved.bytes, "sha512"));
  });
});

describe("an audit without a pinned root", () => {
  it("costs what it cost before, and has no signed tag", async () => {
    const { store, moved } = await setUp();
    const tags = new FakeTags();
    const facts = await examine({ store, tags }, `${NAME}:1.0`);
    assert.deepEqual([facts.digest, facts.signedTag], [moved.descriptor.digest, undefined]);
    assert.equal(store.calls.filter((call) => call.startsWith("resolve")).length, 1);
    store.calls.length = 0;
    await examine({ store, tags }, `${NAME}:1.0@${moved.descriptor.digest}`);
    const asked = store.calls.filter((call) => call.startsWith("resolve ")).map((call) => call.split(":")[0]);
    assert.deepEqual(asked.toSorted(), ["resolve 1.0", "resolve sha256"]);
  });

  it("tells what could not be looked at", async () => {
    const { store } = await setUp();
    const tags = new FakeTags();
    tags.misbehaviour = () => {
      throw new CountersignError("unreachable", "on purpose");
    };
    const facts = await examine({ store, tags }, `${NAME}:1.0`);
    assert.deepEqual([facts.verdict, facts.reasons[0]?.code], ["undetermined", "unreachable"]);
  });
});
