import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CountersignError } from "../../../../src/core/errors.ts";
import type { Publication } from "../../../../src/core/tags/admin-results.ts";
import { HEAD_TAG } from "../../../../src/core/tags/names.ts";
import type { RoleKeyring } from "../../../../src/core/tags/ports.ts";
import type { Publisher } from "../../../../src/ops/tags/publisher.ts";
import { refreshTrust } from "../../../../src/ops/tags/refresh.ts";
import { rotateKeys } from "../../../../src/ops/tags/rotate.ts";
import { signTags } from "../../../../src/ops/tags/sign.ts";
import { addSigner, removeSigner } from "../../../../src/ops/tags/signers.ts";
import { makeImage, pushImage } from "../../../support/images.ts";
import { SimulatedClock, SimulatedStore, World } from "../../../support/simulated-registry.ts";
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

/** The same numbers for the same seed, from 0 to 1. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) / 2 ** 24;
  };
}

/** Several people at work, each with requests that take their time; nobody waits for it here. */
async function atOnce<Result>(
  trust: TestTrust,
  seed: number,
  works: readonly ((publisher: (ring: RoleKeyring) => Publisher) => Promise<Result>)[],
): Promise<readonly Result[]> {
  const world = new World(trust.clock.now());
  const ended = await world.run(
    works.map(async (work, at) => {
      const random = chance(seed * 31 + at);
      await world.delay(random() * 2000);
      const store = new SimulatedStore(world, trust.store, () => ({ there: random() * 200, back: random() * 200 }));
      const clock = new SimulatedClock(world, 0, random);
      return await work((ring) => publisherOf(trust, ring, { store, clock, writers: "several" }));
    }),
  );
  trust.clock.at = world.now;
  return ended.map((each) => (each.status === "fulfilled" ? each.value : assert.fail(each.reason as Error)));
}

const SEEDS = Array.from({ length: 4 }, (_, seed) => seed + 1);

async function signerNames(trust: TestTrust): Promise<readonly string[]> {
  return (await wholeTrust(trust)).targets.body.delegations.map(({ name }) => name).toSorted();
}

describe("administrators at work in the same moment", () => {
  it("each add a signer with the same key, and all signers are there", async () => {
    for (const seed of SEEDS) {
      const trust = await initialised();
      const works = ["a", "b", "c"].map((name) => (publisher: (ring: RoleKeyring) => Publisher) => {
        return addSigner(publisher(trust.ring), { name, keys: [roleSigner().publicKey], takesOver: true });
      });
      const results = await atOnce(trust, seed, works);
      const states = results.map(({ publication }) => publication.state);
      assert.deepEqual(states, ["published", "published", "published"], `seed ${seed}`);
      assert.deepEqual(await signerNames(trust), ["a", "b", "c"], `seed ${seed}`);
    }
  });

  it("one adds and one removes, and a signer publishes meanwhile: all of it is there", async (t) => {
    for (const seed of SEEDS) {
      const trust = await initialised();
      const [ci, old] = [roleSigner(), roleSigner()];
      trust.ring.add(ci, old);
      await addSigner(publisherOf(trust), { name: "ci", keys: [ci.publicKey], takesOver: true });
      await addSigner(publisherOf(trust), { name: "old", keys: [old.publicKey], takesOver: true });
      const { descriptor } = await pushImage(trust.store, await makeImage({ name: "meanwhile" }), "v1");
      const results = await atOnce<{ readonly publication: Publication }>(trust, seed, [
        (publisher) =>
          addSigner(publisher(trust.ring), { name: "new", keys: [roleSigner().publicKey], takesOver: true }),
        (publisher) => removeSigner(publisher(trust.ring), { name: "old" }),
        (publisher) => signTags(publisher(new TestRing(ci, trust.online)), { images: trust.store, tags: ["v1"] }),
      ]);
      const states = results.map(({ publication }) => publication.state);
      assert.deepEqual(states, ["published", "published", "published"], `seed ${seed}`);
      assert.deepEqual(await signerNames(trust), ["ci", "new"], `seed ${seed}`);
      assert.equal(await (await consumerOf(t, trust))("v1"), descriptor.digest, `seed ${seed}`);
    }
  });

  it("rotate the online key while a signer publishes with the old one: nothing of either is lost", async (t) => {
    for (const seed of SEEDS) {
      const trust = await initialised();
      const [ci, fresh] = [roleSigner(), roleSigner()];
      await addSigner(publisherOf(trust), { name: "ci", keys: [ci.publicKey], takesOver: true });
      const { descriptor } = await pushImage(trust.store, await makeImage({ name: "meanwhile" }), "v1");
      const office = new TestRing(trust.root, trust.targets, fresh);
      await atOnce<{ readonly publication: Publication }>(trust, seed, [
        (publisher) => signTags(publisher(new TestRing(ci, trust.online)), { images: trust.store, tags: ["v1"] }),
        (publisher) => rotateKeys(publisher(office), { role: "online", add: [fresh.publicKey], remove: "all" }),
      ]);
      await refreshTrust(publisherOf(trust, new TestRing(fresh)));
      const { roots } = await wholeTrust(trust);
      assert.deepEqual(roots.at(-1)?.body.roles.timestamp.keyids, [idOf(fresh)], `seed ${seed}`);
      assert.equal(await (await consumerOf(t, trust))("v1"), descriptor.digest, `seed ${seed}`);
    }
  });
});

