import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bindingAt } from "../../../../src/core/tags/lookup.ts";
import { HEAD_TAG, pathOfDigest, pathOfTag, stagingTag } from "../../../../src/core/tags/names.ts";
import type { Publisher } from "../../../../src/ops/tags/publisher.ts";
import { revokeTags } from "../../../../src/ops/tags/revoke.ts";
import { type SignTagsWish, signTags } from "../../../../src/ops/tags/sign.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { becomesSigner, Consumer, type PublishingScene, publishingScene } from "../../../support/publishing.ts";
import { roleSigner, TestRing, wholeTrust } from "../../../support/tag-publisher.ts";

function sign(
  scene: PublishingScene,
  tags: readonly string[],
  wish: Partial<SignTagsWish> = {},
  more: Partial<Publisher> = {},
) {
  return signTags(scene.publisher(more), { images: scene.store, tags, ...wish });
}

describe("signing a tag", () => {
  it("binds it to the image that it names, for everybody", async (t) => {
    const scene = await publishingScene();
    const digest = scene.image("1.0");
    const result = await sign(scene, ["1.0"]);
    assert.equal(result.publication.state, "published");
    assert.deepEqual(result.tags, [{ tag: "1.0", digest, was: undefined, roles: ["targets"] }]);
    assert.deepEqual([result.isChanged, result.warnings], [true, []]);
    assert.equal(await new Consumer(t, scene).digestOf("1.0"), digest);
  });

  it("binds several tags to one image, and lists the digest as released", async (t) => {
    const scene = await publishingScene();
    const digest = scene.image("1.0");
    await sign(scene, ["1.0", "1", "latest"]);
    const consumer = new Consumer(t, scene);
    for (const tag of ["1.0", "1", "latest"]) assert.equal(await consumer.digestOf(tag), digest);
    assert.equal((await consumer.ask(undefined, digest)).signedTag?.binding.digest, digest);
  });

  it("binds a digest whatever the registry's own tag says", async (t) => {
    const scene = await publishingScene();
    const digest = scene.image("1.0");
    scene.image("1.0", "moved");
    await sign(scene, ["1.0"], { digest });
    assert.equal(await new Consumer(t, scene).digestOf("1.0"), digest);
  });

  it("says what the tag meant before, and keeps the old digest as one that was released", async (t) => {
    const scene = await publishingScene();
    const first = scene.image("1.0");
    await sign(scene, ["1.0"]);
    scene.clock.pass(1000);
    const second = scene.image("1.0", "fixed");
    const { tags } = await sign(scene, ["1.0"]);
    assert.deepEqual(tags, [{ tag: "1.0", digest: second, was: first, roles: ["targets"] }]);
    const consumer = new Consumer(t, scene);
    assert.equal((await consumer.ask("1.0")).signedTag?.binding.supersedes, first);
    assert.equal((await consumer.ask(undefined, first)).signedTag?.binding.digest, first);
  });

  it("writes nothing where all of it is signed already", async () => {
    const scene = await publishingScene();
    scene.image("1.0");
    await sign(scene, ["1.0"]);
    const head = scene.store.names.get(HEAD_TAG);
    scene.store.calls.length = 0;
    const { isChanged, publication } = await sign(scene, ["1.0"]);
    assert.deepEqual([isChanged, publication.state], [false, "published"]);
    assert.equal(scene.store.names.get(HEAD_TAG), head);
    assert.deepEqual(scene.store.callsOf("pushManifest"), []);
  });

  it("signs it again where that is to be confirmed: a policy may want a binding that is not old", async (t) => {
    const scene = await publishingScene();
    scene.image("1.0");
    await sign(scene, ["1.0"]);
    const before = (await new Consumer(t, scene).ask("1.0")).signedTag?.binding.signedAt;
    scene.clock.pass(86_400_000);
    const { isChanged } = await sign(scene, ["1.0"], { confirms: true });
    const { signedAt } = (await new Consumer(t, scene).ask("1.0")).signedTag?.binding ?? {};
    assert.equal(isChanged, true);
    assert.ok(before !== undefined && signedAt !== undefined && signedAt >= before + 86_400_000);
  });

  it("signs again what is to be said otherwise: a note, where it was built from, whose signature is demanded", async (t) => {
    const scene = await publishingScene();
    scene.image("1.0");
    await sign(scene, ["1.0"]);
    const requires = [{ identity: "ci@example.com", issuer: "https://issuer.example" }];
    const { isChanged } = await sign(scene, ["1.0"], { note: "fixes it", source: "https://git.example/app", requires });
    assert.equal(isChanged, true);
    const { signedTag, requires: demanded } = await new Consumer(t, scene).ask("1.0");
    assert.deepEqual(demanded, requires);
    assert.deepEqual([signedTag?.binding.note, signedTag?.binding.source], ["fixes it", "https://git.example/app"]);
  });

  it("publishes with signing again what was staged and not published", async (t) => {
    const scene = await publishingScene();
    const digest = scene.image("1.0");
    await sign(scene, ["1.0"], {}, { ring: new TestRing(scene.targets) });
    const { isChanged, publication } = await sign(scene, ["1.0"]);
    assert.deepEqual([isChanged, publication.state], [true, "published"]);
    assert.equal(await new Consumer(t, scene).digestOf("1.0"), digest);
  });

  it("refuses a tag that holds trust metadata, and no tag at all", async () => {
    const scene = await publishingScene();
    await rejectedBy(() => sign(scene, [HEAD_TAG]), "usage");
    await rejectedBy(() => sign(scene, [stagingTag("targets")]), "usage");
    await rejectedBy(() => sign(scene, []), "usage");
  });

  it("refuses an image that is not there", async () => {
    const scene = await publishingScene();
    const error = await rejectedBy(() => sign(scene, ["1.0"]), "not-found");
    assert.equal(error.wanted, "1.0");
  });

  it("refuses without a key that may sign the tag, and says whose is wanted", async () => {
    const scene = await publishingScene();
    scene.image("1.0");
    const error = await rejectedBy(
      () => sign(scene, ["1.0"], {}, { ring: new TestRing(scene.online) }),
      "role-key-missing",
    );
    assert.equal(error.message, "no key is here that may sign the tag 1.0");
    assert.equal(error.wanted, "a key of targets");
    assert.equal(scene.store.names.has(stagingTag("targets")), false);
  });
});

