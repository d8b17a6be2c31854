import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { unifiedDiff } from "../../../src/report/diff.ts";
import { processorTime } from "../../support/processor-time.ts";

const numbers = (count: number) => Array.from({ length: count }, (_, at) => `${at + 1}\n`).join("");

/** What `patch` does: every line that is kept or removed has to be there, where the difference says. */
function apply(before: string, diff: string): string {
  const old = before.split(/(?<=\n)/);
  const result: string[] = [];
  let at = 0;
  const lines = diff.replaceAll("\n\\ No newline at end of file", "\u0000").split("\n").slice(2, -1);
  for (const line of lines) {
    const [, start, count] = /^@@ -(\d+),(\d+) /.exec(line) ?? [];
    if (start !== undefined) {
      const first = Number(start) - (count === "0" ? 0 : 1);
      result.push(...old.slice(at, first));
      at = first;
      continue;
    }
    const text = line.endsWith("\u0000") ? line.slice(1, -1) : `${line.slice(1)}\n`;
    if (line[0] !== "+") assert.equal(old[at++], text);
    if (line[0] !== "-") result.push(text);
  }
  return [...result, ...old.slice(at)].join("");
}

describe("a difference of two texts", () => {
  it("is nothing where there is none", () => {
    assert.equal(unifiedDiff("a\n", "a\n", "f"), "");
    assert.equal(unifiedDiff("", "", "f"), "");
    assert.equal(unifiedDiff(undefined, "", "f"), "");
  });

  it("has three lines around each change", () => {
    const before = numbers(20);
    const after = before.replace("10\n", "ten\n");
    assert.equal(
      unifiedDiff(before, after, "f"),
      "--- f\n+++ f\n@@ -7,7 +7,7 @@\n 7\n 8\n 9\n-10\n+ten\n 11\n 12\n 13\n",
    );
  });

  it("of a new file is all of it", () => {
    assert.equal(unifiedDiff(undefined, "a\nb\n", "f"), "--- /dev/null\n+++ f\n@@ -0,0 +1,2 @@\n+a\n+b\n");
  });

  it("says where a last line has no break", () => {
    assert.match(unifiedDiff("a", "a\n", "f"), /-a\n\\ No newline at end of file\n\+a\n$/);
    assert.match(unifiedDiff("a\n", "a", "f"), /-a\n\+a\n\\ No newline at end of file\n$/);
  });

  it("changes that are close are one part, those that are not are two", () => {
    const before = numbers(40);
    const count = (after: string) => unifiedDiff(before, after, "f").split("\n@@ ").length - 1;
    assert.equal(count(before.replace("\n10\n", "\nx\n").replace("\n16\n", "\ny\n")), 1);
    assert.equal(count(before.replace("\n10\n", "\nx\n").replace("\n30\n", "\ny\n")), 2);
  });

  it("applied to the one gives the other: lines added, removed, changed, at the beginning and at the end", () => {
    const before = numbers(30);
    const changes = [
      `zero\n${before}`,
      `${before}end\n`,
      before.replace("1\n2\n", ""),
      before.replace("15\n", "").replace("3\n", "three\nthree and a half\n"),
      "",
      "something else\n",
      before.split("\n").toReversed().join("\n"),
      before.trimEnd(),
    ];
    for (const after of changes) assert.equal(apply(before, unifiedDiff(before, after, "f")), after);
  });

  it("of texts that are too long to compare is all of one and all of the other, and takes no time", () => {
    const [before, after] = ["a", "b"].map((letter) =>
      Array.from({ length: 50_000 }, (_, at) => `${letter}${at}\n`).join(""),
    );
    const started = processorTime();
    const lines = unifiedDiff(before, after ?? "", "f").split("\n");
    assert.ok(processorTime() - started < 2000);
    assert.equal(lines.filter((line) => line.startsWith("-a")).length, 50_000);
    assert.equal(lines.filter((line) => line.startsWith("+b")).length, 50_000);
  });
});
