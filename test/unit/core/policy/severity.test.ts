import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Rating, SEVERITIES } from "../../../../src/core/formats/scans/severity.ts";
import { bySeverity, isTooSevere } from "../../../../src/core/policy/severity.ts";
import { property } from "../../../support/property.ts";

const RATINGS: readonly Rating[] = [...SEVERITIES, "unknown"];
const ratings = fc.constantFrom(...RATINGS);
const limits = fc.constantFrom(...SEVERITIES);

describe("what is too severe", () => {
  it("is what is worse than a policy allows", () => {
    assert.ok(isTooSevere("high", "medium"));
    assert.ok(isTooSevere("low", "none"));
    assert.ok(!isTooSevere("medium", "medium"));
    assert.ok(!isTooSevere("none", "none"));
  });

  it("is what is unknown, but where critical is allowed", () => {
    for (const most of SEVERITIES) assert.equal(isTooSevere("unknown", most), most !== "critical");
  });

  it("is nothing where critical is allowed", () => {
    for (const rating of RATINGS) assert.ok(!isTooSevere(rating, "critical"));
  });
});

describe("the order of severities", () => {
  it("has the worst first, and what is unknown beside what is critical", () => {
    const sorted = [...RATINGS].sort(bySeverity);
    assert.deepEqual(sorted, ["critical", "unknown", "high", "medium", "low", "none"]);
  });

  property(
    "is kept by every limit: what is worse than something too severe is too severe",
    [ratings, ratings, limits],
    (a, b, most) => {
      if (bySeverity(a, b) <= 0 && isTooSevere(b, most)) assert.ok(isTooSevere(a, most));
    },
  );

  property(
    "is kept by stricter limits: what is too severe for one is for them",
    [ratings, limits, limits],
    (rating, a, b) => {
      const isStricter = SEVERITIES.indexOf(a) <= SEVERITIES.indexOf(b);
      if (isStricter && isTooSevere(rating, b)) assert.ok(isTooSevere(rating, a));
    },
  );
});
