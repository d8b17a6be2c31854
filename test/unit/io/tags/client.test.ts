import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CountersignError, type Finding } from "../../../../src/core/errors.ts";
import { digestOf } from "../../../../src/core/oci/digest.ts";
import { HEAD_TAG, pathOfDigest, pathOfTag } from "../../../../src/core/tags/names.ts";
import type { RootPin } from "../../../../src/core/tags/pin.ts";
import { DEFAULT_TAG_DEMAND } from "../../../../src/core/tags/signed-tag.ts";
import { openSignedTags } from "../../../../src/io/tags/client.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { MemoryStore } from "../../../support/memory-store.ts";
import { daysLater, GUN, IMAGE, NOW, OTHER, tagScene } from "../../../support/tag-repository.ts";
import { DAY } from "../../../support/tuf-repository.ts";

const UNPROVEN = { signedTag: undefined, requires: [] };

describe("a tag that is resolved through signed tags", () => {
  it("means the digest that the publisher bound, and says by whom and until when that is known", async (t) => {
    const { ask, repo, pins } = await tagScene(t);
    const { signedTag, requires } = await ask();
    assert.deepEqual(requires, []);
    assert.deepEqual(signedTag, {
      gun: GUN,
      binding: {
        tag: "1.0",
        digest: IMAGE,
        length: 100,
        mediaType: undefined,
        signedAt: daysLater(-1),
        source: undefined,
        supersedes: undefined,
        note: undefined,
        requires: [],
        revoked: undefined,
      },
      role: "targets",
      keyIds: repo.keyIds("targets"),
      pin: { mode: "pinned", root: pins.pins.get(GUN)?.root, rootVersion: 1 },
      versions: { root: 1, timestamp: 2, snapshot: 2 },
      freshUntil: daysLater(7),
      registryDigest: undefined,
      unheard: undefined,
    });
  });

  it("is unlisted where no role binds it (1)", async (t) => {
    const { ask } = await tagScene(t);
    const error = await rejectedBy(() => ask({ tag: "2.0" }), "tag-unlisted");
    assert.equal(error.message, `the tag 2.0 is unlisted: no publisher of ${GUN} binds it`);
    assert.deepEqual([error.found, error.wanted], ["no binding", "a signed binding of 2.0"]);
  });

  it("is unlisted where a role binds it that may not, and that role is named (17)", async (t) => {
    const { repo, ask } = await tagScene(t);
    repo.signer("nightly", ["tags/nightly-*"]).bind("2.0", OTHER, { role: "nightly" }).release("nightly");
    const error = await rejectedBy(() => ask({ tag: "2.0" }), "tag-unlisted");
    assert.equal(error.found, "a binding by nightly, whose patterns do not cover the tag");
    repo.bind("nightly-1", OTHER, { role: "nightly" }).release("nightly");
    const { signedTag } = await ask({ tag: "nightly-1" });
    assert.deepEqual([signedTag?.role, signedTag?.keyIds], ["nightly", repo.keyIds("nightly")]);
  });

  it("is bound by the first of two roles that bind it (18)", async (t) => {
    const { repo, ask } = await tagScene(t);
    repo.signer("first").signer("second");
    repo.bind("2.0", IMAGE, { role: "first" }).bind("2.0", OTHER, { role: "second" }).release("first", "second");
    const { signedTag } = await ask({ tag: "2.0" });
    assert.deepEqual([signedTag?.role, signedTag?.binding.digest], ["first", IMAGE]);
  });

  it("is nobody else's where a signer's word on it is the last one (19)", async (t) => {
    const { repo, ask } = await tagScene(t);
    repo.signer("production", ["tags/prod-*"], { terminating: true }).signer("others");
    repo.bind("prod-1", OTHER, { role: "others" }).bind("test-1", OTHER, { role: "others" });
    repo.release("production", "others");
    await rejectedBy(() => ask({ tag: "prod-1" }), "tag-unlisted");
    assert.equal((await ask({ tag: "test-1" })).signedTag?.role, "others");
  });

  it("is found past a signer who has not signed anything yet", async (t) => {
    const { repo, ask } = await tagScene(t);
    repo.signer("waiting").signer("others").bind("2.0", OTHER, { role: "others" });
    repo.signed.delete("waiting");
    repo.release("others");
    assert.equal((await ask({ tag: "2.0" })).signedTag?.role, "others");
    await rejectedBy(() => ask({ tag: "3.0" }), "tag-unlisted");
  });

  it("is nobody's while the signer whose word would be the last one has not signed", async (t) => {
    const { repo, ask } = await tagScene(t);
    repo.signer("production", ["tags/prod-*"], { terminating: true }).signer("others");
    repo.bind("prod-1", OTHER, { role: "others" });
    repo.signed.delete("production");
    repo.release("others");
    await rejectedBy(() => ask({ tag: "prod-1" }), "tag-unlisted");
  });

  it("is refused where an earlier signer's word does not verify, whatever later ones say", async (t) => {
    const { repo, ask } = await tagScene(t);
    repo.signer("first").signer("second").bind("2.0", OTHER, { role: "second" });
    repo.expire("first", -1).release("first", "second");
    const error = await rejectedBy(() => ask({ tag: "2.0" }), "frozen");
    assert.match(error.message, /the role first of registry\.example\/app has expired/);
    assert.equal((await ask()).signedTag?.binding.digest, IMAGE, "what is bound before it is not concerned");
  });

  it("is found below a role's hash bins, and its signer is named", async (t) => {
    const { repo, ask } = await tagScene(t);
    const bins = repo.signer("releases").bins("releases", 1);
    repo
      .bindInBins("2.0", OTHER, bins)
      .publish(...bins)
      .release("releases");
    const { signedTag } = await ask({ tag: "2.0" });
    assert.deepEqual([signedTag?.role, signedTag?.keyIds], ["releases", repo.keyIds("releases")]);
    await rejectedBy(() => ask({ tag: "3.0" }), "tag-unlisted");
  });

  it("is refused where the reference names another digest beside it (51)", async (t) => {
    const { ask } = await tagScene(t);
    assert.equal((await ask({ tag: "1.0", digest: IMAGE })).signedTag?.binding.digest, IMAGE);
    const error = await rejectedBy(() => ask({ tag: "1.0", digest: OTHER }), "binding-mismatch");
    assert.equal(error.found, `${OTHER} in the reference`);
    assert.match(error.wanted ?? "", new RegExp(`^${IMAGE}, `));
  });

  it("is refused once it was revoked, or the digest was that it names, with the publisher's words (49)", async (t) => {
    for (const path of [pathOfTag("1.0"), pathOfDigest(IMAGE)]) {
      const { repo, ask } = await tagScene(t);
      repo.revoke(path, "a backdoor in libexample").release();
      const error = await rejectedBy(() => ask(), "revoked");
      assert.match(error.message, /^the publisher has revoked /);
      assert.equal(error.found, "revoked at 2026-09-01T11:00:00Z: a backdoor in libexample");
    }
  });

  it("shows what the registry's own tag names where that is asked for, and is not moved by it (4)", async (t) => {
    const { store, ask } = await tagScene(t);
    const moved = store.addManifest(
      { schemaVersion: 2, config: { mediaType: "a/b", digest: IMAGE, size: 1 }, layers: [] },
      "application/vnd.oci.image.manifest.v1+json",
      "1.0",
    );
    const { signedTag } = await ask({ checkTag: true });
    assert.equal(signedTag?.binding.digest, IMAGE);
    assert.equal(signedTag.registryDigest, moved.descriptor.digest);
    store.names.delete("1.0");
    assert.equal((await ask({ checkTag: true })).signedTag?.registryDigest, undefined);
    const claiming = Object.assign(store, { claimedDigest: async () => OTHER });
    assert.equal((await ask({ checkTag: true, from: claiming })).signedTag?.registryDigest, OTHER);
  });

  it("was bound too long ago for whoever says how old a binding may be", async (t) => {
    const { repo, ask } = await tagScene(t);
    await ask({ demand: { maxBindingAgeMs: DAY } });
    await rejectedBy(() => ask({ demand: { maxBindingAgeMs: DAY - 1000 } }), "binding-old");
    repo.bind("1.0", IMAGE, { custom: { signedAt: "2026-09-01T11:00:00Z" } }).release();
    await ask({ demand: { maxBindingAgeMs: DAY - 1000 } });
  });

  it("demands signatures beside itself where the publisher wrote so (57)", async (t) => {
    const { repo, ask } = await tagScene(t);
    const requires = [{ identity: "https://ci.example/release", issuer: "https://issuer.example" }];
    repo.bind("1.0", IMAGE, { custom: { requires } }).release();
    assert.deepEqual((await ask()).requires, requires);
    repo.bind("1.0", IMAGE, { custom: { requires: [{ identity: "x" }] } }).release();
    await rejectedBy(() => ask(), "metadata-malformed");
  });
});

