import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CountersignError } from "../../../../src/core/errors.ts";
import type { Digest } from "../../../../src/core/oci/digest.ts";
import { MEDIA_TYPES } from "../../../../src/core/oci/media-types.ts";
import { HEAD_TAG, pendingTag, probeTag, stagingTag } from "../../../../src/core/tags/names.ts";
import { collectGarbage, type GcWish } from "../../../../src/ops/tags/gc.ts";
import { requireMovableTags } from "../../../../src/ops/tags/probe.ts";
import { refreshTrust } from "../../../../src/ops/tags/refresh.ts";
import { rotateKeys } from "../../../../src/ops/tags/rotate.ts";
import { addSigner, removeSigner } from "../../../../src/ops/tags/signers.ts";
import { pushStage } from "../../../../src/ops/tags/staging.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { makeImage, pushImage } from "../../../support/images.ts";
import {
  consumerOf,
  initialised,
  publisherOf,
  released,
  roleSigner,
  TestRing,
  type TestTrust,
} from "../../../support/tag-publisher.ts";

const DAY = 86_400_000;

function wish(trust: TestTrust, more: Partial<GcWish> = {}): GcWish {
  const { store, gun, head, clock, result } = trust;
  return {
    store,
    gun,
    head,
    pin: result.pin,
    now: clock.now(),
    keep: 3,
    olderThanMs: 2 * DAY,
    isDryRun: false,
    ...more,
  };
}

/** A repository that was refreshed every day. */
async function afterDays(days: number): Promise<{ trust: TestTrust; heads: readonly Digest[] }> {
  const trust = await initialised();
  const heads: Digest[] = [];
  for (let day = 0; day < days; day++) {
    heads.unshift(trust.store.names.get(HEAD_TAG) ?? assert.fail());
    trust.clock.pass(DAY);
    await refreshTrust(publisherOf(trust));
  }
  return { trust, heads };
}

describe("collecting heads that were replaced", () => {
  it("keeps as many as it is told and all that are young, and follows the chain beyond what one head names", async () => {
    const { trust, heads } = await afterDays(25);
    const { removed, kept } = await collectGarbage(wish(trust));
    assert.deepEqual(kept, heads.slice(0, 3));
    assert.deepEqual(removed, heads.slice(3));
    assert.deepEqual(
      heads.filter((digest) => trust.store.manifests.has(digest)),
      heads.slice(0, 3),
    );
    const again = await collectGarbage(wish(trust, { keep: 0, olderThanMs: 10 * DAY }));
    assert.deepEqual(again.removed, []);
  });

  it("leaves a cold client with root 1 all that it needs, after 100 refreshes and a rotation (55)", async (t) => {
    const trust = await initialised();
    const digest = await released(trust, "v1");
    const fresh = roleSigner();
    trust.ring.add(fresh);
    await rotateKeys(publisherOf(trust), { role: "root", add: [fresh.publicKey], remove: "all" });
    for (let refresh = 0; refresh < 100; refresh++) {
      trust.clock.pass(DAY / 24);
      await refreshTrust(publisherOf(trust));
    }
    const { removed } = await collectGarbage(wish(trust, { keep: 0, olderThanMs: 0 }));
    assert.ok(removed.length >= 100, String(removed.length));
    // What a registry does that deletes untagged manifests.
    const tagged = new Set(trust.store.names.values());
    for (const each of [...trust.store.manifests.keys()]) if (!tagged.has(each)) trust.store.manifests.delete(each);
    assert.equal(await (await consumerOf(t, trust))("v1"), digest);
  });

  it("says what it would do and does nothing in a dry run", async () => {
    const { trust, heads } = await afterDays(6);
    const { removed, isDryRun } = await collectGarbage(wish(trust, { isDryRun: true }));
    assert.deepEqual([removed, isDryRun], [heads.slice(3), true]);
    assert.deepEqual(
      trust.store.callsOf("remove").filter((target) => target !== probeTag()),
      [],
    );
  });

  it("says so where the registry does not delete, or not for this account", async () => {
    const { trust } = await afterDays(6);
    trust.store.remove = () => Promise.resolve("unsupported") as never;
    const result = await collectGarbage(wish(trust));
    assert.equal(result.unsupported?.code, "unsupported");
    assert.deepEqual(result.removed, []);
    trust.store.remove = () => Promise.reject(new CountersignError("denied", "no"));
    assert.equal((await collectGarbage(wish(trust))).unsupported?.code, "denied");
    trust.store.remove = () => Promise.reject(new CountersignError("unreachable", "no"));
    await rejectedBy(() => collectGarbage(wish(trust)), "unreachable");
  });

  it("removes the tags of signers that are gone and of changes that are void, and no stage that a head is rebuilt from", async () => {
    const trust = await initialised();
    const ci = roleSigner();
    trust.ring.add(ci);
    await addSigner(publisherOf(trust), { name: "ci", keys: [ci.publicKey], takesOver: true });
    await released(trust, "v1");
    await removeSigner(publisherOf(trust), { name: "ci" });
    await addSigner(publisherOf(trust), { name: "cd", keys: [ci.publicKey], takesOver: true });
    await released(trust, "v1");
    await pushImage(trust.store, await makeImage(), pendingTag("root"));
    await pushImage(trust.store, await makeImage(), probeTag());
    const { tags } = await collectGarbage(wish(trust));
    assert.deepEqual(tags, [pendingTag("root"), probeTag(), stagingTag("ci")]);
    assert.ok(trust.store.names.has(stagingTag("cd")));
    assert.ok(trust.store.names.has(stagingTag("targets")));
    assert.ok(trust.store.names.has("v1"));
  });

  it("keeps what a signer has staged whom no head has yet: added where the online key is not, or while it collects", async () => {
    const trust = await initialised();
    const [ci, late] = [roleSigner("ci"), roleSigner("late")];
    const add = (name: string, signer: typeof ci, ring: TestRing) => {
      return addSigner(publisherOf(trust, ring), { name, keys: [signer.publicKey], takesOver: false });
    };
    const offline = trust.ring.without(trust.online);
    await add("ci", ci, offline);
    trust.clock.pass(1000);
    await released(trust, "1", new TestRing(ci));
    let isFirst = true;
    trust.store.misbehaviour = {
      before: async (call) => {
        if (!isFirst || call !== `resolve ${HEAD_TAG}`) return;
        isFirst = false;
        await add("late", late, offline);
        await released(trust, "2", new TestRing(late));
      },
    };
    assert.deepEqual((await collectGarbage(wish(trust))).tags, []);
    for (const name of ["ci", "late"]) assert.ok(trust.store.names.has(stagingTag(name)), name);
  });
});

