import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { digestOf } from "../../../../src/core/oci/digest.ts";
import type { Signer } from "../../../../src/core/ports.ts";
import { HEAD_TAG } from "../../../../src/core/tags/names.ts";
import { refreshTrust } from "../../../../src/ops/tags/refresh.ts";
import { type RotateWish, rotateKeys } from "../../../../src/ops/tags/rotate.ts";
import { addSigner } from "../../../../src/ops/tags/signers.ts";
import { rejectedBy } from "../../../support/codes.ts";
import {
  consumerOf,
  idOf,
  initialised,
  publisherOf,
  released,
  roleSigner,
  TestRing,
  type TestTrust,
  wholeTrust,
} from "../../../support/tag-publisher.ts";

function replacing(role: string, signers: readonly Signer[], more: Partial<RotateWish> = {}): RotateWish {
  return { role, add: signers.map(({ publicKey }) => publicKey), remove: "all", ...more };
}

/** A repository with a tag, a consumer who has seen it, and a new key at hand. */
async function scene(t: Parameters<typeof consumerOf>[0]) {
  const trust = await initialised();
  const digest = await released(trust, "v1");
  const consume = await consumerOf(t, trust);
  assert.equal(await consume("v1"), digest);
  const fresh = roleSigner("fresh.pub");
  trust.ring.add(fresh);
  return { trust, digest, consume, fresh };
}

async function keyIdsOf(trust: TestTrust, role: "root" | "targets" | "snapshot" | "timestamp") {
  return (await wholeTrust(trust)).roots.at(-1)?.body.roles[role].keyids;
}

describe("rotating the root's keys", () => {
  it("is a root 2 by the old keys and the new, which consumers of root 1 follow", async (t) => {
    const { trust, digest, consume, fresh } = await scene(t);
    const result = await rotateKeys(publisherOf(trust), replacing("root", [fresh]));
    assert.deepEqual(result.removedKeyIds, [idOf(trust.root)]);
    assert.deepEqual(result.addedKeyIds, [idOf(fresh)]);
    assert.equal(result.root?.version, 2);
    assert.equal(await consume("v1"), digest);
    assert.equal(await (await consumerOf(t, trust))("v1"), digest);
    const root = (await wholeTrust(trust)).roots.at(-1);
    assert.equal(result.root?.digest, root && digestOf(root.bytes));
    assert.deepEqual(root?.signatures.map(({ keyid }) => keyid).toSorted(), [idOf(trust.root), idOf(fresh)].toSorted());
  });

  it("raises the threshold: two of three from now on", async (t) => {
    const { trust, digest, consume, fresh } = await scene(t);
    const third = roleSigner();
    await rotateKeys(publisherOf(trust), replacing("root", [fresh, third], { remove: [], threshold: 2 }));
    assert.equal((await keyIdsOf(trust, "root"))?.length, 3);
    assert.equal(await consume("v1"), digest);
    const alone = publisherOf(trust, trust.ring.without(fresh));
    const { publication } = await rotateKeys(alone, { role: "root", add: [], remove: [] });
    assert.ok(publication.state === "pending");
    assert.equal(publication.waiting.missing, 1);
    assert.deepEqual(publication.waiting.open.toSorted(), [idOf(fresh), idOf(third)].toSorted());
  });

  it("renews it with nothing added or removed", async (t) => {
    const { trust, consume, digest } = await scene(t);
    trust.clock.pass(320 * 86_400_000);
    await refreshTrust(publisherOf(trust, trust.ring, { allowsExpired: true }));
    const before = (await wholeTrust(trust)).roots.at(-1)?.body.expires ?? 0;
    const result = await rotateKeys(publisherOf(trust), { role: "root", add: [], remove: [] });
    assert.deepEqual([result.addedKeyIds, result.removedKeyIds, result.root?.version], [[], [], 2]);
    assert.ok(((await wholeTrust(trust)).roots.at(-1)?.body.expires ?? 0) > before);
    assert.equal(await consume("v1"), digest);
  });

  it("brings a repository back whose root has expired, for consumers of root 1 (26)", async (t) => {
    const { trust, consume, digest } = await scene(t);
    trust.clock.pass(400 * 86_400_000);
    const publisher = publisherOf(trust, trust.ring, { allowsExpired: true });
    await rejectedBy(() => refreshTrust(publisher), "root-expired");
    await rotateKeys(publisher, { role: "root", add: [], remove: [] });
    await rotateKeys(publisher, { role: "targets", add: [], remove: [] });
    assert.equal(await consume("v1"), digest);
    assert.equal(await (await consumerOf(t, trust))("v1"), digest);
  });

  it("waits for the drawer where the old key is not here", async (t) => {
    const { trust, fresh } = await scene(t);
    const before = trust.store.names.get(HEAD_TAG);
    const elsewhere = publisherOf(trust, trust.ring.without(trust.root));
    const { publication, root } = await rotateKeys(elsewhere, replacing("root", [fresh]));
    assert.ok(publication.state === "pending");
    assert.deepEqual(publication.waiting.open, [idOf(trust.root)]);
    assert.equal(root?.version, 2);
    assert.equal(trust.store.names.get(HEAD_TAG), before);
  });

  it("is refused to who holds a new key alone, and to strangers", async (t) => {
    const { trust, fresh } = await scene(t);
    const stranger = publisherOf(trust, new TestRing(fresh));
    await rejectedBy(() => rotateKeys(stranger, replacing("root", [fresh])), "role-key-missing");
  });
});

