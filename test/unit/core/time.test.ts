import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  describeAge,
  describeWindow,
  formatInstant,
  instant,
  isInstant,
  parseInstant,
} from "../../../src/core/time.ts";

const NOON = Date.UTC(2026, 7, 30, 12);
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe("an instant", () => {
  it("is written in UTC with whole seconds (RFC 3339 §5.6)", () => {
    assert.equal(formatInstant(instant(NOON)), "2026-08-30T12:00:00Z");
    assert.equal(formatInstant(instant(NOON + 999)), "2026-08-30T12:00:00Z");
    assert.equal(formatInstant(instant(0)), "1970-01-01T00:00:00Z");
    assert.equal(formatInstant(instant(-1)), "1969-12-31T23:59:59Z");
  });

  const first = Date.UTC(-1, 12);
  const last = Date.UTC(10_000, 0) - 1;
  it("lies in the years 0000 to 9999, which is all that RFC 3339 can write", () => {
    assert.equal(formatInstant(instant(first)), "0000-01-01T00:00:00Z");
    assert.equal(formatInstant(instant(last)), "9999-12-31T23:59:59Z");
  });

  for (const wrong of [first - 1, last + 1, Number.NaN, Number.POSITIVE_INFINITY, 1.5, 8.64e15 + 1]) {
    it(`is not ${wrong}`, () => {
      assert.ok(!isInstant(wrong));
      assert.throws(() => instant(wrong), RangeError);
    });
  }
});

describe("an instant as text", () => {
  it("is read with an offset and a fraction (RFC 3339 §5.6)", () => {
    for (const text of ["2026-08-30T12:00:00Z", "2026-08-30T14:00:00+02:00", "2026-08-30T12:00:00.000000000Z"]) {
      assert.equal(parseInstant(text), NOON);
    }
    assert.equal(parseInstant("2024-02-29T00:00:00Z"), Date.UTC(2024, 1, 29));
  });

  for (const wrong of [
    "",
    "2026-08-30",
    "2026-08-30T12:00:00",
    "2026-08-30 12:00:00Z",
    "2026-02-29T12:00:00Z",
    "2026-02-31T12:00:00Z",
    "2026-13-01T12:00:00Z",
    "2026-08-30T25:00:00Z",
    "2026-08-30T12:00:00.Z",
    " 2026-08-30T12:00:00Z",
    "20260830T120000Z",
  ]) {
    it(`is not ${JSON.stringify(wrong)}`, () => assert.equal(parseInstant(wrong), undefined));
  }
});

describe("a window in words", () => {
  it("has a start, and an end where there is one", () => {
    const from = instant(NOON);
    assert.equal(describeWindow(from, from), "from 2026-08-30T12:00:00Z to 2026-08-30T12:00:00Z");
    assert.equal(describeWindow(from, undefined), "from 2026-08-30T12:00:00Z on");
  });
});

describe("an age in words", () => {
  const ages: readonly (readonly [number, string])[] = [
    [0, "just now"],
    [999, "just now"],
    [-999, "just now"],
    [SECOND, "1 second ago"],
    [59 * SECOND, "59 seconds ago"],
    [MINUTE, "1 minute ago"],
    [HOUR - 1, "59 minutes ago"],
    [2 * HOUR, "2 hours ago"],
    [3 * DAY + HOUR, "3 days ago"],
    [364 * DAY, "364 days ago"],
    [800 * DAY, "2 years ago"],
    [-DAY, "in 1 day"],
    [-90 * SECOND, "in 1 minute"],
  ];
  for (const [age, words] of ages) {
    it(`${age} ms is "${words}"`, () => assert.equal(describeAge(instant(NOON - age), instant(NOON)), words));
  }
});
