import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { JsonObject, JsonValue } from "../../../src/core/json.ts";
import { compileCondition } from "../../../src/core/policy/cel.ts";
import type { ConditionResult } from "../../../src/core/policy/condition.ts";
import { rejectedBy, thrownBy } from "../../support/codes.ts";
import { processorTime } from "../../support/processor-time.ts";

/** A statement whose signer is hostile, and a condition whose author was careless. */

const statementOf = (predicate: JsonValue): JsonObject => ({
  _type: "https://in-toto.io/Statement/v1",
  subject: [],
  predicateType: "https://example.com/type",
  predicate,
});

async function check(text: string, predicate: JsonValue): Promise<ConditionResult> {
  return (await compileCondition(text)).check(statementOf(predicate));
}

/** `cel.bind` in `cel.bind`: each value is made of two of the one before. */
function doubled(name: string, times: number, make: (before: string) => string, inside: string): string {
  const binds = Array.from({ length: times }, (_, at) => `cel.bind(${name}${at + 1},${make(`${name}${at}`)},`).join("");
  return `cel.bind(${name}0,[1],${binds}${inside}${")".repeat(times + 1)}`;
}

const list = (before: string): string => `[${before},${before}]`;
const map = (before: string): string => `{1:${before},2:${before}}`;

describe("values that hold one part many times", () => {
  const COMPARED: Readonly<Record<string, string>> = {
    "a list": doubled("a", 40, list, "a40 == a40"),
    "a map": doubled("a", 40, map, "a40 == a40"),
    "two lists": doubled("a", 20, list, doubled("b", 20, list, "a20 == b20")),
    "two maps": doubled("a", 20, map, doubled("b", 20, map, "a20 == b20")),
    "a map in a list": doubled("a", 20, map, doubled("b", 20, map, "a20 in [b20]")),
    "a list in a map": doubled("a", 20, list, doubled("b", 20, list, "{1: a20} == {1: b20}")),
  };
  for (const [name, text] of Object.entries(COMPARED)) {
    it(`end at the bound and not after years: ${name}`, async () => {
      const condition = await compileCondition(text);
      const started = processorTime();
      thrownBy(() => condition.check(statementOf({})), "limit-reached");
      assert.ok(processorTime() - started < 5_000);
    });
  }

  it("cost nothing where nobody looks at them", async () => {
    assert.deepEqual(await check(doubled("a", 40, list, "size(a40) == 2"), {}), { met: true });
  });

  it("are counted where the expression wraps a large one of the statement in a map", async () => {
    const large = Object.fromEntries(Array.from({ length: 3000 }, (_, at) => [`k${at}`, at]));
    const predicate = { list: Array<number>(3000).fill(1), a: large, b: { ...large } };
    const condition = await compileCondition('predicate.list.all(x, {"x": predicate.a} == {"x": predicate.b})');
    thrownBy(() => condition.check(statementOf(predicate)), "limit-reached");
  });
});

describe("names that JavaScript's objects have", () => {
  const NAMES = ["constructor", "toString", "hasOwnProperty", "valueOf", "length", "size", "get", "prototype"];
  for (const name of NAMES) {
    it(`are no members of what a statement says: ${name}`, async () => {
      for (const value of [{}, [], "text", 1, 1.5, true, null] as const) {
        for (const text of [
          `has(predicate.value.${name})`,
          `predicate.value["${name}"] == predicate.value["${name}"]`,
          `"${name}" in predicate.value`,
        ]) {
          assert.notEqual((await check(text, { value })).met, true, `${text} of ${JSON.stringify(value)}`);
        }
      }
    });

    it(`are members like any other where a statement has them: ${name}`, async () => {
      assert.deepEqual(await check(`predicate["${name}"] == "own"`, { [name]: "own" }), { met: true });
    });
  }

  it("are not to be had of times either", async () => {
    const text = 'timestamp("2026-01-01T00:00:00Z")';
    for (const member of ["constructor", "getTime", "toISOString", "nothing"]) {
      assert.equal((await check(`dyn(${text}).${member} == 1 || ${text}.${member} != 1`, {})).met, false);
    }
  });

  for (const key of ["__proto__", "constructor", "prototype"]) {
    it(`are no keys of a map in a condition, where they would be lost: ${key}`, async () => {
      await rejectedBy(() => compileCondition(`predicate.labels != {"${key}": "x"}`), "usage");
      await rejectedBy(() => compileCondition(`predicate.labels == {"a": {"${key}": "x"}}`), "usage");
    });
  }

  it("do not come from a statement into a map's keys, so that a map with something in it equals an empty one", async () => {
    await rejectedBy(() => compileCondition("{predicate.name: predicate.value} == {}"), "usage");
    await rejectedBy(() => compileCondition('{"a": 1, predicate.name: 2} == {"a": 1}'), "usage");
  });
});

describe("a condition", () => {
  const NOT_MET: readonly (readonly [string, JsonValue])[] = [
    ["predicate.ok", { ok: "true" }],
    ["predicate.ok", { ok: 1 }],
    ["predicate.ok", { ok: [true] }],
    ["predicate.ok == true", { ok: "true" }],
    ["predicate.result == 'PASSED'", { result: ["PASSED"] }],
    ["predicate.result == 'PASSED'", { result: "PASSED " }],
    ["predicate.result == 'PASSED'", { result: "passed" }],
    ["predicate.result == 'PASSED'", { result: "PASSED\u0000" }],
    ["predicate.result == 'PASSED'", { result: "P\u0410SSED" }],
    ["predicate.result == 'PASSED'", { Result: "PASSED" }],
    ["predicate.count < 1", { count: "0" }],
    ["predicate.count < 1", { count: null }],
    ["predicate.found.size() == 0", { found: 0 }],
    ["predicate.found.size() == 0", {}],
    ["!has(predicate.a.b)", {}],
    ["predicate.bad != true", {}],
    ["!(predicate.bad == true)", {}],
    ["predicate.builder.id.startsWith('https://good.example/')", { builder: { id: "https://good.example.evil/" } }],
    ["predicate.builder.id.matches('^https://good[.]example/x$')", { builder: { id: "https://good.example/x\n" } }],
    ["predicate.builder.id.matches('^https://good[.]example/x$')", { builder: { id: "evil\nhttps://good.example/x" } }],
    ["timestamp(predicate.at) > timestamp('2026-01-01T00:00:00Z')", { at: "9999" }],
    ["timestamp(predicate.at) > timestamp('2026-01-01T00:00:00Z')", { at: "2027-02-30T00:00:00Z" }],
    ["timestamp(predicate.at) > timestamp('2026-01-01T00:00:00Z')", { at: 1e15 }],
    ["predicate.list.all(x, x.ok)", { list: [{ ok: true }, {}] }],
    ["predicate.list.exists(x, x.ok)", { list: [{ ok: "yes" }, {}] }],
  ];
  for (const [text, predicate] of NOT_MET) {
    it(`${text} is not met by ${JSON.stringify(predicate)}`, async () => {
      assert.equal((await check(text, predicate)).met, false);
    });
  }

  it("is not met where it is about something else than the predicate of the whole statement", async () => {
    const text = 'predicateType == "https://example.com/other"';
    assert.equal((await check(text, { predicateType: "https://example.com/other" })).met, false);
  });
});
