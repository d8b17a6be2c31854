import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatAnnotations, goString, readAnnotations } from "../../../../src/core/formats/annotations.ts";
import { thrownBy } from "../../../support/codes.ts";

describe("strings as Go writes them (encoding/json)", () => {
  it("escapes what HTML and JavaScript would read, in lower-case hexadecimal", () => {
    assert.equal(goString("<a&b>\u2028\u2029"), String.raw`"\u003ca\u0026b\u003e\u2028\u2029"`);
  });

  it("uses the short escapes where Go does, and leaves other characters as they are", () => {
    assert.equal(goString('\b\f\n\r\t\u0001"\\/\u007fä😀'), `${String.raw`"\b\f\n\r\t\u0001\"\\/`}\u007fä😀"`);
  });
});

describe("writing annotations", () => {
  it("sorts names by their UTF-8 bytes, integers and astral characters included", () => {
    const annotations = { b: "1", "10": "2", "-": "3", "😀": "4", "\uffee": "5", "9": "6" };
    assert.equal(formatAnnotations(annotations), '{"-":"3","10":"2","9":"6","b":"1","\uffee":"5","😀":"4"}');
  });

  it("writes an empty object for none", () => assert.equal(formatAnnotations({}), "{}"));

  const bad: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
    ["a name that JavaScript inherits from", Object.fromEntries([["__proto__", "x"]])],
    ["a name with half of a surrogate pair", { "\ud800": "x" }],
    ["a value with half of a surrogate pair", { a: "\udc00" }],
  ];
  for (const [what, annotations] of bad) {
    it(`refuses ${what}: no strict reader would take it`, () => {
      thrownBy(() => formatAnnotations(annotations), "usage");
    });
  }
});

describe("reading annotations", () => {
  it("takes the strings and leaves what other tools put beside them", () => {
    assert.deepEqual(readAnnotations({ a: "1", b: 2, c: null, d: ["x"], e: { f: "g" }, h: true, i: "" }), {
      a: "1",
      i: "",
    });
  });

  for (const value of [undefined, null, "a=b", 1, ["a"]]) {
    it(`finds none in ${JSON.stringify(value)}`, () => assert.deepEqual(readAnnotations(value), {}));
  }
});
