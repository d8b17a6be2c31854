import type { Writable } from "node:stream";
import { LIMITS } from "../../core/limits.ts";
import { printableLines } from "../../core/printable.ts";
import { Collected, type Outlet, runProgram } from "../process/run.ts";
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

export interface KeyProgramCall {
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

export interface KeyProgramAnswer {
  readonly bytes: Uint8Array;
  readonly status: number;
}

/**
 * Asks a program. What it prints for people goes to standard error as it comes, control characters escaped. At a limit and
 * at an interruption it is killed with all that it started.
 *
 * @throws CountersignError `key-unavailable` where it cannot be run, is killed or does not keep to the limits; `interrupted`.
 */
export async function callProgram({ answersOn, surroundings, ...call }: KeyProgramCall): Promise<KeyProgramAnswer> {
  const answer = new Collected(LIMITS.keyServiceBytes);
  const relay = new Relay(call.name, surroundings.stderr?.stream);
  try {
    const status = await runProgram({
      ...call,
      folder: surroundings.workingDirectory,
      env: programEnvironment(surroundings.env),
      outputs: answersOn === 1 ? [answer, relay] : [relay, relay, answer],
      timeoutMs: timeLimit(surroundings),
      signal: surroundings.signal,
      ending: "kill",
      failures: { code: "key-unavailable" },
    });
    return { bytes: answer.bytes, status };
  } finally {
    relay.end();
  }
}

/** Milliseconds that one answer may take. */
export function timeLimit({ timeoutMs = LIMITS.keyServiceMs }: PublicKeySurroundings): number {
  return timeoutMs;
}

/** Passes on what a program says to people, each line with its name before it. */
class Relay implements Outlet {
  readonly maxBytes = LIMITS.keyServiceBytes;
  readonly #name: string;
  readonly #to: Writable | undefined;
  readonly #decoder = new TextDecoder();
  #isAtStart = true;

  constructor(name: string, to: Writable | undefined) {
    this.#name = name;
    this.#to = to;
  }

  take(chunk: Uint8Array): void {
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
