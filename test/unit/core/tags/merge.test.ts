import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../../src/core/bytes.ts";
import type { Binding } from "../../../../src/core/tags/binding.ts";
import { nextSnapshot, nextTimestamp } from "../../../../src/core/tags/derive.ts";
import { RoleBook } from "../../../../src/core/tags/entries.ts";
import { fileNameOf, listingOf } from "../../../../src/core/tags/files.ts";
import type { HeadFiles } from "../../../../src/core/tags/head.ts";
import { effectiveBindings, findBinding } from "../../../../src/core/tags/lookup.ts";
import { type Merged, mergeRoles } from "../../../../src/core/tags/merge.ts";
import type { ListedFile, TargetsRole } from "../../../../src/core/tags/metadata.ts";
import { instant } from "../../../../src/core/time.ts";
import { thrownBy } from "../../../support/codes.ts";
import { NOW, roleSigner } from "../../../support/tag-publisher.ts";
import { at, bindingOf, TrustWorld } from "../../../support/trust-world.ts";

const DAY = 24 * 60 * 60 * 1000;
const EXPIRES = at("2026-03-01T00:00:00Z");

async function twoSigners(): Promise<TrustWorld> {
  const signers = ["a", "b"].map((name) => ({ name, bindings: [bindingOf("v1", name)] }));
  return await TrustWorld.make({ signers });
}

/** A staged file of a role, by whom it says. */
async function stage(world: TrustWorld, name: string, change: Partial<TargetsRole>, by = name): Promise<HeadFiles> {
  const role = { ...(name === "targets" ? world.targets : (world.roles.get(name) as TargetsRole)), ...change };
  return new Map([[fileNameOf(name, role.version), await world.seal(role, [by])]]);
}

const bound = (...bindings: readonly Binding[]): Partial<TargetsRole> => ({ version: NOW + 1, bindings });

function tagsOf({ targets, roles }: Merged, name: string): readonly (string | undefined)[] {
  return (name === "targets" ? targets : roles.get(name))?.body.bindings.map(({ tag }) => tag) ?? [];
}

function rejections({ rejected }: Merged): readonly string[] {
  return rejected.map(({ role, code }) => `${role}: ${code}`);
}

describe("merging a head and what is staged beside it", () => {
  it("without anything staged is the head", async () => {
    const view = (await twoSigners()).read();
    const merged = mergeRoles(view, [], NOW);
    assert.deepEqual([merged.taken, merged.rejected], [[], []]);
    assert.equal(merged.targets, view.targets);
    assert.deepEqual([...merged.roles], [...view.roles]);
  });

  it("takes what is newer, of each role for itself", async () => {
    const world = await twoSigners();
    const staged = [await stage(world, "a", bound(bindingOf("v2"))), await stage(world, "b", bound(bindingOf("v3")))];
    const merged = mergeRoles(world.read(), staged, NOW);
    assert.deepEqual([merged.taken, rejections(merged)], [["a", "b"], []]);
    assert.deepEqual([tagsOf(merged, "a"), tagsOf(merged, "b")], [["v2"], ["v3"]]);
  });

  it("leaves what is older or already there, without a word", async () => {
    const world = await twoSigners();
    const staged = [
      await stage(world, "a", { version: NOW - 1, bindings: [] }),
      new Map([...world.files].filter(([name]) => name.endsWith(".b.json"))),
    ];
    const merged = mergeRoles(world.read(), staged, NOW);
    assert.deepEqual([merged.taken, rejections(merged)], [[], []]);
    assert.deepEqual(tagsOf(merged, "a"), ["v1"]);
  });

  it("takes the first file of a signer that had none", async () => {
    const world = await TrustWorld.make({ signers: [{ name: "a" }] });
    const staged = await stage(world, "a", {
      ...world.targets,
      ...bound(bindingOf("v2")),
      keys: new Map(),
      delegations: [],
    });
    assert.deepEqual(tagsOf(mergeRoles(world.read(), [staged], NOW), "a"), ["v2"]);
  });

  it("takes new targets, and the signers that they name", async () => {
    const world = await twoSigners();
    const onlyA = world.targets.delegations.filter(({ name }) => name === "a");
    const staged = await stage(world, "targets", { version: NOW + 1, delegations: onlyA });
    const merged = mergeRoles(world.read(), [staged], NOW);
    assert.deepEqual([...merged.roles.keys()], ["a"]);
  });

  it("gives a lost file of the listed version back", async () => {
    const world = await twoSigners();
    const [own] = [...world.files].filter(([name]) => name.endsWith(".b.json"));
    assert.ok(own);
    world.files.delete(own[0]);
    const view = world.read();
    assert.equal(view.roles.has("b"), false);
    assert.deepEqual(mergeRoles(view, [new Map([own])], NOW).taken, ["b"]);
  });
});

