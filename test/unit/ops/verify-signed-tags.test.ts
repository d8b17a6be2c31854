import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CountersignError } from "../../../src/core/errors.ts";
import { digestOf } from "../../../src/core/oci/digest.ts";
import type { Manifest } from "../../../src/core/oci/manifest.ts";
import type { RequiredIdentity } from "../../../src/core/tags/binding.ts";
import { instant } from "../../../src/core/time.ts";
import { type Rulebook, requiringBinding } from "../../../src/core/verify/criterion.ts";
import { keySignatory, signImage } from "../../../src/ops/sign.ts";
import { type Target, type VerifyOptions, verifyImage, verifyImages } from "../../../src/ops/verify.ts";
import { FakeTags } from "../../support/fake-tags.ts";
import { makeImage, makeIndex, pushImage, type TestImage } from "../../support/images.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { rulebookOf } from "../../support/policies.ts";
import { requirementOf, type TestSigner, testSigner } from "../../support/signatures.ts";

const NOW = instant(Date.UTC(2026, 0, 1));
const NAME = "registry.example/app";
const alice = testSigner("alice.pub");
const mallory = testSigner("mallory.pub");
const byAlice = { ...requirementOf([alice]), now: NOW };
const byMallory = { ...requirementOf([mallory]), now: NOW };
const byBinding = requiringBinding(NOW);
const BY_ALICE = "require: {signature: {by: alice}}";
const UNPINNED = "signed tag (no root of this repository is pinned)";
const RELEASE: RequiredIdentity = { identity: "release@app.example", issuer: "https://login.app.example" };

function target(store: MemoryStore, more: Partial<Target> = { tag: "1.0" }): Target {
  return { image: `${NAME}:1.0`, store, ...more };
}

async function sign(store: MemoryStore, image: TestImage, signer: TestSigner): Promise<void> {
  const { digest } = image.manifest.descriptor;
  const options = { signatory: keySignatory(signer), formats: ["bundle"], annotations: {}, createdAt: NOW } as const;
  const { finding } = await signImage({ image: digest, store, digest }, { ...options, now: NOW });
  assert.equal(finding, undefined);
}

interface Setup {
  readonly store: MemoryStore;
  readonly tags: FakeTags;
  /** What the publisher bound `1.0` to. */
  readonly bound: Manifest;
  /** What the registry calls `1.0`, signed by alice too. */
  readonly moved: Manifest;
}

/** The publisher bound 1.0 to one image by alice; the registry calls another one by alice so. */
async function setUp(more: Partial<Parameters<FakeTags["bind"]>[1]> = {}): Promise<Setup> {
  const store = new MemoryStore("registry", NAME);
  const bound = await makeImage({ name: "what was released" });
  const moved = await makeImage({ name: "what was put there" });
  for (const image of [bound, moved]) {
    await pushImage(store, image, "1.0");
    await sign(store, image, alice);
  }
  const tags = new FakeTags();
  const { digest } = bound.manifest.descriptor;
  tags.bind(NAME, { tag: "1.0", digest, length: bound.manifest.bytes.byteLength, ...more });
  store.calls.length = 0;
  return { store, tags, bound: bound.manifest, moved: moved.manifest };
}

async function outcome(one: Target, options: VerifyOptions): Promise<string> {
  const { verdicts } = await verifyImage(one, options);
  const [{ status, reasons } = { status: "nothing", reasons: [] }] = verdicts;
  return [status, ...reasons.map(({ code }) => code)].join(" ");
}

function kindsOf(store: MemoryStore): readonly string[] {
  return store.calls.map((call) => call.replace(/sha256[:-][0-9a-f]+/g, "…"));
}

