import { LIMITS } from "../../core/limits.ts";
import { Collected, type ProgramCall, runProgram } from "../process/run.ts";

export type RunOptions = Pick<ProgramCall, "env" | "timeoutMs" | "signal">;

export interface RunResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs an engine's command line and collects what it prints, bounded in time and in bytes. A stopped one is asked to end
 * and then killed: what it has begun in its daemon or its storage is for it to put in order.
 *
 * @throws CountersignError `engine-error` where it cannot be run or does not end, `interrupted`.
 */
export async function run(program: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  const { env, timeoutMs, signal } = options;
  const stdout = new Collected(LIMITS.engineOutputBytes);
  const stderr = new Collected(LIMITS.engineOutputBytes);
  const next = `install ${program}, or name its program in the environment (COUNTERSIGN_DOCKER, COUNTERSIGN_PODMAN)`;
  const status = await runProgram({
    name: program,
    program,
    args,
    env,
    outputs: [stdout, stderr],
    timeoutMs,
    signal,
    ending: "ask",
    failures: { code: "engine-error", notStarted: { next } },
  });
  return { status, stdout: stdout.bytes.toString("utf8"), stderr: stderr.bytes.toString("utf8") };
}
