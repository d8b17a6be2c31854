import { LIMITS } from "../../core/limits.ts";
import { Collected, type Outlet, type ProgramCall, runProgram } from "../process/run.ts";

/** A scanner is somebody else's program, and what it reads is a stranger's image: it is run as what may misbehave. */
export interface ScannerCall extends Pick<ProgramCall, "name" | "program" | "args" | "env" | "timeoutMs" | "signal"> {
  /**
   * Where it runs: a folder of ours. Scanners read settings from the folder they are started in, and a checkout must not
   * bring its own list of what is not to be found.
   */
  readonly folder: string;
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
 * Runs a scanner. At a limit and at an interruption it is killed with all that it started; nothing outlives it.
 *
 * @throws CountersignError `scanner-error` where it cannot be run, is killed or does not keep to the limits; `interrupted`.
 */
export async function runScanner({ onLine, ...call }: ScannerCall): Promise<ScannerAnswer> {
  const result = new Collected(LIMITS.scanResultBytes);
  const spoken = new Spoken(onLine);
  const status = await runProgram({ ...call, outputs: [result, spoken], ending: "sweep", failures: FAILURES });
  return { status, stdout: result.bytes, lines: spoken.end() };
}

const FAILURES: ProgramCall["failures"] = {
  code: "scanner-error",
  tooSlow: { next: "give it more time with --scan-timeout, or fill its database before" },
  tooMuch: {
    found: "more than any result needs; it was killed",
    wanted: `at most ${LIMITS.scanResultBytes} bytes of result and ${LIMITS.scannerTalkBytes} bytes of messages`,
  },
};

/** What a program says to people: line by line as it comes, and all of it in the end. */
class Spoken implements Outlet {
  readonly maxBytes = LIMITS.scannerTalkBytes;
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
