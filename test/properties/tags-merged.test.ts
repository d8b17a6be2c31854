import assert from "node:assert/strict";
import fc from "fast-check";
import { TrustedMetadataStore } from "tuf-js/dist/store.js";
import { encodeUtf8 } from "../../src/core/bytes.ts";
import { CountersignError } from "../../src/core/errors.ts";
import { digestOf } from "../../src/core/oci/digest.ts";
import { changesBetween } from "../../src/core/tags/changes.ts";
import { RoleBook } from "../../src/core/tags/entries.ts";
import { fileNameOf } from "../../src/core/tags/files.ts";
import type { HeadFiles } from "../../src/core/tags/head.ts";
import { effectiveBindings } from "../../src/core/tags/lookup.ts";
import { type Merged, mergeRoles } from "../../src/core/tags/merge.ts";
import type { TargetsRole } from "../../src/core/tags/metadata.ts";
import { readTrust } from "../../src/core/tags/trust-view.ts";
import { type Instant, instant } from "../../src/core/time.ts";
import { property } from "../support/property.ts";
import { NOW, roleSigner } from "../support/tag-publisher.ts";
import { at, bindingOf, GUN, TrustWorld } from "../support/trust-world.ts";

const DAY = 24 * 60 * 60 * 1000;

const world = await TrustWorld.make({
  bindings: [bindingOf("t1")],
  signers: [
    { name: "a", paths: ["tags/a*", "digests/*"], bindings: [bindingOf("a1"), bindingOf("x")] },
    { name: "b", bindings: [bindingOf("a1", "b"), bindingOf("b1")] },
  ],
});

// --- what is merged --------------------------------------------------------------------------------------------------

async function staged(name: string, change: Partial<TargetsRole>, by = name): Promise<HeadFiles> {
  const role = { ...(world.roles.get(name) as TargetsRole), ...change };
  return new Map([[fileNameOf(name, role.version), await world.seal(role, [by])]]);
}

const view = world.read();
/** Of each role several versions, good ones and bad ones; no two good files share a version. */
const stages: readonly HeadFiles[] = [
  await staged("a", { version: NOW + 1, bindings: [bindingOf("a2")] }),
  await staged("a", { version: NOW + 2, bindings: [bindingOf("a3")] }),
  await staged("a", { version: NOW + 3, bindings: [] }, "b"),
  await staged("a", { version: NOW - 5 }),
  await staged("b", { version: NOW + 1, bindings: [] }),
  await staged("b", { version: NOW + 2 * DAY }),
  await staged("b", { version: NOW + 4, expires: instant(NOW - (NOW % 1000)) }),
  new Map([[fileNameOf("b", NOW + 9), encodeUtf8("{}")]]),
];
const someStages = fc.shuffledSubarray([...stages]);

function outcome({ targets, roles }: Pick<Merged, "targets" | "roles">): ReadonlyMap<string, string> {
  const all = [["targets", targets] as const, ...roles];
  return new Map(all.map(([name, { bytes }]) => [name, digestOf(bytes)]));
}

property(
  "it does not matter in which order, nor how often, stages are merged",
  [someStages, someStages],
  (one, other) => {
    const once = outcome(mergeRoles(view, [...one, ...other], NOW));
    assert.deepEqual(outcome(mergeRoles(view, [...other, ...one], NOW)), once);
    assert.deepEqual(outcome(mergeRoles(view, [...one, ...other, ...one], NOW)), once);
  },
);

property("nor whether they are merged at once or one after the other", [someStages, someStages], (one, other) => {
  const first = { ...view, ...mergeRoles(view, one, NOW) };
  const both = mergeRoles(first, other, NOW);
  assert.deepEqual(outcome(both), outcome(mergeRoles(view, [...one, ...other], NOW)));
  assert.deepEqual(outcome(mergeRoles({ ...view, ...both }, [...one, ...other], NOW)), outcome(both));
});

property("no merge goes below what was there", [someStages], (some) => {
  const merged = mergeRoles(view, some, NOW);
  for (const [name, { body }] of view.roles) assert.ok((merged.roles.get(name)?.body.version ?? 0) >= body.version);
  const kinds = changesBetween(view, merged.taken.length === 0 ? view : { ...view, ...merged });
  assert.equal(merged.taken.length === 0, kinds.length === 0);
});

const many = (count: number) => Array.from({ length: count }, (_, index) => bindingOf(`v${index}`));
const large = await TrustWorld.make({ signers: [{ name: "a" }] });
await large.putBins("a", many(150));
await large.publish();
const largeView = large.read();

/** The role in twice as many bins of the same names, and one more change of a bin as it is. */
async function grown(): Promise<readonly (readonly [string, Uint8Array])[]> {
  const book = RoleBook.open("a", largeView.roles.get("a"), largeView.roles);
  const making = { signers: large.keysOf("a"), keys: large.tufKeys("a"), expires: large.targets.expires };
  const changes = [
    book.withBindings([bindingOf("v7", "new")]).roles({ ...making, version: () => NOW + 1 }),
    book
      .withBindings(many(250))
      .rebinned()
      .roles({ ...making, version: () => NOW + 2 }),
  ];
  const files = changes.flatMap((change) => [...change]);
  return await Promise.all(
    files.map(async ([name, role]) => [fileNameOf(name, role.version), await large.seal(role, ["a"])] as const),
  );
}

const files = await grown();