describe("a rotation that breaks off between any two requests", () => {
  const ROLES = ["root", "targets", "online"] as const;
  for (const role of ROLES) {
    it(`leaves consumers with the old or the new ${role}, and is finished by doing it again`, async (t) => {
      for (let broken = 1; ; broken++) {
        const trust = await initialised();
        const digest = await released(trust, "v1");
        const fresh = roleSigner();
        trust.ring.add(fresh);
        const wish = { role, add: [fresh.publicKey], remove: "all" } as const;
        const isDone = await breakingOff(trust, broken, () => rotateKeys(publisherOf(trust), wish));
        const consume = await consumerOf(t, trust);
        assert.equal(await consume("v1"), digest, `broken at request ${broken}`);
        if (isDone) break;
        const again = await rotateKeys(publisherOf(trust), wish);
        assert.equal(again.publication.state, "published");
        const part = role === "online" ? "timestamp" : role;
        assert.deepEqual((await wholeTrust(trust)).roots.at(-1)?.body.roles[part].keyids, [idOf(fresh)]);
        assert.equal(await consume("v1"), digest);
      }
    });
  }

  it("loses no binding where the last head is gone and an old one is back: the next refresh heals it", async (t) => {
    const trust = await initialised();
    const old = trust.store.names.get(HEAD_TAG) ?? assert.fail();
    const digest = await released(trust, "v1");
    const fresh = roleSigner();
    trust.ring.add(fresh);
    await rotateKeys(publisherOf(trust), { role: "targets", add: [fresh.publicKey], remove: "all" });
    trust.store.names.set(HEAD_TAG, old);
    await refreshTrust(publisherOf(trust));
    assert.equal(await (await consumerOf(t, trust))("v1"), digest);
    assert.equal((await wholeTrust(trust)).roots.length, 2);
  });
});

/** Whether the work got through; else it ended at that request, counted from 1. */
async function breakingOff(trust: TestTrust, at: number, work: () => Promise<unknown>): Promise<boolean> {
  let requests = 0;
  trust.store.misbehaviour = {
    before: (call) => {
      if (call.startsWith("write ")) return;
      if (++requests >= at) throw new CountersignError("interrupted", "killed");
    },
  };
  try {
    await work();
    return requests < at;
  } catch {
    return false;
  } finally {
    trust.store.misbehaviour = {};
  }
}
