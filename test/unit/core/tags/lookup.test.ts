import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  effectiveBindings,
  type FoundBinding,
  filesFor,
  findBinding,
  mayBind,
} from "../../../../src/core/tags/lookup.ts";
import { isSupportedPattern, matchesPattern } from "../../../../src/core/tags/patterns.ts";
import { processorTime } from "../../../support/processor-time.ts";
import { bindingOf, TrustWorld, type WorldPlan } from "../../../support/trust-world.ts";

async function lookup(plan: WorldPlan, path: string) {
  const view = (await TrustWorld.make(plan)).read();
  const { found, shadowed, outside, unread } = findBinding(view, path);
  const where = ({ role }: FoundBinding) => role;
  return { found: found?.role, shadowed: shadowed.map(where), outside: outside.map(where), unread };
}

describe("looking a tag up", () => {
  it("finds what targets binds itself before anybody else's word", async () => {
    const plan = { bindings: [bindingOf("v1")], signers: [{ name: "a", bindings: [bindingOf("v1", "other")] }] };
    assert.deepEqual(await lookup(plan, "tags/v1"), { found: "targets", shadowed: ["a"], outside: [], unread: [] });
  });

  it("takes signers in their order, whatever their names", async () => {
    const signers = ["b", "a"].map((name) => ({ name, bindings: [bindingOf("v1", name)] }));
    assert.deepEqual(await lookup({ signers }, "tags/v1"), { found: "b", shadowed: ["a"], outside: [], unread: [] });
  });

  it("passes signers that do not bind it", async () => {
    const signers = [
      { name: "a", bindings: [] },
      { name: "b", bindings: [bindingOf("v1")] },
    ];
    assert.equal((await lookup({ signers }, "tags/v1")).found, "b");
  });

  it("does not believe a signer outside its patterns, and says that it spoke", async () => {
    const signers = [{ name: "a", paths: ["tags/nightly-*"], bindings: [bindingOf("v1")] }];
    assert.deepEqual(await lookup({ signers }, "tags/v1"), {
      found: undefined,
      shadowed: [],
      outside: ["a"],
      unread: [],
    });
  });

  it("asks nobody behind one that ends the search, found or not", async () => {
    const signers = [
      { name: "prod", paths: ["tags/prod-*"], terminating: true, bindings: [] },
      { name: "wide", bindings: [bindingOf("prod-1"), bindingOf("v1")] },
    ];
    const nothing = { found: undefined, shadowed: [], outside: ["wide"], unread: [] };
    assert.deepEqual(await lookup({ signers }, "tags/prod-1"), nothing);
    assert.equal((await lookup({ signers }, "tags/v1")).found, "wide");
  });

  it("finds a revoked binding: it is the word of the first in order", async () => {
    const revoked = { at: (await TrustWorld.make()).root.expires, reason: "bad" };
    const signers = [
      { name: "a", bindings: [bindingOf("v1", "v1", { revoked })] },
      { name: "b", bindings: [bindingOf("v1")] },
    ];
    assert.equal((await lookup({ signers }, "tags/v1")).found, "a");
  });

  it("finds nothing under names that every object has", async () => {
    const plan = { bindings: [bindingOf("v1")] };
    for (const path of ["tags/constructor", "tags/__proto__", "constructor", "toString", "__proto__", ""]) {
      assert.equal((await lookup(plan, path)).found, undefined, path);
    }
    for (const tag of ["constructor", "__proto__", "toString"]) {
      assert.equal((await lookup({ bindings: [bindingOf(tag)] }, `tags/${tag}`)).found, "targets");
    }
  });

  it("passes a signer that never signed, and says so of one that did and cannot be read", async () => {
    const signers = [{ name: "new" }, { name: "lost", bindings: [] }, { name: "b", bindings: [bindingOf("v1")] }];
    const world = await TrustWorld.make({ signers });
    for (const name of world.files.keys()) if (name.endsWith(".lost.json")) world.files.delete(name);
    assert.deepEqual(findBinding(world.read(), "tags/v1").unread, ["lost"]);
  });

  it("looks into the one bin of the path, and says where that is not at hand", async () => {
    const world = await TrustWorld.make({ signers: [{ name: "a" }] });
    await world.putBins("a", [bindingOf("v1"), bindingOf("v2")]);
    await world.publish();
    const view = world.read();
    const { found, unread } = findBinding(view, "tags/v1");
    assert.equal(found?.role, "a");
    assert.match(found?.file ?? "", /^a\.bin-[01]$/);
    assert.deepEqual(unread, []);
    assert.deepEqual(filesFor(view, "tags/v1"), ["targets", "a", found?.file]);
    const roles = new Map([...view.roles].filter(([name]) => name !== found?.file));
    assert.deepEqual(findBinding({ ...view, roles }, "tags/v1").unread, [found?.file]);
  });

  it("lists what counts, each path once", async () => {
    const signers = [
      { name: "a", paths: ["tags/v*"], bindings: [bindingOf("v1"), bindingOf("x")] },
      { name: "b", bindings: [bindingOf("v1", "other"), bindingOf("latest"), bindingOf(undefined, "y")] },
    ];
    const all = effectiveBindings((await TrustWorld.make({ signers })).read());
    assert.deepEqual(
      all.map(({ path, role }) => `${path.slice(0, 11)} ${role}`),
      ["digests/sha b", "tags/latest b", "tags/v1 a"],
    );
  });

  it("knows who may bind a path at all", async () => {
    const { targets } = await TrustWorld.make({ signers: [{ name: "a", paths: ["tags/v*"] }, { name: "b" }] });
    assert.equal(mayBind(targets, "a", "tags/v1"), true);
    assert.equal(mayBind(targets, "a.bin-0f", "tags/v1"), true);
    assert.equal(mayBind(targets, "a", "tags/x"), false);
    assert.equal(mayBind(targets, "nobody", "tags/v1"), false);
    assert.equal(mayBind(targets, "targets", "tags/v1"), true);
  });
});

