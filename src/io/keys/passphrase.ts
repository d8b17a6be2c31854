import type { Readable, Writable } from "node:stream";
import { equalBytes } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { printable } from "../../core/printable.ts";

/** Where a password may come from. The command line's context has this shape. */
export interface PasswordSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: PasswordInput;
  /** Where to ask: never standard output, which holds the result. */
  readonly stderr: { readonly stream: Writable };
  readonly signal: AbortSignal;
}

type PasswordInput = Readable & { readonly isTTY?: boolean; readonly setRawMode?: (raw: boolean) => unknown };

export interface PasswordRequest {
  /** Completes "Password for …": the key's name. */
  readonly what: string;
  /** For a new key file: asked twice on a terminal, and never empty by accident. */
  readonly isNew: boolean;
  /** What it is called at the prompt; "Password" where absent. */
  readonly kind?: "Password" | "PIN" | undefined;
}

export type AskPassword = (request: PasswordRequest) => Promise<Uint8Array>;

/**
 * cosign's order: COSIGN_PASSWORD, where present but empty is a password too; then a terminal, without echo; then all
 * of standard input, which is read once and kept for a second question.
 *
 * @throws (from the returned function) CountersignError `key-password`, `limit-reached` or `interrupted`.
 */
export function passwordAsker(sources: PasswordSources): AskPassword {
  let piped: Promise<Uint8Array> | undefined;
  return async (request) => {
    const fromEnvironment = sources.env["COSIGN_PASSWORD"];
    if (fromEnvironment !== undefined) return Buffer.from(fromEnvironment);
    if (sources.stdin.isTTY === true) return await askOnTerminal(sources, request);
    piped ??= readAll(sources.stdin, sources.signal);
    const password = await piped;
    if (request.isNew && password.byteLength === 0) throw noPassword(request);
    return password;
  };
}

function noPassword(request: PasswordRequest): CountersignError {
  return new CountersignError("key-password", `no password was given for ${request.what}`, {
    found: "no terminal, and nothing on standard input",
    wanted: "COSIGN_PASSWORD (it may be empty), or a password on standard input",
  });
}

async function askOnTerminal(
  sources: PasswordSources,
  { what, isNew, kind = "Password" }: PasswordRequest,
): Promise<Uint8Array> {
  const password = await readHidden(sources, `${kind} for ${printable(what)}: `);
  if (!isNew) return password;
  const again = await readHidden(sources, "The same password again: ");
  if (equalBytes(password, again)) return password;
  throw new CountersignError("key-password", "the two passwords differ", {
    next: "run the command again; nothing was written",
  });
}

async function readAll(input: Readable, signal: AbortSignal): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  const stop = (): void => void input.destroy(interrupted());
  signal.addEventListener("abort", stop, { once: true });
  try {
    for await (const chunk of input) {
      const bytes = Buffer.from(chunk as Uint8Array | string);
      size += bytes.byteLength;
      if (size > LIMITS.passwordBytes) throw tooLong();
      chunks.push(bytes);
    }
  } finally {
    signal.removeEventListener("abort", stop);
  }
  if (signal.aborted) throw interrupted();
  return Buffer.concat(chunks);
}

/** Keys of a terminal in raw mode. */
const ENTER: ReadonlySet<number> = new Set([0x0a, 0x0d]);
const CONTROL_C = 0x03;
const CONTROL_D = 0x04;
const CONTROL_U = 0x15;
const ERASE: ReadonlySet<number> = new Set([0x08, 0x7f]);

/** One line from the terminal, not shown. */
async function readHidden({ stdin, stderr, signal }: PasswordSources, prompt: string): Promise<Uint8Array> {
  if (signal.aborted) throw interrupted();
  // Raw before the prompt: whoever types at once must not be shown.
  stdin.setRawMode?.(true);
  stderr.stream.write(prompt);
  try {
    return await readLine(stdin, signal);
  } finally {
    stdin.setRawMode?.(false);
    stderr.stream.write("\n");
  }
}

/** Listens only until the line ends: what was typed ahead stays in the stream for the next question. */
function readLine(stdin: Readable, signal: AbortSignal): Promise<Uint8Array> {
  return new Promise((done, fail) => {
    const line: number[] = [];
    const stop = (): void => {
      stdin.off("data", take).off("end", finish).off("error", abandon).pause();
      signal.removeEventListener("abort", interrupt);
    };
    const finish = (): void => {
      stop();
      done(Uint8Array.from(line));
    };
    const abandon = (error: Error): void => {
      stop();
      fail(error);
    };
    const interrupt = (): void => abandon(interrupted());
    const take = (chunk: Uint8Array): void => {
      try {
        const rest = typeInto(line, chunk);
        if (rest === undefined) return;
        finish();
        if (rest.byteLength > 0) stdin.unshift(rest);
      } catch (thrown) {
        abandon(thrown as Error);
      }
    };
    signal.addEventListener("abort", interrupt);
    stdin.on("data", take).on("end", finish).on("error", abandon).resume();
  });
}

/** Types keys into the line. What follows its end is returned; undefined while it goes on. Raw mode hands us Ctrl-C. */
function typeInto(line: number[], keys: Uint8Array): Uint8Array | undefined {
  for (const [at, key] of keys.entries()) {
    if (key === CONTROL_C) throw interrupted();
    if (key === CONTROL_D || ENTER.has(key)) return keys.subarray(at + 1);
    edit(line, key);
    if (line.length > LIMITS.passwordBytes) throw tooLong();
  }
  return undefined;
}

function edit(line: number[], key: number): void {
  if (key === CONTROL_U) line.length = 0;
  else if (ERASE.has(key)) eraseCharacter(line);
  else line.push(key);
}

/** The last character, which in UTF-8 is a lead byte and the continuation bytes after it. */
function eraseCharacter(line: number[]): void {
  let removed = line.pop();
  while (removed !== undefined && (removed & 0xc0) === 0x80) removed = line.pop();
}

function tooLong(): CountersignError {
  return new CountersignError("key-password", "the password is too long", {
    wanted: `at most ${LIMITS.passwordBytes} bytes`,
  });
}

function interrupted(): CountersignError {
  return new CountersignError("interrupted", "stopped while asking for a password");
}
