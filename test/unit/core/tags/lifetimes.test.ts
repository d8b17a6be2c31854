import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fileNameOf, isListed, listingOf, parseFileName } from "../../../../src/core/tags/files.ts";
import {
  checkCeiling,
  checkExpiry,
  checkVersion,
  expiryOf,
  formatSpan,
  isDue,
  lifetimesUnder,
  nextVersion,
  parseSpan,
  STRICT_CEILINGS,
  STRICT_LIFETIMES,
  USUAL_CEILINGS,
  USUAL_LIFETIMES,
} from "../../../../src/core/tags/lifetimes.ts";
import type { TimestampRole } from "../../../../src/core/tags/metadata.ts";
import { type Instant, instant } from "../../../../src/core/time.ts";
import { thrownBy } from "../../../support/codes.ts";
import { NOW } from "../../../support/tag-publisher.ts";

const DAY = 24 * 60 * 60 * 1000;
const until = (milliseconds: number): TimestampRole => {
  const expires = instant(NOW + milliseconds);
  return { kind: "timestamp", version: 1, expires, snapshot: { version: 1, length: 1, sha256: "" } };
};

describe("lifetimes", () => {
  it("end at a whole second, and never lie beyond their ceilings", () => {
    for (const [lifetimes, ceilings] of [
      [USUAL_LIFETIMES, USUAL_CEILINGS],
      [STRICT_LIFETIMES, STRICT_CEILINGS],
    ] as const) {
      for (const kind of ["targets", "snapshot", "timestamp"] as const) {
        const expires = expiryOf(kind, NOW, lifetimes);
        assert.equal(expires % 1000, 0);
        checkCeiling({ ...until(0), kind, expires } as TimestampRole, ceilings, NOW, "it");
      }
      assert.ok(expiryOf("role", NOW, lifetimes) - NOW <= ceilings.targets);
    }
  });

  it("leave six days of a usual timestamp to a refresh job that fails, and 23 hours of a strict one", () => {
    const expires = expiryOf("timestamp", NOW);
    assert.equal(isDue("timestamp", expires, NOW), false);
    assert.equal(isDue("timestamp", expires, instant(NOW + DAY)), true);
    const strict = expiryOf("timestamp", NOW, STRICT_LIFETIMES);
    assert.equal(isDue("timestamp", strict, instant(NOW + DAY / 24), STRICT_LIFETIMES), true);
  });

  it("stay strict where they were set up as strict", () => {
    assert.equal(lifetimesUnder(STRICT_CEILINGS), STRICT_LIFETIMES);
    assert.equal(lifetimesUnder(USUAL_CEILINGS), USUAL_LIFETIMES);
  });

  it("beyond the ceiling are refused, by a millisecond", () => {
    checkCeiling(until(USUAL_CEILINGS.timestamp), USUAL_CEILINGS, NOW, "it");
    const error = thrownBy(
      () => checkCeiling(until(USUAL_CEILINGS.timestamp + 1), USUAL_CEILINGS, NOW, "it"),
      "lifetime-exceeded",
    );
    assert.equal(error.wanted, "at most 31d");
  });

  it("end with their last second: at the expiry itself it is over", () => {
    checkExpiry(until(1), NOW, "it");
    assert.match(thrownBy(() => checkExpiry(until(0), NOW, "it"), "frozen").message, /^frozen: it has expired$/);
    thrownBy(() => checkExpiry(until(-1), NOW, "it"), "frozen");
  });
});

describe("versions", () => {
  it("are the time, or one more than the last where that is ahead", () => {
    assert.equal(nextVersion(undefined, NOW), NOW);
    assert.equal(nextVersion(5, NOW), NOW);
    assert.equal(nextVersion(NOW, NOW), NOW + 1);
    assert.equal(nextVersion(NOW + 7, NOW), NOW + 8);
  });

  it("of the future are neither read nor followed", () => {
    checkVersion(NOW + DAY, NOW, "it");
    thrownBy(() => checkVersion(NOW + DAY + 1, NOW, "it"), "version-implausible");
    thrownBy(() => nextVersion(NOW + DAY + 1, NOW), "version-implausible");
  });
});

describe("spans", () => {
  for (const [milliseconds, text] of [
    [31 * DAY, "31d"],
    [36 * 60 * 60 * 1000, "36h"],
    [90 * 60 * 1000, "90m"],
    [1000, "1s"],
  ] as const) {
    it(`${text} comes back`, () => {
      assert.equal(formatSpan(milliseconds), text);
      assert.equal(parseSpan(text), milliseconds);
    });
  }

  for (const text of ["", "31", "d", "0d", "-1d", "1.5d", "01d", "1w", " 1d", "1d ", "1000000d"]) {
    it(`${JSON.stringify(text)} is none`, () => assert.equal(parseSpan(text), undefined));
  }
});

describe("names of files", () => {
  it("are what they are read as", () => {
    for (const [role, version] of [
      ["root", 3],
      ["releases", 1_795_000_000_000],
      ["a.b.bin-0f", 7],
    ] as const) {
      assert.deepEqual(parseFileName(fileNameOf(role, version)), { role, version });
    }
    assert.equal(fileNameOf("timestamp", 9), "timestamp.json");
    assert.deepEqual(parseFileName("timestamp.json"), { role: "timestamp", version: undefined });
  });

  for (const name of [
    "",
    "root.json",
    "0.root.json",
    "1.timestamp.json",
    "1.root",
    "1.ROOT.json",
    "1.a/b.json",
    "9007199254740993.a.json",
  ]) {
    it(`${JSON.stringify(name)} is none`, () => assert.equal(parseFileName(name), undefined));
  }

  it("a file is the listed one by its length and its hash", () => {
    const bytes = new Uint8Array([1, 2]);
    const listed = listingOf(1, bytes);
    assert.equal(isListed(bytes, listed), true);
    assert.equal(isListed(new Uint8Array([1, 3]), listed), false);
    assert.equal(isListed(new Uint8Array([1]), listed), false);
    assert.equal(isListed(bytes, { ...listed, length: 3 }), false);
  });

  it("times that are no instants never become expiries", () => {
    assert.throws(() => expiryOf("root", instant(Date.UTC(9999, 11, 31)) as Instant), RangeError);
  });
});
