import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { LIMITS } from "../../../../src/core/limits.ts";
import { pattern } from "../../../../src/core/trust/pattern.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { processorTime } from "../../../support/processor-time.ts";

const RELEASE = String.raw`https://github\.com/acme/app/\.github/workflows/release\.yml@refs/tags/.*`;

describe("a pattern", () => {
  const met: readonly (readonly [string, string])[] = [
    [RELEASE, "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1"],
    ["a|b", "b"],
    ["a|ab", "ab"],
    ["^a$", "a"],
    ["(?i)acme", "ACME"],
    [".*", "anything"],
    ["[^@]+@example\\.com", "dev@example.com"],
    ["^$", ""],
    ["\\Qa.b", "a.b"],
  ];
  for (const [text, value] of met) {
    it(`${text} is met by ${JSON.stringify(value)}`, async () => assert.ok((await pattern(text)).matches(value)));
  }

  const unmet: readonly (readonly [string, string, string])[] = [
    ["a part at the end", "acme/app", "evil/acme/app"],
    ["a part at the beginning", "acme/app", "acme/app-x"],
    ["a part in the middle", RELEASE, `https://evil.example.com/${RELEASE.replaceAll("\\", "").slice(0, -2)}x`],
    ["a part, its start anchored as for other tools", "^https://github\\.com/acme/", "https://github.com/acme/app"],
    ["a part of the first alternative", "a|b", "ax"],
    ["a part of the last alternative", "a|b", "xb"],
    ["the alternatives one after another", "a|b", "ab"],
    ["a line of several", "(?m)^a$", "x\na"],
    ["what ends in a line break", "a", "a\n"],
    ["what ends in a line break, anchored", "a$", "a\n"],
    ["what a dot does not match", ".*", "a\nb"],
    ["another case", "acme", "Acme"],
    ["letters that only look alike", "acme", "асme"],
    ["another form of the same letter", "zo\u00eb", "zoe\u0308"],
    ["a dot that is meant as one", "a\\.example", "axexample"],
    ["nothing", "a", ""],
    ["something, where nothing is wanted", "^$", "a"],
  ];
  for (const [what, text, value] of unmet) {
    it(`is not met by ${what}`, async () => assert.ok(!(await pattern(text)).matches(value)));
  }

  it("says that a part of a text matches, since elsewhere that would do", async () => {
    const { nearMiss } = await pattern("^https://github\\.com/acme/");
    assert.match(nearMiss?.("https://github.com/acme/app") ?? "", /has to match the whole/);
    assert.equal(nearMiss?.("https://gitlab.com/acme/app"), undefined);
  });

  it("agrees with V8's own expressions, wherever both have the syntax", async () => {
    const atom = fc.constantFrom("a", "b", "ab", ".", "[ab]", "[^a]", "\\.", "^", "$", "");
    const { expression } = fc.letrec<{ expression: string }>((tie) => ({
      expression: fc.oneof(
        { maxDepth: 4 },
        atom,
        fc.tuple(tie("expression"), tie("expression")).map(([a, b]) => a + b),
        fc.tuple(tie("expression"), tie("expression")).map(([a, b]) => `${a}|${b}`),
        tie("expression").map((a) => `(${a})`),
        fc.tuple(tie("expression"), fc.constantFrom("*", "?", "+?", "{1,3}")).map(([a, many]) => `(?:${a})${many}`),
      ),
    }));
    const value = fc.string({ unit: fc.constantFrom("a", "b", ".", "\n", "é"), maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(expression, value, async (text, tried) => {
        fc.pre(text !== "");
        assert.equal((await pattern(text)).matches(tried), new RegExp(`^(?:${text})$`).test(tried));
      }),
      { numRuns: 2000 },
    );
  });

  it("is refused where its repetitions multiply to more than LIMITS.patternInstructions", async () => {
    await rejectedBy(() => pattern("(?:a?){1000}".repeat(6)), "usage");
    assert.ok((await pattern("(?:a?){1000}")).matches("aaa"));
  });

  it("takes time in proportion to the text, whatever it is (ReDoS)", async () => {
    const texts = ["(a+)+b", "(a|aa)*b", "(.*)*x", "(?:a?){30}a{30}b"];
    const value = "a".repeat(LIMITS.certificateTextBytes);
    const began = processorTime();
    for (const text of texts) assert.ok(!(await pattern(text)).matches(value));
    assert.ok(processorTime() - began < 2000);
  });
});

describe("what is no pattern", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["an empty one", ""],
    ["an open group", "("],
    ["a group that closes ours", "a)|(?:b"],
    ["an open class", "["],
    ["a repetition of nothing", "*"],
    ["a look ahead", "(?=a)"],
    ["a look behind", "(?<!a)b"],
    ["a back reference", "(a)\\1"],
    ["a huge repetition", "((a{1000}){1000}){1000}"],
    ["groups without end", "(".repeat(2000) + ")".repeat(2000)],
    ["half a character", "\ud800"],
    ["one that is too long", "a".repeat(LIMITS.patternCharacters + 1)],
  ];
  for (const [what, text] of cases) {
    it(`is refused: ${what}`, async () => {
      const { found = "" } = await rejectedBy(() => pattern(text), "usage");
      assert.ok(found.length < 1100);
    });
  }
});
