import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LIMITS } from "../../src/core/limits.ts";
import { withoutComments } from "./import-rules.ts";
import { filesBelow } from "./source-files.ts";

const NAMES = Object.keys(LIMITS);
const sources = filesBelow("src").filter(({ path }) => path !== "src/core/limits.ts");

/** A bound handed on as a number written in place, instead of one of the table. */
const INLINE = /\b(?:max(?:imum)?[A-Z]\w*|limit\w*|timeout(?:Ms)?)\s*[:=]\s*\d/;

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

  it("has every bound: no file of the core, the adapters or the verbs writes one in place", () => {
    const bounded = sources.filter(({ path }) => /^src\/(?:core|io|ops)\//.test(path));
    const found = bounded.flatMap(({ path, text }) => inlineLimits(text).map((line) => `${path}: ${line}`));
    assert.deepEqual(found, []);
  });

  it("would notice a bound written in place", () => {
    assert.deepEqual(inlineLimits("read(blob, { maxBytes: 4096 });\n// maxBytes: 4096\nconst other = 5;"), [
      "read(blob, { maxBytes: 4096 });",
    ]);
  });

  it("holds whole positive numbers only", () => {
    assert.deepEqual(
      Object.entries(LIMITS).filter(([, value]) => !Number.isSafeInteger(value) || value <= 0),
      [],
    );
  });
});
