import { homedir } from "node:os";
import { isatty } from "node:tty";
import { CountersignError } from "../core/errors.ts";
import { instant } from "../core/time.ts";
import type { Context, OutputStream } from "./context.ts";
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
  // Until the command has said how it went: Node ends with 0 where a promise is waited for that nothing can settle any more.
  process.exitCode = EXIT_CODES.undetermined;
  return {
    context: {
      env: process.env,
      get workingDirectory() {
        return folderOf("the working directory", "change into a folder that exists", () => process.cwd());
      },
      get homeDirectory() {
        return folderOf("the home directory of this user", "set HOME", homedir);
      },
      get stdin() {
        return process.stdin;
      },
      stdout: outputStream("stdout"),
      stderr: outputStream("stderr"),
      referenceTime: instant(Date.now()),
      signal: interruption.signal,
      exitCode: EXIT_CODES.done,
    },
    close: () => void process.off("SIGINT", stop).off("SIGTERM", stop),
  };
}

/** A folder may have been removed under its process, and a user without an entry in the system has no home. */
function folderOf(what: string, next: string, read: () => string): string {
  try {
    return read();
  } catch (cause) {
    const found = cause instanceof Error ? cause.message : undefined;
    throw new CountersignError("configuration-invalid", `${what} cannot be told`, { found, next, cause });
  }
}

/** Node makes a stream when it is first looked at, which takes as long as all that a command says with it. */
function outputStream(name: "stdout" | "stderr"): OutputStream {
  let stream: NodeJS.WriteStream | undefined;
  return {
    get stream() {
      stream ??= process[name].on("error", ignoreBrokenPipe);
      return stream;
    },
    isTerminal: isatty(name === "stdout" ? 1 : 2),
  };
}

/** A reader that went away is not our failure; a result that could not be written is, and its writer is told. */
function ignoreBrokenPipe(error: unknown): void {
  if (!isBrokenPipe(error)) process.exitCode = EXIT_CODES.undetermined;
}
