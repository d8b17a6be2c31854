import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { confirm } from "../../../src/cli/prompt.ts";
import { captureContext } from "../../support/session.ts";

function terminalWith(answer: string | undefined, signal = new AbortController().signal) {
  const stdin = Object.assign(new PassThrough(), { isTTY: true });
  if (answer !== undefined) stdin.write(`${answer}\n`);
  return captureContext({ stdin, terminal: true, signal });
}

describe("a question", () => {
  for (const [answer, agreed] of [
    ["y", true],
    ["Yes", true],
    [" y ", true],
    ["", false],
    ["n", false],
    ["yep", false],
  ] as const) {
    it(`answered with ${JSON.stringify(answer)} is ${agreed ? "agreed" : "declined"}`, async () => {
      assert.equal(await confirm(terminalWith(answer).context, "go on?", false), agreed);
    });
  }

  it("is not asked with -y", async () => {
    const { context, stderr } = captureContext();
    assert.equal(await confirm(context, "go on?", true), true);
    assert.equal(stderr(), "");
  });

  it("is asked on standard error, what is in it escaped", async () => {
    const { context, stdout, stderr } = terminalWith("n");
    await confirm(context, "sign \u001b[2J?", false);
    assert.ok(stderr().includes("sign \\x1b[2J? [y/N] "));
    assert.equal(stdout(), "");
  });

  it("without a terminal is wrong usage, never a yes", async () => {
    await assert.rejects(confirm(captureContext({ input: "y\n" }).context, "go on?", false), { code: "usage" });
  });

  it("ends when the user interrupts", async () => {
    const stop = new AbortController();
    const answer = confirm(terminalWith(undefined, stop.signal).context, "go on?", false);
    stop.abort();
    await assert.rejects(answer, { code: "interrupted" });
  });
});