describe("signing as one of several signers", () => {
  it("signs as each whose key is here and whose patterns cover the tag", async (t) => {
    const scene = await publishingScene();
    const [ann, bob, eve] = [roleSigner("ann"), roleSigner("bob"), roleSigner("eve")];
    await becomesSigner(scene, "ann", [ann], { tags: ["1.*"] });
    await becomesSigner(scene, "bob", [bob], { tags: ["*"] });
    await becomesSigner(scene, "eve", [eve], { tags: ["*"] });
    const digest = scene.image("1.0");
    const { tags } = await sign(scene, ["1.0"], {}, { ring: new TestRing(ann, bob, scene.online) });
    assert.deepEqual(tags[0]?.roles, ["ann", "bob"]);
    const consumer = new Consumer(t, scene);
    assert.equal((await consumer.ask("1.0")).signedTag?.role, "ann");
    assert.equal(await consumer.digestOf("1.0"), digest);
    scene.image("2.0");
    const second = await sign(scene, ["2.0"], {}, { ring: new TestRing(ann, bob, scene.online) });
    assert.deepEqual(second.tags[0]?.roles, ["bob"]);
  });

  it("signs as those alone that are named", async () => {
    const scene = await publishingScene();
    const [ann, bob] = [roleSigner("ann"), roleSigner("bob")];
    await becomesSigner(scene, "ann", [ann]);
    await becomesSigner(scene, "bob", [bob]);
    scene.image("1.0");
    const ring = new TestRing(ann, bob, scene.online);
    const { tags } = await sign(scene, ["1.0"], { signers: ["bob"] }, { ring });
    assert.deepEqual(tags[0]?.roles, ["bob"]);
    const { roles } = await wholeTrust(scene);
    assert.equal(roles.has("ann"), false);
  });

  it("refuses a tag that none of the keys here may sign, and signs nothing of the others", async () => {
    const scene = await publishingScene();
    const ann = roleSigner("ann");
    await becomesSigner(scene, "ann", [ann], { tags: ["1.*"] });
    scene.image("1.0");
    const error = await rejectedBy(
      () => sign(scene, ["1.0", "2.0"], {}, { ring: new TestRing(ann, scene.online) }),
      "role-key-missing",
    );
    assert.match(error.message, /no signer of .* may sign the tag 2\.0/);
    assert.equal(error.found, "ann: 1.*");
    assert.match(error.next ?? "", /--tags/);
    assert.equal((await wholeTrust(scene)).roles.has("ann"), false);
  });

  it("does not sign as targets once there are signers, though its key is here", async () => {
    const scene = await publishingScene();
    await becomesSigner(scene, "ann", [roleSigner("ann")]);
    scene.image("1.0");
    await rejectedBy(() => sign(scene, ["1.0"]), "role-key-missing");
  });

  it("says where another signer comes first and binds another image", async () => {
    const scene = await publishingScene();
    const [ann, bob] = [roleSigner("ann"), roleSigner("bob")];
    await becomesSigner(scene, "ann", [ann]);
    await becomesSigner(scene, "bob", [bob]);
    scene.image("1.0");
    await sign(scene, ["1.0"], {}, { ring: new TestRing(ann, scene.online) });
    scene.image("1.0", "other");
    const { warnings } = await sign(scene, ["1.0"], {}, { ring: new TestRing(bob, scene.online) });
    assert.deepEqual(
      warnings.map(({ code, message }) => [code, message]),
      [["binding-mismatch", "1.0 is signed and does not count: ann comes first and binds another image"]],
    );
  });

  it("waits for the second of two who have to sign, and publishes what needs one", async (t) => {
    const scene = await publishingScene();
    const [ann, bob, ci] = [roleSigner("ann"), roleSigner("bob"), roleSigner("ci")];
    await becomesSigner(scene, "both", [ann, bob], { threshold: 2 });
    await becomesSigner(scene, "ci", [ci]);
    const digest = scene.image("1.0");
    const ring = new TestRing(ann, ci, scene.online);
    const { publication } = await sign(scene, ["1.0"], {}, { ring, writers: "one" });
    assert.ok(publication.state === "pending");
    assert.deepEqual([publication.waiting.role, publication.waiting.missing], ["both", 1]);
    const { signedTag } = await new Consumer(t, scene).ask("1.0");
    assert.deepEqual([signedTag?.role, signedTag?.binding.digest], ["ci", digest]);
  });
});

