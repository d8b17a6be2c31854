import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EXIT_CODES, exitCodeOf } from "../../src/cli/exit-codes.ts";
import { REASONS, type ReasonCode, reasonClass } from "../../src/core/reasons.ts";
import { withoutComments } from "./import-rules.ts";
import { filesBelow } from "./source-files.ts";

const CODES = Object.keys(REASONS) as ReasonCode[];
const CODE_TEXT = filesBelow("src")
  .filter(({ path }) => path !== "src/core/reasons.ts")
  .map(({ text }) => withoutComments(text))
  .join("\n");

/** The codes that no source names: nobody could ever be given them. */
function deadCodes(codes: readonly string[], text: string): readonly string[] {
  return codes.filter((code) => !text.includes(`"${code}"`));
}

describe("the table of reasons", () => {
  it("has no code that is never given", () => {
    assert.deepEqual(deadCodes(CODES, CODE_TEXT), []);
  });

  it("would notice a dead code", () => {
    assert.deepEqual(deadCodes(["unsigned", "made-up"], CODE_TEXT), ["made-up"]);
  });

  it("gives every class an exit code of its own, and none of them is success", () => {
    const exits = new Map(CODES.map((code) => [reasonClass(code), exitCodeOf(reasonClass(code))]));
    assert.deepEqual(Object.fromEntries(exits), {
      refused: 1,
      undetermined: 3,
      usage: 2,
      credentials: 4,
      interrupted: 130,
    });
    assert.equal(EXIT_CODES.done, 0);
  });

  for (const code of CODES) {
    it(`documents ${code}`, () => {
      const { meaning, next } = REASONS[code];
      assert.match(code, /^[a-z]+(?:-[a-z]+)*$/);
      assert.match(meaning, /^[A-Z].+\.$/, "a meaning is a sentence");
      assert.match(next, /^[a-z].+[^.]$/, "a next step is a clause that follows the word next");
    });
  }

  it("never suggests loosening a check", () => {
    assert.deepEqual(
      CODES.filter((code) => /--insecure|--allow|disable|ignore/i.test(REASONS[code].next)),
      [],
    );
  });
});
