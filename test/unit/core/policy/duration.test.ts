import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatDuration, parseDuration } from "../../../../src/core/policy/duration.ts";

describe("a duration", () => {
  const cases: readonly (readonly [string, number, string])[] = [
    ["30s", 30_000, "30s"],
    ["90m", 5_400_000, "90m"],
    ["36h", 129_600_000, "36h"],
    ["24h", 86_400_000, "1d"],
    ["7d", 604_800_000, "7d"],
    ["2w", 1_209_600_000, "14d"],
    ["999999w", 999_999 * 604_800_000, "999999w"],
  ];
  for (const [text, milliseconds, written] of cases) {
    it(`is ${text}, and is written ${written}`, () => {
      assert.equal(parseDuration(text), milliseconds);
      assert.equal(formatDuration(milliseconds), written);
      assert.equal(parseDuration(written), milliseconds);
    });
  }

  for (const text of [
    "",
    "7",
    "d",
    "0d",
    "07d",
    "-7d",
    "+7d",
    "1.5d",
    "7 d",
    "7D",
    "7mo",
    "1y",
    "1d12h",
    "1000000d",
    "7d\n",
    "٧d",
  ]) {
    it(`is not ${JSON.stringify(text)}`, () => assert.equal(parseDuration(text), undefined));
  }
});
