import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import { publicKeyFrom } from "../../../../src/core/crypto/public-key.ts";
import type { Signer } from "../../../../src/core/ports.ts";
import { findBinding } from "../../../../src/core/tags/lookup.ts";
import { pathOfTag } from "../../../../src/core/tags/names.ts";
import { signTags } from "../../../../src/ops/tags/sign.ts";
import { type AddSignerWish, addSigner, listSigners, removeSigner } from "../../../../src/ops/tags/signers.ts";
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

function wish(name: string, signers: readonly Signer[], more: Partial<AddSignerWish> = {}): AddSignerWish {
  return { name, keys: signers.map(({ publicKey }) => publicKey), takesOver: true, ...more };
}

async function added(trust: TestTrust, name: string, more: Partial<AddSignerWish> = {}): Promise<Signer> {
  const signer = roleSigner(`${name}.pub`);
  const { publication } = await addSigner(publisherOf(trust), wish(name, [signer], more));
  assert.equal(publication.state, "published");
  trust.clock.pass(1000);
  return signer;
}

async function roleBinding(trust: TestTrust, tag: string): Promise<string | undefined> {
  return findBinding(await wholeTrust(trust), pathOfTag(tag)).found?.role;
}

describe("adding a signer", () => {
  it("delegates tags to a key that only its owner has, and consumers go on without it having signed", async (t) => {
    const trust = await initialised();
    const digest = await released(trust, "1.0");
    const consume = await consumerOf(t, trust);
    const ci = await added(trust, "ci", { tags: ["v*", "nightly"] });
    const { signers } = await listSigners({ ...trust, pin: trust.result.pin }, trust.clock.now());
    assert.deepEqual(signers, [
      {
        name: "ci",
        keyIds: [idOf(ci)],
        threshold: 1,
        version: undefined,
        expires: undefined,
        tags: ["v*", "nightly"],
        isTerminating: false,
        bindings: 0,
      },
    ]);
    assert.equal(await consume("1.0"), digest);
    await rejectedBy(() => consume("v1"), "tag-unlisted");
  });

  it("lets the signer bind what fits, with the online key of the pipeline and no other", async (t) => {
    const trust = await initialised();
    const ci = await added(trust, "ci", { tags: ["v*"] });
    const digest = await released(trust, "v1", new TestRing(ci, trust.online));
    const consume = await consumerOf(t, trust);
    assert.equal(await consume("v1"), digest);
    assert.equal(await roleBinding(trust, "v1"), "ci");
    await rejectedBy(() => released(trust, "1.0", new TestRing(ci, trust.online)), "role-key-missing");
  });

  it("hands over what targets bound and the signer may, where its key is here: targets counts before every signer", async (t) => {
    const trust = await initialised();
    await released(trust, "latest");
    const digest = await released(trust, "v1");
    const ci = roleSigner();
    trust.ring.add(ci);
    const { rebound, change } = await addSigner(publisherOf(trust), wish("ci", [ci], { tags: ["v*"] }));
    assert.deepEqual(rebound, [{ tag: "v1", digest }]);
    assert.equal(change, "added");
    const view = await wholeTrust(trust);
    assert.deepEqual(
      view.targets.body.bindings.flatMap(({ tag }) => tag ?? []),
      ["latest"],
    );
    assert.equal(await (await consumerOf(t, trust))("v1"), digest);
    assert.equal(await roleBinding(trust, "v1"), "ci");
  });

  it("says which tags targets goes on binding first where the key is not here", async () => {
    const trust = await initialised();
    await released(trust, "v1");
    const { publication, rebound } = await addSigner(publisherOf(trust), wish("ci", [roleSigner()]));
    assert.ok(publication.state === "published");
    assert.deepEqual(rebound, []);
    assert.match(publication.warnings.at(-1)?.found ?? "", /v1/);
    assert.equal(await roleBinding(trust, "v1"), "targets");
  });

  it("adds keys to a signer that is there, and changes its tags and threshold", async () => {
    const trust = await initialised();
    const ci = await added(trust, "ci", { tags: ["v*"] });
    const second = roleSigner();
    const result = await addSigner(publisherOf(trust), wish("ci", [second], { threshold: 2 }));
    assert.equal(result.change, "changed");
    assert.deepEqual(result.signer.keyIds.toSorted(), [idOf(ci), idOf(second)].toSorted());
    assert.equal(result.signer.threshold, 2);
    assert.deepEqual(result.signer.tags, ["v*"]);
  });

  it("lists the tags that nobody may bind any more where its tags become others: they went without a word", async (t) => {
    const trust = await initialised();
    const ci = await added(trust, "ci", { tags: ["v*", "latest"] });
    const ring = new TestRing(ci, trust.online);
    for (const tag of ["v1", "latest"]) await released(trust, tag, ring);
    const more = await addSigner(publisherOf(trust), wish("ci", [ci], { tags: ["v*", "latest", "1.*"] }));
    assert.deepEqual(more.orphaned, []);
    const fewer = await addSigner(publisherOf(trust), wish("ci", [ci], { tags: ["1.*", "v*"] }));
    assert.deepEqual(
      fewer.orphaned.map(({ tag }) => tag),
      ["latest"],
    );
    const consume = await consumerOf(t, trust);
    await rejectedBy(() => consume("latest"), "tag-unlisted");
  });

  it("lists the tags of others that a signer alone may bind from now on", async () => {
    const trust = await initialised();
    const ann = await added(trust, "ann");
    await released(trust, "prod", new TestRing(ann, trust.online));
    const bob = roleSigner("bob.pub");
    const { orphaned } = await addSigner(
      publisherOf(trust),
      wish("bob", [bob], { tags: ["prod"], isTerminating: true }),
    );
    assert.deepEqual(
      orphaned.map(({ tag }) => tag),
      ["prod"],
    );
  });

  it("asks a terminating signer first, and nobody after it", async () => {
    const trust = await initialised();
    const all = await added(trust, "all");
    const prod = await added(trust, "prod", { tags: ["prod-*"], isTerminating: true });
    const { signers } = await listSigners({ ...trust, pin: trust.result.pin }, trust.clock.now());
    assert.deepEqual(
      signers.map(({ name }) => name),
      ["prod", "all"],
    );
    await released(trust, "prod-1", new TestRing(all, trust.online)).catch(() => undefined);
    assert.equal(await roleBinding(trust, "prod-1"), undefined);
    await released(trust, "prod-2", new TestRing(prod, trust.online));
    assert.equal(await roleBinding(trust, "prod-2"), "prod");
  });

  it("changes nothing where all is as wished", async () => {
    const trust = await initialised();
    const ci = await added(trust, "ci");
    const before = trust.store.names.get(trust.head);
    await addSigner(publisherOf(trust), wish("ci", [ci]));
    assert.equal(trust.store.names.get(trust.head), before);
  });

  it("writes made keys down before anything is published", async () => {
    const trust = await initialised();
    const before = trust.store.names.get(trust.head);
    const seen: unknown[] = [];
    const keep = async () => void seen.push(trust.store.names.get(trust.head), trust.store.names.size);
    const count = trust.store.names.size;
    await addSigner(publisherOf(trust), wish("ci", [roleSigner()], { keep }));
    assert.deepEqual(seen, [before, count]);
  });

  for (const [name, why] of [
    ["root", "a role of TUF"],
    ["timestamp", "a role of TUF"],
    ["10", "a number, which JavaScript would put first"],
    ["Root", "upper case"],
    ["../x", "a path"],
    ["a/b", "a path"],
    ["ci.bin-0f", "a bin's"],
    ["", "nothing"],
  ] as const) {
    it(`refuses the name ${JSON.stringify(name)}: ${why} (40)`, async () => {
      const trust = await initialised();
      await rejectedBy(() => addSigner(publisherOf(trust), wish(name, [roleSigner()])), "usage");
    });
  }

  for (const tags of [["!v1"], ["{a,b}"], ["+(a)"], ["[a-c]"], ["a/b"], ["#x"], []]) {
    it(`refuses the pattern ${JSON.stringify(tags)} (41)`, async () => {
      const trust = await initialised();
      await rejectedBy(() => addSigner(publisherOf(trust), wish("ci", [roleSigner()], { tags })), "usage");
    });
  }

  it("refuses a threshold that cannot be met, a signer without keys, and keys of other kinds", async () => {
    const trust = await initialised();
    const publisher = publisherOf(trust);
    await rejectedBy(() => addSigner(publisher, wish("ci", [roleSigner()], { threshold: 2 })), "usage");
    await rejectedBy(() => addSigner(publisher, wish("ci", [roleSigner()], { threshold: 0 })), "usage");
    await rejectedBy(() => addSigner(publisher, wish("ci", [])), "usage");
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const rsa = { publicKey: publicKeyFrom(privateKey, "rsa.pub"), sign: async () => new Uint8Array() };
    await rejectedBy(() => addSigner(publisher, wish("ci", [rsa])), "key-weak");
  });

  it("waits for the holders of targets where it is proposed by somebody who is known, and is refused to strangers", async () => {
    const trust = await initialised();
    const before = trust.store.names.get(trust.head);
    const { publication } = await addSigner(publisherOf(trust, new TestRing(trust.online)), wish("ci", [roleSigner()]));
    assert.ok(publication.state === "pending");
    assert.deepEqual(publication.waiting.open, [idOf(trust.targets)]);
    assert.equal(publication.waiting.missing, 1);
    assert.equal(trust.store.names.get(trust.head), before);
    const stranger = publisherOf(trust, new TestRing(roleSigner()));
    await rejectedBy(() => addSigner(stranger, wish("evil", [roleSigner()])), "role-key-missing");
  });

  it("is staged where the online key is elsewhere", async () => {
    const trust = await initialised();
    const ring = trust.ring.without(trust.online);
    const { publication } = await addSigner(publisherOf(trust, ring), wish("ci", [roleSigner()]));
    assert.equal(publication.state, "staged");
  });
});