describe("what is staged and counts for nothing", () => {
  const cases: readonly (readonly [string, string, (world: TrustWorld) => Promise<HeadFiles>])[] = [
    ["another signer's work", "signature-threshold", (world) => stage(world, "a", bound(bindingOf("v2")), "b")],
    ["junk", "metadata-malformed", async () => new Map([[fileNameOf("a", NOW + 1), encodeUtf8("junk")]])],
    ["a version of the future", "version-implausible", (world) => stage(world, "a", { version: NOW + 2 * DAY })],
    [
      "what has expired",
      "frozen",
      (world) => stage(world, "a", { version: NOW + 1, expires: instant(NOW - (NOW % 1000)) }),
    ],
    [
      "what lives longer than the root allows",
      "lifetime-exceeded",
      (world) => stage(world, "a", { version: NOW + 1, expires: at("2036-01-01T00:00:00Z") }),
    ],
    ["other content under the listed version", "forked", (world) => stage(world, "a", { bindings: [] })],
    [
      "a role with signers of its own",
      "metadata-malformed",
      (world) => {
        const { keys, delegations } = world.targets;
        return stage(world, "a", { version: NOW + 1, keys, delegations });
      },
    ],
    [
      "a role whose bins are not there: all that it binds would vanish",
      "metadata-malformed",
      (world) => {
        const bins = { ...world.keysOf("a"), prefix: "a.bin", bitLength: 1 };
        return stage(world, "a", { version: NOW + 1, bindings: [], keys: world.tufKeys("a"), bins });
      },
    ],
  ];
  for (const [title, code, make] of cases) {
    it(title, async () => {
      const world = await twoSigners();
      const merged = mergeRoles(world.read(), [await make(world)], NOW);
      assert.deepEqual([merged.taken, rejections(merged)], [[], [`a: ${code}`]]);
      assert.deepEqual(tagsOf(merged, "a"), ["v1"]);
    });
  }

  it("a role of somebody who is no signer is not looked at", async () => {
    const world = await twoSigners();
    const [[, bytes] = []] = await stage(world, "a", bound());
    assert.ok(bytes);
    const merged = mergeRoles(
      world.read(),
      [
        new Map([
          [fileNameOf("stranger", NOW + 1), bytes],
          ["x", bytes],
        ]),
      ],
      NOW,
    );
    assert.deepEqual([merged.taken, merged.rejected, merged.roles.has("stranger")], [[], [], false]);
  });

  it("a signer whose key was exchanged in the same step counts no more, be it in the head", async () => {
    const world = await twoSigners();
    world.keys.set("a2", roleSigner());
    const delegations = world.targets.delegations.map((each) =>
      each.name === "a" ? { ...each, ...world.keysOf("a2") } : each,
    );
    const keys = new Map([...world.targets.keys, ...world.tufKeys("a2")]);
    const staged = await stage(world, "targets", { version: NOW + 1, keys, delegations });
    const merged = mergeRoles(world.read(), [staged], NOW);
    assert.deepEqual(rejections(merged), ["a: signature-threshold"]);
    assert.deepEqual([...merged.roles.keys()], ["b"]);
  });

  it("two files of one new version: one of them counts, whoever merges, and it is said", async () => {
    const world = await twoSigners();
    const one = await stage(world, "a", bound(bindingOf("v2")));
    const other = await stage(world, "a", bound(bindingOf("v3")));
    const view = world.read();
    const merged = [mergeRoles(view, [one, other], NOW), mergeRoles(view, [other, one], NOW)];
    assert.deepEqual(merged.map(rejections), [["a: forked"], ["a: forked"]]);
    assert.deepEqual(tagsOf(merged[0] as Merged, "a"), tagsOf(merged[1] as Merged, "a"));
  });
});