property(
  "no file that is left out of a stage costs a tag that was bound",
  [fc.subarray([...files])],
  (some: readonly (readonly [string, Uint8Array])[]) => {
    const merged = mergeRoles(largeView, [new Map(some)], NOW);
    const tags = new Set(effectiveBindings({ ...largeView, ...merged }).map(({ binding }) => binding.tag));
    for (const { tag } of many(150)) assert.ok(tags.has(tag), String(tag));
    assert.equal(tags.size, merged.taken.includes("a") ? 250 : 150);
  },
);

// --- two verifiers ---------------------------------------------------------------------------------------------------

type Files = ReadonlyMap<string, Uint8Array>;

/** What tuf-js says of the same files at the same time: each role loaded as its client would. */
function theirVerdict(files: Files, now: Instant): "good" | "refused" {
  const byRole = (role: string) => {
    const found = [...files].find(([name]) =>
      name === "timestamp.json" ? role === "timestamp" : name.replace(/^[0-9]+\./, "") === `${role}.json`,
    );
    return Buffer.from(found?.[1] ?? new Uint8Array());
  };
  const roots = [...files]
    .filter(([name]) => name.endsWith(".root.json"))
    .toSorted(([x], [y]) => Number.parseInt(x, 10) - Number.parseInt(y, 10));
  const [first, ...later] = roots.map(([, bytes]) => Buffer.from(bytes));
  try {
    const store = new TrustedMetadataStore(first ?? Buffer.of());
    Object.assign(store, { referenceTime: new Date(now) });
    for (const root of later) store.updateRoot(root);
    store.updateTimestamp(byRole("timestamp"));
    store.updateSnapshot(byRole("snapshot"));
    store.updateDelegatedTargets(byRole("targets"), "targets", "root");
    for (const name of ["a", "b"]) store.updateDelegatedTargets(byRole(name), name, "targets");
    return "good";
  } catch {
    return "refused";
  }
}

function ourVerdict(files: Files, now: Instant): "good" | "refused" {
  const { manifest } = world.head();
  try {
    const reading = readTrust(files, GUN, { now, head: manifest, history: [], isComplete: true });
    return reading.findings.length === 0 ? "good" : "refused";
  } catch (error) {
    assert.ok(error instanceof CountersignError, String(error));
    assert.notEqual(error.code, "internal");
    return "refused";
  }
}

/** Another world of the same keys: files that are good by themselves, and belong to another moment. */
async function variants(): Promise<Map<string, readonly (readonly [string, Uint8Array])[]>> {
  const pool = new Map<string, (readonly [string, Uint8Array])[]>();
  const add = (role: string, name: string, bytes: Uint8Array) =>
    pool.set(role, [...(pool.get(role) ?? []), [name, bytes]]);
  const collect = () => {
    for (const [name, bytes] of world.files) add(name.replace(/^[0-9]+\./, "").replace(".json", ""), name, bytes);
  };
  collect();
  world.targets = { ...world.targets, version: NOW + 1 };
  world.roles.set("a", { ...(world.roles.get("a") as TargetsRole), version: NOW + 1 });
  await world.publish(instant(NOW + 1000));
  collect();
  await world.stamp(instant(NOW + 2000), at("2026-01-02T03:04:05Z"));
  collect();
  const a = world.roles.get("a") as TargetsRole;
  add("a", fileNameOf("a", a.version), await world.seal(a, ["b"]));
  add("a", fileNameOf("a", a.version), await world.seal({ ...a, bindings: [] }, ["a"]));
  add("targets", fileNameOf("targets", NOW + 1), await world.seal(world.targets, ["online"]));
  world.keys.set("root2", roleSigner());
  const root2 = {
    ...world.root,
    version: 2,
    keys: new Map([...world.root.keys, ...world.tufKeys("root2")]),
    roles: { ...world.root.roles, root: world.keysOf("root2") },
  };
  for (const by of [["root", "root2"], ["root"], ["root2"]]) add("root2", "2.root.json", await world.seal(root2, by));
  return pool;
}

const pool = await variants();
const ROLES = [...pool.keys()];
/** Files of one moment, some of them exchanged for others: mostly nothing else would fit together. */
const exchanged = fc.array(fc.tuple(fc.constantFrom(...ROLES), fc.nat(5)), { maxLength: 2 });

function filesFrom(moment: number, exchanges: readonly (readonly [role: string, choice: number])[]): Files {
  const choices = new Map(exchanges);
  const files = ROLES.map((role) => {
    const all = pool.get(role) ?? [];
    return all[(choices.get(role) ?? moment) % all.length];
  });
  return new Map(files.filter((file) => file !== undefined));
}

property(
  "both verifiers agree on which files belong together",
  [fc.constantFrom(0, 1), exchanged, fc.boolean(), fc.constantFrom(0, 5 * DAY, 8 * DAY)],
  (moment, exchanges, isRotated, age) => {
    const files = new Map(filesFrom(moment, exchanges));
    if (!isRotated) files.delete("2.root.json");
    const now = instant(NOW + 1000 + age);
    assert.equal(ourVerdict(files, now), theirVerdict(files, now), [...files.keys()].join(" "));
  },
);

property("a bit that is flipped anywhere is never accepted", [fc.nat(), fc.nat(), fc.nat(7)], (which, where, bit) => {
  const good = filesFrom(0, []);
  const names = [...good.keys()];
  const name = names[which % names.length] ?? "";
  const bytes = Uint8Array.from(good.get(name) ?? []);
  const offset = where % bytes.byteLength;
  bytes[offset] = (bytes[offset] ?? 0) ^ (1 << bit);
  const files = new Map([...good, [name, bytes]]);
  const ours = ourVerdict(files, NOW);
  assert.equal(ours, "refused", `${name} at ${offset}: bit ${bit}`);
});
