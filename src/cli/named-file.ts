import { type FileHandle, open } from "node:fs/promises";
import { resolve } from "node:path";
import type { Readable } from "node:stream";
import { CountersignError } from "../core/errors.ts";
import type { Context } from "./context.ts";

/** What a flag's file is to hold, for messages, and how much of it is read. */
export interface FileWish {
  /** `--bundle`. */
  readonly flag: string;
  /** "one Sigstore bundle". */
  readonly holds: string;
  readonly maxBytes: number;
}

/**
 * A small file that a flag names, whole. Links are followed and pipes are read, both within the limit.
 *
 * @throws CountersignError `configuration-invalid`, `limit-reached`.
 */
export async function readNamedFile(
  { workingDirectory }: Pick<Context, "workingDirectory">,
  name: string,
  wish: FileWish,
): Promise<Uint8Array> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(resolve(workingDirectory, name), "r");
    return await readBounded(handle.createReadStream({ autoClose: false, highWaterMark: READ_BYTES }), name, wish);
  } catch (cause) {
    if (cause instanceof CountersignError) throw cause;
    const code = String((cause as NodeJS.ErrnoException).code);
    throw new CountersignError("configuration-invalid", `a file of ${wish.flag} cannot be read`, {
      found: `${name}: ${WHY[code] ?? code}`,
      next: `name a file that holds ${wish.holds}`,
      cause,
    });
  } finally {
    await handle?.close();
  }
}

/** The same from standard input. @throws CountersignError `limit-reached`. */
export async function readStandardInput({ stdin }: Pick<Context, "stdin">, wish: FileWish): Promise<Uint8Array> {
  return await readBounded(stdin, "standard input", wish);
}

const WHY: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "permission denied",
  EISDIR: "it is a folder",
};

async function readBounded(stream: Readable, name: string, { flag, holds, maxBytes }: FileWish): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk as Uint8Array);
    size += bytes.byteLength;
    if (size > maxBytes) {
      throw new CountersignError("limit-reached", `what ${flag} names is too large`, {
        found: name,
        wanted: `at most ${maxBytes} bytes`,
        next: `name a file that holds ${holds}`,
      });
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

const READ_BYTES = 64 * 1024;