describe("bins that are staged", () => {
  async function stagedBins(world: TrustWorld, bindings: readonly Binding[]): Promise<Map<string, Uint8Array>> {
    const book = RoleBook.open("a", world.read().roles.get("a"), world.read().roles).withBindings(bindings).rebinned();
    const making = { signers: world.keysOf("a"), keys: world.tufKeys("a"), expires: EXPIRES };
    const files = new Map<string, Uint8Array>();
    for (const [name, role] of book.roles({ ...making, version: () => NOW + 1 })) {
      files.set(fileNameOf(name, role.version), await world.seal(role, ["a"]));
    }
    return files;
  }

  it("are taken with their role", async () => {
    const world = await twoSigners();
    const staged = await stagedBins(world, [bindingOf("v2"), bindingOf("v3")]);
    const merged = mergeRoles(world.read(), [staged], NOW);
    assert.deepEqual(merged.taken, ["a", "a.bin-0", "a.bin-1"]);
    const view = { ...merged, snapshot: undefined };
    for (const tag of ["v1", "v2", "v3"]) assert.equal(findBinding(view, `tags/${tag}`).found?.role, "a");
  });

  for (const [title, junk] of [
    ["junk", async () => encodeUtf8("junk")],
    [
      "somebody else's",
      async (world: TrustWorld) =>
        await world.seal({ ...(world.roles.get("b") as TargetsRole), version: NOW + 1 }, ["b"]),
    ],
  ] as const) {
    it(`one of which is ${title} are not taken, nor is the role that would need it`, async () => {
      const world = await twoSigners();
      const staged = await stagedBins(world, [bindingOf("v2")]);
      staged.set(fileNameOf("a.bin-1", NOW + 1), await junk(world));
      const merged = mergeRoles(world.read(), [staged], NOW);
      assert.deepEqual(merged.taken, []);
      assert.deepEqual(tagsOf(merged, "a"), ["v1"]);
      assert.ok(rejections(merged).includes("a: metadata-malformed"));
    });
  }

  it("of another number have to come all anew: an old one of the same name holds other entries", async () => {
    const world = await TrustWorld.make({ signers: [{ name: "a" }] });
    const many = (count: number) => Array.from({ length: count }, (_, index) => bindingOf(`v${index}`));
    await world.putBins("a", many(1_700));
    await world.publish();
    const staged = await stagedBins(world, many(3_300));
    assert.equal(staged.size, 65);
    const view = world.read();
    assert.equal(mergeRoles(view, [staged], NOW).taken.length, 65);
    staged.delete(fileNameOf("a.bin-03", NOW + 1));
    assert.deepEqual(mergeRoles(view, [staged], NOW).taken, []);
    // Who holds the registry can leave files out of a stage, which nobody signs as a whole.
    staged.delete(fileNameOf("a", NOW + 1));
    const merged = mergeRoles(view, [staged], NOW);
    assert.deepEqual(merged.taken, []);
    assert.ok(rejections(merged).includes("a.bin-00: metadata-malformed"));
    assert.equal(effectiveBindings({ ...merged, snapshot: undefined }).length, 1_700);
  });

  it("that stayed behind are no reason to lose the others", async () => {
    const world = await twoSigners();
    const staged = await stagedBins(world, [bindingOf("v2")]);
    staged.delete(fileNameOf("a.bin-1", NOW + 1));
    const merged = mergeRoles(world.read(), [staged], NOW);
    assert.deepEqual(merged.taken, []);
    assert.deepEqual(tagsOf(merged, "a"), ["v1"]);
  });
});

