import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { digestOf } from "../../../../src/core/oci/digest.ts";
import type { TrustChange } from "../../../../src/core/tags/admin-results.ts";
import { changesBetween, tagPatternsOf } from "../../../../src/core/tags/changes.ts";
import type { TargetsRole } from "../../../../src/core/tags/metadata.ts";
import { describeChange } from "../../../../src/report/tags/words.ts";
import { idOf, NOW, roleSigner } from "../../../support/tag-publisher.ts";
import { at, bindingOf, TrustWorld } from "../../../support/trust-world.ts";

const digest = (content: string) => digestOf(new TextEncoder().encode(content));
const revoked = { at: at("2026-01-01T00:00:00Z"), reason: "leaks" };

async function world(): Promise<TrustWorld> {
  const bindings = [bindingOf("v1"), bindingOf("v2"), bindingOf(undefined, "v1")];
  return await TrustWorld.make({ signers: [{ name: "a", paths: ["tags/v*", "digests/*"], bindings }, { name: "b" }] });
}

/** What a change of the metadata comes to; versions are left out where they are not asked for. */
async function changes(change: (world: TrustWorld) => unknown, versions = false): Promise<readonly TrustChange[]> {
  const one = await world();
  const before = one.read();
  await change(one);
  await one.publish();
  return changesBetween(before, one.read()).filter(({ kind }) => versions || kind !== "version");
}

function edited(one: TrustWorld, change: (role: TargetsRole) => Partial<TargetsRole>): void {
  const role = one.roles.get("a") as TargetsRole;
  one.roles.set("a", { ...role, ...change(role), version: NOW + 1 });
}

