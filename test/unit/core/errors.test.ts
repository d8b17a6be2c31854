import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CountersignError, toFinding } from "../../../src/core/errors.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { REASONS } from "../../../src/core/reasons.ts";

describe("CountersignError", () => {
  it("carries its code, class, particulars and the reason's next step", () => {
    const cause = new Error("below");
    const error = new CountersignError("throttled", "too fast", { found: "429", wanted: "200", cause });
    assert.deepEqual(
      [error.name, error.code, error.class, error.message],
      ["CountersignError", "throttled", "undetermined", "too fast"],
    );
    assert.deepEqual([error.found, error.wanted, error.next], ["429", "200", REASONS.throttled.next]);
    assert.equal(error.cause, cause);
  });

  it("has no cause unless one is given, and prefers a next step of its own", () => {
    const error = new CountersignError("usage", "no such flag", { next: "see countersign verify --help" });
    assert.ok(!("cause" in error));
    assert.equal(error.next, "see countersign verify --help");
    assert.deepEqual([error.found, error.wanted], [undefined, undefined]);
  });

  it(`repeats ${LIMITS.messageCharacters} characters from a peer and says how many more there were`, () => {
    const limit = LIMITS.messageCharacters;
    const exact = new CountersignError("usage", "m".repeat(limit), { found: "f".repeat(limit) });
    assert.deepEqual([exact.message.length, exact.found?.length], [limit, limit]);
    const long = new CountersignError("usage", "m".repeat(limit + 1), { wanted: "w".repeat(5 * limit) });
    assert.match(long.message, /^m{1024}… \(1 more characters\)$/);
    assert.match(long.wanted ?? "", /^w{1024}… \(4096 more characters\)$/);
  });

  it("cuts no character in two", () => {
    const error = new CountersignError("usage", `a${"\u{1f600}".repeat(LIMITS.messageCharacters)}`);
    assert.ok(error.message.isWellFormed());
  });
});

describe("toFinding", () => {
  it("keeps a CountersignError's parts", () => {
    const finding = toFinding(new CountersignError("denied", "no", { found: "403" }));
    assert.deepEqual(finding, {
      code: "denied",
      message: "no",
      found: "403",
      wanted: undefined,
      next: REASONS.denied.next,
    });
  });

  for (const thrown of [new TypeError("boom"), "boom", undefined, null, 7, Object.create(null), Symbol("boom")]) {
    it(`calls ${typeof thrown} ${thrown instanceof Error ? thrown.name : ""} a defect of ours`, () => {
      const finding = toFinding(thrown);
      assert.equal(finding.code, "internal");
      assert.match(finding.message, /boom|not an error/);
    });
  }
});