describe("a registry that removes nothing but digests, as CNCF distribution 2", () => {
  it("loses tags by what they name, where nobody else needs that", async () => {
    const { trust } = await afterDays(2);
    await released(trust, "v1");
    const remove = trust.store.remove.bind(trust.store);
    trust.store.remove = (target) =>
      target.includes(":") ? remove(target) : (Promise.resolve("unsupported") as never);
    await requireMovableTags(trust.store, HEAD_TAG, trust.clock.now());
    assert.equal(trust.store.names.has(probeTag()), false);
    const image = await pushImage(trust.store, await makeImage(), pendingTag("root"));
    const shared = trust.store.names.get(stagingTag("targets")) ?? assert.fail();
    trust.store.names.set(stagingTag("gone"), shared);
    await pushStage(trust.store, stagingTag("cd"), new Map());
    const { tags, unsupported } = await collectGarbage(wish(trust, { keep: 0, olderThanMs: 0 }));
    assert.deepEqual([tags, unsupported], [[stagingTag("cd")], undefined]);
    assert.ok(trust.store.manifests.has(image.descriptor.digest));
    assert.ok(trust.store.names.has(stagingTag("targets")));
  });
});

describe("a head that names what is no head", () => {
  it("gets no image deleted by somebody who may delete, for somebody who may push", async () => {
    const { trust } = await afterDays(1);
    const image = await pushImage(trust.store, await makeImage(), undefined);
    const other = await initialised();
    const foreign = other.store.names.get(HEAD_TAG) ?? assert.fail();
    const stored = other.store.manifests.get(foreign) ?? assert.fail();
    trust.store.manifests.set(foreign, stored);
    const head = await trust.store.resolve(HEAD_TAG);
    const json = JSON.parse(Buffer.from(head?.bytes ?? []).toString()) as { annotations: Record<string, string> };
    json.annotations["countersign.trust.history"] = `${image.descriptor.digest},${foreign}`;
    trust.store.addManifest(json, MEDIA_TYPES.ociManifest, HEAD_TAG);
    trust.clock.pass(5 * DAY);
    const { removed } = await collectGarbage(wish(trust, { keep: 0, olderThanMs: 0 }));
    assert.deepEqual(removed, []);
    assert.ok(trust.store.manifests.has(image.descriptor.digest));
    assert.ok(trust.store.manifests.has(foreign));
  });

  it("is nothing to collect for where it cannot be verified", async () => {
    const { trust } = await afterDays(6);
    const { pin } = (await initialised()).result;
    await rejectedBy(() => collectGarbage(wish(trust, { pin })), "pin-mismatch");
    trust.store.names.delete(HEAD_TAG);
    await rejectedBy(() => collectGarbage(wish(trust)), "signed-tags-vanished");
    assert.deepEqual(
      trust.store.callsOf("remove").filter((target) => target !== probeTag()),
      [],
    );
  });
});
