import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";

export interface RunOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds until it is killed. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface RunResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How long a program that was asked to end is waited for. */
const GRACE_MS = 3000;

/**
 * Runs a program without a shell and collects what it prints, bounded in time and in bytes. A stopped program is asked
 * to end and then killed, and is gone when this rejects.
 *
 * @throws CountersignError `engine-error` where it cannot be run or does not end, `interrupted`.
 */
export async function run(program: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  if (options.signal?.aborted === true) throw interruption(options.signal);
  const child = spawn(program, args, {
    env: { ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
    windowsHide: true,
  });
  const running = new Running(program, child);
  const timer = setTimeout(() => running.stop(tooSlow(program, options.timeoutMs)), options.timeoutMs);
  const abort = (): void => running.stop(interruption(options.signal));
  options.signal?.addEventListener("abort", abort, { once: true });
  try {
    return await running.result;
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", abort);
  }
}

class Running {
  readonly result: Promise<RunResult>;
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  #stopped: CountersignError | undefined;

  constructor(program: string, child: ChildProcessByStdio<null, Readable, Readable>) {
    this.#child = child;
    const tooMuch = (): void => this.stop(printsTooMuch(program));
    const [stdout, stderr] = [collect(child.stdout, tooMuch), collect(child.stderr, tooMuch)];
    this.result = new Promise((resolve, reject) => {
      child.once("error", (cause) => reject(notStarted(program, cause)));
      child.once("exit", (status, signal) => {
        // A child of the program may hold the pipes open for ever; what the program itself printed is there by now.
        const wait = setTimeout(() => this.#destroyPipes(), GRACE_MS);
        child.once("close", () => {
          clearTimeout(wait);
          if (this.#stopped !== undefined) reject(this.#stopped);
          else if (status === null) reject(killed(program, signal));
          else resolve({ status, stdout: stdout(), stderr: stderr() });
        });
      });
    });
  }

  stop(reason: CountersignError): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = reason;
    this.#child.kill("SIGTERM");
    const kill = setTimeout(() => this.#child.kill("SIGKILL"), GRACE_MS);
    this.#child.once("exit", () => clearTimeout(kill));
  }

  #destroyPipes(): void {
    this.#child.stdout.destroy();
    this.#child.stderr.destroy();
  }
}

function collect(stream: Readable, tooMuch: () => void): () => string {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on("data", (chunk: Buffer) => {
    bytes += chunk.byteLength;
    if (bytes > LIMITS.engineOutputBytes) tooMuch();
    else chunks.push(chunk);
  });
  stream.on("error", () => {});
  return () => Buffer.concat(chunks).toString("utf8");
}

function notStarted(program: string, cause: Error): CountersignError {
  const isMissing = "code" in cause && cause.code === "ENOENT";
  return new CountersignError("engine-error", `${program} cannot be run`, {
    found: isMissing ? "no such program" : cause.message,
    next: `install ${program}, or name its program in the environment (COUNTERSIGN_DOCKER, COUNTERSIGN_PODMAN)`,
    cause,
  });
}

function killed(program: string, signal: string | null): CountersignError {
  return new CountersignError("engine-error", `${program} was killed`, { found: signal ?? "no exit status" });
}

function tooSlow(program: string, timeoutMs: number): CountersignError {
  return new CountersignError("engine-error", `${program} did not finish in time`, {
    found: `still running after ${timeoutMs / 1000} s`,
  });
}

function printsTooMuch(program: string): CountersignError {
  return new CountersignError("engine-error", `${program} prints without end`, {
    wanted: `at most ${LIMITS.engineOutputBytes} bytes`,
  });
}

function interruption(signal: AbortSignal | undefined): CountersignError {
  if (signal?.reason instanceof CountersignError) return signal.reason;
  return new CountersignError("interrupted", "stopped before the engine was done", { cause: signal?.reason });
}