describe("a digest that is resolved through signed tags", () => {
  it("was released: by what listed says it must be (50)", async (t) => {
    const { ask } = await tagScene(t);
    const { signedTag } = await ask({ digest: IMAGE });
    assert.deepEqual([signedTag?.binding.tag, signedTag?.binding.digest], [undefined, IMAGE]);
    const error = await rejectedBy(() => ask({ digest: OTHER }), "digest-unlisted");
    assert.match(error.message, /this digest is unlisted/);
  });

  it("is unproven where signed says only that it must not be taken back", async (t) => {
    const { repo, ask } = await tagScene(t);
    const demand = { digestPulls: "signed" } as const;
    assert.deepEqual(await ask({ digest: OTHER, demand }), UNPROVEN);
    assert.equal((await ask({ digest: IMAGE, demand })).signedTag?.binding.digest, IMAGE);
    repo.revoke(pathOfDigest(IMAGE), "withdrawn").release();
    await rejectedBy(() => ask({ digest: IMAGE, demand }), "revoked");
    await rejectedBy(() => ask({ digest: IMAGE }), "revoked");
  });

  it("is not looked up where any will do, and nothing is asked", async (t) => {
    const { ask, requests } = await tagScene(t);
    assert.deepEqual(await ask({ digest: OTHER, demand: { digestPulls: "any" } }), UNPROVEN);
    assert.deepEqual(requests(), []);
    await rejectedBy(() => ask({ tag: "1.0", digest: OTHER, demand: { digestPulls: "any" } }), "binding-mismatch");
  });

  it("is itself and no platform of an index that lists it: what the publisher released is the index", async (t) => {
    const { repo, ask } = await tagScene(t);
    const platform = digestOf(Buffer.from("one platform of the image"));
    await rejectedBy(() => ask({ digest: platform }), "digest-unlisted");
    repo.revoke(pathOfDigest(IMAGE), "withdrawn").release();
    await rejectedBy(() => ask({ digest: IMAGE }), "revoked");
  });
});

