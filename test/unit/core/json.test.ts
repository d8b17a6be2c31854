import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../src/core/bytes.ts";
import {
  describeJson,
  type JsonObject,
  type JsonOptions,
  type JsonValue,
  kindOf,
  parseJson,
  parseJsonObject,
  refuseCaseVariants,
} from "../../../src/core/json.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { thrownBy } from "../../support/codes.ts";
import { processorTime } from "../../support/processor-time.ts";

const OPTIONS: JsonOptions = { what: "the document", code: "manifest-invalid", maxBytes: LIMITS.manifestBytes };
const parse = (text: string, options = OPTIONS) => parseJson(encodeUtf8(text), options);
const foundIn = (text: string) => thrownBy(() => parse(text), "manifest-invalid").found ?? "";

describe("strict JSON accepts RFC 8259", () => {
  const texts = [
    "null",
    " true ",
    "false\n",
    "0",
    "-0",
    "-1.5e+3",
    "1E2",
    "0.1",
    "9007199254740991",
    '""',
    '"a\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9b"',
    '"\\ud83d\\ude00"',
    '"\u{1f600} \u2028 \u007f"',
    "[]",
    "[ ]",
    "[1,[2,[3]]]",
    "{}",
    "{ \t\r\n}",
    '{"a":{"b":[null,{"c":""}]},"":0}',
    '{"constructor":1,"toString":2,"hasOwnProperty":3}',
    '{"a":1,"A":2}',
    '{"2":1,"1":2,"01":3}',
  ];
  for (const text of texts) {
    it(JSON.stringify(text), () => assert.deepEqual(parse(text), JSON.parse(text)));
  }
});

describe("strict JSON refuses what is not RFC 8259", () => {
  const texts = [
    "",
    " ",
    "nul",
    "nulll",
    "True",
    "undefined",
    "NaN",
    "Infinity",
    "-Infinity",
    "+1",
    "01",
    "-01",
    "1.",
    ".5",
    "1e",
    "0x10",
    "1_000",
    "--1",
    "-",
    "'a'",
    '"',
    '"a',
    '"\\',
    '"\\"',
    '["a\\',
    '{"a":"\\',
    '"\\x41"',
    '"\\u12g4"',
    '"\\u12"',
    '"\t"',
    '"a\nb"',
    '"\\u0041\u0000"',
    "[",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[1 2]",
    "]",
    "{",
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,',
    '{"a":1,}',
    '{"a" 1}',
    '{"a":1 "b":2}',
    "{a:1}",
    "{1:1}",
    "{,}",
    "}",
    "[}",
    "1 2",
    "{}{}",
    "null,",
    "/* a */ 1",
    "1 // a",
    "\u00a01",
    "\u000b1",
    "\f1",
    "1\u0000",
  ];
  for (const text of texts) {
    it(JSON.stringify(text), () => {
      assert.throws(() => JSON.parse(text), SyntaxError);
      thrownBy(() => parse(text), "manifest-invalid");
    });
  }
});

describe("strict JSON refuses what tools read differently (RFC 7493)", () => {
  it("duplicate member names", () => assert.match(foundIn('{"a":1,"b":2,"a":3}'), /duplicate member "a"/));
  it("duplicates that are written with an escape", () => assert.match(foundIn('{"a":1,"\\u0061":2}'), /duplicate/));
  it("duplicates of an array index", () => assert.match(foundIn('{"7":1,"7":2}'), /duplicate member "7"/));
  it("duplicates deep inside", () => assert.match(foundIn('[{"x":[{"a":1,"a":1}]}]'), /duplicate member "a"/));
  it("duplicates of an empty name", () => assert.match(foundIn('{"":1,"":2}'), /duplicate member ""/));
  it("the member __proto__", () => assert.match(foundIn('{"__proto__":{"a":1}}'), /__proto__/));
  it("the member __proto__ written with an escape", () => assert.match(foundIn('{"__pro\\u0074o__":1}'), /__proto__/));
  for (const half of ["\\ud83d", "\\ude00", "\\ude00\\ud83d", "\\ud83d\\ud83d", "a\\udfffb"]) {
    it(`half of a surrogate pair ${half}`, () => {
      assert.match(foundIn(`["${half}"]`), /surrogate/);
      assert.match(foundIn(`{"${half}":1}`), /surrogate/);
    });
  }
  for (const number of ["9007199254740992", "-9007199254740992", "1e400", "-1e400", "1e20", "9".repeat(400)]) {
    it(`the number ${number.slice(0, 20)}`, () => assert.match(foundIn(number), /number is out of range/));
  }
});

