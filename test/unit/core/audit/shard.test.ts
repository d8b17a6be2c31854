import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseShard, shardOf } from "../../../../src/core/audit/shard.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { thrownBy } from "../../../support/codes.ts";

function parts(length: number, count: number): readonly (readonly string[])[] {
  const items = Array.from({ length }, (_, at) => ({ image: `${at}`, uses: [] }));
  return Array.from({ length: count }, (_, at) =>
    shardOf({ items }, { index: at + 1, count }).map(({ image }) => image),
  );
}

describe("shards of a plan", () => {
  it("hold item k of N in part ⌊k·n/N⌋+1", () => {
    for (const [length, count] of [
      [0, 3],
      [1, 4],
      [3, 4],
      [7, 3],
      [10, 10],
      [100, 7],
      [1001, 64],
    ] as const) {
      const wanted = Array.from({ length: count }, (_, part) =>
        Array.from({ length }, (_, k) => k)
          .filter((k) => Math.floor((k * count) / length) === part)
          .map(String),
      );
      assert.deepEqual(parts(length, count), wanted, `${length} in ${count}`);
    }
  });

  it("are the whole, in order, each item once, and differ by one item at most", () => {
    const shards = parts(1003, 17);
    assert.deepEqual(
      shards.flat(),
      Array.from({ length: 1003 }, (_, at) => `${at}`),
    );
    const sizes = shards.map((shard) => shard.length);
    assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1);
  });
});

describe("--shard", () => {
  it("counts from 1; an Indexed Job of Kubernetes counts from 0", () => {
    assert.deepEqual(parseShard("2/4", {}), { index: 2, count: 4 });
    assert.deepEqual(parseShard("1/1", { JOB_COMPLETION_INDEX: "7" }), { index: 1, count: 1 });
    assert.deepEqual(parseShard("auto/4", { JOB_COMPLETION_INDEX: "0" }), { index: 1, count: 4 });
    assert.deepEqual(parseShard("auto/4", { JOB_COMPLETION_INDEX: "3" }), { index: 4, count: 4 });
  });

  for (const text of [
    "0/4",
    "5/4",
    "4",
    "1/0",
    "/4",
    "1/",
    "1/4/2",
    "-1/4",
    "01/4",
    "1.5/4",
    "a/4",
    " 1/4",
    "AUTO/4",
  ]) {
    it(`is not ${JSON.stringify(text)}`, () => {
      thrownBy(() => parseShard(text, { JOB_COMPLETION_INDEX: "0" }), "usage");
    });
  }

  it("takes so many parts and no more", () => {
    const { auditShards } = LIMITS;
    assert.equal(parseShard(`1/${auditShards}`, {}).count, auditShards);
    thrownBy(() => parseShard(`1/${auditShards + 1}`, {}), "usage");
  });

  for (const value of [undefined, "", "4", "-1", "one", "01", "0x1", "1 "]) {
    it(`auto/4 is no part where JOB_COMPLETION_INDEX is ${JSON.stringify(value)}`, () => {
      const error = thrownBy(() => parseShard("auto/4", { JOB_COMPLETION_INDEX: value }), "configuration-invalid");
      assert.match(error.message, /JOB_COMPLETION_INDEX/);
    });
  }
});
