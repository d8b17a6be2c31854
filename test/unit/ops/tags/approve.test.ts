import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../../src/core/bytes.ts";
import { HEAD_TAG, pendingTag } from "../../../../src/core/tags/names.ts";
import { sealed } from "../../../../src/core/tags/write.ts";
import { approveChange, changesThatWait, type Waiting } from "../../../../src/ops/tags/approve.ts";
import { discardPending } from "../../../../src/ops/tags/pending.ts";
import { propose } from "../../../../src/ops/tags/proposal.ts";
import type { Publisher } from "../../../../src/ops/tags/publisher.ts";
import { refreshTrust } from "../../../../src/ops/tags/refresh.ts";
import { rotateKeys } from "../../../../src/ops/tags/rotate.ts";
import { signTags } from "../../../../src/ops/tags/sign.ts";
import { addSigner } from "../../../../src/ops/tags/signers.ts";
import { pushStage } from "../../../../src/ops/tags/staging.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { makeImage, pushImage } from "../../../support/images.ts";
import type { MemoryStore } from "../../../support/memory-store.ts";
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

async function theOne(publisher: Publisher): Promise<Waiting> {
  const [only, ...others] = await changesThatWait(publisher);
  assert.deepEqual(others, []);
  assert.ok(only !== undefined);
  return only;
}

/** Three people for the root, two of whom have to sign; a fourth key is to be added. */
async function threePeople() {
  const people = [roleSigner("a"), roleSigner("b"), roleSigner("c")];
  const one = () => roleSigner();
  const [targets, online] = [one(), one()];
  const by = (signer: ReturnType<typeof roleSigner>) => ({ signers: [signer], threshold: 1 });
  const roles = {
    root: { signers: people, threshold: 2 },
    targets: by(targets),
    snapshot: by(online),
    timestamp: by(online),
  };
  const trust = await initialised({ roles });
  const digest = await released(trust, "v1", new TestRing(targets, online));
  const [a = one(), b = one(), c = one()] = people;
  return { trust, a, b, c, targets, online, digest, fresh: roleSigner("fresh") };
}