describe("an image in a repository whose root is pinned", () => {
  it("is what the publisher bound the tag to, whatever the registry calls so", async () => {
    const { store, tags, bound } = await setUp();
    const { verdicts, accepted, root } = await verifyImage(target(store), {
      requirement: byAlice,
      tags: tags.judging(),
    });
    assert.equal(accepted, true);
    assert.equal(root?.descriptor.digest, bound.descriptor.digest);
    const [verdict] = verdicts;
    assert.equal(verdict?.digest, bound.descriptor.digest);
    assert.equal(verdict?.signedTag?.binding.digest, bound.descriptor.digest);
    assert.ok(verdict?.checked.includes("signed tag"));
    assert.deepEqual(verdict?.notChecked, ["layers (a pull checks them)", "transparency log", "time of signing"]);
  });

  it("costs no request for the registry's own tag", async () => {
    const { store, tags } = await setUp();
    await verifyImage(target(store), { requirement: byAlice, tags: tags.judging() });
    assert.deepEqual(kindsOf(store), ["resolve …", "referrers …", "manifest …", "openBlob … 0"]);
  });

  it("still has to be signed by whom the flags want", async () => {
    const { store, tags } = await setUp();
    const options = { requirement: byMallory, tags: tags.judging() };
    assert.equal(await outcome(target(store), options), "refused wrong-key");
  });

  it("is accepted by the binding alone where nothing else is asked for, and no signature is looked at", async () => {
    const { store, tags } = await setUp();
    const { verdicts } = await verifyImage(target(store), { requirement: byBinding, tags: tags.judging() });
    assert.equal(verdicts[0]?.status, "accepted");
    assert.match(verdicts[0]?.because ?? "", /^bound by targets, root sha256:e{12}… pinned$/);
    assert.deepEqual(verdicts[0]?.checked, ["digest", "signed tag"]);
    assert.deepEqual(verdicts[0]?.notChecked, ["layers (a pull checks them)", "signature (none was asked for)"]);
    assert.deepEqual(kindsOf(store), ["resolve …"]);
  });

  it("is refused where nobody binds the tag, though it is there and signed", async () => {
    const { store, tags } = await setUp();
    tags.pin(NAME);
    assert.equal(await outcome(target(store), { requirement: byAlice, tags: tags.judging() }), "refused tag-unlisted");
    assert.deepEqual(store.calls, []);
  });

  it("is refused for what is wrong with the metadata, and undetermined where nobody could look", async () => {
    const { store, tags } = await setUp();
    for (const code of ["revoked", "rollback", "frozen", "forked", "pin-mismatch", "signed-tags-vanished"] as const) {
      tags.misbehaviour = () => {
        throw new CountersignError(code, "on purpose");
      };
      assert.equal(await outcome(target(store), { requirement: byAlice, tags: tags.judging() }), `refused ${code}`);
    }
    for (const code of ["unreachable", "denied", "clock-rollback", "trust-stale"] as const) {
      tags.misbehaviour = () => {
        throw new CountersignError(code, "on purpose");
      };
      assert.equal(
        await outcome(target(store), { requirement: byAlice, tags: tags.judging() }),
        `undetermined ${code}`,
      );
    }
  });

  it("is refused where tag and digest are named and the tag is signed for another digest", async () => {
    const { store, tags, moved } = await setUp();
    const both = target(store, { tag: "1.0", digest: moved.descriptor.digest });
    assert.equal(await outcome(both, { requirement: byAlice, tags: tags.judging() }), "refused binding-mismatch");
  });

  it("is refused by a digest that was not released, unless the rule lets such digests be", async () => {
    const { store, tags, moved } = await setUp();
    const byDigest = target(store, { digest: moved.descriptor.digest });
    assert.equal(await outcome(byDigest, { requirement: byAlice, tags: tags.judging() }), "refused digest-unlisted");
    for (const word of ["signed", "any"]) {
      const requirement = book(BY_ALICE, `digestPulls: ${word}`);
      assert.equal(await outcome(byDigest, { requirement, tags: tags.judging() }), "accepted");
    }
  });

  it("is asked for by SHA-256 where the reference has another digest", async () => {
    const { store, tags, bound } = await setUp();
    const digest = digestOf(bound.bytes, "sha512");
    tags.bind(NAME, { tag: undefined, digest: digestOf(bound.bytes), length: bound.bytes.byteLength });
    const resolved = { ...bound, descriptor: { ...bound.descriptor, digest } };
    await verifyImage(target(store, { digest, resolved }), { requirement: byAlice, tags: tags.judging() });
    assert.deepEqual(
      tags.asked.map((question) => question.digest),
      [digestOf(bound.bytes)],
    );
  });

  it("is undetermined where the registry does not hold what was signed", async () => {
    const { store, tags, bound } = await setUp();
    store.manifests.delete(bound.descriptor.digest);
    const options = { requirement: byAlice, tags: tags.judging() };
    assert.equal(await outcome(target(store), options), "undetermined not-found");
    const { verdicts } = await verifyImage(target(store), options);
    assert.match(verdicts[0]?.reasons[0]?.message ?? "", /does not hold what the publisher signed/);
  });

  it("is refused where its manifest is longer than was signed, or another one was handed in", async () => {
    const { store, tags } = await setUp({ length: 12 });
    const options = { requirement: byAlice, tags: tags.judging() };
    assert.equal(await outcome(target(store), options), "refused size-mismatch");
    const { store: other, tags: sound, moved } = await setUp();
    const resolved = target(other, { tag: "1.0", resolved: moved });
    assert.equal(await outcome(resolved, { requirement: byAlice, tags: sound.judging() }), "refused binding-mismatch");
  });

  it("is accepted with a warning where the registry's tag is somewhere else, or what was kept had to do", async () => {
    const { store, tags, bound, moved } = await setUp();
    const unheard = { code: "unreachable", message: "the registry could not be asked" } as const;
    const signedTag = tags.pinned.get(NAME)?.get("1.0");
    assert.ok(signedTag);
    tags.pinned.get(NAME)?.set("1.0", { ...signedTag, unheard, registryDigest: moved.descriptor.digest });
    const { verdicts } = await verifyImage(target(store), { requirement: byAlice, tags: tags.judging() });
    assert.equal(verdicts[0]?.status, "accepted");
    assert.deepEqual(
      verdicts[0]?.warnings?.map(({ code }) => code),
      ["unreachable", "tag-moved"],
    );
    tags.pinned.get(NAME)?.set("1.0", { ...signedTag, registryDigest: bound.descriptor.digest });
    const { verdicts: agreeing } = await verifyImage(target(store), { requirement: byAlice, tags: tags.judging() });
    assert.equal(agreeing[0]?.warnings, undefined);
  });

  it("has all that an index lists covered by the binding of the index", async () => {
    const store = new MemoryStore("registry", NAME);
    const index = await makeIndex();
    await pushImage(store, index, "1.0");
    const tags = new FakeTags();
    const { digest } = index.manifest.descriptor;
    tags.bind(NAME, { tag: "1.0", digest, length: index.manifest.bytes.byteLength });
    for (const platform of [undefined, { os: "linux", architecture: "arm64" }]) {
      assert.equal(
        await outcome(target(store), { requirement: byBinding, tags: tags.judging(), platform }),
        "accepted",
      );
    }
    const { verdicts, accepted } = await verifyImage(target(store), {
      requirement: byBinding,
      tags: tags.judging(),
      recursive: true,
    });
    assert.equal(accepted, true);
    assert.equal(verdicts.length, 4);
  });
});

