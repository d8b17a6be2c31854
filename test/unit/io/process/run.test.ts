import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Collected, type Ending, type ProgramCall, runProgram } from "../../../../src/io/process/run.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { waitForEnd, waitForFile } from "../../../support/programs.ts";

let folder = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "countersign-process-"));
});
after(() => rm(folder, { recursive: true, force: true }));

/** A call of a shell with this script. */
function shell(script: string, more: Partial<ProgramCall> = {}): ProgramCall {
  return {
    name: "guest",
    program: "/bin/sh",
    args: ["-c", script],
    folder,
    env: { PATH: process.env["PATH"] },
    outputs: [new Collected(100), new Collected(100)],
    timeoutMs: 30_000,
    ending: "kill",
    failures: { code: "engine-error" },
    ...more,
  };
}

/** Whether a process that a script has left behind, without its pipes, still runs when the program has ended. */
async function leavesBehind(ending: Ending): Promise<boolean> {
  const script = `sleep 300 > /dev/null 2>&1 & echo $! > left-by-${ending}`;
  assert.equal(await runProgram(shell(script, { ending })), 0);
  const pid = Number(await readFile(join(folder, `left-by-${ending}`), "utf8"));
  const end = waitForEnd(pid);
  const isLeft = await Promise.race([end.then(() => false), sleep(ending === "sweep" ? 20_000 : 200, true)]);
  if (isLeft) process.kill(pid, "SIGKILL");
  await end;
  return isLeft;
}

describe("a program that is run", () => {
  it("gets its input, and has each descriptor read by the outlet that stands for it", async () => {
    const outputs = [new Collected(100), new Collected(100), new Collected(100)];
    const status = await runProgram(
      shell("cat; echo two >&2; echo three >&3; exit 5", { input: Buffer.from("one\n"), outputs }),
    );
    assert.equal(status, 5);
    assert.deepEqual(
      outputs.map(({ bytes }) => bytes.toString()),
      ["one\n", "two\n", "three\n"],
    );
  });

  it("may print as much as each outlet takes, and not one byte more on any of them", async () => {
    assert.equal(await runProgram(shell("printf %0100d 1; printf %0100d 1 >&2")), 0);
    for (const script of ["printf %0101d 1", "printf %0101d 1 >&2"]) {
      const error = await rejectedBy(() => runProgram(shell(script)), "engine-error");
      assert.equal(error.wanted, "at most 100 bytes");
    }
  });

  it("leaves running what it left behind, unless that is to be swept away", async () => {
    const left = await Promise.all((["kill", "ask", "sweep"] as const).map(leavesBehind));
    assert.deepEqual(left, [true, true, false]);
  });

  it("fails in the words of its caller", async () => {
    const failures = { code: "scanner-error", tooSlow: { next: "wait longer" } } as const;
    const error = await rejectedBy(
      () => runProgram(shell("exec sleep 60", { timeoutMs: 50, failures })),
      "scanner-error",
    );
    assert.deepEqual(
      [error.message, error.found, error.next],
      [
        "guest did not finish in time",
        "still running after 0.05 s, and killed with all that it had started",
        "wait longer",
      ],
    );
  });
});

describe("a program that is asked to end", () => {
  const asked = (script: string, signal: AbortSignal): ProgramCall => shell(script, { ending: "ask", signal });

  it("can put its things in order first", async () => {
    const stop = new AbortController();
    const script = "trap 'echo ended > order; exit 0' TERM; echo ready > ready; while :; do sleep 0.05; done";
    const running = rejectedBy(() => runProgram(asked(script, stop.signal)), "interrupted");
    await waitForFile(join(folder, "ready"));
    stop.abort();
    await running;
    assert.equal(await readFile(join(folder, "order"), "utf8"), "ended\n");
  });

  it("is killed where it does not", async () => {
    const stop = new AbortController();
    const script = "trap '' TERM; echo $$ > stubborn; while :; do sleep 0.05; done";
    const running = rejectedBy(() => runProgram(asked(script, stop.signal)), "interrupted");
    const pid = Number(await waitForFile(join(folder, "stubborn")));
    stop.abort();
    await running;
    await waitForEnd(pid);
  });
});

describe("a program that cannot be run", () => {
  it("is one that is not there, or whose folder is not", async () => {
    await rejectedBy(() => runProgram(shell("", { program: join(folder, "nothing") })), "engine-error");
    await rejectedBy(() => runProgram(shell("", { folder: join(folder, "nothing") })), "engine-error");
  });

  it("is one with an argument that no program can get", async () => {
    await rejectedBy(() => runProgram(shell("a\0b")), "engine-error");
  });

  it("is any, where there are no descriptors left for its pipes", async () => {
    const script = `
      import { openSync } from "node:fs";
      import { runProgram } from ${JSON.stringify(new URL("../../../../src/io/process/run.ts", import.meta.url).href)};
      try { for (;;) openSync("/dev/null"); } catch {}
      const outlet = { maxBytes: 1, take() {} };
      const call = { name: "guest", program: "/bin/true", args: [], env: {}, input: new Uint8Array(1) };
      const rest = { outputs: [outlet, outlet], timeoutMs: 5000, ending: "kill", failures: { code: "engine-error" } };
      process.exitCode = await runProgram({ ...call, ...rest }).catch(({ code, found }) =>
        code === "engine-error" && /EMFILE/.test(found) ? 7 : 8);`;
    const command = `ulimit -n 64; exec "$0" --input-type=module-typescript -e "$1"`;
    const running = promisify(execFile)("/bin/sh", ["-c", command, process.execPath, script]);
    await assert.rejects(running, { code: 7 });
  });
});