describe("the snapshot that follows", () => {
  it("lists every role with its version, its length and its hash", async () => {
    const view = (await twoSigners()).read();
    const snapshot = nextSnapshot(view, undefined, NOW, EXPIRES);
    const listed = [...view.roles].map(([name, { body, bytes }]) => [name, listingOf(body.version, bytes)] as const);
    const { targets } = view;
    assert.deepEqual([...snapshot.roles], [...listed, ["targets", listingOf(targets.body.version, targets.bytes)]]);
    assert.equal(snapshot.version, NOW);
  });

  it("keeps what was listed before, be the role gone: clients refuse a snapshot that drops one", async () => {
    const world = await twoSigners();
    const { snapshot, ...view } = world.read();
    const roles = new Map([...view.roles].filter(([name]) => name === "a"));
    const next = nextSnapshot({ ...view, roles }, snapshot?.body, NOW, EXPIRES);
    assert.deepEqual(next.roles.get("b"), snapshot?.body.roles.get("b"));
    assert.equal(next.version, NOW + 1);
  });

  it("never lists an older file, nor another one of the same version", async () => {
    const view = (await twoSigners()).read();
    const { snapshot } = view;
    assert.ok(snapshot);
    const before = (listed: Partial<ListedFile>) => {
      const { version = NOW, length = 1, sha256 = "00".repeat(32) } = listed;
      return { ...snapshot.body, roles: new Map([...snapshot.body.roles, ["a", { version, length, sha256 }]]) };
    };
    thrownBy(() => nextSnapshot(view, before({ version: NOW + 1 }), NOW, EXPIRES), "rollback");
    thrownBy(() => nextSnapshot(view, before({}), NOW, EXPIRES), "rollback");
    assert.ok(nextSnapshot(view, before({ version: NOW - 1 }), NOW, EXPIRES));
  });

  it("leaves no bin out that is not at hand and was never listed", async () => {
    const world = await TrustWorld.make({ signers: [{ name: "a" }] });
    await world.putBins("a", [bindingOf("v1")]);
    await world.publish();
    const { roles, ...view } = world.read();
    const some = new Map([...roles].filter(([name]) => name !== "a.bin-1"));
    assert.ok(nextSnapshot({ ...view, roles: some }, view.snapshot?.body, NOW, EXPIRES).roles.has("a.bin-1"));
    thrownBy(() => nextSnapshot({ ...view, roles: some }, undefined, NOW, EXPIRES), "mix-and-match");
  });

  it("lists no more than clients read", async () => {
    const view = (await twoSigners()).read();
    const { snapshot } = view;
    assert.ok(snapshot);
    const many = Array.from({ length: 1000 }, (_, index) => [`r${index}`, listingOf(1, new Uint8Array(1))] as const);
    const before = { ...snapshot.body, roles: new Map([...snapshot.body.roles, ...many]) };
    assert.match(thrownBy(() => nextSnapshot(view, before, NOW, EXPIRES), "limit-reached").next, /rotate online/);
  });

  it("cannot follow one whose version leaves no room", async () => {
    const view = (await twoSigners()).read();
    const { snapshot } = view;
    assert.ok(snapshot);
    const far = { ...snapshot.body, version: 2 ** 53 - 1 };
    thrownBy(() => nextSnapshot(view, far, NOW, EXPIRES), "version-implausible");
  });

  it("is what the timestamp says, whose version goes on as well", async () => {
    const { snapshot, timestamp } = (await twoSigners()).read();
    assert.ok(snapshot && timestamp);
    const next = nextTimestamp(snapshot, timestamp.body, NOW, EXPIRES);
    assert.deepEqual(next.snapshot, timestamp.body.snapshot);
    assert.equal(next.version, NOW + 1);
  });
});
