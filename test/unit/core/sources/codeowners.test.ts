import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { readCodeowners } from "../../../../src/core/sources/codeowners.ts";
import { processorTime } from "../../../support/processor-time.ts";

function github(...lines: readonly string[]): (path: string) => string | undefined {
  return readCodeowners(lines.join("\n"), false);
}

function gitlab(...lines: readonly string[]): (path: string) => string | undefined {
  return readCodeowners(lines.join("\n"), true);
}

describe("CODEOWNERS of GitHub", () => {
  const cases: readonly (readonly [pattern: string, matched: readonly string[], others: readonly string[]])[] = [
    ["*", ["a", "a/b", ".hidden/x"], []],
    ["*.yaml", ["a.yaml", "x/y/a.yaml"], ["a.yml", "yaml", "a.yaml.bak"]],
    ["/deploy", ["deploy", "deploy/a", "deploy/a/b"], ["x/deploy", "deployment"]],
    ["/deploy/", ["deploy/a", "deploy/a/b"], ["deploy", "x/deploy/a"]],
    ["deploy/", ["deploy/a", "x/deploy/a/b"], ["deploy", "x/deploy"]],
    ["deploy", ["deploy", "x/deploy", "x/deploy/a"], ["deploys", "x/adeploy"]],
    ["docs/*", ["docs/a"], ["docs/a/b", "x/docs/a", "docs"]],
    ["docs/a", ["docs/a", "docs/a/b"], ["x/docs/a"]],
    ["/docs/**", ["docs/a", "docs/a/b"], ["docs", "x/docs/a"]],
    ["**/logs", ["logs", "a/logs", "a/logs/b"], ["a/logsx"]],
    ["a/**/z", ["a/z", "a/b/z", "a/b/c/z", "a/b/z/q"], ["x/a/z", "a/b"]],
    ["a?c", ["abc", "x/abc"], ["ac", "a/c", "abbc"]],
    ["a*c/", ["abbc/x", "q/ac/x"], ["abbc", "a/c/x"]],
    ["/", [], ["a", "a/b"]],
    ["a\\ b", ["a b"], ["a\\ b", "a"]],
    ["a\\*b", ["a*b"], ["axb"]],
  ];
  for (const [pattern, matched, others] of cases) {
    it(`matches ${pattern} as gitignore does`, () => {
      const ownersOf = github(`${pattern} @acme/team`);
      for (const path of matched) assert.equal(ownersOf(path), "@acme/team", path);
      for (const path of others) assert.equal(ownersOf(path), undefined, path);
    });
  }

  it("lets the last rule count, also one that takes owners away", () => {
    const ownersOf = github("* @acme/all", "/deploy/ @acme/platform mia@example.com", "/deploy/free", "# * @acme/none");
    assert.equal(ownersOf("a"), "@acme/all");
    assert.equal(ownersOf("deploy/web.yaml"), "@acme/platform mia@example.com");
    assert.equal(ownersOf("deploy/free"), undefined);
  });

  it("passes over comments, and over what it does not understand", () => {
    const ownersOf = github(
      "*.a @one # two @three",
      "!*.a @four",
      "[a-z].a @five",
      "\\#x @six",
      "***.a @seven",
      "",
      "   ",
    );
    assert.equal(ownersOf("x.a"), "@one");
    assert.equal(ownersOf("#x"), undefined);
  });

  it("reads lines with CRLF", () => {
    assert.equal(github("*.a @one\r", "*.b @two\r")("x.a"), "@one");
  });

  it("reads no file that is larger than GitHub reads", () => {
    const line = "* @one\n";
    const text = line.padEnd(LIMITS.codeownersCharacters, " ");
    assert.equal(readCodeowners(text, false)("a"), "@one");
    assert.equal(readCodeowners(`${text} `, false)("a"), undefined);
  });

  it("passes over a pattern that is longer than any path", () => {
    const pattern = (length: number): string => `${"*".repeat(2)}/${"a".repeat(length - 3)}`;
    const path = "a".repeat(LIMITS.codeownersPatternCharacters - 3);
    assert.equal(github(`${pattern(LIMITS.codeownersPatternCharacters)} @one`)(path), "@one");
    assert.equal(github(`${pattern(LIMITS.codeownersPatternCharacters + 1)} @one`)(`${path}a`), undefined);
  });

  it("takes no longer for a pattern made to", () => {
    const started = processorTime();
    const path = "a/".repeat(500) + "a".repeat(500);
    github(`${"*a".repeat(200)}b @x`, `${"**/a/".repeat(200)}b @x`, `${"a*".repeat(500)}/**/z @x`)(path);
    assert.ok(processorTime() - started < 1_000);
  });
});

describe("CODEOWNERS of GitLab", () => {
  const cases: readonly (readonly [pattern: string, matched: readonly string[], others: readonly string[]])[] = [
    ["*", ["a", "a/b"], []],
    ["docs/", ["docs/a", "x/docs/a/b"], ["docs"]],
    ["/docs/", ["docs/a"], ["x/docs/a"]],
    ["/docs/*", ["docs/a"], ["docs/a/b"]],
    ["docs/*.md", ["docs/a.md", "x/docs/a.md"], ["docs/x/a.md"]],
    ["/docs/**/*.md", ["docs/a.md", "docs/x/y/a.md"], ["x/docs/a.md"]],
    ["/docs", ["docs"], ["docs/a"]],
    ["\\#a", ["#a"], ["a"]],
  ];
  for (const [pattern, matched, others] of cases) {
    it(`matches ${pattern} as File.fnmatch does`, () => {
      const ownersOf = gitlab(`${pattern} @acme`);
      for (const path of matched) assert.equal(ownersOf(path), "@acme", path);
      for (const path of others) assert.equal(ownersOf(path), undefined, path);
    });
  }

  it("asks every section, each for its last rule", () => {
    const ownersOf = gitlab(
      "* @all",
      "[Docs][2] @docs",
      "/docs/",
      "*.md @writers",
      "^[Ops]",
      "/docs/deploy/ @ops",
      "[DOCS] @others",
      "/docs/other/",
    );
    assert.equal(ownersOf("a"), "@all");
    assert.equal(ownersOf("docs/a"), "@all @docs");
    assert.equal(ownersOf("docs/a.md"), "@all @writers");
    assert.equal(ownersOf("docs/deploy/x"), "@all @docs @ops");
    assert.equal(ownersOf("docs/other/a.md"), "@all @others");
  });

  it("leaves out what a section excludes, whatever follows", () => {
    const ownersOf = gitlab("[A]", "* @a", "!*.rb", "/config/ @b");
    assert.equal(ownersOf("config/x"), "@b");
    assert.equal(ownersOf("config/x.rb"), undefined);
  });

  it("is told by its sections where the file lies in a place of both", () => {
    assert.equal(github("[Ops] @ops", "/docs")("docs"), "@ops");
    assert.equal(github("/docs @ops")("docs/a"), "@ops");
  });
});