describe("removing a signer", () => {
  it("is no obstacle that what the signer staged was in no head yet", async () => {
    const trust = await initialised();
    const ci = await added(trust, "ci");
    await released(trust, "1.0", new TestRing(ci));
    const { publication } = await removeSigner(publisherOf(trust), { name: "ci" });
    assert.equal(publication.state, "published");
    assert.deepEqual((await listSigners({ ...trust, pin: trust.result.pin }, trust.clock.now())).signers, []);
  });

  it("lists the tags that nobody binds any more, which consumers refuse", async (t) => {
    const trust = await initialised();
    const ci = await added(trust, "ci");
    const digest = await released(trust, "v1", new TestRing(ci, trust.online));
    const consume = await consumerOf(t, trust);
    assert.equal(await consume("v1"), digest);
    const result = await removeSigner(publisherOf(trust), { name: "ci" });
    assert.deepEqual(
      result.orphaned.map(({ tag }) => tag),
      ["v1"],
    );
    assert.equal(result.signer.name, "ci");
    assert.equal(result.change, "removed");
    await rejectedBy(() => consume("v1"), "tag-unlisted");
    await rejectedBy(() => released(trust, "v2", new TestRing(ci, trust.online)), "role-key-missing");
  });

  it("keeps the role's entry in the snapshot: clients refuse one from which a role vanished", async () => {
    const trust = await initialised();
    const ci = await added(trust, "ci");
    await released(trust, "v1", new TestRing(ci, trust.online));
    await removeSigner(publisherOf(trust), { name: "ci" });
    const { snapshot } = await wholeTrust(trust);
    assert.equal(snapshot?.body.roles.has("ci"), true);
  });

  it("binds its tags again in the same step where a successor is named, with what it took back", async (t) => {
    const trust = await initialised();
    const ci = await added(trust, "ci");
    const digest = await released(trust, "v1", new TestRing(ci, trust.online));
    const result = await removeSigner(publisherOf(trust), { name: "ci", successor: "targets" });
    assert.deepEqual(result.orphaned, []);
    assert.deepEqual(
      result.rebound.map(({ tag }) => tag),
      ["v1"],
    );
    assert.equal(await (await consumerOf(t, trust))("v1"), digest);
    assert.equal(await roleBinding(trust, "v1"), "targets");
  });

  it("leaves tags alone that somebody else binds too", async () => {
    const trust = await initialised();
    const [a, b] = [await added(trust, "a"), await added(trust, "b")];
    const digest = await released(trust, "v1", new TestRing(a, trust.online));
    const publisher = publisherOf(trust, new TestRing(b, trust.online));
    await signTags(publisher, { images: trust.store, tags: ["v1"], digest });
    const { orphaned } = await removeSigner(publisherOf(trust), { name: "a" });
    assert.deepEqual(orphaned, []);
    assert.equal(await roleBinding(trust, "v1"), "b");
  });

  it("refuses a successor that may not bind all of the tags, or is none", async () => {
    const trust = await initialised();
    const ci = await added(trust, "ci");
    const narrow = await added(trust, "narrow", { tags: ["x*"] });
    await released(trust, "v1", new TestRing(ci, trust.online));
    const publisher = publisherOf(trust, trust.ring.add(narrow));
    await rejectedBy(() => removeSigner(publisher, { name: "ci", successor: "narrow" }), "usage");
    await rejectedBy(() => removeSigner(publisher, { name: "ci", successor: "nobody" }), "usage");
  });

  it("refuses a signer that there is not, and whoever has no key", async () => {
    const trust = await initialised();
    await added(trust, "ci");
    await rejectedBy(() => removeSigner(publisherOf(trust), { name: "cd" }), "usage");
    await rejectedBy(() => removeSigner(publisherOf(trust), { name: "targets" }), "usage");
    const stranger = publisherOf(trust, new TestRing(roleSigner()));
    await rejectedBy(() => removeSigner(stranger, { name: "ci" }), "role-key-missing");
  });
});
