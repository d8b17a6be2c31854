import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MEDIA_TYPES } from "../../../../src/core/oci/media-types.ts";
import { HEAD_TAG } from "../../../../src/core/tags/names.ts";
import { auditTrust, type TrustAuditWish } from "../../../../src/ops/tags/audit.ts";
import { diffTrust } from "../../../../src/ops/tags/diff.ts";
import { type InspectWish, inspectTrust } from "../../../../src/ops/tags/inspect.ts";
import { refreshTrust } from "../../../../src/ops/tags/refresh.ts";
import { revokeTags } from "../../../../src/ops/tags/revoke.ts";
import { rotateKeys } from "../../../../src/ops/tags/rotate.ts";
import { signTags } from "../../../../src/ops/tags/sign.ts";
import { addSigner } from "../../../../src/ops/tags/signers.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { makeImage, pushImage } from "../../../support/images.ts";
import { MemoryStore } from "../../../support/memory-store.ts";
import {
  idOf,
  initialised,
  publisherOf,
  released,
  roleSigner,
  TestRing,
  type TestTrust,
} from "../../../support/tag-publisher.ts";

const DAY = 86_400_000;

function place(trust: TestTrust) {
  const { store, gun, head, result } = trust;
  return { store, gun, head, pin: result.pin };
}

function inspecting(trust: TestTrust, more: Partial<InspectWish> = {}): InspectWish {
  return { ...place(trust), images: trust.store, now: trust.clock.now(), comparesRegistry: false, ...more };
}

function auditing(trust: TestTrust, more: Partial<TrustAuditWish> = {}): TrustAuditWish {
  return { ...place(trust), images: trust.store, now: trust.clock.now(), comparesRegistry: true, ...more };
}

const codes = (findings: readonly { readonly code: string }[]) => findings.map(({ code }) => code);

async function withSigners() {
  const trust = await initialised();
  const [ci, team] = [roleSigner("ci"), roleSigner("team")];
  trust.ring.add(ci, team);
  await addSigner(publisherOf(trust), { name: "ci", keys: [ci.publicKey], takesOver: true });
  await addSigner(publisherOf(trust), { name: "team", keys: [team.publicKey], tags: ["v*"], takesOver: true });
  return { trust, ci, team };
}

