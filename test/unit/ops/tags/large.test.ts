import assert from "node:assert/strict";
import { it } from "node:test";
import { parseHead } from "../../../../src/core/tags/head.ts";
import { HEAD_TAG, partTag } from "../../../../src/core/tags/names.ts";
import { revokeTags } from "../../../../src/ops/tags/revoke.ts";
import { signTags } from "../../../../src/ops/tags/sign.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { becomesSigner, Consumer, publishingScene } from "../../../support/publishing.ts";
import { roleSigner, TestRing, wholeTrust } from "../../../support/tag-publisher.ts";

it("a tag among many is signed and taken back in its bin: others are neither read nor written, and stay", async (t) => {
  const scene = await publishingScene();
  const [ann, bob] = [roleSigner("ann"), roleSigner("bob")];
  await becomesSigner(scene, "ann", [ann]);
  await becomesSigner(scene, "bob", [bob], { tags: ["bob-*"] });
  const ring = new TestRing(ann, bob, scene.online);
  const first = scene.image("v0");
  const sign = (tags: readonly string[]) => signTags(scene.publisher({ ring }), { images: scene.store, tags });
  await sign(Array.from({ length: 1650 }, (_, at) => `v${at}`));
  const { roles } = await wholeTrust(scene);
  assert.equal(roles.get("ann")?.body.bins?.bitLength, 5);

  scene.clock.pass(1000);
  const next = scene.image("next");
  scene.store.calls.length = 0;
  await sign(["next"]);
  assert.ok(scene.store.callsOf("openBlob").length <= 8, "the bins that are changed and what leads to them");
  const head = await scene.store.resolve(HEAD_TAG);
  assert.ok(head !== undefined);
  assert.equal(parseHead(head).form, "large");
  for (const [place, part] of (head.kind === "index" ? head.manifests : []).entries()) {
    assert.equal(scene.store.names.get(partTag(place)), part.digest);
  }
  const consumer = new Consumer(t, scene);
  assert.deepEqual([await consumer.digestOf("next"), await consumer.digestOf("v1649")], [next, first]);

  scene.clock.pass(1000);
  const other = scene.image("bob-1");
  await sign(["bob-1"]);
  assert.deepEqual([await consumer.digestOf("bob-1"), await consumer.digestOf("v7")], [other, first]);

  scene.clock.pass(1000);
  await revokeTags(scene.publisher({ ring }), { tags: ["v17"], digests: [], reason: "leaks a secret" });
  await rejectedBy(() => consumer.ask("v17"), "revoked");
  assert.equal(await consumer.digestOf("v18"), first);
  assert.deepEqual((await wholeTrust(scene)).findings, []);
});