describe("rotating the online key", () => {
  it("is a new root, snapshot and timestamp; the old key's timestamps count no more (30)", async (t) => {
    const { trust, digest, consume, fresh } = await scene(t);
    const old = trust.store.names.get(HEAD_TAG);
    const result = await rotateKeys(publisherOf(trust), replacing("online", [fresh]));
    assert.equal(result.publication.state, "published");
    assert.deepEqual(await keyIdsOf(trust, "timestamp"), [idOf(fresh)]);
    assert.deepEqual(await keyIdsOf(trust, "snapshot"), [idOf(fresh)]);
    assert.equal(await consume("v1"), digest);
    const online = publisherOf(trust, new TestRing(trust.online));
    const left = await refreshTrust(online).catch((error: unknown) => error);
    assert.notEqual((left as { publication?: { state: string } }).publication?.state, "published");
    if (old !== undefined) trust.store.names.set(HEAD_TAG, old);
    await rejectedBy(() => consume("v1"), "signature-threshold");
  });

  it("recovers from versions of the far future (31, 32): lower ones are accepted afterwards", async (t) => {
    const { trust, digest, fresh } = await scene(t);
    // Whoever stole the key signs what is as far ahead as clients believe.
    const thief = publisherOf(trust, new TestRing(trust.online), { clock: Object.assign(trust.clock) });
    const now = trust.clock.at;
    trust.clock.pass(23 * 3_600_000);
    await refreshTrust(thief);
    const consume = await consumerOf(t, trust);
    trust.clock.at = now;
    assert.equal(await consume("v1"), digest);
    await rotateKeys(publisherOf(trust), replacing("online", [fresh]));
    const { timestamp } = await wholeTrust(trust);
    assert.ok((timestamp?.body.version ?? 0) < now + 3_600_000);
    assert.equal(await consume("v1"), digest);
  });

  it("is staged where the new key is elsewhere, and published by who has it", async (t) => {
    const { trust, digest, consume, fresh } = await scene(t);
    const office = publisherOf(trust, trust.ring.without(fresh));
    const { publication } = await rotateKeys(office, replacing("online", [fresh]));
    assert.equal(publication.state, "staged");
    assert.equal(await consume("v1"), digest);
    const refreshed = await refreshTrust(publisherOf(trust, new TestRing(fresh)));
    assert.equal(refreshed.publication.state, "published");
    assert.deepEqual(await keyIdsOf(trust, "timestamp"), [idOf(fresh)]);
    assert.equal(await consume("v1"), digest);
  });

  it("takes separate keys for snapshot and timestamp", async (t) => {
    const { trust, digest, consume, fresh } = await scene(t);
    await rotateKeys(publisherOf(trust), replacing("timestamp", [fresh]));
    assert.deepEqual(await keyIdsOf(trust, "timestamp"), [idOf(fresh)]);
    assert.deepEqual(await keyIdsOf(trust, "snapshot"), [idOf(trust.online)]);
    assert.equal(await consume("v1"), digest);
  });

  it("is not renewed by a root: refresh does that", async (t) => {
    const { trust } = await scene(t);
    await rejectedBy(() => rotateKeys(publisherOf(trust), { role: "online", add: [], remove: [] }), "usage");
  });
});

