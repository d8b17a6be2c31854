import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HEAD_TAG } from "../../../../src/core/tags/names.ts";
import { type RevokeTagsWish, revokeTags } from "../../../../src/ops/tags/revoke.ts";
import { signTags } from "../../../../src/ops/tags/sign.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { becomesSigner, Consumer, type PublishingScene, publishingScene } from "../../../support/publishing.ts";
import { roleSigner, TestRing } from "../../../support/tag-publisher.ts";

type More = Parameters<PublishingScene["publisher"]>[0];

function sign(scene: PublishingScene, tags: readonly string[], more: More = {}) {
  return signTags(scene.publisher(more), { images: scene.store, tags });
}

function revoke(scene: PublishingScene, wish: Partial<RevokeTagsWish>, more: More = {}) {
  return revokeTags(scene.publisher(more), { tags: [], digests: [], reason: "leaks a secret", ...wish });
}

describe("taking a tag back", () => {
  it("is refused from then on by tag and by digest, with the reason (49)", async (t) => {
    const scene = await publishingScene();
    const digest = scene.image("1.0");
    await sign(scene, ["1.0"]);
    const result = await revoke(scene, { tags: ["1.0"] });
    assert.deepEqual(result.revoked, [
      { tag: "1.0", digest, role: "targets" },
      { tag: undefined, digest, role: "targets" },
    ]);
    assert.deepEqual([result.isChanged, result.publication.state], [true, "published"]);
    const consumer = new Consumer(t, scene);
    assert.match((await rejectedBy(() => consumer.ask("1.0"), "revoked")).found ?? "", /leaks a secret/);
    await rejectedBy(() => consumer.ask(undefined, digest), "revoked");
  });

  it("leaves a digest released that another tag is bound to", async (t) => {
    const scene = await publishingScene();
    const digest = scene.image("1.0");
    await sign(scene, ["1.0", "1"]);
    const { revoked, warnings } = await revoke(scene, { tags: ["1"] });
    assert.deepEqual(revoked, [{ tag: "1", digest, role: "targets" }]);
    assert.deepEqual(
      warnings.map(({ code, found }) => [code, found]),
      [["revoked", `1.0: ${digest}`]],
    );
    const consumer = new Consumer(t, scene);
    await rejectedBy(() => consumer.ask("1"), "revoked");
    assert.equal(await consumer.digestOf("1.0"), digest);
    assert.equal((await consumer.ask(undefined, digest)).signedTag?.binding.digest, digest);
  });

  it("takes a digest back under every tag", async (t) => {
    const scene = await publishingScene();
    const digest = scene.image("1.0");
    await sign(scene, ["1.0", "1"]);
    scene.image("2.0");
    await sign(scene, ["2.0"]);
    assert.deepEqual((await revoke(scene, { digests: [digest] })).warnings, []);
    const consumer = new Consumer(t, scene);
    for (const tag of ["1.0", "1"]) await rejectedBy(() => consumer.ask(tag), "revoked");
    assert.ok((await consumer.digestOf("2.0")) !== undefined);
  });

  it("writes nothing the second time, and keeps the first reason", async (t) => {
    const scene = await publishingScene();
    scene.image("1.0");
    await sign(scene, ["1.0"]);
    await revoke(scene, { tags: ["1.0"] });
    const head = scene.store.names.get(HEAD_TAG);
    const { isChanged } = await revoke(scene, { tags: ["1.0"], reason: "another one" });
    assert.deepEqual([isChanged, scene.store.names.get(HEAD_TAG)], [false, head]);
    const error = await rejectedBy(() => new Consumer(t, scene).ask("1.0"), "revoked");
    assert.match(error.found ?? "", /leaks a secret/);
  });

  it("refuses what nobody signed, what has no reason, and nothing at all", async () => {
    const scene = await publishingScene();
    const digest = scene.image("1.0");
    assert.match(
      (await rejectedBy(() => revoke(scene, { tags: ["1.0"] }), "tag-unlisted")).message,
      /1\.0 is unlisted/,
    );
    const error = await rejectedBy(() => revoke(scene, { digests: [digest] }), "digest-unlisted");
    assert.match(error.message, new RegExp(`${digest} is unlisted`));
    await sign(scene, ["1.0"]);
    await rejectedBy(() => revoke(scene, { tags: ["1.0"], reason: "" }), "usage");
    await rejectedBy(() => revoke(scene, {}), "usage");
  });

  it("refuses without the key of who signed it", async (t) => {
    const scene = await publishingScene();
    const [ann, bob] = [roleSigner("ann"), roleSigner("bob")];
    await becomesSigner(scene, "ann", [ann]);
    await becomesSigner(scene, "bob", [bob]);
    const digest = scene.image("1.0");
    await sign(scene, ["1.0"], { ring: new TestRing(ann, scene.online) });
    const error = await rejectedBy(
      () => revoke(scene, { tags: ["1.0"] }, { ring: new TestRing(bob, scene.online) }),
      "role-key-missing",
    );
    assert.equal(error.wanted, "a key of ann");
    assert.equal(await new Consumer(t, scene).digestOf("1.0"), digest);
  });

  it("takes it back in each role whose key is here, and says who binds it still and comes first", async (t) => {
    const scene = await publishingScene();
    const [ann, bob] = [roleSigner("ann"), roleSigner("bob")];
    await becomesSigner(scene, "ann", [ann]);
    await becomesSigner(scene, "bob", [bob]);
    const digest = scene.image("1.0");
    await sign(scene, ["1.0"], { ring: new TestRing(ann, bob, scene.online) });
    const { warnings } = await revoke(scene, { tags: ["1.0"] }, { ring: new TestRing(bob, scene.online) });
    assert.deepEqual(
      warnings.map(({ code, wanted }) => [code, wanted]),
      [["role-key-missing", "a key of ann"]],
    );
    assert.equal(await new Consumer(t, scene).digestOf("1.0"), digest);
    const second = await revoke(scene, { tags: ["1.0"] }, { ring: new TestRing(ann, bob, scene.online) });
    assert.deepEqual([...new Set(second.revoked.map(({ role }) => role))], ["ann", "bob"]);
    await rejectedBy(() => new Consumer(t, scene).ask("1.0"), "revoked");
  });

  it("is done by targets for what it bound before there were signers", async (t) => {
    const scene = await publishingScene();
    scene.image("1.0");
    await sign(scene, ["1.0"]);
    await becomesSigner(scene, "ann", [roleSigner("ann")]);
    const { revoked } = await revoke(scene, { tags: ["1.0"] });
    assert.deepEqual([...new Set(revoked.map(({ role }) => role))], ["targets"]);
    await rejectedBy(() => new Consumer(t, scene).ask("1.0"), "revoked");
  });

  it("is staged where the online key is elsewhere", async (t) => {
    const scene = await publishingScene();
    const digest = scene.image("1.0");
    await sign(scene, ["1.0"]);
    const { publication } = await revoke(scene, { tags: ["1.0"] }, { ring: new TestRing(scene.targets) });
    assert.equal(publication.state, "staged");
    assert.equal(await new Consumer(t, scene).digestOf("1.0"), digest);
  });
});
