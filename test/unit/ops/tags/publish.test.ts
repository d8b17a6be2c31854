import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CountersignError } from "../../../../src/core/errors.ts";
import { parseHead } from "../../../../src/core/tags/head.ts";
import { HEAD_TAG, stagingTag } from "../../../../src/core/tags/names.ts";
import { refreshTrust } from "../../../../src/ops/tags/refresh.ts";
import { signTags } from "../../../../src/ops/tags/sign.ts";
import { rejectedBy } from "../../../support/codes.ts";
import type { Call } from "../../../support/memory-store.ts";
import {
  becomesSigner,
  Consumer,
  type PublishingScene,
  publishingScene,
  rememberer,
} from "../../../support/publishing.ts";
import { roleSigner, TestRing } from "../../../support/tag-publisher.ts";

function sign(scene: PublishingScene, tag: string, more: Parameters<PublishingScene["publisher"]>[0] = {}) {
  return signTags(scene.publisher(more), { images: scene.store, tags: [tag] });
}

/** Runs something once, right before the first request that begins so. */
function once(scene: PublishingScene, begin: string, work: () => Promise<unknown>): void {
  let isOver = false;
  scene.store.misbehaviour = {
    before: async (call: Call) => {
      if (isOver || !call.includes(begin)) return;
      isOver = true;
      await work();
    },
  };
}

/** What the head named before is put back. */
function putBack(scene: PublishingScene): () => void {
  const before = scene.store.names.get(HEAD_TAG);
  assert.ok(before !== undefined);
  return () => void scene.store.names.set(HEAD_TAG, before);
}

