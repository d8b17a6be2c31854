import { type FileHandle, open } from "node:fs/promises";
import { resolve } from "node:path";
import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { Context } from "./context.ts";

/**
 * The contents of the files of `--bundle`; undefined where none was given. Links are followed and pipes are read, both
 * within the limit. What is in them is for the judge to say.
 *
 * @throws CountersignError `configuration-invalid`, `limit-reached`.
 */
export async function readBundles(
  { workingDirectory }: Pick<Context, "workingDirectory">,
  files: readonly string[],
): Promise<readonly Uint8Array[] | undefined> {
  if (files.length === 0) return undefined;
  return await Promise.all(files.map((file) => readBundle(file, resolve(workingDirectory, file))));
}

async function readBundle(name: string, path: string): Promise<Uint8Array> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, "r");
    return await readBounded(handle, name);
  } catch (cause) {
    if (cause instanceof CountersignError) throw cause;
    const code = String((cause as NodeJS.ErrnoException).code);
    throw new CountersignError("configuration-invalid", "a file of --bundle cannot be read", {
      found: `${name}: ${WHY[code] ?? code}`,
      next: "name a file that holds one Sigstore bundle",
      cause,
    });
  } finally {
    await handle?.close();
  }
}

const WHY: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "permission denied",
  EISDIR: "it is a folder",
};

async function readBounded(handle: FileHandle, name: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of handle.createReadStream({ autoClose: false, highWaterMark: READ_BYTES })) {
    size += (chunk as Buffer).byteLength;
    if (size > LIMITS.signatureBytes) {
      throw new CountersignError("limit-reached", "a file of --bundle is too large to be a bundle", {
        found: name,
        wanted: `at most ${LIMITS.signatureBytes} bytes`,
        next: "name a file that holds one Sigstore bundle",
      });
    }
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

const READ_BYTES = 64 * 1024;
