import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { JsonObject, JsonValue } from "../../../../src/core/json.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { compileCondition } from "../../../../src/core/policy/cel.ts";
import type { ConditionResult } from "../../../../src/core/policy/condition.ts";
import { instant } from "../../../../src/core/time.ts";
import { rejectedBy, thrownBy } from "../../../support/codes.ts";

const NOW = instant(Date.UTC(2026, 5, 1));
const PREDICATE = {
  ok: true,
  count: 5,
  score: 7.5,
  none: null,
  builder: { id: "https://example.com/builder/v1" },
  names: ["alpha", "beta"],
  mixed: [1, 2.5, "x"],
  sizes: { small: 1, large: 20 },
  parts: [{ level: 3 }, { level: 9 }],
  size: "a member with the name of a function",
  constructor: "a member with the name of a property that every object has",
  finished: "2026-05-20T10:00:00+02:00",
  text: "K and a KELVIN \u212a",
} as const;

function statementOf(predicate: JsonValue): JsonObject {
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: "app", digest: { sha256: "ab".repeat(32) } }],
    predicateType: "https://example.com/predicate/v1",
    predicate,
  };
}

async function check(text: string, predicate: JsonValue = PREDICATE): Promise<ConditionResult> {
  return (await compileCondition(text, NOW)).check(statementOf(predicate));
}

describe("a condition that holds", () => {
  const HOLD = [
    "predicate.ok == true",
    "predicate.ok",
    "predicate.count == 5",
    "predicate.count == 5.0",
    "predicate.count >= 4.5 && predicate.count < 5.5",
    "predicate.score >= 7",
    "predicate.score == 7.5",
    "predicate.count + 1 == 6",
    "predicate.count in [1, 5]",
    "predicate.count in [1.5, 5.0]",
    "2.5 in predicate.mixed",
    '"alpha" in predicate.names',
    '"small" in predicate.sizes',
    'predicate["count"] == 5',
    'predicate.names[1] == "beta"',
    "predicate.sizes == {'large': 20.0, 'small': 1}",
    "predicate.names == ['alpha', 'beta']",
    "predicate.none == null",
    "has(predicate.builder.id) && !has(predicate.builder.name)",
    "predicate.parts.exists(part, part.level > 8)",
    "predicate.parts.exists_one(part, part.level > 8)",
    "predicate.parts.all(part, part.level >= 3)",
    "predicate.sizes.all(name, predicate.sizes[name] > 0)",
    "predicate.parts.filter(part, part.level > 5).map(part, part.level) == [9]",
    "size(predicate.names) == 2 && predicate.names.size() == 2",
    'predicate.builder.id.startsWith("https://example.com/")',
    'predicate.builder.id.endsWith("/v1") && predicate.builder.id.contains("builder")',
    'predicate.builder.id.matches("^https://example\\\\.com/builder/v[0-9]+$")',
    "cel.bind(n, predicate.count, n * n == 25)",
    'string(predicate.count) == "5" && int(predicate.score) == 7 && double(predicate.count) == 5.0',
    'timestamp(predicate.finished) == timestamp("2026-05-20T08:00:00Z")',
    'now - timestamp(predicate.finished) < duration("720h")',
    'duration("1h30m") == duration("90m") && duration("-1.5s") < duration("0s")',
    'timestamp(predicate.finished).getFullYear() == 2026 && duration("90m").getHours() == 1',
    'subject.exists(one, one.digest.sha256.startsWith("abab"))',
    'predicateType == "https://example.com/predicate/v1" && _type.endsWith("/Statement/v1")',
    "statement.predicate.ok && statement.subject == subject",
    "predicate.nothing || predicate.ok",
    "!(predicate.nothing && false)",
    'predicate.size.startsWith("a member") && predicate.constructor.startsWith("a member")',
    "type(predicate.count) == int",
  ];
  for (const text of HOLD) {
    it(text, async () => assert.deepEqual(await check(text), { met: true }));
  }
});

