import { CountersignError } from "../../core/errors.ts";

/** What the person reads for the failures that happen; any other is told by its code. */
const EXPLAINED: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the file is larger than is allowed here",
  EIO: "input/output error",
  EISDIR: "it is a folder",
  ELOOP: "it is a symbolic link",
  EMFILE: "too many open files",
  ENAMETOOLONG: "the name is too long",
  ENOENT: "there is no such file or folder",
  ENOSPC: "no space left on the disk",
  ENOTDIR: "a part of the path is not a folder",
  EPERM: "not permitted",
  EROFS: "the file system is read-only",
};

/** The code of a system call's failure (`ENOENT`); undefined for anything else that was thrown. */
export function errnoOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !("code" in thrown) || !("syscall" in thrown)) return undefined;
  return typeof thrown.code === "string" ? thrown.code : undefined;
}

/**
 * A failed system call as `disk-error`; an abort as what aborted it. Everything else is returned as it is: it has a
 * code already, or it is a defect and must not pass for a full disk.
 */
export function asDiskError(thrown: unknown, doing: string): unknown {
  const code = errnoOf(thrown);
  if (code === undefined) return thrown;
  const found = EXPLAINED[code] === undefined ? code : `${code}: ${EXPLAINED[code]}`;
  return new CountersignError("disk-error", `cannot ${doing}`, { found, next: nextAfter(code, doing), cause: thrown });
}

function nextAfter(code: string, doing: string): string | undefined {
  if (code === "EISDIR") return "name a file, one in that folder for instance";
  const isAway = /^(?:write|lock) /.test(doing) && (code === "ENOENT" || code === "ENOTDIR");
  return isAway ? "make the folder that it is to be in, or name another place" : undefined;
}

/** Runs file operations and gives their failures the one code. Never wrap the reading of a peer's stream in it. */
export async function onDisk<Result>(doing: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (thrown) {
    throw asDiskError(thrown, doing);
  }
}

/** `undefined` where the file or folder is not there; every other failure stays one. */
export async function ifPresent<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await work();
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOENT") return undefined;
    throw thrown;
  }
}

/** Ends the work when the command was stopped. @throws CountersignError: the signal's own reason, or `interrupted`. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw interruption(signal);
}

/** What an aborted signal is thrown as. */
export function interruption(signal: AbortSignal | undefined): CountersignError {
  if (signal?.reason instanceof CountersignError) return signal.reason;
  return new CountersignError("interrupted", "stopped before it was done", { cause: signal?.reason });
}
