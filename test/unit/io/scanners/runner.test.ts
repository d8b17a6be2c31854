import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { CountersignError } from "../../../../src/core/errors.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { runScanner, type ScannerCall } from "../../../../src/io/scanners/runner.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { installScript, waitForEnd, waitForFile } from "../../../support/programs.ts";

let folder = "";
let place = "";

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "countersign-scanner-"));
  place = await mkdtemp(join(folder, "place-"));
});
after(() => rm(folder, { recursive: true, force: true }));

/** A call of a program of these lines. */
async function callOf(name: string, lines: readonly string[], more: Partial<ScannerCall> = {}): Promise<ScannerCall> {
  const program = await installScript(folder, name, ...lines);
  return { name, program, args: [], folder: place, env: { PATH: process.env["PATH"] }, timeoutMs: 30_000, ...more };
}

describe("a scanner that is run", () => {
  it("runs in the folder it is given, with exactly the environment it is given", async () => {
    const env = { PATH: process.env["PATH"], TRIVY_CACHE_DIR: "/cache" };
    const answer = await runScanner(
      await callOf("where", ["pwd -P", "env | grep -v -E '^(PWD|SHLVL|_|OLDPWD)='"], { env }),
    );
    const [where = "", ...variables] = Buffer.from(answer.stdout).toString().trim().split("\n");
    assert.ok(where.endsWith(place), where);
    assert.deepEqual(variables.map((line) => line.split("=")[0]).toSorted(), ["PATH", "TRIVY_CACHE_DIR"]);
  });

  it("gets its arguments as they are: no shell reads them", async () => {
    const args = ["$(touch evil)", "; touch evil", "a b", "*"];
    const answer = await runScanner(await callOf("args", ['for each in "$@"; do echo "[$each]"; done'], { args }));
    assert.equal(Buffer.from(answer.stdout).toString(), args.map((arg) => `[${arg}]\n`).join(""));
    assert.deepEqual(await readdir(place), []);
  });

  it("has its exit code and its last words told, with nothing on standard input", async () => {
    const lines: string[] = [];
    const call = await callOf("talks", ["cat", "printf 'one\\r\\ntwo\\n\\nthree' >&2", "exit 7"], {
      onLine: (line) => lines.push(line),
    });
    const answer = await runScanner(call);
    assert.equal(answer.status, 7);
    assert.equal(answer.stdout.byteLength, 0);
    assert.deepEqual(answer.lines, ["one", "two", "three"]);
    assert.deepEqual(lines, ["one", "two", "three"]);
  });
});

describe("a scanner without end", () => {
  it("that prints without end is killed", async () => {
    const error = await rejectedBy(async () => runScanner(await callOf("endless", ["exec yes"])), "scanner-error");
    assert.match(error.message, /prints without end/);
  });

  it("that prints one byte more than a result may have is refused", async () => {
    const lines = [`head -c ${LIMITS.scanResultBytes + 1} /dev/zero`];
    await rejectedBy(async () => runScanner(await callOf("large", lines)), "scanner-error");
  });

  it("that talks one byte more than it may is refused", async () => {
    const lines = [`head -c ${LIMITS.scannerTalkBytes + 1} /dev/zero >&2`];
    await rejectedBy(async () => runScanner(await callOf("talkative", lines)), "scanner-error");
  });

  it("that hangs is killed with all it started, at its time limit", async () => {
    const pids = join(folder, "pids");
    const call = await callOf("hangs", [`sleep 300 & echo $$ $! > "${pids}"`, "wait"], { timeoutMs: 2_000 });
    const error = await rejectedBy(() => runScanner(call), "scanner-error");
    assert.match(error.found ?? "", /still running after 2 s/);
    for (const pid of (await waitForFile(pids)).split(" ")) await waitForEnd(Number(pid));
  });

  it("that ignores every request to end is killed all the same", async () => {
    const call = await callOf("stubborn", ["trap '' TERM INT HUP", "while :; do sleep 1; done"], { timeoutMs: 300 });
    await rejectedBy(() => runScanner(call), "scanner-error");
  });

  it("that leaves something behind has it killed: nothing outlives the scan", async () => {
    const pid = join(folder, "left-behind");
    const answer = await runScanner(
      await callOf("leaves", [`sleep 300 > /dev/null 2>&1 & echo $! > "${pid}"`, "echo done"]),
    );
    assert.equal(Buffer.from(answer.stdout).toString(), "done\n");
    await waitForEnd(Number(await waitForFile(pid)));
  });

  it("that leaves something behind that holds its output open is waited for no longer", async () => {
    const answer = await runScanner(await callOf("holds", ["sleep 300 &", "echo done"]));
    assert.equal(Buffer.from(answer.stdout).toString(), "done\n");
  });
});

describe("a scanner that is interrupted", () => {
  it("is killed with all it started", async () => {
    const pids = join(folder, "interrupted");
    const stop = new AbortController();
    const call = await callOf("works", [`sleep 300 & echo $$ $! > "${pids}"`, "wait"], { signal: stop.signal });
    const running = rejectedBy(() => runScanner(call), "interrupted");
    const started = (await waitForFile(pids)).split(" ");
    stop.abort(new CountersignError("interrupted", "stopped by a signal"));
    await running;
    for (const pid of started) await waitForEnd(Number(pid));
  });

  it("is not started where it was interrupted before", async () => {
    const call = await callOf("never", ["echo started > never"], { signal: AbortSignal.abort() });
    await rejectedBy(() => runScanner(call), "interrupted");
    assert.deepEqual(await readdir(place), []);
  });
});

describe("a scanner that cannot be run", () => {
  it("is one that is not there", async () => {
    const call = await callOf("gone", ["true"]);
    await rejectedBy(() => runScanner({ ...call, program: join(folder, "no-such-program") }), "scanner-error");
  });

  it("is one that kills itself", async () => {
    const error = await rejectedBy(async () => runScanner(await callOf("dies", ["kill -9 $$"])), "scanner-error");
    assert.match(error.found ?? "", /SIGKILL/);
  });

  it("is one with arguments that no program can get", async () => {
    const call = await callOf("nul", ["true"], { args: ["a\0b"] });
    await rejectedBy(() => runScanner(call), "scanner-error");
  });
});
