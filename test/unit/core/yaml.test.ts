import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CountersignError } from "../../../src/core/errors.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { oneOf, readYaml, YamlError, type YamlValue } from "../../../src/core/yaml.ts";
import { readTree } from "../../../src/core/yaml-tree.ts";
import { readUsual } from "../../../src/core/yaml-usual.ts";
import { processorTime } from "../../support/processor-time.ts";

const ABOUT = { code: "policy-invalid", what: "the policy" } as const;

function read(text: string | Uint8Array, maxBytes: number = LIMITS.policyBytes): YamlValue {
  return readYaml(typeof text === "string" ? Buffer.from(text) : text, { label: "p.yaml", maxBytes, about: ABOUT });
}

function errorOf(work: () => unknown): YamlError {
  try {
    work();
  } catch (error) {
    if (error instanceof YamlError) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: "nothing was thrown" });
}

/** Ten levels of ten aliases each: ten thousand million texts where they are followed. */
const BOMB = `a0: &a0 [x]\n${Array.from({ length: 10 }, (_, at) => `a${at + 1}: &a${at + 1} [${`*a${at}, `.repeat(10)}]\n`).join("")}`;

const REFUSED: readonly (readonly [what: string, text: string, found: string])[] = [
  ["an anchor", "a: 1\nb: &x 2\n", "p.yaml:2:7: an anchor"],
  ["an alias", "a: 1\nb: *x\n", "p.yaml:2:4: an alias"],
  ["a bomb of aliases", BOMB, "p.yaml:1:9: an anchor"],
  ["a tag", "a: !!binary eA==\n", "p.yaml:1:13: the tag tag:yaml.org,2002:binary"],
  ["a tag of one's own", "a: !x y\n", "p.yaml:1:4: Unresolved tag"],
  ["a key that is there twice", "a: 1\nb: 2\na: 3\n", "p.yaml:3:1: a a second time"],
  ["a key that is there twice in brackets", "x: {a: 1, b: 2, 'a': 3}\n", "p.yaml:1:17: a a second time"],
  ["a tab for spaces", "a:\n\tb: 1\n", "p.yaml:2:1: "],
  ["a second document", "a: 1\n---\nb: 1\n", "p.yaml:2:1: several documents"],
  ["brackets that stay open", "a: [1,\n", "p.yaml:2:1: "],
  ["brackets without end", "a: ".concat("[".repeat(100_000)), "p.yaml:1:"],
  ["lists without end", "- ".repeat(20_000), "p.yaml:1:"],
  ["more levels than are read", "[".repeat(65) + "]".repeat(65), "p.yaml:1:65: something nested without end"],
  ["a byte order mark", "\u{feff}a: 1\n", "p.yaml:1:1: a byte order mark"],
  ["a quote that stays open", 'a: 1\n"b: 2\n', "p.yaml:2:1: "],
  ["a mapping as a key", "? {a: 1}\n: 2\n", "p.yaml:1:3: a mapping"],
];

describe("YAML that is not read", () => {
  for (const [what, text, found] of REFUSED) {
    it(`says where: ${what}`, () => {
      const error = errorOf(() => read(text).entries());
      assert.ok(error.found?.startsWith(found) === true, error.found ?? "");
      assert.equal(error.code, "policy-invalid");
      assert.equal(error.message, "the policy cannot be used");
      assert.ok(error.at !== undefined && error.at.line >= 1 && error.at.column >= 1);
    });
  }

  it("is text that is not UTF-8, as a whole", () => {
    const error = errorOf(() => read(Uint8Array.of(0x61, 0x3a, 0x20, 0xff)));
    assert.match(error.found ?? "", /^p\.yaml: bytes that are not UTF-8/);
    assert.equal(error.at, undefined);
  });

  it("is one byte more than is allowed; as much as is allowed is read", () => {
    assert.equal(read("a: 12\n", 6).entries().length, 1);
    assert.match(errorOf(() => read("a: 123\n", 6)).found ?? "", /7 bytes/);
  });

  it("is the configuration, where nothing else is said", () => {
    const thrown = errorOf(() => readYaml(Buffer.from("a: &b 1\n"), { label: "c", maxBytes: 100 }).entries());
    assert.ok(thrown instanceof CountersignError);
    assert.equal(thrown.code, "configuration-invalid");
  });

  it("takes a second or two at most, however it is made: a mebibyte of what the parser likes least", () => {
    const started = processorTime();
    for (const piece of ["[", "}", "k: ]\n", "- ", "\ta: 1\n", ","]) {
      const text = piece.repeat(Math.floor(2 ** 16 / piece.length));
      assert.throws(() => read(text).entries(), YamlError);
    }
    assert.ok(processorTime() - started < 10_000);
  });

  it("is found fast among many keys: a search for pairs would take minutes", () => {
    const keys = Array.from({ length: 60_000 }, (_, at) => `k${at}: 1\n`).join("");
    assert.match(errorOf(() => read(`${keys}k7: 2\n`)).found ?? "", /k7 a second time/);
  });
});

