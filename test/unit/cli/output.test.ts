import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Writable } from "node:stream";
import { describe, it } from "node:test";
import { type GlobalOptions, openOutput, sayFinding, styleFor } from "../../../src/cli/output.ts";
import { ANSI, PLAIN } from "../../../src/report/style.ts";
import { captureContext } from "../../support/session.ts";

const OPTIONS: GlobalOptions = { format: "text", outputFile: undefined, quiet: false, debug: false, progress: true };

describe("colour", () => {
  const cases: readonly (readonly [string, Record<string, string>, boolean, typeof PLAIN])[] = [
    ["on a terminal", {}, true, ANSI],
    ["not in a file or pipe", {}, false, PLAIN],
    ["not with NO_COLOR, whatever its value", { NO_COLOR: "0" }, true, PLAIN],
    ["with an empty NO_COLOR, which counts as not set", { NO_COLOR: "" }, true, ANSI],
    ["not with CLICOLOR=0", { CLICOLOR: "0" }, true, PLAIN],
    ["in a pipe with CLICOLOR_FORCE=1", { CLICOLOR_FORCE: "1" }, false, ANSI],
    ["not with CLICOLOR_FORCE=0", { CLICOLOR_FORCE: "0" }, false, PLAIN],
    ["not with NO_COLOR, CLICOLOR_FORCE or not", { NO_COLOR: "1", CLICOLOR_FORCE: "1" }, true, PLAIN],
    ["not on a dumb terminal", { TERM: "dumb" }, true, PLAIN],
  ];
  for (const [what, env, isTerminal, style] of cases) {
    it(what, () => assert.equal(styleFor({ stream: new Writable(), isTerminal }, env), style));
  }
});

describe("the result", () => {
  const RESULT = { text: () => "text\n", json: () => "{}\n", more: { tree: () => "tree\n" } };

  it("goes to standard output and nowhere else, in the format asked for", async () => {
    for (const [format, printed] of [
      ["text", "text\n"],
      ["json", "{}\n"],
      ["tree", "tree\n"],
    ] as const) {
      const { context, stdout, stderr } = captureContext();
      await openOutput(context, { ...OPTIONS, format }).result(RESULT);
      assert.deepEqual([stdout(), stderr()], [printed, ""]);
    }
  });

  it("goes to --output-file as a whole, without colour, and then not to standard output", async () => {
    const directory = await mkdtemp(join(tmpdir(), "output-"));
    const { context, stdout } = captureContext({ workingDirectory: directory, terminal: true });
    const styled = { ...RESULT, text: (style: typeof PLAIN) => style.refused("red") };
    await openOutput(context, { ...OPTIONS, outputFile: "out.txt" }).result(styled);
    assert.equal(await readFile(join(directory, "out.txt"), "utf8"), "red");
    assert.deepEqual(await readdir(directory), ["out.txt"]);
    assert.equal(stdout(), "");
    await rm(directory, { recursive: true });
  });

  it("writes to a device and never replaces it", async () => {
    const { context } = captureContext();
    await openOutput(context, { ...OPTIONS, outputFile: "/dev/null" }).result(RESULT);
    assert.ok((await stat("/dev/null")).isCharacterDevice());
  });

  it("ends in disk-error where the file cannot be written", async () => {
    const { context } = captureContext();
    for (const outputFile of ["no/such/folder/out.txt", "/"]) {
      const output = openOutput(context, { ...OPTIONS, outputFile });
      await assert.rejects(output.result(RESULT), { code: "disk-error" }, outputFile);
    }
  });

  it("is no failure when the reader went away, and one when the disk is full", async () => {
    for (const [code, fails] of [
      ["EPIPE", false],
      ["ENOSPC", true],
    ] as const) {
      const stream = new Writable({
        write: (_chunk, _encoding, done) => done(Object.assign(new Error(code), { code })),
      });
      stream.on("error", () => undefined);
      const { context } = captureContext({ stdout: { stream, isTerminal: false } });
      const written = openOutput(context, OPTIONS).result(RESULT);
      if (fails) await assert.rejects(written, { code: "disk-error" });
      else await written;
    }
  });
});

describe("what is said beside the result", () => {
  it("goes to standard error; -q silences notes and leaves warnings", () => {
    const { context, stdout, stderr } = captureContext();
    const output = openOutput(context, { ...OPTIONS, quiet: true });
    output.note("a note");
    output.warn("careful");
    assert.deepEqual([stdout(), stderr()], ["", "countersign: warning: careful\n"]);
  });

  it("is a finding on one line with its code, and the next step on another", () => {
    const { context, stderr } = captureContext();
    sayFinding(context, { code: "unreachable", message: "no answer", found: "a\nb\u001b[31m" });
    const lines = stderr().trimEnd().split("\n");
    assert.equal(lines.length, 2);
    assert.equal(lines[0], "countersign: no answer: found a\\nb\\x1b[31m [unreachable]");
    assert.match(lines[1] ?? "", /^ {2}next {2}check the name/);
  });
});