describe("what is to be seen in no editor is said", () => {
  it("an empty text", () => assert.match(foundIn(""), /^nothing, at character 0/));
  it("white space", () => assert.match(foundIn(" \n"), /^nothing/));
  it("a byte order mark", () => assert.match(foundIn("\ufeff{}"), /^a byte order mark, at character 0/));
  it("other text is still none", () => assert.match(foundIn("hello"), /^not a JSON value/));
});

describe("strict JSON is UTF-8 without a byte order mark (RFC 8259 §8.1)", () => {
  const broken: readonly (readonly [string, readonly number[]])[] = [
    ["a byte order mark", [0xef, 0xbb, 0xbf, 0x31]],
    ["UTF-16", [0xff, 0xfe, 0x31, 0x00]],
    ["a lone continuation byte", [0x22, 0x80, 0x22]],
    ["an overlong form", [0x22, 0xc0, 0xaf, 0x22]],
    ["an encoded surrogate", [0x22, 0xed, 0xa0, 0xbd, 0x22]],
    ["a sequence cut short", [0x22, 0xe2, 0x82]],
  ];
  for (const [what, bytes] of broken) {
    it(`refuses ${what}`, () => {
      thrownBy(() => parseJson(new Uint8Array(bytes), OPTIONS), "manifest-invalid");
    });
  }
  it("and reads on after a refusal", () => {
    thrownBy(() => parseJson(new Uint8Array([0xe2, 0x82]), OPTIONS), "manifest-invalid");
    assert.equal(parse('"a"'), "a");
  });
});