describe("values", () => {
  const value = read(
    "text: x\nnumber: 3\nyes: true\nnothing:\nlist: [1, 2]\nempty: []\nmap: {a: 1}\nday: 2027-01-31\ntime: 2027-01-31T12:00:00+01:00\n",
  );
  const member = (name: string): YamlValue => value.entries().find(([one]) => one === name)?.[1] ?? value;

  it("are what they are, with their places", () => {
    assert.equal(member("text").text("a text"), "x");
    assert.equal(member("number").count("a number"), 3);
    assert.equal(member("yes").truth(), true);
    assert.deepEqual(member("nothing").entries(), []);
    assert.equal(member("list").items("a list").length, 2);
    assert.equal(member("text").oneOrMore("texts").length, 1);
    assert.equal(member("day").instant(), Date.UTC(2027, 0, 31));
    assert.equal(member("time").instant(), Date.UTC(2027, 0, 31, 11));
    assert.deepEqual(member("number").place, { label: "p.yaml", line: 2, column: 9 });
    assert.deepEqual(member("nothing").place, { label: "p.yaml", line: 4, column: 1 });
  });

  const refused: readonly (readonly [string, () => unknown])[] = [
    ["a number for a text", () => member("number").text("a text")],
    ["nothing for a text", () => member("nothing").text("a text")],
    ["a text for a number", () => member("text").count("a number")],
    ["a text for a yes", () => member("text").truth()],
    ["a number for a yes", () => member("number").truth()],
    ["a text for a list", () => member("text").items("a list")],
    ["an empty list for one or more", () => member("empty").oneOrMore("one")],
    ["a list for a mapping", () => member("list").entries()],
    ["a text for a time", () => member("text").instant()],
    ["an unknown field", () => member("map").fields(["b"])],
  ];
  for (const [what, work] of refused) {
    it(`are not ${what}`, () => {
      assert.match(errorOf(work).found ?? "", /^p\.yaml:\d+:\d+: /);
    });
  }

  it("are no days that never were, and no times without a zone", () => {
    for (const text of [
      "2027-02-30",
      "2027-13-01",
      "2027-01-31T12:00:00",
      "2027-1-31",
      "31.1.2027",
      "'2027'",
      "2027",
    ]) {
      assert.throws(() => read(`a: ${text}\n`).entries()[0]?.[1].instant(), YamlError, text);
    }
  });

  it("of merges and of __proto__ are members like others, and change no object", () => {
    const odd = read("<<: {a: 1}\n__proto__: {polluted: true}\nconstructor: 1\n");
    assert.deepEqual(
      odd.entries().map(([name]) => name),
      ["<<", "__proto__", "constructor"],
    );
    assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
    assert.match(errorOf(() => odd.fields(["a"])).found ?? "", /the unknown field <</);
  });
});

describe("an unknown name", () => {
  it("is answered with the one that was probably meant", () => {
    assert.match(oneOf("signatur", ["signature", "attestation"]), /^signature \(known: /);
    assert.match(oneOf("Key", ["key", "keys"]), /^key /);
    assert.equal(oneOf("x", ["signature", "attestation"]), "signature, attestation");
    assert.equal(oneOf("alice", ["bob", "carol"]), "bob, carol");
  });

  it("is not answered with thousands of names", () => {
    const names = Array.from({ length: 1000 }, (_, at) => `name-${at}`);
    assert.ok(oneOf("other", names).length < 400);
  });
});

describe("the quick reader", () => {
  it("takes on what settings are usually written in, as the library reads it", () => {
    assert.notEqual(readUsual("a: [x, {b: 'it''s'}]\nc:\n- d: 1\n  e: |\n    f\n"), undefined);
  });

  it("leaves to the library what it is not sure of", () => {
    const left = [
      "a: x\n  y\n",
      "? a\n: b\n",
      "a: 0x1f\n",
      "a: >\n  x\n\n  y\n",
      'a: "\\x41"\n',
      "a: b: c\n",
      "a: 1\r\n",
      "- {x: ~\n#\n  }\n",
      "a: 1",
    ];
    for (const text of left) {
      assert.equal(readUsual(text), undefined, text);
    }
    assert.deepEqual(readTree("a: x\n  y\n"), readTree("a: x y\n"));
  });
});