describe("a condition that does not hold", () => {
  const FALSE = [
    "predicate.ok == false",
    "predicate.count == 6",
    "predicate.count == '5'",
    "predicate.score > 7.5",
    "predicate.none != null",
    "predicate.names.all(name, name == 'alpha')",
    "has(predicate.toString)",
    "has(predicate.__proto__)",
    '"toString" in predicate',
    '"__proto__" in predicate.sizes',
    'predicate.builder.id.matches("^example")',
    "predicate.names == ['beta', 'alpha']",
    'now - timestamp(predicate.finished) < duration("24h")',
  ];
  for (const text of FALSE) {
    it(text, async () => {
      const result = await check(text);
      assert.deepEqual([result.met, result.met || result.why], [false, undefined]);
    });
  }

  const SAID: readonly (readonly [string, string])[] = [
    ["predicate.count == 6", "predicate.count is 5"],
    ["statement.predicate['count'] == 6", 'statement.predicate["count"] is 5'],
    ['predicate.builder.id.matches("^example")', 'predicate.builder.id is "https://example.com/builder/v1"'],
    ["predicate.ok == (predicate.count == 6)", "predicate.ok is true, predicate.count is 5"],
    ["predicate.count > 5 && predicate.count < 9", "predicate.count is 5"],
    ["predicate.names == ['beta']", "predicate.names is a list of 2"],
    ["predicate.parts[1].level == 3", "predicate.parts[1].level is 9"],
    ["predicate.parts.exists(part, part.level == 4)", "predicate.parts is a list of 2"],
    ["has(predicate.toString)", "predicate.toString is not there"],
    ["has(predicate.__proto__)", "predicate.__proto__ is not there"],
    ["predicate.none != null", "predicate.none is null"],
    ["predicate.builder == {}", "predicate.builder is an object"],
    ['subject[0].name == "other"', 'subject[0].name is "app"'],
    ['predicateType == "x"', 'predicateType is "https://example.com/predicate/v1"'],
  ];
  for (const [text, values] of SAID) {
    it(`${text}: what the statement says is told`, async () =>
      assert.deepEqual(await check(text), { met: false, values }));
  }

  it("tells no more than the beginning of what a statement says, and of no more than a few parts of it", async () => {
    const long = await check('predicate == "a"', "b".repeat(5000));
    assert.ok(!long.met && (long.values?.length ?? 0) < 200);
    const many = Array.from({ length: 20 }, (_, at) => `predicate.m${at} == 1`).join(" && ");
    const members = Object.fromEntries(Array.from({ length: 20 }, (_, at) => [`m${at}`, 2]));
    const told = await check(many, members);
    assert.equal(!told.met && told.values?.split(", ").length, 4);
  });

  it("names nothing where the condition names nothing of the statement", async () => {
    assert.deepEqual(await check("1 == 2"), { met: false, values: undefined });
  });

  const CANNOT: readonly (readonly [string, RegExp])[] = [
    ["predicate.nothing == 1", /no such key: nothing/],
    ["predicate.builder.nothing.deeper == 1", /no such key/],
    ["has(predicate.nothing.deeper)", /no such key: nothing/],
    ["predicate.names[2] == 'x'", /out of bounds/],
    ["predicate.names[-1] == 'x'", /out of bounds/],
    ["predicate.count", /something else than true or false/],
    ["predicate", /something else/],
    ["predicate.none", /something else/],
    ["predicate.ok && predicate.count", /bool/],
    ["predicate.count + 0.5 == 5.5", /no such overload/],
    ["predicate.count < 'x'", /no such overload/],
    ["!predicate.count", /no such overload/],
    ["predicate.parts.exists(part, part.nothing)", /no such key/],
    ["predicate.count.all(x, true)", /range of a comprehension/],
    ["predicate.count.contains('x')", /no matching overload for 'int.contains/],
    ["predicate.__proto__ == predicate", /no such key: __proto__/],
    ["predicate.hasOwnProperty", /no such key/],
    ["predicate.names.length == 2", /no such key|such key/],
    ["predicate.builder.id.matches(predicate.names[0] + '(')", /regexp/],
    ["timestamp('2026-02-30T00:00:00Z') < now", /RFC 3339/],
    ["timestamp('2026-05-20T10:00:00') < now", /RFC 3339/],
    ["timestamp('20 May 2026 10:00:00 GMT') < now", /RFC 3339/],
    ["timestamp(predicate.names[0]) < now", /RFC 3339/],
    ["duration('1 fortnight') > duration('0s')", /duration/],
    ["duration('1') > duration('0s')", /duration/],
    ["predicate.count / 0 == 1", /division by zero/],
    ["9223372036854775807 + predicate.count > 0", /overflow/],
  ];
  for (const [text, why] of CANNOT) {
    it(`${text}, which cannot be evaluated`, async () => {
      const result = await check(text);
      assert.equal(result.met, false);
      assert.match((result.met ? undefined : result.why) ?? "", why);
    });
  }

  it("is not met by a statement whose member is another type than the condition expects", async () => {
    for (const predicate of [{ ok: "true" }, { ok: 1 }, { ok: [true] }, { ok: { ok: true } }, {}, [], null, "ok"]) {
      assert.equal((await check("predicate.ok == true", predicate)).met, false, JSON.stringify(predicate));
      assert.equal((await check("predicate.ok", predicate)).met, false, JSON.stringify(predicate));
    }
  });

  it("compares letters as ASCII only: a Kelvin sign is no k", async () => {
    assert.deepEqual(await check('predicate.text.lowerAscii() == "k and a kelvin \u212a"'), { met: true });
    assert.equal((await check('predicate.text.lowerAscii().endsWith("k")')).met, false);
    assert.deepEqual(await check('predicate.names[0].upperAscii() == "ALPHA"'), { met: true });
  });

  it("answers the same on every statement anew, whatever the one before was", async () => {
    const condition = await compileCondition("predicate.parts.all(part, part.level > 1)");
    const answers = [{ parts: [{ level: 2 }] }, {}, { parts: [{ level: 1 }] }, { parts: [] }].map(
      (predicate) => condition.check(statementOf(predicate)).met,
    );
    assert.deepEqual(answers, [true, false, false, true]);
  });
});

describe("what is no condition", () => {
  const REFUSED: readonly (readonly [string, RegExp])[] = [
    ["", /empty/],
    ["  ", /empty/],
    ["predicate.", /at character 11/],
    ["predicate.ok = true", /at character 14/],
    ["predicate.ok == true)", /at character 21/],
    ["predicate.ok &&", /at character/],
    ["'unterminated", /nterminated/],
    ["unknown == 1", /unknown variable: unknown, at character 1/],
    ["process.exit(1)", /^exit/],
    ["this.constructor", /unknown variable/],
    ["__proto__ == 1", /__proto__/],
    ["predicate.ok ? 1 : 2", /type int/],
    ["'PASSED'", /type string/],
    ["[predicate.ok]", /list/],
    ["1 + 'x' == 2", /no such overload/],
    ["'a'.contains(1)", /contains\(int\)', at character 1/],
    ["predicate.fetch('https://example.com')", /^fetch/],
    ["b'{}'.json() == {}", /^json/],
    ["predicate.json()", /^json/],
    ["timestamp('2026-01-01T00:00:00Z').getHours('Europe/Berlin') == 1", /^getHours/],
    ["timestamp('2026-01-01T00:00:00Z').getDayOfYear() == 1", /^getDayOfYear/],
    ["predicate.names.join('') == 'x'", /^join/],
    ["'x'.bounded_contains('x')", /^bounded_contains/],
    ["optional.of(1).hasValue()", /^(?:of|hasValue)/],
    ["predicate.names.all(1, true)", /all/],
    ["predicate.builder.id.matches('(')", /regexp/],
    ["predicate.builder.id.matches('a(?=b)')", /regexp/],
    ["predicate.builder.id.matches('(a)\\\\1')", /regexp/],
    ["!".repeat(4000), /./],
    [`${"(".repeat(2000)}true${")".repeat(2000)}`, /maxDepth|nested/],
    [`${"[".repeat(2000)}1${"]".repeat(2000)} == []`, /maxDepth|nested/],
    [`predicate.a == '${"x".repeat(LIMITS.conditionCharacters)}'`, /longer than 4096/],
  ];
  for (const [text, found] of REFUSED) {
    it(`${text.slice(0, 60)} is a usage error`, async () => {
      const error = await rejectedBy(() => compileCondition(text, NOW), "usage");
      assert.match(error.found ?? "", found);
    });
  }

  it("has no time to compare with unless one is given", async () => {
    await rejectedBy(() => compileCondition("timestamp(predicate.finished) < now"), "usage");
  });
});

describe("the work of a condition", () => {
  const many = (count: number): number[] => Array<number>(count).fill(1);
  const text = (count: number): string => "a".repeat(count);

  it("allows what long lists of components take", async () => {
    const predicate = { components: Array.from({ length: 20_000 }, (_, at) => ({ name: `c${at}`, tags: ["x", "y"] })) };
    const condition = 'predicate.components.all(c, c.name.startsWith("c") && c.tags.exists(t, t == "y"))';
    assert.deepEqual(await check(condition, predicate), { met: true });
  });

  const TOO_MUCH: readonly (readonly [string, string, JsonValue])[] = [
    ["three loops in each other", "predicate.all(a, predicate.all(b, predicate.all(c, a == c)))", many(5000)],
    ["loops whose steps all fail", "predicate.exists(a, predicate.exists(b, b.x == 1))", many(3000)],
    ["one in || with something true", "predicate.exists(a, predicate.exists(b, b == 2)) || true", many(5000)],
    ["one in && with something false", "!(predicate.exists(a, predicate.exists(b, b == 2)) && false)", many(5000)],
    ["one in the condition of a ternary", "predicate.all(a, predicate.all(b, b == 1)) ? true : true", many(5000)],
    ["a list compared in a loop", "predicate.a.all(x, predicate.a == predicate.b)", { a: many(5000), b: many(5000) }],
    ["membership in a loop", "predicate.all(x, !(2 in predicate))", many(5000)],
    ["lists joined in a loop", "predicate.map(x, predicate + predicate).size() > 0", many(5000)],
    ["lists made of lists", "predicate.map(x, predicate.map(y, y)).size() > 0", many(5000)],
    [
      "a long text searched in a loop",
      "predicate.l.all(x, !predicate.t.contains('b'))",
      { l: many(5000), t: text(1e6) },
    ],
    ["a search that is quadratic", "predicate.t.contains(predicate.p)", { t: text(1_000_000), p: `b${text(500_000)}` }],
    ["a text doubled again and again", `${"(".repeat(30)}predicate${"+predicate)".repeat(30)}.size() > 0`, text(1e6)],
    ["a text changed in a loop", "predicate.l.all(x, predicate.t.lowerAscii() != 'x')", { l: many(500), t: text(1e5) }],
    [
      "a pattern that is large in a loop",
      "predicate.l.all(x, !predicate.t.matches('(a?){900}ab'))",
      { l: many(500), t: text(60_000) },
    ],
    [
      "a pattern from the statement",
      "predicate.all(p, !'x'.matches(p))",
      many(400).map((_, at) => `${at}(?:b{1000})(?:c{1000})`),
    ],
  ];
  for (const [name, condition, predicate] of TOO_MUCH) {
    it(`is bounded for ${name}`, async () => {
      const compiled = await compileCondition(condition);
      thrownBy(() => compiled.check(statementOf(predicate)), "limit-reached");
    });
  }

  it("is bounded for a text that a pattern is held against", async () => {
    const result = await check("predicate.matches('b')", text(LIMITS.matchedCharacters + 1));
    assert.match((result.met ? undefined : result.why) ?? "", /too long/);
    assert.deepEqual(await check("predicate.matches('a')", text(LIMITS.matchedCharacters)), { met: true });
  });

  it("is bounded for times: their texts are short", async () => {
    for (const function_ of ["timestamp", "duration"]) {
      assert.equal((await check(`${function_}(predicate) == ${function_}(predicate)`, "1".repeat(1e6))).met, false);
    }
  });

  it("is bounded every time", async () => {
    const condition = await compileCondition("predicate.all(a, predicate.all(b, a == b)) || true");
    for (let round = 0; round < 3; round++) {
      thrownBy(() => condition.check(statementOf(many(5000))), "limit-reached");
      assert.equal(condition.check(statementOf(many(10))).met, true);
    }
  });

  it("counts anew for every statement", async () => {
    const condition = await compileCondition("predicate.all(a, a == 1)");
    for (let round = 0; round < 8; round++) assert.equal(condition.check(statementOf(many(100_000))).met, true);
  });
});
