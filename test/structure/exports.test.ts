import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import * as library from "../../src/index.ts";
import { ROOT, readSource } from "./source-files.ts";

const GOLDEN = "test/golden/exports.txt";

/** `type Name` and `value Name`, one a line, in order. */
function exportedNames(text: string): readonly string[] {
  const lists = [...text.matchAll(/^export (type )?\{([^}]+)\}/gm)];
  const names = lists.flatMap(([, type = "", list = ""]) =>
    list.split(",").flatMap((item) => (item.trim() === "" ? [] : [`${type}${item.trim()}`])),
  );
  return names.map((name) => (name.startsWith("type ") ? name : `value ${name}`)).sort();
}

describe("the public surface", () => {
  const { text } = readSource("src/index.ts");

  it(`is the list in ${GOLDEN}: it grows on purpose`, () => {
    const golden = readFileSync(join(ROOT, GOLDEN), "utf8").trim().split("\n");
    assert.deepEqual(exportedNames(text), golden);
  });

  it("holds the values that the list says", () => {
    const values = exportedNames(text).filter((name) => name.startsWith("value "));
    assert.deepEqual(
      Object.keys(library)
        .map((name) => `value ${name}`)
        .sort(),
      values,
    );
  });

  it("is named exports without logic and without stars", () => {
    const code = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^export (?:type )?\{[^}]+\} from "[^"]+";$/gm, "");
    assert.equal(code.trim(), "");
  });
});