describe("strict JSON is bounded", () => {
  it("takes maxBytes and not one byte more, whatever the bytes are", () => {
    const options = { ...OPTIONS, maxBytes: 10 };
    assert.equal(parseJson(encodeUtf8('"12345678"'), options), "12345678");
    const error = thrownBy(() => parseJson(new Uint8Array(11).fill(0xff), options), "limit-reached");
    assert.deepEqual([error.found, error.wanted], ["11 bytes", "at most 10 bytes"]);
  });

  const nested = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;
  it(`takes ${LIMITS.jsonDepth} levels and not one more`, () => {
    assert.deepEqual(parse(nested(LIMITS.jsonDepth)), JSON.parse(nested(LIMITS.jsonDepth)));
    thrownBy(() => parse(nested(LIMITS.jsonDepth + 1)), "limit-reached");
  });

  it("counts objects and arrays alike, and not the values in them", () => {
    const options = { ...OPTIONS, maxDepth: 2 };
    assert.deepEqual(parse('{"a":[1,"b",null]}', options), { a: [1, "b", null] });
    thrownBy(() => parse('{"a":[{}]}', options), "limit-reached");
  });

  const MIB = 1024 * 1024;
  const large: readonly (readonly [string, string])[] = [
    ["many small members", `{${Array.from({ length: 300_000 }, (_, at) => `"k${at}":1`).join(",")}}`],
    ["many empty objects", `[${"{},".repeat(1.3 * MIB)}{}]`],
    [
      "many array indices backwards",
      `{${Array.from({ length: 300_000 }, (_, at) => `"${300_000 - at}":1`).join(",")}}`,
    ],
    [
      "many scattered array indices",
      `{${Array.from({ length: 200_000 }, (_, at) => `"${(at * 9973) % (2 ** 32 - 2)}":1`).join(",")}}`,
    ],
    ["one long string", `"${"a".repeat(4 * MIB - 2)}"`],
    ["one long string of escapes", `"${"\\n".repeat(2 * MIB - 1)}"`],
    ["white space alone between two values", `[1,${" ".repeat(4 * MIB - 5)}2]`],
  ];
  for (const [what, text] of large) {
    it(`reads 4 MiB of ${what} in time that grows with its length alone`, () => {
      const start = processorTime();
      parse(text);
      assert.ok(processorTime() - start < 5_000, `${processorTime() - start} ms`);
    });
  }

  const hostile: readonly (readonly [string, string])[] = [
    ["opening brackets", "[".repeat(4 * MIB)],
    ["opening braces", '{"":'.repeat(MIB)],
    ["digits", "1".repeat(4 * MIB)],
    ["a string without an end", `"${"a".repeat(4 * MIB - 1)}`],
    ["backslashes", `"${"\\".repeat(4 * MIB - 1)}`],
    ["a number without an end", `[0.${"1".repeat(4 * MIB - 4)}x`],
    ["white space", " ".repeat(4 * MIB)],
    ["minus signs", "-".repeat(4 * MIB)],
  ];
  for (const [what, text] of hostile) {
    it(`refuses 4 MiB of ${what} at once, without exhausting the stack`, () => {
      const start = processorTime();
      assert.throws(() => parse(text), { name: "CountersignError" });
      assert.ok(processorTime() - start < 5_000, `${processorTime() - start} ms`);
    });
  }

  it("repeats a member's name in the error, but not four megabytes of it", () => {
    const name = "n".repeat(MIB);
    assert.ok(foundIn(`{"${name}":1,"${name}":1}`).length < 2 * LIMITS.messageCharacters);
  });
});

describe("parseJsonObject", () => {
  for (const [text, kind] of [
    ["[]", "an array"],
    ["null", "null"],
    ['"a"', "a string"],
    ["1", "a number"],
  ] as const) {
    it(`refuses ${text} and says what it is`, () => {
      const error = thrownBy(() => parseJsonObject(encodeUtf8(text), OPTIONS), "manifest-invalid");
      assert.equal(error.found, kind);
    });
  }
  it("takes an object", () => assert.deepEqual(parseJsonObject(encodeUtf8('{"a":1}'), OPTIONS), { a: 1 }));
});

describe("members that Go reads as a known one", () => {
  const known = new Set(["layers", "mediaType", "size"]);
  for (const name of ["Layers", "LAYERS", "mediatype", "MediaType", "layerſ", "ſize", "SiZe"]) {
    it(`refuses ${name}`, () => {
      const json: JsonObject = { [name]: 1 };
      const error = thrownBy(() => refuseCaseVariants(json, known, OPTIONS), "manifest-invalid");
      assert.equal(error.found, name);
      assert.ok(known.has(error.wanted ?? ""));
    });
  }
  it("folds the Kelvin sign as Go does", () => {
    thrownBy(() => refuseCaseVariants({ "\u212aey": 1 }, new Set(["key"]), OPTIONS), "manifest-invalid");
  });
  it("lets the known and the unrelated pass", () => {
    refuseCaseVariants({ layers: 1, mediaType: 2, other: 3, Other: 4, lay: 5 }, known, OPTIONS);
  });
});

describe("a value in words", () => {
  const values: readonly (readonly [JsonValue | undefined, string, string])[] = [
    [undefined, "nothing", "nothing"],
    [null, "null", "null"],
    [[], "an array", "an array"],
    [{ toString: 1 }, "an object", "an object"],
    ["a\n", "a string", '"a\\n"'],
    [17, "a number", "17"],
    [false, "a boolean", "false"],
  ];
  for (const [value, kind, description] of values) {
    it(description, () => assert.deepEqual([kindOf(value), describeJson(value)], [kind, description]));
  }
});
