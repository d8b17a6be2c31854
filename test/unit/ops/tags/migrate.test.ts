import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { publicKeyFrom } from "../../../../src/core/crypto/public-key.ts";
import { signData } from "../../../../src/core/crypto/signature.ts";
import { requireContinuity } from "../../../../src/core/dct/continuity.ts";
import { verifyDct } from "../../../../src/core/dct/verify.ts";
import { CountersignError } from "../../../../src/core/errors.ts";
import { digestHex } from "../../../../src/core/oci/digest.ts";
import type { Signer } from "../../../../src/core/ports.ts";
import { effectiveBindings, findBinding } from "../../../../src/core/tags/lookup.ts";
import { HEAD_TAG, pathOfTag } from "../../../../src/core/tags/names.ts";
import { migrateTrust } from "../../../../src/ops/tags/migrate.ts";
import { type MigrationPlan, planMigration } from "../../../../src/ops/tags/migration-plan.ts";
import { signTags } from "../../../../src/ops/tags/sign.ts";
import { readWholeTrust } from "../../../../src/ops/tags/whole.ts";
import { rejectedBy } from "../../../support/codes.ts";
import {
  type DctTestKey,
  type DctWish,
  dctRepository,
  plainDctKey,
  rootDctKey,
  type SignedFor,
} from "../../../support/dct/publisher.ts";
import { makeImage, pushImage } from "../../../support/images.ts";
import { MemoryStore } from "../../../support/memory-store.ts";
import { initWish, NOW, roleSigner, TestPublisherClock, TestRing } from "../../../support/tag-publisher.ts";

const GUN = "registry.example/app";
const NOWHERE = "ab".repeat(32);

/** An image in the store, and what a publisher of Docker's signed of it. */
async function image(
  store: MemoryStore,
  tag: string | undefined,
  name = tag ?? "untagged",
): Promise<Exclude<SignedFor, string>> {
  const { descriptor } = await pushImage(store, await makeImage({ name }), tag);
  return { hex: digestHex(descriptor.digest), length: descriptor.size };
}

function planOf(store: MemoryStore, wish: DctWish): Promise<MigrationPlan> {
  return planMigration(verifyDct(dctRepository({ gun: GUN, ...wish }), NOW), store);
}

function signerWith({ key }: DctTestKey): Signer {
  return { publicKey: publicKeyFrom(key.publicKey, "a key"), sign: async (data) => signData(key.privateKey, data) };
}

async function migrated(
  store: MemoryStore,
  plan: MigrationPlan,
  ring = new TestRing(),
  vouchers: readonly Signer[] = [],
) {
  const { gun: _gun, ...wish } = initWish(store);
  const result = await migrateTrust({ ...wish, plan, ring, vouchers });
  const trust = await readWholeTrust({ store, gun: GUN, head: HEAD_TAG, pin: result.init.pin }, NOW);
  return { result, trust, wish };
}

