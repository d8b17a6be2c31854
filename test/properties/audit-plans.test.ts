import assert from "node:assert/strict";
import fc from "fast-check";
import { assembleAudit } from "../../src/core/audit/assemble.ts";
import type { Audit, AuditShard, ImageFacts } from "../../src/core/audit/audit.ts";
import { mergeShards, type ShardFile } from "../../src/core/audit/merge.ts";
import { parseAudit } from "../../src/core/audit/parse.ts";
import { makePlan } from "../../src/core/audit/plan.ts";
import { parsePlan } from "../../src/core/audit/plan-file.ts";
import { shardOf } from "../../src/core/audit/shard.ts";
import { CountersignError } from "../../src/core/errors.ts";
import { formatReference, parseReference } from "../../src/core/oci/reference.ts";
import type { Mention, SourceProblem } from "../../src/core/sources/mention.ts";
import { instant } from "../../src/core/time.ts";
import { auditDocument } from "../../src/report/audit/json.ts";
import { planDocument } from "../../src/report/audit/plan.ts";
import { property } from "../support/property.ts";
import { digestFor, imageOf } from "../support/sample-audit.ts";

const AT = instant(Date.UTC(2026, 8, 1));
const STANDARD = { wanted: "a signature by release.pub", digest: digestFor("standard"), weakened: [] };

const image = fc.oneof(
  fc.constantFrom(
    "nginx",
    "docker.io/library/nginx:latest",
    "registry.example/a:1",
    "registry.example/a-b:1",
    "a.b:5000/c/d",
  ),
  fc
    .tuple(
      fc.constantFrom("r.example/", "r.example:5000/", ""),
      fc.stringMatching(/^[a-z]{1,3}(\/[a-z]{1,2})?(:[a-z0-9]{1,2})?$/),
    )
    .map((parts) => parts.join("")),
  fc.constant(`registry.example/a:1@${digestFor("a")}`),
  fc.string({ unit: "binary", maxLength: 8 }),
);
const mention: fc.Arbitrary<Mention> = fc.record({
  image,
  kind: fc.constantFrom("kubernetes", "compose", "list"),
  place: fc.record({ source: fc.constantFrom("a.yaml", "b/c.yaml", "\ud800"), line: fc.integer({ min: 1, max: 12 }) }),
});
const problem: fc.Arbitrary<SourceProblem> = fc.record({
  place: fc.record({ source: fc.constantFrom("a.yaml", "b/c.yaml"), line: fc.integer({ min: 1, max: 12 }) }),
  finding: fc.record({ code: fc.constant("source-invalid" as const), message: fc.constantFrom("no YAML", "no ARG") }),
});
const reading = fc.record({
  mentions: fc.array(mention, { maxLength: 30 }),
  problems: fc.array(problem, { maxLength: 4 }),
});
/** Numbers to sort by: any order of a list. */
const shuffle = fc.array(fc.nat(), { minLength: 64, maxLength: 64 });

function shuffled<Item>(items: readonly Item[], by: readonly number[]): readonly Item[] {
  const keys = new Map(items.map((item, at) => [item, by[at % by.length] ?? 0]));
  return items.toSorted((a, b) => (keys.get(a) ?? 0) - (keys.get(b) ?? 0));
}

function factsOf(name: string): ImageFacts {
  const { pinned: _, drift: __, uses: ___, ...facts } = imageOf(name);
  return facts;
}

property(
  "a plan is the same whatever order sources, files and mentions come in, and however often one is read",
  [reading, shuffle],
  ({ mentions, problems }, by) => {
    const plan = makePlan(["a", "b"], { mentions, problems }, AT);
    const again = {
      mentions: shuffled([...mentions, ...structuredClone(mentions)], by),
      problems: shuffled([...problems, ...structuredClone(problems)], by),
    };
    assert.equal(planDocument(makePlan(["b", "a", "b"], again, AT)), planDocument(plan));
  },
);

property(
  "a plan names every mention, as an image or as a problem, and nothing else",
  [reading],
  ({ mentions, problems }) => {
    const plan = makePlan([], { mentions, problems }, AT);
    const isReference = ({ image: text }: Mention): boolean => {
      try {
        return !/^(?:oci|oci-archive|docker-archive|docker-daemon):/.test(text) && parseReference(text) !== undefined;
      } catch (error) {
        if (error instanceof CountersignError) return false;
        throw error;
      }
    };
    const [good, bad] = [mentions.filter(isReference), mentions.filter((one) => !isReference(one))];
    assert.deepEqual(
      new Set(plan.items.map((item) => item.image)),
      new Set(good.map((one) => formatReference(parseReference(one.image)))),
    );
    assert.deepEqual(
      new Set(plan.items.flatMap(({ uses }) => uses.map((use) => use.as))),
      new Set(good.map((one) => one.image)),
    );
    for (const { place } of bad)
      assert.ok(plan.problems.some((each) => each.place === place || each.place.line === place.line));
  },
);

property("a plan's document is read back with its digest, and written again byte for byte", [reading], (read) => {
  const plan = makePlan(["sources"], read, AT);
  const document = planDocument(plan);
  const back = parsePlan(new TextEncoder().encode(document), "plan.json");
  assert.equal(back.digest, plan.digest);
  assert.equal(planDocument(back), document);
});

property(
  "shards are the plan, each item once and in order, however many there are",
  [fc.nat({ max: 200 }), fc.integer({ min: 1, max: 300 })],
  (length, count) => {
    const items = Array.from({ length }, (_, at) => ({ image: `${at}`, uses: [] }));
    const shards = Array.from({ length: count }, (_, at) => shardOf({ items }, { index: at + 1, count }));
    assert.deepEqual(shards.flat(), items);
  },
);

property(
  "merged shards are the whole audit byte for byte, in whatever order they come; with one left out they are nothing",
  [reading, fc.integer({ min: 1, max: 9 }), shuffle],
  (read, count, by) => {
    const plan = makePlan(["sources"], read, AT);
    const auditOf = (shard?: AuditShard): Audit => {
      const items = shard === undefined ? plan.items : shardOf(plan, shard);
      return assembleAudit({ plan, items, facts: items.map((item) => factsOf(item.image)), standard: STANDARD, shard });
    };
    const files = Array.from({ length: count }, (_, at): ShardFile => {
      const bytes = new TextEncoder().encode(auditDocument(auditOf({ index: at + 1, count })));
      return { label: `${at}`, audit: parseAudit(bytes, `${at}`) };
    });
    const [, ...rest] = shuffled(files, by);
    assert.equal(auditDocument(mergeShards(shuffled(files, by))), auditDocument(auditOf()));
    assert.throws(() => mergeShards(rest), CountersignError);
  },
);
