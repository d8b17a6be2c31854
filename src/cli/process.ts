import { homedir } from "node:os";
import { CountersignError } from "../core/errors.ts";
import { instant } from "../core/time.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { isBrokenPipe } from "./output.ts";

/** The real outside world as a context, and how to let go of it. */
export interface ProcessDoor {
  readonly context: Context;
  close(): void;
}

/**
 * The first SIGINT or SIGTERM asks the command to stop and clean up; the second ends the process at once.
 * The clock is read here and nowhere else.
 */
export function openProcess(): ProcessDoor {
  const interruption = new AbortController();
  const stop = (): void => {
    if (interruption.signal.aborted) process.exit(EXIT_CODES.interrupted);
    interruption.abort(new CountersignError("interrupted", "interrupted"));
  };
  process.on("SIGINT", stop).on("SIGTERM", stop);
  const { stdin, stdout, stderr, env } = process;
  stdout.on("error", ignoreBrokenPipe);
  stderr.on("error", ignoreBrokenPipe);
  return {
    context: {
      env,
      workingDirectory: process.cwd(),
      homeDirectory: homedir(),
      stdin,
      stdout: { stream: stdout, isTerminal: stdout.isTTY === true },
      stderr: { stream: stderr, isTerminal: stderr.isTTY === true },
      referenceTime: instant(Date.now()),
      signal: interruption.signal,
      exitCode: EXIT_CODES.done,
    },
    close: () => void process.off("SIGINT", stop).off("SIGTERM", stop),
  };
}

/** A reader that went away is not our failure; a result that could not be written is, and its writer is told. */
function ignoreBrokenPipe(error: unknown): void {
  if (!isBrokenPipe(error)) process.exitCode = EXIT_CODES.undetermined;
}
