import { type ChildProcess, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { printableLines } from "../../core/printable.ts";
import { throwIfAborted } from "../disk/errors.ts";
import { interruption } from "./content.ts";
import type { KeySurroundings, PublicKeySurroundings } from "./surroundings.ts";

/** Programs that hold keys for us: one question on standard input, one answer, an end. */

/** Secrets that are for us alone. */
const OURS = /^(?:COUNTERSIGN_.*|COSIGN_PASSWORD|COSIGN_PKCS11_PIN|SIGSTORE_ID_TOKEN|DOCKER_AUTH_CONFIG)$/i;

/**
 * The environment for a program that holds keys. Which variables its cloud's libraries or its module's maker read is not
 * known here, so it gets all but our own secrets.
 */
export function programEnvironment(env: KeySurroundings["env"]): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !OURS.test(name)));
}

export interface ProgramCall {
  /** What it is called in messages and before each line that it prints. */
  readonly name: string;
  /** Absolute. */
  readonly program: string;
  readonly args: readonly string[];
  readonly input: Uint8Array;
  /** Where its answer comes: its standard output, or descriptor 3 where native code may print on that. */
  readonly answersOn: 1 | 3;
  readonly surroundings: PublicKeySurroundings;
}

export interface ProgramAnswer {
  readonly bytes: Uint8Array;
  readonly status: number;
}

/**
 * Runs a program without a shell, in a process group of its own. What it prints for people goes to standard error as it
 * comes, control characters escaped. At a limit and at an interruption it is killed with all that it started.
 *
 * @throws CountersignError `key-unavailable` where it cannot be run, is killed or does not keep to the limits; `interrupted`.
 */
export async function callProgram(call: ProgramCall): Promise<ProgramAnswer> {
  const { signal } = call.surroundings;
  throwIfAborted(signal);
  const running = new RunningProgram(call);
  const timer = setTimeout(() => running.stop(tooSlow(call)), timeLimit(call.surroundings));
  const interrupt = (): void => running.stop(interruption(signal));
  signal?.addEventListener("abort", interrupt, { once: true });
  try {
    return await running.answer;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", interrupt);
  }
}

/** Milliseconds that one answer may take. */
export function timeLimit({ timeoutMs = LIMITS.keyServiceMs }: PublicKeySurroundings): number {
  return timeoutMs;
}

/** How long the pipes may stay open behind a program that has ended. */
const DRAIN_MS = 1000;

class RunningProgram {
  readonly answer: Promise<ProgramAnswer>;
  readonly #call: ProgramCall;
  readonly #child: ChildProcess;
  #stopped: CountersignError | undefined;

  constructor(call: ProgramCall) {
    this.#call = call;
    this.#child = start(call);
    const relay = new Relay(call);
    const answer = this.#collect(call.answersOn);
    this.#relay(2, relay);
    if (call.answersOn !== 1) this.#relay(1, relay);
    this.#child.stdin?.on("error", () => undefined).end(call.input);
    this.answer = new Promise((resolve, reject) => {
      this.#child.once("error", (cause) => reject(notStarted(call, cause)));
      this.#child.once("exit", (status, signal) => {
        // What it started may hold the pipes open for ever; what it said itself is there by now.
        const drained = setTimeout(() => this.#kill(), DRAIN_MS);
        this.#child.once("close", () => {
          clearTimeout(drained);
          relay.end();
          if (this.#stopped !== undefined) reject(this.#stopped);
          else if (status === null) reject(killed(call, signal));
          else resolve({ bytes: answer(), status });
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
    for (const stream of this.#child.stdio) stream?.destroy();
  }

  #collect(descriptor: 1 | 3): () => Uint8Array {
    const chunks: Buffer[] = [];
    this.#read(descriptor, (chunk) => void chunks.push(chunk));
    return () => Buffer.concat(chunks);
  }

  #relay(descriptor: 1 | 2, relay: Relay): void {
    this.#read(descriptor, (chunk) => relay.pass(chunk));
  }

  #read(descriptor: 1 | 2 | 3, take: (chunk: Buffer) => void): void {
    const stream = this.#child.stdio[descriptor] as Readable | null | undefined;
    let size = 0;
    stream?.on("error", () => undefined);
    stream?.on("data", (chunk: Buffer) => {
      size += chunk.byteLength;
      if (size > LIMITS.keyServiceBytes) this.stop(printsTooMuch(this.#call));
      else take(chunk);
    });
  }
}

function start({ name, program, args, answersOn, surroundings }: ProgramCall): ChildProcess {
  try {
    return spawn(program, args, {
      cwd: surroundings.workingDirectory,
      env: programEnvironment(surroundings.env),
      stdio: answersOn === 1 ? "pipe" : ["pipe", "pipe", "pipe", "pipe"],
      // Its own group, so that it can be killed with its children; on Windows this would open a window.
      detached: process.platform !== "win32",
      windowsHide: true,
    });
  } catch (cause) {
    throw notStarted({ name }, cause);
  }
}

function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
  } catch {
    child.kill("SIGKILL");
  }
}

/** Passes on what a program says to people, each line with its name before it. */
class Relay {
  readonly #name: string;
  readonly #to: Writable | undefined;
  readonly #decoder = new TextDecoder();
  #isAtStart = true;

  constructor({ name, surroundings }: ProgramCall) {
    this.#name = name;
    this.#to = surroundings.stderr?.stream;
  }

  pass(chunk: Uint8Array): void {
    this.#write(this.#decoder.decode(chunk, { stream: true }));
  }

  end(): void {
    this.#write(this.#decoder.decode());
    if (!this.#isAtStart) this.#write("\n");
  }

  #write(text: string): void {
    for (const line of text.replaceAll("\r\n", "\n").split(/(?<=\n)/)) {
      if (line === "") continue;
      this.#to?.write(`${this.#isAtStart ? `${this.#name}: ` : ""}${printableLines(line)}`);
      this.#isAtStart = line.endsWith("\n");
    }
  }
}

// --- failures ------------------------------------------------------------------------------------------------------------

function notStarted({ name }: Pick<ProgramCall, "name">, cause: unknown): CountersignError {
  return new CountersignError("key-unavailable", `${name} cannot be run`, {
    found: cause instanceof Error ? cause.message : "an unknown failure",
    next: `check that ${name} is a program that runs on this machine`,
    cause,
  });
}

function killed({ name }: ProgramCall, signal: string | null): CountersignError {
  return new CountersignError("key-unavailable", `${name} died`, { found: signal ?? "no exit status" });
}

function tooSlow({ name, surroundings }: ProgramCall): CountersignError {
  return new CountersignError("key-unavailable", `${name} gave no answer in time`, {
    found: `still running after ${timeLimit(surroundings) / 1000} s, and killed`,
  });
}

function printsTooMuch({ name }: ProgramCall): CountersignError {
  return new CountersignError("key-unavailable", `${name} prints without end`, {
    found: "more than any answer needs; it was killed",
    wanted: `at most ${LIMITS.keyServiceBytes} bytes`,
  });
}