describe("a plan to take a repository over", () => {
  it("says of each tag what the registry has now", async () => {
    const store = new MemoryStore("registry", GUN);
    const [same, old, alone] = [
      await image(store, "1.0"),
      await image(store, "2.0", "old"),
      await image(store, undefined),
    ];
    await image(store, "2.0", "new");
    const plan = await planOf(store, { tags: { "1.0": same, "2.0": old, "3.0": alone, "4.0": NOWHERE } });
    assert.deepEqual(
      plan.tags.map(({ tag, state }) => [tag, state]),
      [
        ["1.0", "same"],
        ["2.0", "moved"],
        ["3.0", "untagged"],
        ["4.0", "gone"],
      ],
    );
    assert.deepEqual(
      plan.notices.map(({ code }) => code),
      ["tag-moved", "not-found"],
    );
  });

  it("calls a manifest gone that has another length than was signed", async () => {
    const store = new MemoryStore("registry", GUN);
    const { hex, length } = await image(store, "1.0");
    const plan = await planOf(store, { tags: { "1.0": { hex, length: length + 1 } } });
    assert.equal(plan.tags[0]?.state, "gone");
  });

  it("does not call gone what could not be looked at", async () => {
    const store = new MemoryStore("registry", GUN);
    store.misbehaviour = { before: () => Promise.reject(new CountersignError("unreachable", "no route")) };
    await rejectedBy(() => planOf(store, { tags: { "1.0": NOWHERE } }), "unreachable");
  });

  it("leaves names out that are no tags, or that hold the metadata itself", async () => {
    const store = new MemoryStore("registry", GUN);
    const plan = await planOf(store, { tags: { "a file.tgz": NOWHERE, [HEAD_TAG]: NOWHERE } });
    assert.deepEqual(plan.tags, []);
    assert.deepEqual(
      plan.notices.map(({ code, found }) => [code, found]),
      [
        ["usage", "a file.tgz"],
        ["usage", HEAD_TAG],
      ],
    );
  });

  it("keeps signers with their keys and the beginnings of tags that were theirs", async () => {
    const store = new MemoryStore("registry", GUN);
    const [alice, ci] = [plainDctKey(), plainDctKey()];
    const signers = [
      { name: "targets/alice", keys: [alice], tags: {} },
      { name: "targets/1ci", keys: [ci], tags: {}, paths: ["v1.", "v2."] },
      { name: "targets/releases", keys: [alice, ci], tags: {} },
    ];
    const plan = await planOf(store, { signers });
    assert.deepEqual(
      plan.signers.map(({ name, formerly, tags, keys }) => [name, formerly, tags.join(" "), keys.length]),
      [
        ["alice", "alice", "*", 1],
        ["signer-1ci", "1ci", "v1.* v2.*", 1],
      ],
    );
  });

  it("makes a signer of releases where it had keys that no signer has", async () => {
    const store = new MemoryStore("registry", GUN);
    const plan = await planOf(store, { signers: [{ name: "targets/releases", keys: [plainDctKey()], tags: {} }] });
    assert.deepEqual(
      plan.signers.map(({ name }) => name),
      ["releases"],
    );
  });

  for (const kind of ["rsa2048", "p521"] as const) {
    it(`says that a signer with a key of kind ${kind} does not come along`, async () => {
      const store = new MemoryStore("registry", GUN);
      const plan = await planOf(store, { signers: [{ name: "targets/alice", keys: [plainDctKey(kind)], tags: {} }] });
      assert.deepEqual(plan.signers, []);
      assert.deepEqual(
        plan.notices.map(({ code }) => code),
        ["key-weak"],
      );
      assert.match(plan.notices[0]?.next ?? "", /trust signer add alice/);
    });
  }

  it("says that a signer comes along without the key that cannot sign, and one that could sign nothing does not", async () => {
    const store = new MemoryStore("registry", GUN);
    const signers = [
      { name: "targets/alice", keys: [plainDctKey("rsa2048"), plainDctKey()], tags: {} },
      { name: "targets/bob", keys: [plainDctKey()], tags: {}, paths: [] },
    ];
    const plan = await planOf(store, { signers });
    assert.deepEqual(
      plan.signers.map(({ name, keys }) => [name, keys.length]),
      [["alice", 1]],
    );
    assert.deepEqual(
      plan.notices.map(({ code }) => code),
      ["key-weak", "pattern-unsupported"],
    );
  });
});