describe("a binding that asks for a signature by an identity as well", () => {
  const asking = (tags: FakeTags, signer: TestSigner) => {
    const asked: (readonly RequiredIdentity[])[] = [];
    const judging = tags.judging({
      signedBy: async (identities) => {
        asked.push(identities);
        return { ...requirementOf([signer]), now: NOW };
      },
    });
    return { asked, judging };
  };

  it("accepts by both, and says so", async () => {
    const { store, tags } = await setUp({ requires: [RELEASE] });
    const { asked, judging } = asking(tags, alice);
    const { verdicts } = await verifyImage(target(store), { requirement: byBinding, tags: judging });
    assert.equal(verdicts[0]?.status, "accepted");
    assert.deepEqual(asked, [[RELEASE]]);
    assert.ok(verdicts[0]?.checked.includes("signature"));
    assert.match(verdicts[0]?.because ?? "", /^bound by targets, root .* pinned; signed by the required key$/);
  });

  it("refuses without one, whoever else signed", async () => {
    const { store, tags } = await setUp({ requires: [RELEASE] });
    const { judging } = asking(tags, mallory);
    assert.equal(await outcome(target(store), { requirement: byBinding, tags: judging }), "refused wrong-key");
    assert.equal(await outcome(target(store), { requirement: byAlice, tags: judging }), "refused wrong-key");
  });

  it("is undetermined where nothing says how it is proven", async () => {
    const { store, tags } = await setUp({ requires: [RELEASE] });
    const judging = tags.judging({
      signedBy: async () => {
        throw new CountersignError("trust-stale", "no trust root here");
      },
    });
    assert.equal(await outcome(target(store), { requirement: byAlice, tags: judging }), "undetermined trust-stale");
  });

  it("is not taken for another tag of the same digest that asks for nothing", async () => {
    const { store, tags, bound } = await setUp({ requires: [RELEASE] });
    tags.bind(NAME, { tag: "latest", digest: bound.descriptor.digest, length: bound.bytes.byteLength });
    const { judging } = asking(tags, mallory);
    const targets = [target(store, { tag: "latest" }), target(store)];
    for (const order of [targets, targets.toReversed()]) {
      const judged = await verifyImages(order, { requirement: byBinding, tags: judging });
      const accepted = new Map(order.map(({ tag }, at) => [tag, judged[at]?.accepted]));
      assert.deepEqual([accepted.get("latest"), accepted.get("1.0")], [true, false]);
    }
  });
});

