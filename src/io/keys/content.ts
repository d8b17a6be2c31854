import { closeSync, constants, fstatSync, open, read, type Stats } from "node:fs";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { errnoOf, interruption, throwIfAborted } from "../disk/errors.ts";
import { parseKeyReference } from "./reference.ts";
import type { KeySurroundings, PublicKeySurroundings } from "./surroundings.ts";

/** What a file or a variable holds. */
export interface KeyContent {
  readonly content: Uint8Array;
  /** As the user wrote the reference. */
  readonly label: string;
  /** Permission bits, for regular files on systems that have them. */
  readonly mode?: number | undefined;
}

/**
 * The content of a key that is content: a file or `env://NAME`.
 *
 * @throws CountersignError `key-invalid`, `interrupted`, or `unsupported` for a key in a KMS or an HSM.
 */
export async function readKey(reference: string, surroundings: PublicKeySurroundings): Promise<KeyContent> {
  const parsed = parseKeyReference(reference);
  if (parsed.kind === "variable") return readVariable(reference, parsed.name, surroundings.env);
  if (parsed.kind === "file") return await readKeyFileContent(reference, parsed.path, surroundings);
  throw new CountersignError("unsupported", "this key cannot be taken out of where it is", {
    found: "a key in a KMS or an HSM",
    wanted: "a file or env://NAME",
  });
}

function readVariable(label: string, name: string, env: PublicKeySurroundings["env"]): KeyContent {
  const value = env[name];
  if (value !== undefined && value !== "") return { content: Buffer.from(value), label };
  throw unusable(label, name === "" ? "no variable's name" : `${name} is ${value === undefined ? "not set" : "empty"}`);
}

async function readKeyFileContent(
  label: string,
  path: string,
  { workingDirectory, signal, timeoutMs }: PublicKeySurroundings,
): Promise<KeyContent> {
  // It would name the working directory.
  if (path === "") throw unusable("an empty name", "");
  const options = { label, maxBytes: LIMITS.keyFileBytes, signal, timeoutMs };
  return { label, ...(await readSmallFile(resolve(workingDirectory, path), options)) };
}

/** Group and everyone. */
const OTHERS_READ = 0o044;

/** Says so where users other than the owner can read a private key's file. */
export function warnOfReaders({ label, mode }: Omit<KeyContent, "content">, warn: KeySurroundings["warn"]): void {
  if (mode === undefined || (mode & OTHERS_READ) === 0) return;
  const octal = (mode & 0o777).toString(8).padStart(4, "0");
  warn?.(`${label} can be read by other users (mode ${octal}); chmod 600 ${label}`);
}

// --- files that may be pipes -------------------------------------------------------------------------------------------

export interface ReadOptions {
  /** What the file is called in errors. */
  readonly label: string;
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for all of it. */
  readonly timeoutMs?: number | undefined;
}

const openFile = promisify(open);
const readFile = promisify(read);

/**
 * All of a small file. Links are followed (mounted secrets are links) and pipes are read (`--key <(…)`). Nothing here
 * waits inside a system call: a pipe that nobody writes to would keep the process until it is killed, since a thread that
 * waits in `open` or `read` is joined at exit.
 *
 * @throws CountersignError `key-invalid` or `interrupted`.
 */
export async function readSmallFile(path: string, options: ReadOptions): Promise<Omit<KeyContent, "label">> {
  throwIfAborted(options.signal);
  const fd = await openWithoutWaiting(path, options.label);
  const status = fstatSync(fd);
  if (status.isFIFO()) return { content: await readPipe(fd, options) };
  try {
    if (status.isDirectory()) throw unusable(options.label, "a folder");
    return { content: await readWithoutWaiting(fd, options), mode: permissionsOf(status) };
  } finally {
    closeSync(fd);
  }
}

function permissionsOf(status: Stats): number | undefined {
  return status.isFile() && process.platform !== "win32" ? status.mode : undefined;
}

/** Windows has no such flag, and no such files. */
const WITHOUT_WAITING = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

async function openWithoutWaiting(path: string, label: string): Promise<number> {
  try {
    return await openFile(path, WITHOUT_WAITING);
  } catch (thrown) {
    throw unusable(label, WHY[errnoOf(thrown) ?? ""] ?? String(errnoOf(thrown)), thrown);
  }
}

const WHY: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "permission denied",
  EISDIR: "a folder",
  ENOTDIR: "there is no such file",
  ELOOP: "a loop of symbolic links",
};

/** `read` says of a pipe without a writer that it has ended; the event loop waits for one. Closes the file. */
async function readPipe(fd: number, options: ReadOptions): Promise<Uint8Array> {
  const { Socket } = await import("node:net");
  const pipe = new Socket({ fd, readable: true, writable: false });
  const stop = (error: Error) => void pipe.destroy(error);
  const timer = setTimeout(() => stop(tooSlow(options)), timeLimit(options));
  const interrupt = () => stop(interruption(options.signal));
  options.signal?.addEventListener("abort", interrupt, { once: true });
  if (options.signal?.aborted === true) interrupt();
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of pipe) {
      chunks.push(chunk as Buffer);
      size += (chunk as Buffer).byteLength;
      if (size > options.maxBytes) throw tooLarge(options);
    }
    return Buffer.concat(chunks);
  } finally {
    clearTimeout(timer);
    options.signal?.removeEventListener("abort", interrupt);
    pipe.destroy();
  }
}

/** How long to wait where a terminal has nothing yet. */
const PAUSE_MS = 20;

async function readWithoutWaiting(fd: number, options: ReadOptions): Promise<Uint8Array> {
  const end = performance.now() + timeLimit(options);
  const buffer = Buffer.alloc(options.maxBytes + 1);
  let size = 0;
  for (;;) {
    throwIfAborted(options.signal);
    const bytesRead = await readSome(fd, buffer, size, options.label);
    if (bytesRead === 0) return buffer.subarray(0, size);
    if (bytesRead === undefined) {
      if (performance.now() > end) throw tooSlow(options);
      await sleep(PAUSE_MS);
    }
    size += bytesRead ?? 0;
    if (size > options.maxBytes) throw tooLarge(options);
  }
}

/** undefined where there is nothing yet. */
async function readSome(fd: number, buffer: Buffer, offset: number, label: string): Promise<number | undefined> {
  try {
    return (await readFile(fd, buffer, offset, buffer.byteLength - offset, null)).bytesRead;
  } catch (thrown) {
    if (errnoOf(thrown) === "EAGAIN") return undefined;
    throw unusable(label, String(errnoOf(thrown)), thrown);
  }
}

function timeLimit({ timeoutMs = LIMITS.keyReadMs }: ReadOptions): number {
  return timeoutMs;
}

function tooLarge({ label, maxBytes }: ReadOptions): CountersignError {
  return unusable(label, `more than ${maxBytes} bytes`);
}

function tooSlow(options: ReadOptions): CountersignError {
  return unusable(options.label, `a pipe or a device that has not ended after ${timeLimit(options) / 1000} s`);
}

function unusable(label: string, found: string, cause?: unknown): CountersignError {
  return new CountersignError("key-invalid", `${label} cannot be used as a key`, {
    found,
    wanted: "a key file in PEM form",
    cause,
  });
}
