import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { placeName } from "../../../../src/core/sources/mention.ts";
import { readYamlText, type SourceNode } from "../../../../src/core/sources/yaml-text.ts";

function read(text: string) {
  return readYamlText({ label: "a.yaml", text });
}

type Plain = string | undefined | readonly Plain[] | { readonly [name: string]: Plain };

function plain(node: SourceNode): Plain {
  if (node.kind === "list") return node.items().map(plain);
  if (node.kind === "scalar") return node.text();
  return Object.fromEntries(node.entries().map(({ name, value }) => [name, plain(value)]));
}

function valuesOf(text: string): readonly Plain[] {
  const { documents, problems } = read(text);
  assert.deepEqual(problems, []);
  return documents.map(plain);
}

/** Where each problem is, and what was found there. */
function wrongIn(text: string): readonly string[] {
  return read(text).problems.map(
    ({ place, finding }) => `${placeName(place)} ${finding.found ?? finding.wanted ?? ""}`,
  );
}

function only(text: string): SourceNode {
  const [document, ...others] = read(text).documents;
  assert.ok(document !== undefined && others.length === 0);
  return document;
}

describe("documents of a file", () => {
  const files: readonly (readonly [title: string, text: string, values: readonly Plain[]])[] = [
    ["are told apart by ---", "a: 1\n---\nb: 2\n", [{ a: "1" }, { b: "2" }]],
    ["may end with ...", "a: 1\n...\n# nothing\n...\n---\nb: 2\n...\n", [{ a: "1" }, { b: "2" }]],
    ["may begin behind the marker", "--- a\n--- {b: c}\n---\td\n", ["a", { b: "c" }, "d"]],
    ["that say nothing are none", "# a\n---\n---\n~\n---\n   \n---\n# b", []],
    [
      "keep their directives",
      "%YAML 1.1\n---\na: b\n...\n%TAG ! tag:a,2000:\n# c\n---\nc: !d e\n",
      [{ a: "b" }, { c: "e" }],
    ],
    ["are no documents inside a text", "a: |\n  ---\n  b\n", [{ a: "---\nb\n" }]],
    ["have lines that end in any way", "a: b\r\nc:\r\n- d\r\n---\r\ne: f", [{ a: "b", c: ["d"] }, { e: "f" }]],
    [
      "may be joined with their byte order marks",
      "\u{feff}a: b\n\u{feff}---\nc: d\n---\n\u{feff}e: f\n",
      [{ a: "b" }, { c: "d" }, { e: "f" }],
    ],
    [
      "may be JSON, with tabs",
      '{\n\t"a": ["b\\/c", 1.30, null, true]\n}\n',
      [{ a: ["b/c", "1.30", undefined, "true"] }],
    ],
    ["may be none", "", []],
  ];
  for (const [title, text, values] of files) it(title, () => assert.deepEqual(valuesOf(text), values));

  it("that are broken are told of with their line, and the others are read", () => {
    const { documents } = read("a: 1\n---\nb: [\n---\nc: 3\n---\nd: 'e\n---\nf: 6\n");
    assert.deepEqual(documents.map(plain), [{ a: "1" }, { c: "3" }, { f: "6" }]);
    assert.deepEqual(
      wrongIn("a: 1\n---\nb: [\n---\nc: 3\n---\nd: 'e\n---\nf: 6\n").map((line) => line.split(" ")[0]),
      ["a.yaml:3:5", "a.yaml:7:6"],
    );
  });
});

describe("values", () => {
  const values: readonly (readonly [title: string, text: string, value: Plain])[] = [
    [
      "stay as they are written",
      "[1.30, 0x1F, yes, 007, 1e3, -0, .5]",
      ["1.30", "0x1F", "yes", "007", "1e3", "-0", ".5"],
    ],
    ["may be nothing", "[~, null, Null, NULL, '', \"~\"]", [undefined, undefined, undefined, undefined, "", "~"]],
    ["may have tags", "[!!str 1, !ref a, !!int '2', !b [c]]", ["1", "a", "2", ["c"]]],
    [
      "may be named in any way",
      "? a\n: 1\n'b c': 2\n\"d\\x65\": 3\n1.0: 4\ntrue: 5\n",
      { a: "1", "b c": "2", de: "3", "1.0": "4", true: "5" },
    ],
    ["that are repeated are the same", "a: &a [b]\nc: *a\n*a : d\n".replace("*a : d\n", ""), { a: ["b"], c: ["b"] }],
    ["may be anchored again", "a: &a b\nc: &a d\ne: *a\n", { a: "b", c: "d", e: "d" }],
    [
      "merged give way to own ones",
      "a: &a {b: 1, c: 2}\nd: {c: 3, <<: *a}\n",
      { a: { b: "1", c: "2" }, d: { c: "3", b: "1" } },
    ],
    ["merged first go before others", "a: {<<: [{b: 1}, {b: 2, c: 3}]}\n", { a: { b: "1", c: "3" } }],
    ["are merged by << alone", "a: {'<<': {b: 1}}\n", { a: { "<<": { b: "1" } } }],
    [
      "called __proto__ are values like others",
      "{__proto__: a, constructor: b}",
      Object.fromEntries([
        ["__proto__", "a"],
        ["constructor", "b"],
      ]),
    ],
    ["may be closed at the left", "a: [\n  b\n]\nc: {\n  d: e\n}\n", { a: ["b"], c: { d: "e" } }],
  ];
  for (const [title, text, value] of values) it(title, () => assert.deepEqual(valuesOf(text), [value]));

  it("of another kind have nothing to give", () => {
    const map = only("a: [b]");
    const list = map.get("a");
    assert.deepEqual([map.text(), map.items(), map.span(0, 1), map.get("b")], [undefined, [], undefined, undefined]);
    assert.deepEqual([list?.text(), list?.entries(), list?.get("0")], [undefined, [], undefined]);
    assert.deepEqual([list?.items()[0]?.items(), list?.items()[0]?.entries()], [[], []]);
  });
});