describe("an image in a repository of which no root is pinned", () => {
  it("is what the registry calls so, and the verdict says that nobody checked that", async () => {
    const { store, moved } = await setUp();
    const tags = new FakeTags();
    const { verdicts } = await verifyImage(target(store), { requirement: byAlice, tags: tags.judging() });
    assert.equal(verdicts[0]?.digest, moved.descriptor.digest);
    assert.equal(verdicts[0]?.signedTag, undefined);
    assert.ok(verdicts[0]?.notChecked.includes(UNPINNED));
    assert.ok(!verdicts[0]?.notChecked.includes("whether the tag is current"));
    assert.deepEqual(kindsOf(store), ["resolve 1.0", "referrers …", "manifest …", "openBlob … 0"]);
  });

  it("is told as before by digest, and at a door that knows no signed tags", async () => {
    const { store, moved } = await setUp();
    const byDigest = target(store, { tag: "1.0", digest: moved.descriptor.digest });
    for (const [one, tags] of [
      [byDigest, new FakeTags().judging()],
      [target(store), undefined],
    ] as const) {
      const { verdicts } = await verifyImage(one, { requirement: byAlice, tags });
      assert.ok(verdicts[0]?.notChecked.includes("whether the tag is current"));
    }
  });

  it("is not accepted where a signed tag is required, by flag, by policy, or alone", async () => {
    const { store } = await setUp();
    const tags = new FakeTags();
    const required = tags.judging({ isRequired: true });
    assert.equal(await outcome(target(store), { requirement: byAlice, tags: required }), "undetermined no-pin");
    const requirement = book(BY_ALICE, "signedTag: required");
    assert.equal(await outcome(target(store), { requirement, tags: tags.judging() }), "undetermined no-pin");
    assert.equal(await outcome(target(store), { requirement: byBinding, tags: tags.judging() }), "undetermined no-pin");
  });

  it("is not asked for where an image has no repository, and fails where a signed tag is required", async () => {
    const image = await makeImage();
    const layout = new MemoryStore("oci-layout");
    await pushImage(layout, image, "1.0");
    const tags = new FakeTags();
    const options = { requirement: byBinding, tags: tags.judging() };
    assert.equal(await outcome({ image: "oci:out", store: layout }, options), "undetermined no-pin");
    assert.equal(await outcome({ image: "oci:out", store: layout }, { requirement: byBinding }), "undetermined no-pin");
    assert.deepEqual(tags.asked, []);
  });
});