describe("a change that several people have to sign", () => {
  it("waits under its tag, shows what it would change, and is published with the last signature", async (t) => {
    const { trust, a, b, c, online, digest, fresh } = await threePeople();
    const wish = { role: "root", add: [fresh.publicKey], remove: [idOf(c)] };
    const first = await rotateKeys(publisherOf(trust, new TestRing(a)), wish);
    assert.ok(first.publication.state === "pending");
    assert.deepEqual(first.publication.waiting.signedBy, [idOf(a)]);
    const second = publisherOf(trust, new TestRing(b, online));
    const waiting = await theOne(second);
    assert.deepEqual(
      waiting.changes.filter(({ kind }) => kind === "keys"),
      [{ kind: "keys", role: "root", added: [idOf(fresh)], removed: [idOf(c)], threshold: 2 }],
    );
    const result = await approveChange(second, waiting);
    assert.equal(result.publication.state, "published");
    assert.deepEqual((await wholeTrust(trust)).roots.length, 2);
    assert.equal(await (await consumerOf(t, trust))("v1"), digest);
    assert.deepEqual(await changesThatWait(second), []);
    assert.equal(trust.store.names.has(pendingTag("root")), false);
  });

  it("is staged with the last signature where the online key is elsewhere; refresh publishes it", async () => {
    const { trust, a, b, online, fresh } = await threePeople();
    await rotateKeys(publisherOf(trust, new TestRing(a)), { role: "root", add: [fresh.publicKey], remove: [] });
    const second = publisherOf(trust, new TestRing(b));
    const { publication } = await approveChange(second, await theOne(second));
    assert.equal(publication.state, "staged");
    assert.equal((await wholeTrust(trust)).roots.length, 1);
    await refreshTrust(publisherOf(trust, new TestRing(online)));
    assert.equal((await wholeTrust(trust)).roots.length, 2);
  });

  it("keeps every signature where two sign in the same moment", async () => {
    const people = [roleSigner(), roleSigner(), roleSigner(), roleSigner()];
    const [p0 = roleSigner(), p1 = roleSigner(), p2 = roleSigner()] = people;
    const trust = await initialised();
    trust.ring.add(...people);
    const keys = people.map(({ publicKey }) => publicKey);
    await addSigner(publisherOf(trust), { name: "team", keys, threshold: 4, takesOver: false });
    await pushImage(trust.store, await makeImage(), "v1");
    const sign = (signer: typeof p0) => publisherOf(trust, new TestRing(signer, trust.online), { writers: "several" });
    await signTags(sign(p0), { images: trust.store, tags: ["v1"] });
    const waiting = await theOne(sign(p1));
    await Promise.all([approveChange(sign(p1), waiting), approveChange(sign(p2), waiting)]);
    assert.equal((await theOne(sign(p0))).role.signedBy.length, 3);
  });

  it("is a tag's too: m of n people bind it", async (t) => {
    const [p, q, r] = [roleSigner(), roleSigner(), roleSigner()];
    const trust = await initialised();
    const keys = [p, q, r].map(({ publicKey }) => publicKey);
    await addSigner(publisherOf(trust), { name: "team", keys, threshold: 2, takesOver: false });
    const { descriptor } = await pushImage(trust.store, await makeImage(), "v1");
    const result = await signTags(publisherOf(trust, new TestRing(p, trust.online)), {
      images: trust.store,
      tags: ["v1"],
    });
    assert.equal(result.publication.state, "pending");
    const consume = await consumerOf(t, trust);
    await rejectedBy(() => consume("v1"), "tag-unlisted");
    const second = publisherOf(trust, new TestRing(r, trust.online));
    const waiting = await theOne(second);
    assert.ok(waiting.changes.some((change) => change.kind === "bound" && change.tag === "v1"));
    await approveChange(second, waiting);
    assert.equal(await consume("v1"), descriptor.digest);
  });

  it("is refused a second time by the same person: that adds nothing", async () => {
    const { trust, a, fresh } = await threePeople();
    const again = publisherOf(trust, new TestRing(a));
    await rotateKeys(again, { role: "root", add: [fresh.publicKey], remove: [] });
    await rejectedBy(async () => approveChange(again, await theOne(again)), "role-key-missing");
  });

  it("is refused to who has no key that is asked for", async () => {
    const { trust, a, targets, online, fresh } = await threePeople();
    await rotateKeys(publisherOf(trust, new TestRing(a)), { role: "root", add: [fresh.publicKey], remove: [] });
    const other = publisherOf(trust, new TestRing(targets, online, roleSigner()));
    await rejectedBy(async () => approveChange(other, await theOne(other)), "role-key-missing");
  });

  it("is not replaced by another one in silence", async () => {
    const { trust, a, b, fresh } = await threePeople();
    await rotateKeys(publisherOf(trust, new TestRing(a)), { role: "root", add: [fresh.publicKey], remove: [] });
    const other = publisherOf(trust, new TestRing(b));
    const wish = { role: "root", add: [roleSigner().publicKey], remove: [] };
    await rejectedBy(() => rotateKeys(other, wish), "write-conflict");
    await discardPending(other, "root");
    assert.equal((await rotateKeys(other, wish)).publication.state, "pending");
  });

  it("is void once something else was published, which it would take back", async () => {
    const { trust, a, b, c, online, fresh } = await threePeople();
    await rotateKeys(publisherOf(trust, new TestRing(a)), { role: "root", add: [fresh.publicKey], remove: [] });
    const second = publisherOf(trust, new TestRing(b, c, online));
    const waiting = await theOne(second);
    await discardPending(second, "root");
    await rotateKeys(second, { role: "root", add: [], remove: [] });
    await rejectedBy(() => approveChange(second, waiting), "write-conflict");
    assert.deepEqual(await changesThatWait(second), []);
  });

  it("leaves nothing that counts where the registry does not delete", async () => {
    const { trust, a, b, online, fresh } = await threePeople();
    trust.store.remove = () => Promise.resolve("unsupported") as never;
    await rotateKeys(publisherOf(trust, new TestRing(a)), { role: "root", add: [fresh.publicKey], remove: [] });
    const second = publisherOf(trust, new TestRing(b, online));
    await approveChange(second, await theOne(second));
    assert.equal(trust.store.names.has(pendingTag("root")), true);
    assert.deepEqual(await changesThatWait(second), []);
  });
});