describe("a repository without a pin", () => {
  it("is asked nothing, and its tag is unproven, unless a signed tag is demanded (29)", async (t) => {
    const { pins, ask, requests } = await tagScene(t);
    pins.pins.clear();
    assert.deepEqual(await ask(), UNPROVEN);
    const error = await rejectedBy(() => ask({ demand: { required: true } }), "no-pin");
    assert.equal(error.message, `no root is pinned for ${GUN}, and its signed tags are demanded`);
    assert.match(error.next, new RegExp(`countersign trust pin ${GUN} --root-checksum`));
    assert.deepEqual(requests(), []);
  });

  it("is pinned on first use where somebody has asked for that, by the newest root that it shows", async (t) => {
    const { repo, pins, ask } = await tagScene(t);
    repo.publish("root").putHead();
    pins.pins.clear();
    const pinned: RootPin[] = [];
    const { signedTag } = await ask({ tofu: true, onPinned: (pin) => pinned.push(pin) });
    assert.deepEqual(signedTag?.pin, { mode: "tofu", root: repo.pin(2).root, rootVersion: 2 });
    assert.deepEqual(pinned, [repo.pin(2, { mode: "tofu" })]);
    assert.deepEqual(pins.pins.get(GUN), pinned[0]);
    assert.equal((await ask({ demand: { required: true } })).signedTag?.binding.digest, IMAGE);
  });

  it("is not pinned by what is refused", async (t) => {
    const { repo, pins, ask } = await tagScene(t);
    pins.pins.clear();
    repo.profile({ gun: "registry.example/other" }).setNext("root", 1).publish("root").putHead();
    await rejectedBy(() => ask({ tofu: true }), "root-of-another");
    await rejectedBy(() => ask({ tofu: true, now: daysLater(8) }), "frozen");
    repo.served.set("1.root.json", undefined);
    repo.putHead();
    await rejectedBy(() => ask({ tofu: true }), "metadata-malformed");
    assert.equal(pins.pins.size, 0);
  });

  it("has no signed tags: refused where they are demanded, unproven where they are not (2)", async (t) => {
    const { repo, pins, ask } = await tagScene(t);
    pins.pins.clear();
    repo.head = undefined;
    const error = await rejectedBy(() => ask({ tofu: true, demand: { required: true } }), "signed-tags-missing");
    assert.match(error.message, /has no signed tags/);
    assert.deepEqual(await ask({ tofu: true }), UNPROVEN);
  });

  it("is what a layout is: signed tags that are demanded of one cannot be looked at", async (t) => {
    const { ask } = await tagScene(t);
    const layout = new MemoryStore("oci-layout");
    assert.deepEqual(await ask({ from: layout }), UNPROVEN);
    await rejectedBy(() => ask({ from: layout, demand: { required: true } }), "unsupported");
  });

  it("is known by the name that it mirrors", async (t) => {
    const { pins, stateFolder } = await tagScene(t);
    pins.mirrors.set("mirror.example/app", GUN);
    const tags = openSignedTags({ pins, stateFolder, now: NOW });
    assert.equal(await tags.isPinned("mirror.example/app"), true);
    assert.equal(await tags.isPinned(GUN), true);
    assert.equal(await tags.isPinned("registry.example/other"), false);
  });
});

