import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HEAD_TAG, stagingTag } from "../../../../src/core/tags/names.ts";
import { refreshTrust } from "../../../../src/ops/tags/refresh.ts";
import { signTags } from "../../../../src/ops/tags/sign.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { becomesSigner, Consumer, type PublishingScene, publishingScene } from "../../../support/publishing.ts";
import { roleSigner, TestRing, wholeTrust } from "../../../support/tag-publisher.ts";

const DAY = 86_400_000;

type More = Parameters<PublishingScene["publisher"]>[0];

function sign(scene: PublishingScene, tag: string, more: More = {}) {
  return signTags(scene.publisher(more), { images: scene.store, tags: [tag] });
}

describe("refreshing signed tags", () => {
  it("brings back what has frozen", async (t) => {
    const scene = await publishingScene();
    const digest = scene.image("1.0");
    await sign(scene, "1.0");
    scene.clock.pass(8 * DAY);
    await rejectedBy(() => new Consumer(t, scene).ask("1.0"), "frozen");
    const result = await refreshTrust(scene.publisher({ ring: new TestRing(scene.online) }));
    assert.equal(result.publication.state, "published");
    assert.ok((result.timestamp?.expires ?? 0) > scene.clock.now() + 6.9 * DAY);
    assert.equal(await new Consumer(t, scene).digestOf("1.0"), digest);
  });

  it("signs the timestamp alone where nothing else is due", async () => {
    const scene = await publishingScene();
    const before = await wholeTrust(scene);
    scene.clock.pass(DAY);
    const { timestamp, snapshot, merged, renewed, notices } = await refreshTrust(scene.publisher());
    assert.ok((timestamp?.version ?? 0) > (before.timestamp?.body.version ?? 0));
    assert.equal(snapshot?.version, before.snapshot?.body.version);
    assert.deepEqual([merged, renewed, notices], [[], [], []]);
  });

  it("signs the snapshot in time", async () => {
    const scene = await publishingScene();
    const before = await wholeTrust(scene);
    scene.clock.pass(61 * DAY);
    const { snapshot } = await refreshTrust(scene.publisher());
    assert.ok((snapshot?.version ?? 0) > (before.snapshot?.body.version ?? 0));
    assert.ok((snapshot?.expires ?? 0) > scene.clock.now() + 89 * DAY);
  });

  it("signs roles again that end soon where their keys are here", async (t) => {
    const scene = await publishingScene();
    const ann = roleSigner("ann");
    await becomesSigner(scene, "ann", [ann]);
    const digest = scene.image("1.0");
    await sign(scene, "1.0", { ring: new TestRing(ann, scene.online) });
    scene.clock.pass(310 * DAY);
    const ring = new TestRing(ann, scene.targets, scene.online);
    const { renewed, notices } = await refreshTrust(scene.publisher({ ring }));
    assert.deepEqual(renewed, ["targets", "ann"]);
    assert.deepEqual(
      notices.map(({ code, message }) => [code, message]),
      [["root-expired", "the metadata of root expires soon"]],
    );
    scene.clock.pass(DAY);
    assert.equal(await new Consumer(t, scene).digestOf("1.0"), digest);
  });

  it("names those that end soon and whose keys are not here", async () => {
    const scene = await publishingScene();
    const ann = roleSigner("ann");
    await becomesSigner(scene, "ann", [ann]);
    scene.image("1.0");
    await sign(scene, "1.0", { ring: new TestRing(ann, scene.online) });
    scene.clock.pass(310 * DAY);
    const { renewed, notices } = await refreshTrust(scene.publisher({ ring: new TestRing(scene.online) }));
    assert.deepEqual(renewed, []);
    assert.deepEqual(
      notices.map(({ message }) => message),
      ["root", "targets", "ann"].map((role) => `the metadata of ${role} expires soon`),
    );
  });

  it("mends a head that was put back to an older one, from what is staged", async (t) => {
    const scene = await publishingScene();
    const before = scene.store.names.get(HEAD_TAG);
    const digest = scene.image("1.0");
    await sign(scene, "1.0");
    const consumer = new Consumer(t, scene);
    assert.equal(await consumer.digestOf("1.0"), digest);
    assert.ok(before !== undefined);
    scene.store.names.set(HEAD_TAG, before);
    await rejectedBy(() => consumer.ask("1.0"), "rollback");
    scene.clock.pass(1000);
    const { merged } = await refreshTrust(scene.publisher({ ring: new TestRing(scene.online) }));
    assert.deepEqual(merged, ["targets"]);
    assert.equal(await consumer.digestOf("1.0"), digest);
  });

  it("refuses without the online key, whoever else is here", async () => {
    const scene = await publishingScene();
    const head = scene.store.names.get(HEAD_TAG);
    await rejectedBy(
      () => refreshTrust(scene.publisher({ ring: new TestRing(scene.targets, scene.root) })),
      "role-key-missing",
    );
    assert.equal(scene.store.names.get(HEAD_TAG), head);
  });

  it("publishes nothing that a removed key signed", async (t) => {
    const scene = await publishingScene();
    const [ann, stranger] = [roleSigner("ann"), roleSigner("stranger")];
    await becomesSigner(scene, "ann", [ann]);
    const digest = scene.image("1.0");
    await sign(scene, "1.0", { ring: new TestRing(ann, scene.online) });
    const other = await publishingScene({ now: scene.clock.now() });
    await becomesSigner(other, "ann", [stranger]);
    other.clock.pass(DAY);
    other.image("1.0", "evil");
    await sign(other, "1.0", { ring: new TestRing(stranger, other.online) });
    const staged = other.store.names.get(stagingTag("ann"));
    assert.ok(staged !== undefined);
    for (const [each, bytes] of other.store.blobs) scene.store.blobs.set(each, bytes);
    for (const [each, stored] of other.store.manifests) scene.store.manifests.set(each, stored);
    scene.store.names.set(stagingTag("ann"), staged);
    scene.clock.pass(DAY + 10_000);
    const { merged, publication } = await refreshTrust(scene.publisher({ ring: new TestRing(scene.online) }));
    assert.deepEqual(merged, []);
    assert.ok(publication.state === "published");
    assert.deepEqual(
      publication.warnings.map(({ code }) => code),
      ["signature-threshold"],
    );
    assert.equal(await new Consumer(t, scene).digestOf("1.0"), digest);
  });
});
