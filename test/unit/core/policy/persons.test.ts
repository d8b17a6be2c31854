import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { mostMet } from "../../../../src/core/policy/persons.ts";
import { processorTime } from "../../../support/processor-time.ts";
import { property } from "../../../support/property.ts";

/** By trying out everything. */
function mostMetSlowly(crowds: readonly (readonly string[])[], taken: ReadonlySet<string> = new Set()): number {
  const [first, ...others] = crowds;
  if (first === undefined) return 0;
  const free = first.filter((person) => !taken.has(person));
  return Math.max(
    mostMetSlowly(others, taken),
    ...free.map((person) => 1 + mostMetSlowly(others, new Set([...taken, person]))),
  );
}

describe("how many requirements different people can meet", () => {
  it("is each of them where anybody can", () => {
    assert.equal(mostMet([]), 0);
    assert.equal(mostMet(["any number", "any number"]), 2);
    assert.equal(mostMet(["any number", new Set(["a"]), new Set(["a"])]), 2);
  });

  it("takes somebody away from where others can stand in", () => {
    assert.equal(mostMet([new Set(["a", "b"]), new Set(["a"]), new Set(["b", "c"])]), 3);
    assert.equal(mostMet([new Set(["a"]), new Set(["a"]), new Set(["a"])]), 1);
    assert.equal(mostMet([new Set(), new Set(["a"])]), 1);
  });

  const crowds = fc.array(fc.uniqueArray(fc.constantFrom("a", "b", "c", "d", "e"), { maxLength: 4 }), { maxLength: 5 });
  property("is what trying out everything finds", [crowds], (list) => {
    assert.equal(mostMet(list.map((crowd) => new Set(crowd))), mostMetSlowly(list));
  });

  it("is found fast for large crowds", () => {
    const many = Array.from({ length: 1_000 }, (_, at) => `p${at}`);
    const started = processorTime();
    for (let at = 0; at < 200; at += 1) mostMet(Array.from({ length: 64 }, () => new Set(many)));
    assert.ok(processorTime() - started < 5_000);
  });
});