describe("the registry's part in it", () => {
  it("is one request of a machine that was there before, and everything else is on it already", async (t) => {
    const { ask, requests, repo } = await tagScene(t);
    await ask();
    requests();
    await ask();
    assert.deepEqual(requests(), [`resolve ${HEAD_TAG}`]);
    repo.publish("timestamp").putHead();
    await ask();
    assert.deepEqual(requests(), [`resolve ${HEAD_TAG}`], "a new timestamp is in the head");
  });

  it("is asked for the bins that are needed alone, where a large repository has many", async (t) => {
    const { repo, ask, requests } = await tagScene(t);
    const bins = repo.signer("releases").bins("releases", 5);
    for (let at = 0; at < 40; at++) repo.bindInBins(`2.${at}`, digestOf(Buffer.from(`${at}`)), bins);
    repo.publish(...bins).release("releases");
    const { signedTag } = await ask({ tag: "2.7" });
    assert.deepEqual([signedTag?.role, signedTag?.binding.digest], ["releases", digestOf(Buffer.from("7"))]);
    const first = requests();
    assert.equal(first.filter((call) => call.startsWith("manifest ")).length, 1, "one set of bins");
    assert.ok(first.length <= 7, first.join("\n"));
    await ask({ tag: "2.7" });
    assert.deepEqual(requests(), [`resolve ${HEAD_TAG}`]);
    assert.equal((await ask({ tag: "2.7", offline: true })).signedTag?.role, "releases");
    const error = await rejectedBy(() => ask({ tag: "2.8", offline: true }), "trust-stale");
    assert.match(error.message, /was never fetched to this machine/);
    assert.deepEqual(requests(), []);
  });

  it("may be one that cannot be asked for changes", async (t) => {
    const { repo, ask } = await tagScene(t);
    const plain = new MemoryStore("registry", GUN);
    for (const [digest, stored] of repo.store.manifests) plain.manifests.set(digest, stored);
    for (const [tag, digest] of repo.store.names) plain.names.set(tag, digest);
    await ask({ from: plain });
    assert.equal((await ask({ from: plain })).signedTag?.binding.digest, IMAGE);
  });

  it("is asked once for all references that one command has", async (t) => {
    const { repo, pins, stateFolder, requests } = await tagScene(t);
    repo.bind("2.0", OTHER).release();
    const tags = openSignedTags({ pins, stateFolder, now: NOW });
    const demand = DEFAULT_TAG_DEMAND;
    const asked = ["1.0", "2.0", "1.0"].map((tag) =>
      tags.resolve({ store: repo.store, tag, digest: undefined, demand }),
    );
    const digests = (await Promise.all(asked)).map(({ signedTag }) => signedTag?.binding.digest);
    assert.deepEqual(digests, [IMAGE, OTHER, IMAGE]);
    assert.deepEqual(requests(), [`resolve ${HEAD_TAG}`]);
  });

  it("may be another repository's: where the pin says that the metadata is", async (t) => {
    const { repo, pins, ask, requests } = await tagScene(t);
    const location = "registry.example/app-trust";
    await pins.put(repo.pin(1, { location }));
    const images = new MemoryStore("registry", GUN);
    const opened: string[] = [];
    const open = async (repository: string) => {
      opened.push(repository);
      return repo.store;
    };
    const { signedTag } = await ask({ from: images, open });
    assert.deepEqual([signedTag?.gun, signedTag?.binding.digest, opened], [GUN, IMAGE, [location]]);
    assert.deepEqual([images.calls, requests()], [[], [`resolve ${HEAD_TAG}`]]);
    await rejectedBy(() => ask({ from: images }), "unsupported");
  });

  it("is asked again by a command that could not look before", async (t) => {
    const { repo, pins, stateFolder } = await tagScene(t);
    const tags = openSignedTags({ pins, stateFolder, now: NOW });
    const question = { store: repo.store, tag: "1.0", digest: undefined, demand: DEFAULT_TAG_DEMAND };
    repo.store.misbehaviour = {
      before: () => {
        throw new CountersignError("denied", "a login is missing");
      },
    };
    await rejectedBy(() => tags.resolve(question), "denied");
    repo.store.misbehaviour = {};
    assert.equal((await tags.resolve(question)).signedTag?.binding.digest, IMAGE);
  });

  it("is not asked again by a command that has refused it", async (t) => {
    const { repo, pins, stateFolder, requests } = await tagScene(t);
    const tags = openSignedTags({ pins, stateFolder, now: daysLater(8) });
    const question = { store: repo.store, tag: "1.0", digest: undefined, demand: DEFAULT_TAG_DEMAND };
    await rejectedBy(() => tags.resolve(question), "frozen");
    await rejectedBy(() => tags.resolve({ ...question, tag: "2.0" }), "frozen");
    assert.deepEqual(requests(), [`resolve ${HEAD_TAG}`]);
  });

  it("is no reason to fail where the state cannot be kept: that is said, once", async (t) => {
    const { repo, ask } = await tagScene(t);
    const findings: Finding[] = [];
    repo.signer("releases").bind("2.0", OTHER, { role: "releases" }).release("releases");
    await ask({ tag: "2.0", stateFolder: "/dev/null/state", warn: (finding) => findings.push(finding) });
    assert.deepEqual(
      findings.map(({ code }) => code),
      ["disk-error"],
    );
  });
});
