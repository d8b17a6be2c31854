import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { CountersignError, type Particulars } from "../../core/errors.ts";
import type { ReasonCode } from "../../core/reasons.ts";
import { errnoOf, interruption, throwIfAborted } from "../disk/errors.ts";

/** Somebody else's program, which may hang, print without end and leave something behind. */
export interface ProgramCall {
  /** What it is called in messages. */
  readonly name: string;
  /** A path; a bare name is looked for in PATH. */
  readonly program: string;
  readonly args: readonly string[];
  /** Where it runs; left out, where we do. */
  readonly folder?: string | undefined;
  /** All of its environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Its standard input, which is empty where this is left out. */
  readonly input?: Uint8Array | undefined;
  /** What reads its descriptors 1, 2 and, where it has more, those from 3 on. */
  readonly outputs: readonly Outlet[];
  /** Milliseconds until it is stopped. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  readonly ending: Ending;
  /** The code of its failures, and what is said of one instead of the usual words. */
  readonly failures: { readonly code: ReasonCode } & Partial<Record<"notStarted" | "tooSlow" | "tooMuch", Particulars>>;
}

/**
 * How it is stopped, at a limit and at an interruption. `kill`: in a process group of its own, it is killed with all that
 * it started. `sweep`: likewise, and so is what it leaves behind where it ends by itself. `ask`: it is asked to end, and
 * killed where it does not; what it started is left alone.
 */
export type Ending = "kill" | "sweep" | "ask";

export interface Outlet {
  readonly maxBytes: number;
  take(chunk: Uint8Array): void;
}

/** An outlet that keeps what it is given. */
export class Collected implements Outlet {
  readonly maxBytes: number;
  readonly #chunks: Uint8Array[] = [];

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  take(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

/**
 * Runs a program without a shell, bounded in time and in what it prints. It is gone when this settles.
 *
 * @returns its exit status.
 * @throws CountersignError the call's code where it cannot be run, is killed or does not keep to the limits; `interrupted`.
 */
export async function runProgram(call: ProgramCall): Promise<number> {
  throwIfAborted(call.signal);
  const running = new Running(call);
  const timer = setTimeout(() => running.stop(tooSlow(call)), call.timeoutMs);
  const interrupt = (): void => running.stop(interruption(call.signal));
  call.signal?.addEventListener("abort", interrupt, { once: true });
  try {
    return await running.status;
  } finally {
    clearTimeout(timer);
    call.signal?.removeEventListener("abort", interrupt);
  }
}

/** Milliseconds that the pipes may stay open behind a program that has ended, and that one has which is asked to end. */
const PATIENCE: Readonly<Record<Ending, number>> = { kill: 1000, sweep: 1000, ask: 3000 };

class Running {
  readonly status: Promise<number>;
  readonly #call: ProgramCall;
  readonly #child: ChildProcess;
  #stopped: CountersignError | undefined;

  constructor(call: ProgramCall) {
    this.#call = call;
    this.#child = start(call);
    this.status = this.#watch();
    for (const [index, outlet] of call.outputs.entries()) this.#read(index + 1, outlet);
    // One that ends without reading its input breaks the pipe; its exit status tells the story.
    this.#child.stdin?.on("error", () => undefined).end(call.input);
  }

  /** The first reason counts. */
  stop(reason: CountersignError): void {
    if (this.#stopped !== undefined) return;
    this.#stopped = reason;
    if (this.#call.ending === "ask") {
      this.#child.kill("SIGTERM");
      this.#killLater();
    } else this.#kill();
  }

  #watch(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#child.on("error", (cause) => reject(this.#stopped ?? notStarted(this.#call, cause)));
      // What it started may hold the pipes open for ever; what it said itself is there by now.
      this.#child.once("exit", () => this.#killLater());
      this.#child.once("close", (status, signal) => {
        if (this.#call.ending === "sweep") this.#kill();
        if (this.#stopped !== undefined) reject(this.#stopped);
        else if (status === null) reject(died(this.#call, signal));
        else resolve(status);
      });
    });
  }

  /** It has none where there were no descriptors left for its pipes. */
  get #streams(): ChildProcess["stdio"] | [] {
    return this.#child.stdio ?? [];
  }

  #read(descriptor: number, outlet: Outlet): void {
    const stream = this.#streams[descriptor] as Readable | null | undefined;
    let size = 0;
    stream?.on("error", () => undefined);
    stream?.on("data", (chunk: Buffer) => {
      size += chunk.byteLength;
      if (size > outlet.maxBytes) this.stop(tooMuch(this.#call, outlet));
      else outlet.take(chunk);
    });
  }

  #killLater(): void {
    const timer = setTimeout(() => this.#kill(), PATIENCE[this.#call.ending]);
    this.#child.once("close", () => clearTimeout(timer));
  }

  #kill(): void {
    if (this.#call.ending === "ask") this.#child.kill("SIGKILL");
    else killGroup(this.#child);
    for (const stream of this.#streams) stream?.destroy();
  }
}

function start(call: ProgramCall): ChildProcess {
  const { program, args, folder, env, input, outputs, ending } = call;
  try {
    return spawn(program, args, {
      cwd: folder,
      env,
      stdio: [input === undefined ? "ignore" : "pipe", ...outputs.map(() => "pipe" as const)],
      // Its own group, so that it can be killed with its children; on Windows this would open a window.
      detached: ending !== "ask" && process.platform !== "win32",
      windowsHide: true,
    });
  } catch (cause) {
    throw notStarted(call, cause);
  }
}

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    child.kill("SIGKILL");
  }
}

// --- failures ------------------------------------------------------------------------------------------------------------

function notStarted({ name, failures }: ProgramCall, cause: unknown): CountersignError {
  const isMissing = errnoOf(cause) === "ENOENT";
  const message = cause instanceof Error ? cause.message : "an unknown failure";
  return new CountersignError(failures.code, `${name} cannot be run`, {
    found: isMissing ? "no such program, or not the interpreter that it asks for" : message,
    next: `check that ${name} is a program that runs on this machine`,
    ...failures.notStarted,
    cause,
  });
}

function died({ name, failures }: ProgramCall, signal: string | null): CountersignError {
  return new CountersignError(failures.code, `${name} died`, { found: signal ?? "no exit status" });
}

function tooSlow({ name, timeoutMs, ending, failures }: ProgramCall): CountersignError {
  const end = ending === "ask" ? "ended" : "killed with all that it had started";
  return new CountersignError(failures.code, `${name} did not finish in time`, {
    found: `still running after ${timeoutMs / 1000} s, and ${end}`,
    ...failures.tooSlow,
  });
}

function tooMuch({ name, failures }: ProgramCall, { maxBytes }: Outlet): CountersignError {
  return new CountersignError(failures.code, `${name} prints without end`, {
    found: "more than any answer needs; it was killed",
    wanted: `at most ${maxBytes} bytes`,
    ...failures.tooMuch,
  });
}