describe("inspecting signed tags", () => {
  it("shows every tag with who binds it, and bindings that do not count (18)", async () => {
    const { trust, ci, team } = await withSigners();
    const old = await released(trust, "v1", new TestRing(team, trust.online));
    const digest = await released(trust, "v1", new TestRing(ci, trust.online));
    const result = await inspectTrust(inspecting(trust, { comparesRegistry: true }));
    const [tag, ...others] = result.tags;
    assert.deepEqual(others, []);
    assert.deepEqual([tag?.binding.digest, tag?.role, tag?.keyIds], [digest, "ci", [idOf(ci)]]);
    assert.deepEqual(tag?.shadowed, [{ role: "team", digest: old }]);
    assert.equal(tag?.registryDigest, digest);
    assert.deepEqual(
      result.signers.map(({ name, bindings }) => [name, bindings]),
      [
        ["ci", 1],
        ["team", 1],
      ],
    );
    assert.deepEqual(
      [result.gun, result.rootDigest, result.head],
      [trust.gun, trust.result.pin.root, trust.store.names.get(HEAD_TAG)],
    );
  });

  it("shows what the registry's own tag names instead, tags that nobody signed, and released digests", async () => {
    const trust = await initialised();
    const first = await released(trust, "v1");
    const second = await released(trust, "v1");
    const other = await pushImage(trust.store, await makeImage({ name: "moved" }), "v1");
    await pushImage(trust.store, await makeImage({ name: "unsigned" }), "nightly");
    trust.store.names.set(`sha256-${"0".repeat(64)}.sig`, other.descriptor.digest);
    const result = await inspectTrust(inspecting(trust, { comparesRegistry: true }));
    assert.equal(result.tags[0]?.registryDigest, other.descriptor.digest);
    assert.equal(result.tags[0]?.binding.digest, second);
    assert.deepEqual(result.unsignedTags, ["nightly"]);
    assert.equal(result.releasedDigests, 1);
    assert.notEqual(first, second);
    trust.store.names.delete("v1");
    assert.equal((await inspectTrust(inspecting(trust, { comparesRegistry: true }))).tags[0]?.registryDigest, null);
  });

  it("asks the registry nothing about tags where it is not told to", async () => {
    const trust = await initialised();
    await released(trust, "v1");
    trust.store.calls.length = 0;
    const result = await inspectTrust(inspecting(trust));
    assert.deepEqual([result.unsignedTags, result.tags[0]?.registryDigest], [undefined, undefined]);
    assert.deepEqual(
      trust.store.calls.filter((call) => call === "resolve v1" || call.startsWith("tags ")),
      [],
    );
  });

  it("refuses a tag that nobody binds, with a hint where somebody may not (17)", async () => {
    const { trust, team } = await withSigners();
    await rejectedBy(() => inspectTrust(inspecting(trust, { tags: ["latest"] })), "tag-unlisted");
    const digest = await released(trust, "v1", new TestRing(team, trust.online));
    const publisher = publisherOf(trust);
    await addSigner(publisher, { name: "team", keys: [], tags: ["x*"], takesOver: false });
    const error = await rejectedBy(() => inspectTrust(inspecting(trust, { tags: ["v1"] })), "tag-unlisted");
    assert.match(error.found ?? "", /team/);
    const { notices } = await inspectTrust(inspecting(trust));
    assert.deepEqual(codes(notices), ["tag-unlisted"]);
    assert.ok(digest);
  });

  it("says what ends soon, and what has ended", async () => {
    const trust = await initialised();
    assert.deepEqual((await inspectTrust(inspecting(trust))).notices, []);
    trust.clock.pass(5 * DAY);
    assert.deepEqual(codes((await inspectTrust(inspecting(trust))).notices), ["trust-stale"]);
    trust.clock.pass(3 * DAY);
    assert.deepEqual(codes((await inspectTrust(inspecting(trust))).notices), ["frozen"]);
    trust.clock.pass(320 * DAY);
    const { notices } = await inspectTrust(inspecting(trust));
    assert.ok(notices.some(({ message }) => message.includes("root")));
  });

  it("refuses what is no head, another repository's, or not of the pinned root", async () => {
    const trust = await initialised();
    const { pin } = (await initialised()).result;
    await rejectedBy(() => inspectTrust(inspecting(trust, { pin })), "pin-mismatch");
    await rejectedBy(() => inspectTrust(inspecting(trust, { gun: "registry.example/other" })), "root-of-another");
    const empty = new MemoryStore();
    await rejectedBy(() => inspectTrust(inspecting(trust, { store: empty })), "signed-tags-vanished");
    await rejectedBy(() => inspectTrust(inspecting(trust, { store: empty, pin: undefined })), "signed-tags-missing");
    await pushImage(empty, await makeImage(), HEAD_TAG);
    await rejectedBy(() => inspectTrust(inspecting(trust, { store: empty })), "metadata-malformed");
  });
});