describe("what is wrong with a file", () => {
  const wrong: readonly (readonly [title: string, text: string, found: readonly string[]])[] = [
    ["a name that stands twice", "a: 1\nb: 2\na: 3\n", ["a.yaml:3:1 a a second time"]],
    ["a second merge", "a: {<<: {b: 1}, <<: {c: 2}}\n", ["a.yaml:1:17 << a second time"]],
    ["an alias of nothing", "a: *b\n", ["a.yaml:1:4 the alias *b of nothing that stands before it"]],
    ["an alias of what it stands in", "a: &a [*a]\n", ["a.yaml:1:8 the alias *a of nothing that stands before it"]],
    [
      "an alias of another document",
      "a: &a b\n---\nc: *a\n",
      ["a.yaml:3:4 the alias *a of nothing that stands before it"],
    ],
    ["a merge of a text", "a: {<<: b}\n", ["a.yaml:1:5 << with something that is no mapping"]],
    ["a name that is a list", "? [a]\n: b\n", ["a.yaml:1:3 a name that is no text"]],
    ["a name that is nothing", "? ~\n: b\n", ["a.yaml:1:3 a name that is no text"]],
    ["directives of nothing", "%a\n...\nb: c\n", ["a.yaml:2:1 Missing directives-end/doc-start indicator line"]],
    ["tabs as indentation", "a:\n\tb: c\n", ["a.yaml:2:1 Tabs are not allowed as indentation"]],
    ["what follows a value", "a: 'b' c\n", ["a.yaml:1:8 Unexpected scalar at node end"]],
    ["closing what is not open", "a: ]\n", ["a.yaml:1:4 Unexpected flow-seq-end token in YAML stream"]],
    ["an escape that there is not", 'a: "\\q"\n', ["a.yaml:1:5 Invalid escape sequence \\q"]],
    ["a template", "a: b\nc:\n  - d: {{ .Values.d }}\n", ["a.yaml:3:8 {{ … }} where YAML would begin a mapping"]],
    [
      "a template's line",
      "a: b\n{{- if .Values.c }}\nd: e\n{{- end }}\n",
      ["a.yaml:2:1 {{ … }} where YAML would begin a mapping"],
    ],
  ];
  for (const [title, text, found] of wrong)
    it(`is told with its place: ${title}`, () => assert.deepEqual(wrongIn(text), found));

  it("is `source-invalid` and says what was wanted", () => {
    const [problem] = read("a: [").problems;
    assert.equal(problem?.finding.code, "source-invalid");
    assert.equal(problem?.finding.wanted, "YAML");
  });

  it("says of a template once that it has to be rendered", () => {
    const { problems, documents } = read("{{ a }}\n---\nb: {{ c }}\n---\nd: e\n");
    assert.equal(problems.length, 1);
    assert.match(problems[0]?.finding.next ?? "", /helm template/);
    assert.deepEqual(documents.map(plain), [{ d: "e" }]);
  });

  it("is no template where an expression of a workflow stands", () => {
    assert.deepEqual(wrongIn(`a: $${"{{ b }}"}\nc: 'd\n`), ["a.yaml:2:6 Missing closing 'quote"]);
    assert.deepEqual(wrongIn(`a: $${"{{ b }}"}\nc: "{{ $labels.d }}"\n`), []);
  });
});

