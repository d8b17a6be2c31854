import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { Composed, ComposedTooLong } from "../../../../src/core/sources/composed.ts";
import { interpolate, VariableProblem } from "../../../../src/core/sources/variables.ts";

function expand(text: string): Composed {
  return interpolate(Composed.verbatim(text, 0));
}

/** Where a digest would go, marked in the text. */
function marked(text: string): string {
  const composed = expand(text);
  const span = composed.locate(composed.text.length - 1, composed.text.length);
  return span === undefined ? composed.fixed : `${text.slice(0, span.end)}|${text.slice(span.end)}`;
}

describe("variables of Compose that cannot be told", () => {
  const refused: readonly (readonly [text: string, says: RegExp])[] = [
    ["$TAG", /variable TAG has no value/],
    [`\${TAG}`, /variable TAG has no value/],
    [`a:\${TAG:?set it}`, /variable TAG has no value/],
    [`a:\${TAG?}`, /variable TAG has no value/],
    [`a:\${A:-\${B}}`, /variable B has no value/],
    [`a:\${TAG`, /not written as one/],
    [`a:\${TAG:-b`, /not written as one/],
    [`a:\${}`, /not written as one/],
    [`a:\${1}`, /not written as one/],
    [`a:\${:-b}`, /not written as one/],
    [`a:\${A B}`, /not written as one/],
    [`a:\${A:b}`, /not written as one/],
    [`a:\${A#b}`, /not written as one/],
    [`a:\${A`, /not written as one/],
    [`a:\${`, /not written as one/],
  ];
  for (const [text, says] of refused) {
    it(`says why ${text} says no image`, () => {
      assert.throws(
        () => expand(text),
        (thrown) => thrown instanceof VariableProblem && says.test(thrown.message),
      );
    });
  }

  it("follows defaults inside each other only so far", () => {
    const nested = (depth: number): string => `${`\${A:-`.repeat(depth)}x${"}".repeat(depth)}`;
    assert.equal(expand(nested(LIMITS.variableDepth)).text, "x");
    assert.throws(() => expand(nested(LIMITS.variableDepth + 2)), VariableProblem);
  });

  it("puts in only so many variables", () => {
    assert.equal(expand(`\${A:-x}`.repeat(LIMITS.variableUses)).text.length, LIMITS.variableUses);
    assert.throws(() => expand(`\${A:-x}`.repeat(LIMITS.variableUses + 1)), ComposedTooLong);
  });

  it("makes no text that is longer than any reference", () => {
    assert.throws(() => expand(`\${A:-x}`.padEnd(LIMITS.expandedCharacters + 10, "y")), ComposedTooLong);
  });
});

describe("variables of Compose", () => {
  const cases: readonly (readonly [text: string, value: string])[] = [
    ["nginx", "nginx"],
    ["", ""],
    [`a:\${TAG:-1}`, "a:1"],
    [`a:\${TAG-1}`, "a:1"],
    [`a:\${TAG:-}`, "a:"],
    [`a:\${TAG:+1}`, "a:"],
    [`a:\${TAG+1}`, "a:"],
    [`\${A:-x\${B:-y}z}`, "xyz"],
    ["$$A", "$A"],
    [`$\${A:-b}`, `\${A:-b}`],
    ["a$", "a$"],
    ["$1", "$1"],
    [`\${A:-:-?+b}`, ":-?+b"],
    [`\${A:-{x}}`, "{x}"],
  ];
  for (const [text, value] of cases) {
    it(`reads ${JSON.stringify(text)} as ${JSON.stringify(value)}`, () => assert.equal(expand(text).text, value));
  }

  const places: readonly (readonly [text: string, place: string])[] = [
    [`a:\${TAG:-1}`, `a:\${TAG:-1|}`],
    [`\${IMAGE:-a:\${TAG:-1}}`, `\${IMAGE:-a:\${TAG:-1|}}`],
    [`\${IMAGE:-a:1}`, `\${IMAGE:-a:1|}`],
    ["a:1", "a:1|"],
    [`\${IMAGE:-a:\${TAG:-1}-b}`, "the digest would stay when TAG is set to something else"],
    [`\${REGISTRY:-r.example}/a:1`, "the digest would stay when REGISTRY is set to something else"],
    [`a:1\${SUFFIX:-}`, "the digest would stay when SUFFIX is set to something else"],
    [`\${SUFFIX:+x}a:1`, "the digest would stay when SUFFIX is set to something else"],
    [`\${A:-a}:\${B:-1}`, "the digest would stay when A is set to something else"],
  ];
  for (const [text, place] of places) {
    it(`would put the digest of ${text} where whoever sets a variable takes it away`, () => {
      assert.equal(marked(text), place);
    });
  }

  it("finds a part that two variables make together nowhere", () => {
    assert.equal(expand(`\${A:-ab}\${B:-cd}`).locate(1, 3), undefined);
    assert.deepEqual(expand(`\${A:-abcd}`).locate(1, 3), { start: 6, end: 8 });
  });
});

describe("a text that is put together", () => {
  it("knows where each line stands that stands as it is, and each character of one that does not", () => {
    const file = "xx ab\n  cd\\x65f";
    const places = new Map([..."abcd"].map((character) => [character, file.indexOf(character)]));
    const value = "ab\ncdef";
    const composed = Composed.located(value, (from, to) => {
      const at = places.get(value.charAt(from));
      return at === undefined || !file.startsWith(value.slice(from, to), at)
        ? undefined
        : { start: at, end: at + to - from };
    });
    assert.equal(composed.text, value);
    assert.deepEqual(composed.locate(0, 2), { start: 3, end: 5 });
    assert.deepEqual(composed.locate(3, 5), { start: 8, end: 10 });
    assert.equal(composed.locate(2, 3), undefined);
    assert.equal(composed.locate(4, 6), undefined);
    assert.equal(composed.start, 3);
  });

  it("looks for the characters of a line one by one only where it is short", () => {
    let asked = 0;
    const locate = (from: number, to: number) => {
      asked += 1;
      return to - from > 1 ? undefined : { start: from, end: to };
    };
    assert.deepEqual(Composed.located("a".repeat(LIMITS.locatedCharacters), locate).locate(0, 5), { start: 0, end: 5 });
    asked = 0;
    assert.equal(Composed.located("a".repeat(LIMITS.locatedCharacters + 1), locate).locate(0, 1), undefined);
    assert.ok(asked < 10);
  });
});