describe("a repository that was taken over", () => {
  it("says of every tag what Docker pulled, in one publish", async () => {
    const store = new MemoryStore("registry", GUN);
    const [one, two] = [await image(store, "1.0"), await image(store, "2.0", "old")];
    await image(store, "2.0", "new");
    const { trust } = await migrated(store, await planOf(store, { tags: { "1.0": one, "2.0": two, "3.0": NOWHERE } }));
    const tags = effectiveBindings(trust).filter(({ binding }) => binding.tag !== undefined);
    assert.deepEqual(
      tags.map(({ role, binding }) => [role, binding.tag, digestHex(binding.digest)]),
      [
        ["targets", "1.0", one.hex],
        ["targets", "2.0", two.hex],
      ],
    );
    assert.equal(store.callsOf("pushManifest").filter((call) => call.endsWith(HEAD_TAG)).length, 1);
  });

  it("has a tag bound by the signers whose keys are here, and by the holder of the repository's key else", async () => {
    const store = new MemoryStore("registry", GUN);
    const [one, two, three] = [await image(store, "1.0"), await image(store, "2.0"), await image(store, "3.0")];
    const [alice, bob] = [plainDctKey(), plainDctKey()];
    const signers = [
      { name: "targets/alice", keys: [alice], tags: { "1.0": one } },
      { name: "targets/bob", keys: [bob], tags: { "2.0": two } },
      { name: "targets/releases", keys: [alice, bob], tags: { "1.0": one, "2.0": two } },
    ];
    const plan = await planOf(store, { tags: { "3.0": three }, signers });
    const { result } = await migrated(store, plan, new TestRing(signerWith(alice)));
    assert.deepEqual(
      result.tags.map(({ tag, roles }) => [tag, ...roles]),
      [
        ["1.0", "alice"],
        ["2.0", "repo-admin"],
        ["3.0", "repo-admin"],
      ],
    );
  });

  it("lets a signer whose key was elsewhere take its tag on", async () => {
    const store = new MemoryStore("registry", GUN);
    const [bob, two] = [plainDctKey(), await image(store, "2.0")];
    const plan = await planOf(store, {
      tags: { "2.0": two },
      signers: [{ name: "targets/bob", keys: [bob], tags: {} }],
    });
    const { result, wish } = await migrated(store, plan);
    const next = await image(store, "2.0", "the next");
    const ring = new TestRing(signerWith(bob), ...wish.roles.timestamp.signers, ...wish.roles.snapshot.signers);
    const clock = new TestPublisherClock();
    clock.pass(1000);
    const { pin } = result.init;
    const publisher = { store, gun: GUN, head: HEAD_TAG, pin, ring, clock, writers: "one" } as const;
    await signTags(publisher, { images: store, tags: ["2.0"] });
    const trust = await readWholeTrust({ store, gun: GUN, head: HEAD_TAG, pin }, clock.now());
    const { found, shadowed } = findBinding(trust, pathOfTag("2.0"));
    assert.deepEqual([found?.role, found && digestHex(found.binding.digest)], ["bob", next.hex]);
    assert.deepEqual(
      shadowed.map(({ role }) => role),
      ["repo-admin"],
    );
  });

  it("is vouched for by the old root's key, whatever its own root key is", async () => {
    const store = new MemoryStore("registry", GUN);
    const root = rootDctKey(GUN, "rsa2048");
    const old = verifyDct(dctRepository({ gun: GUN, root }), NOW);
    const { trust } = await migrated(store, await planMigration(old, store), new TestRing(), [signerWith(root)]);
    const [first] = trust.roots;
    assert.ok(first);
    assert.equal(requireContinuity(old.root.body, GUN, first).length, 1);
    assert.deepEqual(trust.findings, []);
  });

  it("holds a thousand tags", async () => {
    const store = new MemoryStore("registry", GUN);
    const one = await image(store, "1.0");
    const tags = Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`t${at}`, one]));
    const { trust, result } = await migrated(store, await planOf(store, { tags }));
    assert.equal(result.tags.length, 1000);
    assert.equal(findBinding(trust, pathOfTag("t999")).found?.binding.tag, "t999");
    assert.deepEqual(trust.findings, []);
  });

  it("is not set up where there are signed tags already, and nothing is written", async () => {
    const store = new MemoryStore("registry", GUN);
    const plan = await planOf(store, {});
    await migrated(store, plan);
    const before = store.names.get(HEAD_TAG);
    await rejectedBy(() => migrated(store, plan), "destination-exists");
    assert.equal(store.names.get(HEAD_TAG), before);
  });

  it("is refused where an old key's halves do not belong together", async () => {
    const store = new MemoryStore("registry", GUN);
    const { publicKey } = roleSigner();
    const broken = { ...roleSigner(), publicKey };
    const plan = await planOf(store, {});
    await rejectedBy(() => migrated(store, plan, new TestRing(), [broken]), "key-unavailable");
    assert.equal(store.names.has(HEAD_TAG), false);
  });
});