describe("rotating the keys of targets", () => {
  it("signs what targets had signed by the new keys, in one step with the root", async (t) => {
    const { trust, digest, consume, fresh } = await scene(t);
    const result = await rotateKeys(publisherOf(trust), replacing("targets", [fresh]));
    assert.equal(result.root?.version, 2);
    assert.deepEqual(await keyIdsOf(trust, "targets"), [idOf(fresh)]);
    assert.equal(await consume("v1"), digest);
    assert.equal(await (await consumerOf(t, trust))("v1"), digest);
    const robbed = publisherOf(trust, new TestRing(trust.targets, trust.online));
    await rejectedBy(() => released(trust, "v2", robbed.ring), "role-key-missing");
    await released(trust, "v2", new TestRing(fresh, trust.online));
  });

  it("renews it without a new root where no key changes", async (t) => {
    const { trust, digest, consume } = await scene(t);
    const before = (await wholeTrust(trust)).targets.body.version;
    const result = await rotateKeys(publisherOf(trust), { role: "targets", add: [], remove: [] });
    assert.equal(result.root, undefined);
    const after = await wholeTrust(trust);
    assert.ok(after.targets.body.version > before);
    assert.equal(after.roots.length, 1);
    assert.equal(await consume("v1"), digest);
  });
});

describe("rotating a signer's keys", () => {
  async function withSigner(t: Parameters<typeof consumerOf>[0]) {
    const trust = await initialised();
    const ci = roleSigner("ci.pub");
    trust.ring.add(ci);
    await addSigner(publisherOf(trust), { name: "ci", keys: [ci.publicKey], takesOver: true });
    const digest = await released(trust, "v1", new TestRing(ci, trust.online));
    const fresh = roleSigner("fresh.pub");
    trust.ring.add(fresh);
    return { trust, ci, digest, fresh, consume: await consumerOf(t, trust) };
  }

  it("signs what it had signed by the new keys, and shuts out the old (16)", async (t) => {
    const { trust, ci, digest, fresh, consume } = await withSigner(t);
    const result = await rotateKeys(publisherOf(trust), replacing("ci", [fresh]));
    assert.equal(result.root, undefined);
    assert.deepEqual(result.removedKeyIds, [idOf(ci)]);
    assert.equal(await consume("v1"), digest);
    await rejectedBy(() => released(trust, "v2", new TestRing(ci, trust.online)), "role-key-missing");
    await released(trust, "v2", new TestRing(fresh, trust.online));
  });

  it("waits for the new key's holder where that is somebody else: it has to sign what there is", async (t) => {
    const { trust, ci, fresh, consume, digest } = await withSigner(t);
    const admin = publisherOf(trust, trust.ring.without(fresh, ci));
    const { publication } = await rotateKeys(admin, replacing("ci", [fresh]));
    assert.ok(publication.state === "pending");
    assert.deepEqual(publication.waiting.open, [idOf(fresh)]);
    assert.equal(await consume("v1"), digest);
  });

  it("renews its metadata with its own key alone", async (t) => {
    const { trust, ci, consume, digest } = await withSigner(t);
    const before = (await wholeTrust(trust)).roles.get("ci")?.body.version ?? 0;
    const own = publisherOf(trust, new TestRing(ci, trust.online));
    await rotateKeys(own, { role: "ci", add: [], remove: [] });
    assert.ok(((await wholeTrust(trust)).roles.get("ci")?.body.version ?? 0) > before);
    assert.equal(await consume("v1"), digest);
  });
});

describe("a rotation that cannot be", () => {
  for (const [role, more] of [
    ["nobody", {}],
    ["root", { add: [] }],
    ["root", { threshold: 2 }],
    ["root", { remove: ["0".repeat(64)] }],
    ["targets", { threshold: 0 }],
    ["../x", {}],
  ] as const) {
    it(`is refused before anything is written: ${role} ${JSON.stringify(more)}`, async () => {
      const trust = await initialised();
      const before = new Map(trust.store.names);
      await rejectedBy(
        () => rotateKeys(publisherOf(trust), replacing(role, [roleSigner()], more as Partial<RotateWish>)),
        "usage",
      );
      assert.deepEqual(trust.store.names, before);
    });
  }

  it("is refused with keys that TUF's clients do not verify alike", async () => {
    const trust = await initialised();
    const p521 = roleSigner("p521.pub", "P-521");
    await rejectedBy(() => rotateKeys(publisherOf(trust), replacing("root", [p521])), "key-weak");
  });

  it("writes made keys down before anything is published, and publishes nothing where that fails", async () => {
    const trust = await initialised();
    const before = new Map(trust.store.names);
    const keep = () => Promise.reject(new Error("full"));
    await assert.rejects(rotateKeys(publisherOf(trust), replacing("root", [roleSigner()], { keep })), /full/);
    assert.deepEqual(trust.store.names, before);
  });
});
