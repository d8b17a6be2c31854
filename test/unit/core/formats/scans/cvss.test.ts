import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { baseScore, ratingOfCvss, ratingOfVector } from "../../../../../src/core/formats/scans/cvss.ts";

/** CVSS 3.1, "Examples"; the last three are at the limits of the formula. */
const SCORES_3: readonly (readonly [string, number])[] = [
  ["AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1],
  ["AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", 6.4],
  ["AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N", 3.1],
  ["AV:N/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H", 9.9],
  ["AV:L/AC:L/PR:H/UI:N/S:U/C:L/I:L/A:L", 4.2],
  ["AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H", 8.8],
  ["AV:L/AC:L/PR:N/UI:R/S:U/C:H/I:H/A:H", 7.8],
  ["AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", 7.5],
  ["AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8],
  ["AV:N/AC:H/PR:N/UI:N/S:C/C:N/I:H/A:N", 6.8],
  ["AV:P/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 6.8],
  ["AV:N/AC:L/PR:N/UI:N/S:C/C:L/I:N/A:N", 5.8],
  ["AV:A/AC:L/PR:N/UI:N/S:C/C:H/I:N/A:H", 9.3],
  ["AV:N/AC:L/PR:L/UI:R/S:C/C:L/I:L/A:N", 5.4],
  ["AV:A/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 8.8],
  ["AV:P/AC:L/PR:N/UI:N/S:U/C:N/I:H/A:N", 4.6],
  ["AV:N/AC:H/PR:N/UI:N/S:U/C:H/I:H/A:N", 7.4],
  ["AV:N/AC:L/PR:N/UI:R/S:C/C:H/I:H/A:H", 9.6],
  ["AV:N/AC:L/PR:H/UI:N/S:C/C:H/I:H/A:H", 9.1],
  ["AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", 10],
  ["AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0],
  ["AV:P/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:L", 1.6],
];

/** CVSS 2.0, section 3.3, "Examples", and the ends of the scale. */
const SCORES_2: readonly (readonly [string, number])[] = [
  ["AV:N/AC:L/Au:N/C:N/I:N/A:C", 7.8],
  ["AV:N/AC:L/Au:N/C:C/I:C/A:C", 10],
  ["AV:L/AC:H/Au:N/C:C/I:C/A:C", 6.2],
  ["AV:N/AC:L/Au:N/C:P/I:N/A:N", 5],
  ["AV:N/AC:L/Au:N/C:N/I:N/A:N", 0],
];

describe("base scores", () => {
  for (const [vector, score] of SCORES_3) {
    it(`CVSS:3.1/${vector} is ${score}`, () => {
      assert.equal(baseScore(`CVSS:3.1/${vector}`), score);
      assert.equal(baseScore(`CVSS:3.0/${vector}`), score);
      assert.equal(baseScore(`CVSS:3.1/${vector.split("/").reverse().join("/")}`), score);
      assert.equal(baseScore(`CVSS:3.1/${vector}/E:P/RL:O/RC:C/CR:H/MAV:L/MPR:X`), score);
    });
  }

  for (const [vector, score] of SCORES_2) {
    it(`${vector} of version 2 is ${score}`, () => {
      assert.equal(baseScore(vector), score);
      assert.equal(baseScore(`(${vector})`), score);
      assert.equal(baseScore(`${vector}/E:POC/RL:OF/RC:C`), score);
    });
  }

  const GOOD = "AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N";
  const BAD: readonly (readonly [string, string])[] = [
    ["nothing", ""],
    ["no version", GOOD],
    ["version 4.0, which is not computed", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N"],
    ["a version that is not known", `CVSS:3.2/${GOOD}`],
    ["a metric too few", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N"],
    ["a metric twice", `CVSS:3.1/${GOOD}/A:N`],
    ["a metric twice, with another value", `CVSS:3.1/${GOOD}/A:H`],
    ["a metric that is not known", `CVSS:3.1/${GOOD}/ZZ:N`],
    ["a value that is not known", "CVSS:3.1/AV:N/AC:M/PR:N/UI:N/S:U/C:N/I:N/A:N"],
    ["a value of the prototype", "CVSS:3.1/AV:constructor/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N"],
    ["a metric of the prototype", `CVSS:3.1/${GOOD}/__proto__:N`],
    ["a value in lower case", `CVSS:3.1/${GOOD.toLowerCase()}`],
    ["something behind a value", "CVSS:3.1/AV:N:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N"],
    ["a slash at the end", `CVSS:3.1/${GOOD}/`],
    ["a blank in front", ` CVSS:3.1/${GOOD}`],
    ["version 2 with a metric of version 3", "AV:N/AC:L/Au:N/PR:N/C:N/I:N/A:N"],
    ["version 2 with too few", "AV:N/AC:L/Au:N/C:N/I:N"],
  ];
  for (const [what, vector] of BAD) {
    it(`a vector with ${what} has none, and counts as unknown`, () => {
      assert.equal(baseScore(vector), undefined);
      assert.equal(ratingOfVector(vector), "unknown");
    });
  }
});

describe("a source's rating", () => {
  const HARMLESS = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N";

  it("is that of its score, whatever the vector", () => {
    assert.equal(ratingOfCvss(5.2, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"), "medium");
    assert.equal(ratingOfCvss(5.2, undefined), "medium");
  });

  it("is that of its vector where there is no score, or one that may not have been set", () => {
    assert.equal(ratingOfCvss(undefined, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"), "critical");
    assert.equal(ratingOfCvss(0, "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"), "critical");
    assert.equal(ratingOfCvss(0, HARMLESS), "none");
  });

  it("is unknown without either, and for a score that is none", () => {
    assert.equal(ratingOfCvss(0, undefined), "unknown");
    assert.equal(ratingOfCvss(0, ""), "unknown");
    assert.equal(ratingOfCvss("0.1", undefined), "unknown");
    assert.equal(ratingOfCvss(-1, HARMLESS), "unknown");
  });
});
