import { resolve } from "node:path";
import type { Readable } from "node:stream";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { looksLikeJwt } from "../../core/trust/jwt.ts";
import { throwIfAborted } from "../disk/errors.ts";
import { acceptToken, type Expected, type FoundToken } from "./found-token.ts";
import { type ReadFile, readSmallFile } from "./read-file.ts";

export interface GivenOptions extends Expected {
  /** Read where the flag says `-`. */
  readonly stdin: Readable;
  /** What relative paths are relative to. */
  readonly workingDirectory: string;
  readonly readFile?: ReadFile | undefined;
  readonly signal?: AbortSignal | undefined;
}

const FLAG = "--identity-token";

/**
 * The token that `--identity-token` gives: the token itself, a file, or `-` for standard input. A text that is neither a
 * token nor a file is never repeated: it may be some other secret, or a token that lost its beginning.
 *
 * @throws CountersignError `token-invalid`, `disk-error`, `limit-reached`, `interrupted`.
 */
export async function givenToken(given: string, options: GivenOptions): Promise<FoundToken> {
  if (given === "-") return acceptToken(await readAll(options), "standard input", options);
  const text = given.trim();
  if (looksLikeJwt(text)) return acceptToken(text, FLAG, options);
  return acceptToken(await readGivenFile(given, options), given, options);
}

async function readGivenFile(path: string, options: GivenOptions): Promise<Uint8Array> {
  const { workingDirectory, readFile = readSmallFile } = options;
  // Longer than any path, or not one at all: the system's own words would repeat it.
  const isPath = path !== "" && Buffer.byteLength(path) <= LONGEST_PATH && !path.includes("\0");
  const bytes = isPath ? await readUnlessImpossible(resolve(workingDirectory, path), readFile) : undefined;
  if (bytes !== undefined) return bytes;
  throw new CountersignError("token-invalid", `${FLAG} is neither a token nor a file`, {
    found: path === "" ? "nothing" : `a text of ${path.length} characters, and no file of that name`,
    wanted: "a JSON Web Token, a file that holds one, or - for standard input",
  });
}

/** PATH_MAX of Linux. */
const LONGEST_PATH = 4096;

/** A name too long for any file, or below what is no folder, names none. */
async function readUnlessImpossible(path: string, readFile: ReadFile): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (thrown) {
    const found = thrown instanceof CountersignError ? (thrown.found ?? "") : "";
    if (/^(?:ENAMETOOLONG|ENOTDIR|EINVAL)\b/.test(found)) return undefined;
    throw thrown;
  }
}

async function readAll({ stdin, signal }: GivenOptions): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let size = 0;
  const stop = (): void => void stdin.destroy();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    throwIfAborted(signal);
    for await (const chunk of stdin) {
      chunks.push(Buffer.from(chunk as Uint8Array | string));
      size += chunks.at(-1)?.byteLength ?? 0;
      if (size > LIMITS.identityFileBytes) throw tooLong();
    }
  } catch (thrown) {
    throwIfAborted(signal);
    throw thrown;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
  throwIfAborted(signal);
  return Buffer.concat(chunks);
}

function tooLong(): CountersignError {
  return new CountersignError("limit-reached", "standard input is too long to be a token", {
    wanted: `at most ${LIMITS.identityFileBytes} bytes`,
  });
}