describe("auditing signed tags", () => {
  it("finds nothing where all is well", async () => {
    const trust = await initialised();
    await released(trust, "v1");
    const result = await auditTrust(auditing(trust));
    assert.deepEqual([result.findings, result.notices, result.bindings, result.roots], [[], [], 1, 1]);
  });

  it("finds what was signed and is not in the head: a lost write", async () => {
    const trust = await initialised();
    const head = trust.store.names.get(HEAD_TAG) ?? assert.fail();
    await released(trust, "v1");
    trust.store.names.set(HEAD_TAG, head);
    const { findings } = await auditTrust(auditing(trust));
    assert.deepEqual(codes(findings), ["publish-staged"]);
    await refreshTrust(publisherOf(trust));
    assert.deepEqual((await auditTrust(auditing(trust))).findings, []);
  });

  it("notes a registry's tag that was moved, and finds a signed image that is gone", async () => {
    const trust = await initialised();
    const digest = await released(trust, "v1");
    await pushImage(trust.store, await makeImage({ name: "moved" }), "v1");
    const moved = await auditTrust(auditing(trust));
    assert.deepEqual([codes(moved.findings), codes(moved.notices)], [[], ["tag-moved"]]);
    trust.store.manifests.delete(digest);
    const gone = await auditTrust(auditing(trust));
    assert.deepEqual([codes(gone.findings), codes(gone.notices)], [["not-found"], ["tag-moved"]]);
    await revokeTags(publisherOf(trust), { tags: ["v1"], digests: [], reason: "bad" });
    assert.deepEqual(codes((await auditTrust(auditing(trust))).findings), []);
  });

  it("finds what consumers refuse: expired, another root, gone, tampered with", async () => {
    const trust = await initialised();
    trust.clock.pass(8 * DAY);
    assert.deepEqual(codes((await auditTrust(auditing(trust))).findings), ["frozen"]);
    const { pin } = (await initialised()).result;
    const other = await auditTrust(auditing(trust, { pin }));
    assert.deepEqual([codes(other.findings), other.head], [["pin-mismatch"], undefined]);
    const head = await trust.store.resolve(HEAD_TAG);
    const json = JSON.parse(Buffer.from(head?.bytes ?? []).toString()) as { layers: unknown[] };
    trust.store.addManifest({ ...json, layers: json.layers.slice(0, 2) }, MEDIA_TYPES.ociManifest, HEAD_TAG);
    assert.deepEqual(codes((await auditTrust(auditing(trust))).findings), ["mix-and-match"]);
    trust.store.names.delete(HEAD_TAG);
    assert.deepEqual(codes((await auditTrust(auditing(trust))).findings), ["signed-tags-vanished"]);
  });

  it("does not pass what it could not look at", async () => {
    const trust = await initialised();
    trust.store.misbehaviour = { before: () => Promise.reject(new Error("connection lost")) };
    await assert.rejects(auditTrust(auditing(trust)), /connection lost/);
  });

  it("notes changes that wait, and heads that something deletes", async () => {
    const trust = await initialised();
    await released(trust, "v1");
    await rotateKeys(publisherOf(trust, new TestRing(trust.online)), {
      role: "root",
      add: [roleSigner().publicKey],
      remove: [],
    });
    const first = trust.result.head;
    trust.store.manifests.delete(first);
    const { notices, findings } = await auditTrust(auditing(trust));
    assert.deepEqual([codes(notices), findings], [["publish-staged", "not-found"], []]);
  });
});

describe("what is different", () => {
  it("between the last publish and now, older heads, and what is staged", async () => {
    const trust = await initialised();
    const first = await released(trust, "v1");
    const second = await released(trust, "v1");
    const now = trust.clock.now();
    const last = await diffTrust(place(trust), now, { from: "previous", to: "head" });
    assert.deepEqual(
      last.changes.filter(({ kind }) => kind === "bound"),
      [{ kind: "bound", role: "targets", tag: "v1", digest: second, was: first, requires: [] }],
    );
    const all = await diffTrust(place(trust), now, { from: trust.result.head, to: "head" });
    assert.deepEqual(
      all.changes.filter(({ kind }) => kind === "bound"),
      [{ kind: "bound", role: "targets", tag: "v1", digest: second, was: undefined, requires: [] }],
    );
    assert.deepEqual((await diffTrust(place(trust), now, { from: "head", to: "staged" })).changes, []);
    const away = publisherOf(trust, trust.ring.without(trust.online));
    await pushImage(trust.store, await makeImage({ name: "staged" }), "v2");
    const { publication } = await signTags(away, { images: trust.store, tags: ["v2"] });
    assert.equal(publication.state, "staged");
    const staged = await diffTrust(place(trust), now, { from: "head", to: "staged" });
    assert.ok(staged.changes.some((change) => change.kind === "bound" && change.tag === "v2"));
    const unpinned = await diffTrust({ ...place(trust), pin: undefined }, now, { from: "head", to: "staged" });
    assert.deepEqual(unpinned.changes, staged.changes);
  });

  it("is not known where the older head is gone", async () => {
    const trust = await initialised();
    await released(trust, "v1");
    trust.store.manifests.delete(trust.result.head);
    const states = { from: trust.result.head, to: "head" } as const;
    await rejectedBy(() => diffTrust(place(trust), trust.clock.now(), states), "not-found");
  });

  it("is nothing before the first publish", async () => {
    const trust = await initialised();
    const { changes } = await diffTrust(place(trust), trust.clock.now(), { from: "previous", to: "head" });
    assert.deepEqual(changes, []);
  });
});
