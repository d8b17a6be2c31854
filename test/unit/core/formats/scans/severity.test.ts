import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type Rating,
  rankOf,
  ratingOfScore,
  ratingOfWord,
  worstRating,
} from "../../../../../src/core/formats/scans/severity.ts";

describe("the words of scanners", () => {
  const WORDS: readonly (readonly [string, Rating])[] = [
    ["CRITICAL", "critical"],
    ["Critical", "critical"],
    ["High", "high"],
    ["Important", "high"],
    ["Medium", "medium"],
    ["MODERATE", "medium"],
    ["Low", "low"],
    ["Minor", "low"],
    ["Negligible", "low"],
    ["unimportant", "low"],
    ["none", "none"],
    [" high ", "high"],
  ];
  for (const [word, rating] of WORDS) it(`${word} is ${rating}`, () => assert.equal(ratingOfWord(word), rating));

  for (const word of [
    "",
    "Unknown",
    "UNKNOWN",
    "untriaged",
    "not yet assigned",
    "end-of-life",
    "severe",
    "crit",
    "0",
    "lοw",
  ]) {
    it(`${JSON.stringify(word)} is unknown, never mild`, () => assert.equal(ratingOfWord(word), "unknown"));
  }
});

describe("scores (CVSS 3.1, section 5)", () => {
  const SCORES: readonly (readonly [number, Rating])[] = [
    [0, "none"],
    [0.1, "low"],
    [3.9, "low"],
    [3.95, "medium"],
    [4, "medium"],
    [6.9, "medium"],
    [6.99, "high"],
    [7, "high"],
    [8.9, "high"],
    [9, "critical"],
    [10, "critical"],
  ];
  for (const [score, rating] of SCORES) it(`${score} is ${rating}`, () => assert.equal(ratingOfScore(score), rating));

  for (const score of [-0.1, 10.1, 75, Number.NaN, Number.POSITIVE_INFINITY]) {
    it(`${score} is no score`, () => assert.equal(ratingOfScore(score), "unknown"));
  }
});

describe("the worst of several sources", () => {
  it("is the worst, in whatever order they stand", () => {
    assert.equal(worstRating(["low", "high", "medium"]), "high");
    assert.equal(worstRating(["high", "medium", "low", "none"]), "high");
  });

  it("is unknown where nobody says anything", () => assert.equal(worstRating([]), "unknown"));

  it("is not made milder by one that is unknown, nor by one that is known", () => {
    assert.equal(rankOf(worstRating(["low", "unknown"])), rankOf("critical"));
    assert.equal(rankOf(worstRating(["unknown", "low"])), rankOf("critical"));
    assert.equal(worstRating(["unknown", "critical"]), "critical");
  });
});
