import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openAuditProgress, progressLine } from "../../../src/cli/audit-progress.ts";
import { captureContext } from "../../support/session.ts";

const OPTIONS = { progress: true, quiet: false };

describe("the progress of an audit", () => {
  it("is a bar with a share, a rate and the time that is left", () => {
    assert.equal(
      progressLine({ done: 500, total: 2000, round: 1 }, 0, 10_000),
      "[######------------------]  25%  500 of 2000 images, 50/s, 30s left",
    );
  });

  it("does not count as speed what a journal knew", () => {
    assert.match(progressLine({ done: 1010, total: 2000, round: 1 }, 1000, 10_000), /, 1\.0\/s, 16m 30s left$/);
    assert.match(progressLine({ done: 1000, total: 2000, round: 1 }, 1000, 10_000), /1000 of 2000 images$/);
  });

  it("says that it tries again", () => {
    assert.match(progressLine({ done: 1, total: 2, round: 3 }, 0, 1000), /, round 3 for what failed$/);
  });

  it("knows no time at the start, and no share of nothing", () => {
    assert.equal(progressLine({ done: 0, total: 0, round: 1 }, 0, 0), `[${"#".repeat(24)}] 100%  0 of 0 images`);
  });

  it("is drawn on a terminal at most ten times a second, no wider than it is, and taken away", () => {
    let now = 0;
    const { context, stderr } = captureContext({ terminal: true });
    const progress = openAuditProgress(context, OPTIONS, () => now);
    for (let done = 0; done <= 100; done++) {
      now += 10;
      progress.onProgress({ done, total: 100, round: 1 });
    }
    progress.finish();
    const drawn = stderr().split("\r\u001b[K").slice(1);
    assert.equal(drawn.length, 11 + 1);
    assert.ok(drawn.every((line) => line.length < 80));
    assert.equal(drawn.at(-1), "");
  });

  it("is nothing where nobody looks, or wants it", () => {
    for (const [terminal, env, options] of [
      [false, {}, OPTIONS],
      [true, { TERM: "dumb" }, OPTIONS],
      [true, {}, { ...OPTIONS, quiet: true }],
      [true, {}, { ...OPTIONS, progress: false }],
    ] as const) {
      const { context, stderr } = captureContext({ terminal, env });
      const progress = openAuditProgress(context, options);
      progress.onProgress({ done: 1, total: 2, round: 1 });
      progress.finish();
      assert.equal(stderr(), "");
    }
  });
});
