import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Digest } from "../../../../src/core/oci/digest.ts";
import { parseManifest } from "../../../../src/core/oci/manifest.ts";
import { buildHead, parseHead } from "../../../../src/core/tags/head.ts";
import { HEAD_TAG, stagingTag } from "../../../../src/core/tags/names.ts";
import { refreshTrust } from "../../../../src/ops/tags/refresh.ts";
import { revokeTags } from "../../../../src/ops/tags/revoke.ts";
import { signTags } from "../../../../src/ops/tags/sign.ts";
import { rejectedBy } from "../../../support/codes.ts";
import {
  becomesSigner,
  Consumer,
  type PublishingScene,
  publishingScene,
  rememberer,
} from "../../../support/publishing.ts";
import { roleSigner, TestRing, wholeTrust } from "../../../support/tag-publisher.ts";

const DAY = 86_400_000;

type More = Parameters<PublishingScene["publisher"]>[0];

function sign(scene: PublishingScene, tag: string, more: More = {}) {
  return signTags(scene.publisher(more), { images: scene.store, tags: [tag] });
}

/** Of a head so small that it carries them. */
function headFiles({ store }: PublishingScene): ReadonlyMap<string, Uint8Array> {
  const { bytes, mediaType } = store.manifests.get(store.names.get(HEAD_TAG) ?? ("" as Digest)) ?? {};
  const { files } = parseHead(parseManifest(bytes ?? new Uint8Array(), mediaType ?? ""));
  return new Map([...files].map(([name, { data }]) => [name, data ?? new Uint8Array()]));
}

function putHead({ store, gun, clock }: PublishingScene, files: ReadonlyMap<string, Uint8Array>): void {
  const { manifest } = buildHead(files, { gun, version: 1, expires: clock.now(), history: [] });
  const { bytes, descriptor } = manifest;
  store.manifests.set(descriptor.digest, { bytes, mediaType: descriptor.mediaType });
  store.names.set(HEAD_TAG, descriptor.digest);
}

describe("refreshing signed tags", () => {
  it("brings back what has frozen", async (t) => {
    const scene = await publishingScene();
    const digest = scene.image("1.0");
    await sign(scene, "1.0");
    scene.clock.pass(8 * DAY);
    await rejectedBy(() => new Consumer(t, scene).ask("1.0"), "frozen");
    const result = await refreshTrust(scene.publisher({ ring: new TestRing(scene.online), allowsExpired: true }));
    assert.equal(result.publication.state, "published");
    assert.ok((result.timestamp?.expires ?? 0) > scene.clock.now() + 6.9 * DAY);
    assert.equal(await new Consumer(t, scene).digestOf("1.0"), digest);
  });

  it("builds on nothing that has expired where nothing is remembered: an old state would count again", async (t) => {
    const scene = await publishingScene();
    scene.image("1.0");
    await sign(scene, "1.0");
    const old = scene.store.names.get(HEAD_TAG);
    const oldStage = scene.store.names.get(stagingTag("targets"));
    assert.ok(old !== undefined && oldStage !== undefined);
    await revokeTags(scene.publisher(), { tags: ["1.0"], digests: [], reason: "broken" });
    scene.clock.pass(8 * DAY);
    scene.store.names.set(HEAD_TAG, old);
    scene.store.names.set(stagingTag("targets"), oldStage);
    scene.image("2.0");
    const error = await rejectedBy(() => sign(scene, "2.0"), "frozen");
    assert.match(error.next, /--allow-expired/);
    await rejectedBy(() => refreshTrust(scene.publisher()), "frozen");
    assert.equal(scene.store.names.get(HEAD_TAG), old);
    await rejectedBy(() => new Consumer(t, scene).ask("1.0"), "frozen");
  });

  it("builds on no head whose timestamp is left out, or is another repository's", async () => {
    const scene = await publishingScene();
    const other = headFiles(await publishingScene());
    const files = headFiles(scene);
    putHead(scene, new Map([...files].filter(([name]) => name !== "timestamp.json")));
    await rejectedBy(() => refreshTrust(scene.publisher()), "frozen");
    putHead(scene, new Map([...files, ...[...other].filter(([name]) => name === "timestamp.json")]));
    await rejectedBy(() => refreshTrust(scene.publisher()), "frozen");
  });

  it("mends what has expired where it is remembered how far it was", async () => {
    const scene = await publishingScene();
    const memory = rememberer();
    await refreshTrust(scene.publisher({ memory }));
    scene.clock.pass(8 * DAY);
    assert.equal((await refreshTrust(scene.publisher({ memory }))).publication.state, "published");
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
    const { snapshot } = await refreshTrust(scene.publisher({ allowsExpired: true }));
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
    const { renewed, notices } = await refreshTrust(scene.publisher({ ring, allowsExpired: true }));
    assert.deepEqual(renewed, ["targets", "ann"]);
    assert.deepEqual(
      notices.map(({ code, message }) => [code, message]),
      [["trust-stale", "the metadata of root is to be signed again soon"]],
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
    const alone = scene.publisher({ ring: new TestRing(scene.online), allowsExpired: true });
    const { renewed, notices } = await refreshTrust(alone);
    assert.deepEqual(renewed, []);
    assert.deepEqual(
      notices.map(({ message }) => message),
      ["root", "targets", "ann"].map((role) => `the metadata of ${role} is to be signed again soon`),
    );
    assert.match(notices[2]?.next ?? "", /countersign trust rotate ann --renew/);
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