describe("patterns", () => {
  const cases: readonly (readonly [pattern: string, path: string, matches: boolean])[] = [
    ["tags/*", "tags/v1", true],
    ["tags/*", "digests/v1", false],
    ["*", "tags/v1", false],
    ["*/*", "tags/v1", true],
    ["tags/v1", "tags/v1", true],
    ["tags/v1", "tags/v10", false],
    ["tags/v1", "tags/av1", false],
    ["tags/v?", "tags/v1", true],
    ["tags/v?", "tags/v", false],
    ["tags/v?", "tags/v12", false],
    ["tags/v*", "tags/v", true],
    ["tags/1.*", "tags/1.2.3", true],
    ["tags/1.*", "tags/12", false],
    ["tags/*-rc*", "tags/1.2-rc3", true],
    ["tags/*-rc*", "tags/1.2", false],
    ["tags/a*b*c", "tags/abcbc", true],
    ["tags/a*b*c", "tags/abcb", false],
    ["tags/a*b*c", "tags/acb", false],
    ["tags/**", "tags/v1", true],
    ["tags/V*", "tags/v1", false],
    ["tags/*a", "tags/aaa", true],
  ];
  for (const [pattern, path, matches] of cases) {
    it(`${pattern} ${matches ? "covers" : "does not cover"} ${path}`, () => {
      assert.equal(isSupportedPattern(pattern), true);
      assert.equal(matchesPattern(pattern, path), matches);
    });
  }

  it("take no time to speak of, however they are made", () => {
    const hostile = `tags/${"a*".repeat(60)}b`;
    const before = processorTime();
    assert.equal(matchesPattern(hostile, `tags/${"a".repeat(128)}`), false);
    assert.ok(processorTime() - before < 1_000);
  });
});