describe("publishing beside others", () => {
  it("keeps the bindings of two signers who publish in the same second (42)", async (t) => {
    const scene = await publishingScene();
    const [ann, bob] = [roleSigner("ann"), roleSigner("bob")];
    await becomesSigner(scene, "ann", [ann]);
    await becomesSigner(scene, "bob", [bob]);
    const [first, second] = [scene.image("1"), scene.image("2")];
    const restore = putBack(scene);
    // Bob read before Ann wrote, and writes after her.
    once(scene, `pushManifest`, async () => {
      await sign(scene, "1", { ring: new TestRing(ann, scene.online) });
      restore();
    });
    const result = await sign(scene, "2", { ring: new TestRing(bob, scene.online) });
    assert.equal(result.publication.state, "published");
    const consumer = new Consumer(t, scene);
    assert.equal(await consumer.digestOf("1"), first);
    assert.equal(await consumer.digestOf("2"), second);
  });

  it("keeps both bindings of two jobs that sign with one key in the same second (43)", async (t) => {
    const scene = await publishingScene();
    const [first, second] = [scene.image("1"), scene.image("2")];
    once(scene, `pushManifest sha256:`, async () => {
      await sign(scene, "1");
    });
    const result = await sign(scene, "2");
    assert.equal(result.publication.state, "published");
    const consumer = new Consumer(t, scene);
    assert.deepEqual([await consumer.digestOf("1"), await consumer.digestOf("2")], [first, second]);
    assert.ok(
      scene.clock.slept.some((each) => each >= 10_000),
      "it waits for whoever else may be writing",
    );
  });

  it("publishes with the next refresh what a publisher staged who was killed before the head (44)", async (t) => {
    const scene = await publishingScene();
    const digest = scene.image("1");
    scene.store.misbehaviour = {
      before: (call) => {
        if (call.startsWith("pushManifest ") && call.endsWith(` ${HEAD_TAG}`)) throw new Error("killed");
      },
    };
    await assert.rejects(sign(scene, "1"), /killed/);
    scene.store.misbehaviour = {};
    await rejectedBy(() => new Consumer(t, scene).ask("1"), "tag-unlisted");
    const { merged, publication } = await refreshTrust(scene.publisher());
    assert.deepEqual([merged, publication.state], [["targets"], "published"]);
    assert.equal(await new Consumer(t, scene).digestOf("1"), digest);
  });

  it("mints versions that only grow where a head that was given up lands later (45)", async (t) => {
    const scene = await publishingScene();
    scene.image("1");
    const late: (() => void)[] = [];
    const push = scene.store.pushManifest.bind(scene.store);
    scene.store.pushManifest = async (manifest, tag) => {
      if (tag !== HEAD_TAG || late.length > 0) return await push(manifest, tag);
      late.push(() => void scene.store.names.set(HEAD_TAG, manifest.descriptor.digest));
      return await push(manifest);
    };
    const consumer = new Consumer(t, scene);
    await sign(scene, "1");
    const published = (await consumer.ask("1")).signedTag?.versions.timestamp ?? 0;
    for (const land of late) land();
    // The older head is back: who saw the newer one says so, and nothing forked.
    await rejectedBy(() => consumer.ask("1"), "rollback");
    await refreshTrust(scene.publisher());
    assert.ok(((await consumer.ask("1")).signedTag?.versions.timestamp ?? 0) > published);
  });

  it("is unconfirmed where the registry says 201 and keeps the old tag (46)", async () => {
    const scene = await publishingScene();
    scene.image("1");
    const push = scene.store.pushManifest.bind(scene.store);
    let tries = 0;
    scene.store.pushManifest = async (manifest, tag) => {
      if (tag === HEAD_TAG) tries++;
      return await push(manifest, tag === HEAD_TAG ? undefined : tag);
    };
    const error = await rejectedBy(() => sign(scene, "1"), "write-unconfirmed");
    assert.equal(error.message, "registry.example/app does not keep what is published");
    assert.equal(tries, 10);
    assert.match(error.next, /countersign trust refresh/);
  });

  it("waits for the online key where it is elsewhere, and says so", async (t) => {
    const scene = await publishingScene();
    const digest = scene.image("1");
    const { publication } = await sign(scene, "1", { ring: new TestRing(scene.targets) });
    assert.equal(publication.state, "staged");
    assert.ok(publication.state === "staged" && publication.finding.code === "publish-staged");
    await rejectedBy(() => new Consumer(t, scene).ask("1"), "tag-unlisted");
    await refreshTrust(scene.publisher({ ring: new TestRing(scene.online) }));
    assert.equal(await new Consumer(t, scene).digestOf("1"), digest);
  });

  it("mends a head that went back, with a timestamp above the one that was seen", async (t) => {
    const scene = await publishingScene();
    const digest = scene.image("1");
    const restore = putBack(scene);
    const memory = rememberer();
    await sign(scene, "1", { memory });
    const consumer = new Consumer(t, scene);
    assert.equal(await consumer.digestOf("1"), digest);
    restore();
    await refreshTrust(scene.publisher({ memory }));
    assert.equal(await consumer.digestOf("1"), digest);
  });

  it("does not build on a head that is older than what was seen here", async () => {
    const scene = await publishingScene();
    scene.image("1");
    scene.image("2");
    const restore = putBack(scene);
    const memory = rememberer();
    await sign(scene, "1", { memory });
    restore();
    scene.store.names.delete(stagingTag("targets"));
    const error = await rejectedBy(() => sign(scene, "2", { memory }), "rollback");
    assert.match(error.message, /a rollback: targets was newer/);
  });

  it("does not go on where the registry goes back while it publishes, stages and all", async () => {
    const scene = await publishingScene();
    scene.image("1");
    scene.image("2");
    await sign(scene, "1");
    const before = new Map(scene.store.names);
    scene.clock.pass(1000);
    await sign(scene, "2");
    scene.image("3");
    let resolved = 0;
    scene.store.misbehaviour = {
      before: (call) => {
        if (call !== `resolve ${HEAD_TAG}` || ++resolved !== 2) return;
        for (const [name, digest] of before) scene.store.names.set(name, digest);
      },
    };
    await rejectedBy(() => sign(scene, "3"), "rollback");
  });

  it("goes on where one of two jobs with another signer's key stages what is older meanwhile: that is no rollback", async () => {
    const scene = await publishingScene();
    const [ci, docs] = [roleSigner("ci"), roleSigner("docs")];
    await becomesSigner(scene, "ci", [ci]);
    await becomesSigner(scene, "docs", [docs]);
    for (const tag of ["1", "2", "3"]) scene.image(tag);
    const tag = stagingTag("ci");
    await sign(scene, "1", { ring: new TestRing(ci) });
    const older = scene.store.names.get(tag);
    assert.ok(older !== undefined);
    scene.store.names.delete(tag);
    scene.clock.pass(1000);
    await sign(scene, "2", { ring: new TestRing(ci) });
    once(scene, `pushManifest`, async () => void scene.store.names.set(tag, older));
    const { publication } = await sign(scene, "3", { ring: new TestRing(docs, scene.online) });
    assert.equal(publication.state, "published");
  });

  it("ends where the head is gone", async () => {
    const scene = await publishingScene();
    scene.image("1");
    scene.store.names.delete(HEAD_TAG);
    await rejectedBy(() => sign(scene, "1"), "signed-tags-vanished");
  });

  it("signs nothing under a root that has expired", async () => {
    const scene = await publishingScene();
    scene.image("1");
    scene.clock.pass(400 * 86_400_000);
    await rejectedBy(() => sign(scene, "1", { allowsExpired: true }), "root-expired");
    await rejectedBy(() => refreshTrust(scene.publisher({ allowsExpired: true })), "root-expired");
    assert.equal(scene.store.names.has(stagingTag("targets")), false);
  });

  it("takes nothing for staged that somebody else put there, and says so", async (t) => {
    const scene = await publishingScene();
    const ann = roleSigner("ann");
    await becomesSigner(scene, "ann", [ann]);
    const other = await publishingScene();
    other.clock.pass(60_000);
    other.image("1", "evil");
    await sign(other, "1");
    const staged = other.store.names.get(stagingTag("targets"));
    assert.ok(staged !== undefined);
    for (const [digest, bytes] of other.store.blobs) scene.store.blobs.set(digest, bytes);
    for (const [digest, each] of other.store.manifests) scene.store.manifests.set(digest, each);
    scene.store.names.set(stagingTag("targets"), staged);
    const digest = scene.image("2");
    const { publication } = await sign(scene, "2", { ring: new TestRing(ann, scene.online) });
    assert.equal(publication.state, "published");
    assert.ok(publication.state === "published");
    const codes = publication.warnings.map(({ code }) => code);
    assert.ok(codes.includes("signature-threshold"), codes.join());
    const consumer = new Consumer(t, scene);
    assert.equal(await consumer.digestOf("2"), digest);
    await rejectedBy(() => consumer.ask("1"), "tag-unlisted");
  });

  it("does not take an image for what is staged", async () => {
    const scene = await publishingScene();
    scene.image("1");
    scene.store.names.set(stagingTag("root"), scene.image("2"));
    const { publication } = await sign(scene, "1");
    assert.ok(publication.state === "published");
    assert.match(
      publication.warnings[0]?.message ?? "",
      /what is staged under countersign-trust\.role\.root does not count/,
    );
  });

  it("keeps every root and names the heads before", async () => {
    const scene = await publishingScene();
    const first = scene.store.names.get(HEAD_TAG);
    scene.image("1");
    await sign(scene, "1");
    const head = await scene.store.resolve(HEAD_TAG);
    assert.ok(head !== undefined);
    const listing = parseHead(head);
    assert.ok(listing.files.has("1.root.json"));
    assert.deepEqual(listing.history, [first]);
  });

  it("throws what the registry says where it does not let anybody write", async () => {
    const scene = await publishingScene();
    scene.image("1");
    scene.store.misbehaviour = {
      before: (call) => {
        if (call.startsWith("pushManifest")) throw new CountersignError("denied", "no");
      },
    };
    await rejectedBy(() => sign(scene, "1"), "denied");
  });
});
