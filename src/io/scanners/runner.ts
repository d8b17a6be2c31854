import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { throwIfAborted } from "../disk/errors.ts";

/** A scanner is somebody else's program, and what it reads is a stranger's image: it is run as what may misbehave. */
export interface ScannerCall {
  /** What it is called in messages. */
  readonly name: string;
  /** Absolute. */
  readonly program: string;
  readonly args: readonly string[];
  /**
   * Where it runs: a folder of ours. Scanners read settings from the folder they are started in, and a checkout must not
   * bring its own list of what is not to be found.
   */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds until it is killed. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Told each line of what it says to people. */
  readonly onLine?: ((line: string) => void) | undefined;
}

export interface ScannerAnswer {
  readonly status: number;
  readonly stdout: Uint8Array;
  /** Of what it said to people, the last part. */
  readonly lines: readonly string[];
}

/**
 * Runs a program without a shell, in a process group of its own. At a limit and at an interruption it is killed with all
 * that it started.
 *
 * @throws CountersignError `scanner-error` where it cannot be run, is killed or does not keep to the limits; `interrupted`.
 */
export async function runScanner(call: ScannerCall): Promise<ScannerAnswer> {
  throwIfAborted(call.signal);
  const running = new RunningScanner(call);
  const timer = setTimeout(() => running.stop(tooSlow(call)), call.timeoutMs);
  const interrupt = (): void => running.stop(interruption(call.signal));
  call.signal?.addEventListener("abort", interrupt, { once: true });
  try {
    return await running.answer;
  } finally {
    clearTimeout(timer);
    call.signal?.removeEventListener("abort", interrupt);
  }
}

/** How long the pipes may stay open behind a program that has ended. */
const DRAIN_MS = 1000;

class RunningScanner {
  readonly answer: Promise<ScannerAnswer>;
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  #stopped: CountersignError | undefined;

  constructor(call: ScannerCall) {
    this.#child = start(call);
    const stdout: Buffer[] = [];
    const spoken = new Spoken(call.onLine);
    const tooMuch = (): void => this.stop(printsTooMuch(call));
    read(this.#child.stdout, LIMITS.scanResultBytes, (chunk) => void stdout.push(chunk), tooMuch);
    read(this.#child.stderr, LIMITS.scannerTalkBytes, (chunk) => spoken.take(chunk), tooMuch);
    this.answer = new Promise((resolve, reject) => {
      this.#child.once("error", (cause) => reject(notStarted(call, cause)));
      this.#child.once("exit", (status, signal) => {
        // What it started may hold the pipes open for ever; what it said itself is there by now.
        const drained = setTimeout(() => this.#kill(), DRAIN_MS);
        this.#child.once("close", () => {
          clearTimeout(drained);
          killGroup(this.#child);
          if (this.#stopped !== undefined) reject(this.#stopped);
          else if (status === null) reject(killed(call, signal));
          else resolve({ status, stdout: Buffer.concat(stdout), lines: spoken.end() });
        });
      });
    });
  }

  stop(reason: CountersignError): void {
    this.#stopped ??= reason;
    this.#kill();
  }

  #kill(): void {
    killGroup(this.#child);
    this.#child.stdout.destroy();
    this.#child.stderr.destroy();
  }
}

function start({ name, program, args, folder, env }: ScannerCall): ChildProcessByStdio<null, Readable, Readable> {
  try {
    return spawn(program, args, {
      cwd: folder,
      env,
      stdio: ["ignore", "pipe", "pipe"],
      // Its own group, so that it can be killed with its children; on Windows this would open a window.
      detached: process.platform !== "win32",
      windowsHide: true,
    });
  } catch (cause) {
    throw notStarted({ name }, cause);
  }
}

/** Nothing that it started outlives it. */
function killGroup(child: { readonly pid?: number | undefined; kill(signal: "SIGKILL"): boolean }): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    child.kill("SIGKILL");
  }
}

function read(stream: Readable, limit: number, take: (chunk: Buffer) => void, tooMuch: () => void): void {
  let size = 0;
  stream.on("error", () => undefined);
  stream.on("data", (chunk: Buffer) => {
    size += chunk.byteLength;
    if (size > limit) tooMuch();
    else take(chunk);
  });
}

/** What a program says to people: line by line as it comes, and all of it in the end. */
class Spoken {
  readonly #onLine: ((line: string) => void) | undefined;
  readonly #decoder = new TextDecoder();
  readonly #lines: string[] = [];
  #rest = "";

  constructor(onLine: ((line: string) => void) | undefined) {
    this.#onLine = onLine;
  }

  take(chunk: Uint8Array): void {
    const lines = (this.#rest + this.#decoder.decode(chunk, { stream: true })).split(/[\r\n]+/);
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#say(line);
  }

  end(): readonly string[] {
    this.#say(this.#rest + this.#decoder.decode());
    this.#rest = "";
    return this.#lines;
  }

  #say(line: string): void {
    if (line.trim() === "") return;
    this.#lines.push(line);
    this.#onLine?.(line);
  }
}

// --- failures ---------------------------------------------------------------------------------------------------------

function notStarted({ name }: Pick<ScannerCall, "name">, cause: unknown): CountersignError {
  return new CountersignError("scanner-error", `${name} cannot be run`, {
    found: cause instanceof Error ? cause.message : "an unknown failure",
    next: `check that ${name} is a program that runs on this machine`,
    cause,
  });
}

function killed({ name }: ScannerCall, signal: string | null): CountersignError {
  return new CountersignError("scanner-error", `${name} died`, { found: signal ?? "no exit status" });
}

function tooSlow({ name, timeoutMs }: ScannerCall): CountersignError {
  return new CountersignError("scanner-error", `${name} did not finish in time`, {
    found: `still running after ${timeoutMs / 1000} s, and killed with all that it had started`,
    next: "give it more time with --scan-timeout, or fill its database before",
  });
}

function printsTooMuch({ name }: ScannerCall): CountersignError {
  return new CountersignError("scanner-error", `${name} prints without end`, {
    found: "more than any result needs; it was killed",
    wanted: `at most ${LIMITS.scanResultBytes} bytes of result and ${LIMITS.scannerTalkBytes} bytes of messages`,
  });
}

function interruption(signal: AbortSignal | undefined): CountersignError {
  if (signal?.reason instanceof CountersignError) return signal.reason;
  return new CountersignError("interrupted", "stopped before the scanner was done", { cause: signal?.reason });
}