describe("what somebody puts under the tag of a change who may push and has no key", () => {
  async function evilRoot(trust: TestTrust, ...signers: readonly ReturnType<typeof roleSigner>[]) {
    const { roots } = await wholeTrust(trust);
    const { body } = roots.at(-1) ?? assert.fail();
    const evil = roleSigner("evil");
    const { files } = await propose("root", new Map([["root", { ...body, version: 2 }]]));
    const signed = files.get("root")?.signed ?? assert.fail();
    const by = [evil, ...signers].map((signer) => ({ keyId: idOf(signer), signer }));
    await pushStage(trust.store, pendingTag("root"), new Map([["2.root.json", await sealed(signed, by)]]));
  }

  it("is not shown, and nobody is asked to sign it", async () => {
    const trust = await initialised();
    await evilRoot(trust);
    const ignored: string[] = [];
    const warn = ({ code }: { readonly code: string }) => void ignored.push(code);
    assert.deepEqual(await changesThatWait(publisherOf(trust, trust.ring, { warn })), []);
    assert.deepEqual(ignored, ["signature-threshold"]);
    await evilRoot(trust, trust.online);
    assert.equal((await changesThatWait(publisherOf(trust))).length, 1);
  });

  it("is not shown where a root would change more than keys: nobody would see it", async () => {
    const trust = await initialised();
    const { roots } = await wholeTrust(trust);
    const { body } = roots.at(-1) ?? assert.fail();
    const by = [{ keyId: idOf(trust.online), signer: trust.online }];
    for (const more of [
      { aliases: ["evil.example/app"] },
      { ceilings: { ...body.profile.ceilings, timestamp: 3650 * 86_400_000 } },
    ]) {
      const profile = { ...body.profile, ...more };
      const { files } = await propose("root", new Map([["root", { ...body, version: 2, profile }]]));
      const bytes = await sealed(files.get("root")?.signed ?? assert.fail(), by);
      await pushStage(trust.store, pendingTag("root"), new Map([["2.root.json", bytes]]));
      assert.deepEqual(await changesThatWait(publisherOf(trust)), []);
    }
  });

  it("is not shown where it is damaged, misnamed, no metadata at all, or another image", async () => {
    const trust = await initialised();
    const { targets } = await wholeTrust(trust);
    for (const [name, bytes] of [
      ["2.root.json", encodeUtf8("{}")],
      ["9.targets.json", targets.bytes],
      ["9.snapshot.json", targets.bytes],
      ["timestamp.json", targets.bytes],
    ] as const) {
      await pushStage(trust.store, pendingTag("targets"), new Map([[name, bytes]]));
      assert.deepEqual(await changesThatWait(publisherOf(trust)), []);
    }
    await pushImage(trust.store, await makeImage(), pendingTag("targets"));
    assert.deepEqual(await changesThatWait(publisherOf(trust)), []);
  });

  it("is not taken for nothing where it could not be looked at", async () => {
    const trust = await initialised();
    const store: MemoryStore = trust.store;
    store.misbehaviour = {
      before: (call) => {
        if (call === `resolve ${pendingTag("root")}`) throw new Error("connection lost");
      },
    };
    await assert.rejects(changesThatWait(publisherOf(trust)), /connection lost/);
    assert.ok(store.names.has(HEAD_TAG));
  });
});