/** A policy with one rule; `terms` are in flow style. */
function book(...terms: readonly string[]): Rulebook {
  const rule = ["images: registry.example/app", ...terms].join(", ");
  const text = `apiVersion: countersign/v1\nidentities: {alice: {key: alice.pub}}\nrules:\n  - {${rule}}\n`;
  return rulebookOf(text, { keys: { "alice.pub": alice.publicKey } }, NOW);
}

describe("a policy's rule about signed tags", () => {
  it("accepts by its signed tag alone where it requires nothing else", async () => {
    const { store, tags } = await setUp();
    const requirement = book("signedTag: required");
    const { verdicts } = await verifyImage(target(store), { requirement, tags: tags.judging() });
    assert.equal(verdicts[0]?.status, "accepted");
    assert.match(verdicts[0]?.because ?? "", /^policy\.yaml:\d+/);
    assert.deepEqual(verdicts[0]?.checked, ["digest", "signed tag"]);
  });

  it("refuses a binding that is older than it allows, or has no time", async () => {
    const { store, tags } = await setUp();
    const requirement = (age: string) => book(BY_ALICE, `signedTag: required, maxBindingAge: ${age}`);
    const on = { tags: tags.judging() };
    assert.equal(await outcome(target(store), { requirement: requirement("3d"), ...on }), "accepted");
    assert.equal(await outcome(target(store), { requirement: requirement("47h"), ...on }), "refused binding-old");
    const { store: other, tags: timeless } = await setUp({ signedAt: undefined });
    const options = { requirement: requirement("30d"), tags: timeless.judging() };
    assert.equal(await outcome(target(other), options), "refused binding-old");
  });

  it("only warns where the rule does, of what the rule itself wants", async () => {
    const { store, tags } = await setUp();
    const requirement = book(BY_ALICE, "signedTag: required, maxBindingAge: 1h, mode: warn");
    const { verdicts } = await verifyImage(target(store), { requirement, tags: tags.judging() });
    assert.equal(verdicts[0]?.status, "accepted");
    assert.deepEqual(
      verdicts[0]?.warnings?.map(({ code }) => code),
      ["binding-old"],
    );
    const { verdicts: unpinned } = await verifyImage(target(store), { requirement, tags: new FakeTags().judging() });
    assert.deepEqual(
      unpinned[0]?.warnings?.map(({ code }) => code),
      ["no-pin"],
    );
  });

  it("never opens the door to what the publisher's metadata refuses, though it only warns or excepts the image", async () => {
    const { store, tags } = await setUp();
    tags.pin(NAME);
    const exception = "exceptions: [{images: registry.example/app, owner: a, reason: b, expires: 2026-06-01}]";
    for (const rule of ["mode: warn", exception]) {
      const requirement = book(BY_ALICE, rule);
      assert.equal(await outcome(target(store), { requirement, tags: tags.judging() }), "refused tag-unlisted");
    }
  });

  it("still wants a pin for references by digest that it lets be unlisted, but for those that it does not look at", async () => {
    const { store, moved } = await setUp();
    const byDigest = target(store, { digest: moved.descriptor.digest });
    const on = { tags: new FakeTags().judging() };
    const requirement = (word: string) => book(BY_ALICE, `signedTag: required, digestPulls: ${word}`);
    assert.equal(await outcome(byDigest, { requirement: requirement("listed"), ...on }), "undetermined no-pin");
    assert.equal(await outcome(byDigest, { requirement: requirement("signed"), ...on }), "undetermined no-pin");
    assert.equal(await outcome(byDigest, { requirement: requirement("any"), ...on }), "accepted");
  });
});
