import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assembleAudit } from "../../../../src/core/audit/assemble.ts";
import type { Audit, AuditPlan, AuditShard, ImageFacts } from "../../../../src/core/audit/audit.ts";
import { mergeShards, type ShardFile } from "../../../../src/core/audit/merge.ts";
import { parseAudit } from "../../../../src/core/audit/parse.ts";
import { makePlan, planAt } from "../../../../src/core/audit/plan.ts";
import { shardOf } from "../../../../src/core/audit/shard.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { instant } from "../../../../src/core/time.ts";
import { auditDocument } from "../../../../src/report/audit/json.ts";
import { thrownBy } from "../../../support/codes.ts";
import { digestFor, imageOf } from "../../../support/sample-audit.ts";

const AT = instant(Date.UTC(2026, 8, 1));
const STANDARD = { wanted: "a signature by release.pub", digest: digestFor("standard"), weakened: [] };

function planOf(count: number): AuditPlan {
  const mentions = Array.from({ length: count }, (_, at) => ({
    image: `registry.example/acme/app:${at}`,
    kind: "list" as const,
    place: { source: "images.txt", line: at + 1, column: 1 },
  }));
  const problem = { image: "Not An Image", kind: "list" as const, place: { source: "images.txt", line: count + 1 } };
  return makePlan(["images.txt"], { mentions: [...mentions, problem], problems: [] }, AT);
}

function factsOf(image: string): ImageFacts {
  const { pinned: _, drift: __, uses: ___, ...facts } = imageOf(image);
  return facts;
}

function auditOf(plan: AuditPlan, shard?: AuditShard, standard = STANDARD): Audit {
  const items = shard === undefined ? plan.items : shardOf(plan, shard);
  const facts = items.map(({ image }) => factsOf(image));
  return assembleAudit({ plan, items, facts, standard, shard });
}

/** As a file that another process wrote. */
function file(label: string, audit: Audit): ShardFile {
  return { label, audit: parseAudit(new TextEncoder().encode(auditDocument(audit)), label) };
}

function shardsOf(plan: AuditPlan, count: number): readonly ShardFile[] {
  return Array.from({ length: count }, (_, at) => file(`s${at + 1}.json`, auditOf(plan, { index: at + 1, count })));
}

const plan = planOf(7);
const [one, two, three] = shardsOf(plan, 3);
assert.ok(one && two && three);

function refusal(files: readonly ShardFile[]): string {
  const { message, found = "", wanted = "" } = thrownBy(() => mergeShards(files), "record-invalid");
  return `${message} | ${found} | ${wanted}`;
}

describe("shards that are merged", () => {
  it("are the audit of one process byte for byte, in whatever order they come", () => {
    const whole = auditDocument(auditOf(plan));
    for (const files of [
      [one, two, three],
      [three, one, two],
      [two, three, one],
    ]) {
      assert.equal(auditDocument(mergeShards(files)), whole);
    }
  });

  it("are as many as there are images, or more: the rest is empty", () => {
    const whole = auditDocument(auditOf(plan));
    for (const count of [1, 7, 12]) assert.equal(auditDocument(mergeShards(shardsOf(plan, count))), whole);
  });

  it("are all there: what is missing is named", () => {
    assert.match(refusal([one, three]), /of 3 shards, 1 is missing \| nothing of 2 /);
    assert.match(refusal([two]), /of 3 shards, 2 are missing \| nothing of 1, 3 /);
    const [first] = shardsOf(plan, 40);
    assert.ok(first);
    assert.match(refusal([first]), /39 are missing \| nothing of 2, 3, .*11, 29 more /);
  });

  it("are each there once, the same file twice or two answers to one question", () => {
    assert.match(refusal([one, two, three, two]), /s2\.json: shard 2 is there twice/);
    assert.match(
      refusal([one, two, three, { ...two, label: "again.json" }]),
      /shard 2 is there twice \| (?:s2|again)\.json too/,
    );
  });

  it("do not overlap", () => {
    const overlapping = {
      ...two,
      audit: { ...two.audit, images: [...one.audit.images.slice(-1), ...two.audit.images] },
    };
    assert.match(refusal([one, overlapping, three]), /s2\.json: it overlaps with s1\.json \| registry\.example/);
  });

  it("are of one plan", () => {
    const [, foreign] = shardsOf(planOf(8), 3);
    assert.ok(foreign);
    assert.match(refusal([one, foreign, three]), /s2\.json: it is of another plan than s1\.json/);
  });

  it("are of one time", () => {
    const [, later] = shardsOf(planAt(plan, instant(AT + 1000)), 3);
    assert.ok(later);
    assert.match(refusal([one, later, three]), /it is of another time than s1\.json \| 2026-09-01T00:00:01Z/);
  });

  it("were held to one standard", () => {
    const standard = { ...STANDARD, wanted: "a signature by other.pub", digest: digestFor("other") };
    const other = file("s2.json", auditOf(plan, { index: 2, count: 3 }, standard));
    assert.match(refusal([one, other, three]), /it is of another standard than s1\.json \| a signature by other\.pub/);
  });

  it("are of one number of shards", () => {
    const [, ofTwo] = shardsOf(plan, 2);
    assert.ok(ofTwo);
    assert.match(refusal([one, ofTwo, three]), /another number of shards than s1\.json \| 2 shards \| 3 shards/);
  });

  it("are no whole audits, and at least one", () => {
    assert.match(refusal([file("whole.json", auditOf(plan))]), /whole\.json: it is a whole audit/);
    assert.match(refusal([one, file("whole.json", auditOf(plan)), three]), /whole\.json: it is a whole audit/);
    thrownBy(() => mergeShards([]), "usage");
  });

  it("are not so many that nobody could have made them", () => {
    const shard = { index: 1, count: Number.MAX_SAFE_INTEGER };
    assert.match(refusal([{ label: "s1.json", audit: { ...one.audit, shard } }]), /a part of too many/);
    assert.ok(LIMITS.auditShards < shard.count);
  });

  it("hold together what was planned: an image that was cut out is noticed, a place and a problem too", () => {
    const cut = { ...two.audit, images: two.audit.images.slice(1) };
    const moved = { ...two.audit, images: two.audit.images.map((image) => ({ ...image, uses: [] })) };
    for (const audit of [cut, moved]) {
      assert.match(refusal([one, { ...two, audit }, three]), /together are not what was planned/);
    }
    const silent = { ...one, audit: { ...one.audit, problems: [] } };
    assert.match(refusal([silent, two, three]), /together are not what was planned/);
  });
});
