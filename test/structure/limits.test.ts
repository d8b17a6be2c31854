import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LIMITS } from "../../src/core/limits.ts";
import { withoutComments } from "./import-rules.ts";
import { filesBelow } from "./source-files.ts";

const NAMES = Object.keys(LIMITS);
const sources = filesBelow("src").filter(({ path }) => path !== "src/core/limits.ts");

/** Sizes and times that belong in the table: a product of units, or milliseconds written out. */
const INLINE = /\b(?:\d+ \* 1024|1024 \* \d+|\d+ << 20|\d+_000_000)\b/;

function inlineLimits(text: string): readonly string[] {
  return withoutComments(text)
    .split("\n")
    .filter((line) => INLINE.test(line))
    .map((line) => line.trim());
}

describe("the table of limits", () => {
  it("has no limit that nothing keeps", () => {
    const text = sources.map((source) => withoutComments(source.text)).join("\n");
    assert.deepEqual(
      NAMES.filter((name) => !new RegExp(`\\bLIMITS\\.${name}\\b`).test(text)),
      [],
    );
  });

  it("has every size: no file of the core, the adapters or the verbs keeps one of its own", () => {
    const bounded = sources.filter(({ path }) => /^src\/(?:core|io|ops)\//.test(path));
    const found = bounded.flatMap(({ path, text }) => inlineLimits(text).map((line) => `${path}: ${line}`));
    assert.deepEqual(found, []);
  });

  it("would notice a size written in place", () => {
    assert.deepEqual(inlineLimits("const cap = 64 * 1024;\n// 64 * 1024\nconst other = 5;"), [
      "const cap = 64 * 1024;",
    ]);
  });

  it("holds whole positive numbers only", () => {
    assert.deepEqual(
      Object.entries(LIMITS).filter(([, value]) => !Number.isSafeInteger(value) || value <= 0),
      [],
    );
  });
});