describe("signing what was taken back", () => {
  it("is refused with the reason", async () => {
    const scene = await publishingScene();
    scene.image("1.0");
    await sign(scene, ["1.0"]);
    await revokeTags(scene.publisher(), { tags: ["1.0"], digests: [], reason: "leaks a secret" });
    const error = await rejectedBy(() => sign(scene, ["1.0"]), "revoked");
    assert.equal(error.found, "leaks a secret");
  });

  it("takes the revocation back where that is asked for", async (t) => {
    const scene = await publishingScene();
    const digest = scene.image("1.0");
    await sign(scene, ["1.0"]);
    await revokeTags(scene.publisher(), { tags: ["1.0"], digests: [], reason: "a mistake" });
    await sign(scene, ["1.0"], { reinstates: true });
    assert.equal(await new Consumer(t, scene).digestOf("1.0"), digest);
  });

  it("does not bring another digest back with the tag", async (t) => {
    const scene = await publishingScene();
    const bad = scene.image("1.0");
    await sign(scene, ["1.0"]);
    await revokeTags(scene.publisher(), { tags: ["1.0"], digests: [], reason: "leaks a secret" });
    const good = scene.image("1.0", "fixed");
    await sign(scene, ["1.0"]);
    const consumer = new Consumer(t, scene);
    assert.equal(await consumer.digestOf("1.0"), good);
    await rejectedBy(() => consumer.ask(undefined, bad), "revoked");
  });
});

describe("a role with many tags", () => {
  it("goes over to bins, of which a later tag changes those that it is in", async (t) => {
    const scene = await publishingScene();
    const digest = scene.image("v0");
    const names = Array.from({ length: 510 }, (_, at) => `v${at}`);
    await sign(scene, names.slice(0, 400));
    assert.equal((await wholeTrust(scene)).targets.body.bins, undefined);
    await sign(scene, names.slice(400), { digest });
    const before = await wholeTrust(scene);
    assert.ok((before.targets.body.bins?.bitLength ?? 0) >= 1);
    const consumer = new Consumer(t, scene);
    for (const tag of ["v0", "v399", "v400", "v509"]) assert.equal(await consumer.digestOf(tag), digest);
    scene.clock.pass(1000);
    const next = scene.image("next");
    await sign(scene, ["next"]);
    const after = await wholeTrust(scene);
    assert.equal(await consumer.digestOf("next"), next);
    const changed = [...after.roles].filter(
      ([name, { body }]) => before.roles.get(name)?.body.version !== body.version,
    );
    const holding = changed.filter(([, { body }]) => {
      return bindingAt(body, pathOfTag("next")) ?? bindingAt(body, pathOfDigest(next));
    });
    assert.ok(changed.length >= 1 && changed.length <= 2);
    assert.equal(holding.length, changed.length);
    assert.equal(after.targets.body.version, before.targets.body.version);
    for (const tag of ["v0", "v399", "v400", "v509"]) assert.equal(await consumer.digestOf(tag), digest);
  });
});
