import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isBin } from "../../../../src/core/tags/bins.ts";
import { effectiveBindings } from "../../../../src/core/tags/lookup.ts";
import { auditTrust } from "../../../../src/ops/tags/audit.ts";
import { collectGarbage } from "../../../../src/ops/tags/gc.ts";
import { inspectTrust } from "../../../../src/ops/tags/inspect.ts";
import { rotateKeys } from "../../../../src/ops/tags/rotate.ts";
import { signTags } from "../../../../src/ops/tags/sign.ts";
import { addSigner, removeSigner } from "../../../../src/ops/tags/signers.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { makeImage, pushImage } from "../../../support/images.ts";
import {
  consumerOf,
  idOf,
  initialised,
  publisherOf,
  roleSigner,
  type TestRing,
  type TestTrust,
  wholeTrust,
} from "../../../support/tag-publisher.ts";

/** More than one file can hold: they are in bins. */
const TAGS = Array.from({ length: 600 }, (_, at) => `v${at}`);

async function bind(trust: TestTrust, ring: TestRing = trust.ring) {
  const { descriptor } = await pushImage(trust.store, await makeImage({ name: "many" }), "v0");
  await signTags(publisherOf(trust, ring), { images: trust.store, tags: TAGS });
  trust.clock.pass(1000);
  return descriptor.digest;
}

async function tagsBoundBy(trust: TestTrust, role: string): Promise<number> {
  const found = effectiveBindings(await wholeTrust(trust));
  return found.filter((each) => each.role === role && each.binding.tag !== undefined).length;
}

async function binsOf(trust: TestTrust, role: string): Promise<number> {
  return [...(await wholeTrust(trust)).roles.keys()].filter((name) => isBin(name) && name.startsWith(`${role}.`))
    .length;
}

describe("tags in bins", () => {
  it("stay readable when the keys of targets change: every bin is signed again", async (t) => {
    const trust = await initialised();
    const digest = await bind(trust);
    assert.ok((await binsOf(trust, "targets")) >= 2);
    const consume = await consumerOf(t, trust);
    assert.equal(await consume("v599"), digest);
    const fresh = roleSigner();
    trust.ring.add(fresh);
    await rotateKeys(publisherOf(trust), { role: "targets", add: [fresh.publicKey], remove: "all" });
    for (const tag of ["v0", "v299", "v599"]) assert.equal(await consume(tag), digest);
    const { roles } = await wholeTrust(trust);
    const signers = new Set([...roles.values()].flatMap(({ signatures }) => signatures.map(({ keyid }) => keyid)));
    assert.deepEqual([...signers], [idOf(fresh)]);
    assert.deepEqual((await inspectTrust({ ...place(trust), tags: ["v1"] })).tags[0]?.keyIds, [idOf(fresh)]);
  });

  it("go over to a signer who may bind all of them; to one who may not, they cannot: TUF has bins or signers", async (t) => {
    const trust = await initialised();
    const digest = await bind(trust);
    const ci = roleSigner();
    trust.ring.add(ci);
    const wish = { name: "ci", keys: [ci.publicKey], takesOver: true };
    await rejectedBy(() => addSigner(publisherOf(trust), { ...wish, takesOver: false }), "usage");
    await rejectedBy(() => addSigner(publisherOf(trust), { ...wish, tags: ["v1*"] }), "usage");
    const { rebound } = await addSigner(publisherOf(trust), wish);
    assert.equal(rebound.length, TAGS.length);
    assert.deepEqual([await tagsBoundBy(trust, "ci"), await tagsBoundBy(trust, "targets")], [TAGS.length, 0]);
    const consume = await consumerOf(t, trust);
    for (const tag of ["v0", "v599"]) assert.equal(await consume(tag), digest);
  });

  it("of a signer outlive its keys, and the signer where somebody inherits them", async (t) => {
    const trust = await initialised();
    const [ci, fresh] = [roleSigner(), roleSigner()];
    trust.ring.add(ci, fresh);
    await addSigner(publisherOf(trust), { name: "ci", keys: [ci.publicKey], takesOver: true });
    const digest = await bind(trust);
    const consume = await consumerOf(t, trust);
    assert.equal(await consume("v7"), digest);
    await rotateKeys(publisherOf(trust), { role: "ci", add: [fresh.publicKey], remove: "all" });
    assert.equal(await consume("v8"), digest);
    assert.equal((await inspectTrust(place(trust))).signers[0]?.bindings, TAGS.length);
    await addSigner(publisherOf(trust), { name: "heir", keys: [ci.publicKey], takesOver: false });
    const { rebound } = await removeSigner(publisherOf(trust), { name: "ci", successor: "heir" });
    assert.equal(rebound.length, TAGS.length);
    assert.equal(await consume("v9"), digest);
    assert.equal(await tagsBoundBy(trust, "heir"), TAGS.length);
  });

  it("are audited to the last one, and survive the cleaning", async (t) => {
    const trust = await initialised();
    const digest = await bind(trust);
    trust.clock.pass(1000);
    await rotateKeys(publisherOf(trust), { role: "targets", add: [], remove: [] });
    const { findings, bindings } = await auditTrust({ ...place(trust), comparesRegistry: false });
    assert.deepEqual([findings, bindings], [[], TAGS.length]);
    await collectGarbage({ ...place(trust), keep: 0, olderThanMs: 0, isDryRun: false });
    assert.equal(await (await consumerOf(t, trust))("v42"), digest);
    const bin = [...(await wholeTrust(trust)).roles].find(([name]) => isBin(name))?.[1] ?? assert.fail();
    const [lost] = [...trust.store.blobs].find(([, bytes]) => Buffer.from(bytes).equals(bin.bytes)) ?? assert.fail();
    trust.store.blobs.delete(lost);
    await rejectedBy(() => auditTrust({ ...place(trust), comparesRegistry: false }), "not-found");
  });
});

function place(trust: TestTrust) {
  const { store, gun, head, result, clock } = trust;
  return { store, gun, head, pin: result.pin, images: store, now: clock.now(), comparesRegistry: false };
}