describe("what two states of signed tags differ in", () => {
  it("is nothing where nothing changed", async () => {
    assert.deepEqual(await changes(() => undefined, true), []);
  });

  it("is everything where there was none before", async () => {
    const all = changesBetween(undefined, (await world()).read());
    assert.deepEqual(
      all.map(({ kind }) => kind),
      [
        ..."keys ".repeat(4).trim().split(" "),
        "signer-added",
        "signer-added",
        "released",
        "bound",
        "bound",
        ..."version ".repeat(5).trim().split(" "),
      ],
    );
  });

  it("a tag that moves, one that is bound, one that is dropped", async () => {
    const found = await changes((one) =>
      edited(one, () => ({ bindings: [bindingOf("v1", "new"), bindingOf("v3"), bindingOf(undefined, "v3")] })),
    );
    assert.deepEqual(
      found.toSorted((x, y) => JSON.stringify(x).localeCompare(JSON.stringify(y))),
      [
        { kind: "bound", role: "a", tag: "v1", digest: digest("new"), was: digest("v1"), requires: [] },
        { kind: "bound", role: "a", tag: "v3", digest: digest("v3"), was: undefined, requires: [] },
        { kind: "released", role: "a", digest: digest("v3"), requires: [] },
        { kind: "unbound", role: "a", tag: "v2", was: digest("v2") },
        { kind: "withdrawn", role: "a", digest: digest("v1") },
      ],
    );
  });

  it("a tag that demands less than before, though it means the same", async () => {
    const demanding = await TrustWorld.make({
      signers: [{ name: "a", bindings: [{ ...bindingOf("v1"), requires: [{ identity: "i", issuer: "s" }] }] }],
    });
    const lenient = await TrustWorld.make({ signers: [{ name: "a", bindings: [bindingOf("v1")] }] });
    const found = changesBetween(demanding.read(), lenient.read()).filter(({ kind }) => kind === "bound");
    assert.deepEqual(found, [
      { kind: "bound", role: "a", tag: "v1", digest: digest("v1"), was: digest("v1"), requires: [] },
    ]);
  });

  it("a digest that demands less than before: it is pulled by its digest too", async () => {
    const released = bindingOf(undefined, "v1");
    const demanding = await TrustWorld.make({
      signers: [{ name: "a", bindings: [{ ...released, requires: [{ identity: "i", issuer: "s" }] }] }],
    });
    const lenient = await TrustWorld.make({ signers: [{ name: "a", bindings: [released] }] });
    const found = changesBetween(demanding.read(), lenient.read()).filter(({ kind }) => kind === "released");
    assert.deepEqual(found, [{ kind: "released", role: "a", digest: digest("v1"), requires: [] }]);
  });

  it("a tag that is confirmed", async () => {
    const signedAt = at("2026-01-02T00:00:00Z");
    const found = await changes((one) =>
      edited(one, ({ bindings }) => ({
        bindings: bindings.map((each) => (each.tag === "v1" ? { ...each, signedAt } : each)),
      })),
    );
    assert.deepEqual(found, [
      { kind: "bound", role: "a", tag: "v1", digest: digest("v1"), was: digest("v1"), requires: [] },
    ]);
  });

  it("what is taken back, a tag and a digest, once", async () => {
    const found = await changes((one) =>
      edited(one, ({ bindings }) => ({ bindings: bindings.map((each) => ({ ...each, revoked })) })),
    );
    assert.deepEqual(
      found.map((each) => (each.kind === "revoked" ? each.what : each.kind)),
      [digest("v1"), "v1", "v2"],
    );
  });

  it("signers that come, go and change", async () => {
    const found = await changes((one) => {
      one.keys.set("c", roleSigner());
      const [a, b] = one.targets.delegations;
      assert.ok(a && b);
      const c = { ...b, name: "c", ...one.keysOf("c") };
      const keys = new Map([...one.targets.keys, ...one.tufKeys("c")]);
      one.targets = { ...one.targets, version: NOW + 1, keys, delegations: [c, { ...a, paths: ["tags/*"] }] };
    });
    assert.deepEqual(
      found.map((each) => ("signer" in each ? `${each.kind} ${each.signer} ${each.tags}` : each.kind)),
      ["signer-added c *", "signer-changed a *", "signer-removed b *"],
    );
  });

  it("how many of a signer's keys have to sign, and whether anybody after it is asked: what is approved is seen", async () => {
    const found = await changes((one) => {
      const delegations = one.targets.delegations.map((each) => ({ ...each, terminating: each.name === "a" }));
      one.targets = { ...one.targets, version: NOW + 1, delegations };
    });
    assert.deepEqual(
      found.map((each) => (each.kind === "signer-changed" ? [each.signer, each.threshold, each.terminating] : each)),
      [["a", 1, true]],
    );
    assert.match(
      found.map(describeChange).join(),
      /^signer a changed: .*, and nobody after it, key .*; 1 have to sign$/,
    );
  });

  it("the order of signers: it decides whose word counts", async () => {
    const found = await changes((one) => {
      one.targets = { ...one.targets, version: NOW + 1, delegations: one.targets.delegations.toReversed() };
    });
    assert.deepEqual(
      found.map(({ kind }) => kind),
      ["signer-changed", "signer-changed"],
    );
  });

  it("keys of the roles that the root names", async () => {
    const found = await changes(async (one) => {
      const old = idOf(one.signer("online"));
      one.keys.set("online", roleSigner());
      const keys = new Map([...[...one.root.keys].filter(([id]) => id !== old), ...one.tufKeys("online")]);
      const roles = { ...one.root.roles, timestamp: one.keysOf("online"), snapshot: one.keysOf("online") };
      await one.putRoot({ ...one.root, version: 2, keys, roles }, ["root"]);
    });
    assert.deepEqual(
      found.map((each) => (each.kind === "keys" ? [each.role, each.added.length, each.removed.length] : each.kind)),
      [
        ["snapshot", 1, 1],
        ["timestamp", 1, 1],
      ],
    );
  });

  it("versions, by role: bins are told as theirs", async () => {
    const found = await changes(async (one) => {
      one.targets = { ...one.targets, version: NOW + 1 };
      one.roles.delete("a");
      await one.putBins("a", [bindingOf("v1"), bindingOf("v2"), bindingOf(undefined, "v1")]);
    }, true);
    const expires = "2027-01-02T03:04:05Z";
    assert.deepEqual(found, [{ kind: "version", role: "targets", from: NOW, to: NOW + 1, expires }]);
  });

  it("patterns of tags are told without their folder", () => {
    assert.deepEqual(tagPatternsOf({ paths: ["tags/v*", "digests/*", "tags/*"] }), ["v*", "*"]);
  });
});