describe("work with a file is bounded:", () => {
  it("its size", () => {
    const comment = "#".repeat(LIMITS.sourceCharacters);
    assert.deepEqual(wrongIn(comment), []);
    assert.deepEqual(wrongIn(`${comment}#`), [`a.yaml:1:1 ${LIMITS.sourceCharacters + 1} characters`]);
  });

  it("levels", () => {
    const nested = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;
    assert.deepEqual(wrongIn(nested(LIMITS.sourceDepth)), []);
    for (const levels of [LIMITS.sourceDepth + 1, 10_000]) {
      assert.match(wrongIn(nested(levels)).join(), /nested without end/);
    }
  });

  it("levels that aliases make", () => {
    const lines = Array.from({ length: LIMITS.sourceDepth }, (_, at) => `a${at + 1}: &a${at + 1} [*a${at}]`);
    assert.match(wrongIn(["a0: &a0 b", ...lines].join("\n")).join(), /nested without end/);
  });

  it("values that aliases repeat", () => {
    const lines = Array.from({ length: 12 }, (_, at) => `a${at + 1}: &a${at + 1} [${Array(9).fill(`*a${at}`).join()}]`);
    assert.match(wrongIn(["a0: &a0 b", ...lines].join("\n")).join(), /more values than can be read/);
  });

  it("values that merges repeat", () => {
    const base = Array.from({ length: 1_500 }, (_, at) => `b${at}: c`).join(", ");
    const uses = Array.from({ length: 1_500 }, (_, at) => `u${at}: {<<: *a}`).join("\n");
    assert.match(wrongIn(`a: &a {${base}}\n${uses}\n`).join(), /more values than can be read/);
  });

  it("documents", () => {
    const documents = "--- a\n".repeat(LIMITS.sourceDocuments);
    assert.deepEqual(wrongIn(documents), []);
    assert.deepEqual(wrongIn(`${documents}--- a\n--- [\n`).length, 1);
  });

  it("what is wrong and said, of documents and of names", () => {
    assert.equal(wrongIn("---\n[\n".repeat(LIMITS.sourceProblems + 5)).length, LIMITS.sourceProblems + 1);
    assert.equal(wrongIn("a: 1\n".repeat(LIMITS.sourceProblems * 3)).length, LIMITS.sourceProblems + 2);
  });

  it("tokens", () => {
    assert.match(wrongIn(`[${",".repeat(LIMITS.sourceTokens + 1)}`).join(), /at most .* tokens|more than can be read/);
  });

  it("dashes without end: they are no template, and no failure", () => {
    assert.match(wrongIn("- ".repeat(1_000_000)).join(), /nested without end/);
  });

  it("errors: the first ends it", () => {
    for (const junk of ["}", "[,", ": ", "{{ a }}\n", "? ", "& ", "- - ", "!a "]) {
      assert.equal(wrongIn(junk.repeat(20_000)).length, 1, junk);
    }
  });
});

describe("where values stand", () => {
  it("is counted from 1, a byte order mark for nothing", () => {
    const node = only("\u{feff}a:\n  - b\r\n  -  'c'\n");
    assert.deepEqual(node.place, { source: "a.yaml", line: 1, column: 1 });
    assert.deepEqual(
      node
        .get("a")
        ?.items()
        .map(({ place }) => placeName(place)),
      ["a.yaml:2:5", "a.yaml:3:6"],
    );
  });

  it("is told of what is not there as well: behind the colon", () => {
    const text = "a:   # b\nc:\n";
    const [a, c] = only(text).entries();
    assert.deepEqual([a?.value.start, a?.colon, a?.end], [2, 2, 2]);
    assert.deepEqual([c?.value.start, c?.colon], [text.length - 1, text.length - 1]);
  });

  it("is that of the anchor for an alias, whose own end is known", () => {
    const [, b] = only("a: &a x\nb: *a\n").entries();
    assert.deepEqual([b?.value.start, b?.at, b?.end], [6, 8, 13]);
  });

  const spans: readonly (readonly [title: string, text: string, part: string, verbatim: boolean])[] = [
    ["a plain text", "a: bcd # c", "bcd", true],
    ["a quoted one", "a: 'bcd'", "bcd", true],
    ["behind a quote in quotes", "a: 'it''s bcd'", "bcd", true],
    ["over a quote in quotes", "a: 'it''s bcd'", "it's", false],
    ["behind an escape", 'a: "\\x41\\tbcd"', "bcd", true],
    ["an escape", 'a: "\\x41bcd"', "Ab", false],
    ["a line that goes on", 'a: "b\\\n  cd"', "cd", true],
    ["over lines that are joined", 'a: "b\\\n  cd"', "bc", false],
    ["the second line of a plain text", "a: b\n  cd\n", "cd", true],
    ["a folded break", "a: b\n  cd\n", "b c", false],
    ["a line of a block", "a: |\n  b\n   cd\n", "cd", true],
    ["the indentation in a block", "a: |\n  b\n   cd\n", " cd", true],
    ["a break in a block", "a: |\n  b\n  cd\n", "b\ncd", false],
    ["a line of a folded block", "a: >-\n\n  b\n  c\n\n  de\n   f\n\n", "de", true],
    ["a block with its indentation", "a: |1-\n   bcd\n", "  bcd", true],
    ["a block with CRLF", "a: |-\r\n  b\r\n  cd\r\n", "cd", true],
  ];
  for (const [title, text, part, verbatim] of spans) {
    it(`is known of a part that stands there as it is: ${title}, ${verbatim ? "yes" : "no"}`, () => {
      const node = only(text).get("a");
      const at = node?.text()?.indexOf(part) ?? -1;
      assert.notEqual(at, -1);
      const span = node?.span(at, at + part.length);
      assert.equal(span && text.slice(span.start, span.end), verbatim ? part : undefined);
    });
  }

  it("is unknown of nothing, and of what is beyond the end", () => {
    const node = only("a: bcd").get("a");
    assert.deepEqual([node?.span(1, 1), node?.span(2, 1), node?.span(2, 9)], [undefined, undefined, undefined]);
  });
});
