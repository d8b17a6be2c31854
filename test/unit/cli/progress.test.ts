import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { openProgress, progressLines } from "../../../src/cli/progress.ts";
import type { TransferEvent } from "../../../src/core/ports.ts";
import { formatBytes, formatSeconds } from "../../../src/report/amounts.ts";
import { captureContext } from "../../support/session.ts";
import { digest } from "../../support/verdicts.ts";

function event(fill: string, overrides: Partial<TransferEvent> = {}): TransferEvent {
  return { digest: digest(fill), what: "layer", state: "progress", bytes: 512, total: 1024, ...overrides };
}

describe("progress bars", () => {
  const silent: readonly (readonly [
    string,
    Parameters<typeof captureContext>[0],
    { progress: boolean; quiet: boolean },
  ])[] = [
    ["in a pipe", {}, { progress: true, quiet: false }],
    ["with --no-progress", { terminal: true }, { progress: false, quiet: false }],
    ["with -q", { terminal: true }, { progress: true, quiet: true }],
    ["on a dumb terminal", { terminal: true, env: { TERM: "dumb" } }, { progress: true, quiet: false }],
  ];
  for (const [what, overrides, options] of silent) {
    it(`are not drawn ${what}`, () => {
      const { context, stdout, stderr } = captureContext(overrides);
      const progress = openProgress(context, options);
      progress.onTransfer(event("a"));
      progress.finish();
      assert.deepEqual([stdout(), stderr()], ["", ""]);
    });
  }

  it("are drawn on standard error ten times a second at most, and taken away at the end", () => {
    const { context, stdout, stderr } = captureContext({ terminal: true });
    let clock = 0;
    const progress = openProgress(context, { progress: true, quiet: false }, () => clock);
    for (clock = 0; clock < 1000; clock += 10) progress.onTransfer(event("a", { bytes: clock }));
    progress.finish();
    assert.equal(stdout(), "");
    assert.equal(stderr().split("0 of 1  ").length - 1, 10);
    assert.ok(stderr().endsWith("\u001b[2F\u001b[J"));
  });
});

describe("the lines of a progress display", () => {
  it("show each transfer under way and the whole, with rate and time left", () => {
    const lines = progressLines([event("a"), event("b", { state: "done", bytes: 1024 })], 1000, 0, 100);
    assert.equal(lines.length, 2);
    assert.match(lines[0] ?? "", /^layer {5}a{12} \[#{12}-{12}\] {2}50% 512 B of 1\.0 KiB$/);
    assert.equal(lines[1], "1 of 2  1.5 KiB of 2.0 KiB, 1.5 KiB/s, 1s left");
  });

  it("do not count what was there before as speed", () => {
    const lines = progressLines([event("a", { state: "resumed" })], 1000, 512, 100);
    assert.match(lines.at(-1) ?? "", /, 0 B\/s$/);
  });

  it("stay few, however many layers move, and within the width", () => {
    const events = [..."0123456789abcdef"].map((fill) => event(fill));
    const lines = progressLines(events, 1000, 0, 60);
    assert.equal(lines.length, 7);
    for (const line of lines) assert.ok(line.length < 60);
  });

  it("survive empty blobs, and more bytes than were announced", () => {
    assert.match(progressLines([event("a", { bytes: 0, total: 0 })], 0, 0, 100)[0] ?? "", /100%/);
    assert.match(progressLines([event("a", { bytes: 5000 })], 1, 0, 100)[0] ?? "", /100% 1\.0 KiB of/);
  });
});

describe("amounts", () => {
  it("are written in binary units", () => {
    assert.deepEqual([0, 1023, 1024, 1536, 1024 ** 3, 1024 ** 5].map(formatBytes), [
      "0 B",
      "1023 B",
      "1.0 KiB",
      "1.5 KiB",
      "1.0 GiB",
      "1024.0 TiB",
    ]);
  });

  it("of time are written in the two largest units", () => {
    assert.deepEqual([0.2, 59, 60, 200, 7500].map(formatSeconds), ["1s", "59s", "1m 0s", "3m 20s", "2h 5m"]);
  });
});
