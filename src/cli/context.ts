import type { Readable, Writable } from "node:stream";
import type { Instant } from "../core/time.ts";

/** A stream to speak to: what is printed there, and whether a person is looking. */
export interface OutputStream {
  readonly stream: Writable & { readonly columns?: number };
  readonly isTerminal: boolean;
}

/** Everything a command takes from the outside world. Tests make their own. */
export interface Context {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
  readonly homeDirectory: string;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  /** Results only. */
  readonly stdout: OutputStream;
  /** Progress, warnings, prompts, errors. */
  readonly stderr: OutputStream;
  /** Read once, at the door. */
  readonly referenceTime: Instant;
  /** Aborted by SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  /** A command sets what the process shall exit with; the highest claim wins as CLI.md orders them. */
  exitCode: number;
}
