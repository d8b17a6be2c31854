import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { Stage } from "../support/crown.ts";
import { temporaryFolder } from "../support/temp.ts";

const PROGRAM = fileURLToPath(new URL("../../bin/countersign.js", import.meta.url));

/** Starts a pull in a process of its own and sends it a signal when it makes its `at`th request. */
async function killedAt(stage: Stage, at: number, signal: "SIGKILL" | "SIGINT"): Promise<ChildProcess> {
  let child: ChildProcess | undefined;
  stage.registry.faults.when(
    ({ index }) => {
      if (index >= at) child?.kill(signal);
      return index >= at;
    },
    { kind: "stall", at: "content" },
  );
  child = spawn(process.execPath, [PROGRAM, ...stage.argv("10s")], {
    cwd: stage.folder,
    env: stage.env,
    stdio: "ignore",
  });
  await once(child, "exit");
  stage.registry.faults.clear();
  return child;
}

describe("a pull that is killed at every request", () => {
  it("leaves nothing to be seen, and the next pull works (kill -9)", async (t) => {
    const stage = await Stage.open(await temporaryFolder(t));
    t.after(() => stage.registry.close());
    assert.equal((await stage.pull()).exitCode, 0);
    const good = await stage.content();
    const { length } = stage.registry.requests;
    for (let at = 1; at <= length; at++) {
      await stage.reset();
      const child = await killedAt(stage, at, "SIGKILL");
      assert.equal(child.signalCode, "SIGKILL");
      assert.equal(stage.isThere, false, `request ${at}: the destination is there`);
      await stage.assertRecovers(good, `kill -9 at request ${at}`);
    }
  });

  it("ends with 130 when it is interrupted, with nothing to be seen (SIGINT)", async (t) => {
    const stage = await Stage.open(await temporaryFolder(t));
    t.after(() => stage.registry.close());
    assert.equal((await stage.pull()).exitCode, 0);
    const good = await stage.content();
    for (const at of [1, 5]) {
      await stage.reset();
      const child = await killedAt(stage, at, "SIGINT");
      assert.equal(child.exitCode, 130);
      assert.equal(stage.isThere, false);
      await stage.assertRecovers(good, `SIGINT at request ${at}`);
    }
  });
});
