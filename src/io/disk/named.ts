import { type FileHandle, open } from "node:fs/promises";
import { CountersignError } from "../../core/errors.ts";
import { errnoOf, onDisk } from "./errors.ts";

/**
 * A file that the user has named, as a whole; undefined where there is none. Links are followed, since mounted
 * configuration is links, and pipes are read: `--trusted-root <(…)`.
 *
 * @throws CountersignError `disk-error`, `limit-reached`.
 */
export async function readNamedFile(
  { path, label }: { readonly path: string; readonly label: string },
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  const handle = await onDisk(`read ${label}`, () => openIfPresent(path));
  if (handle === undefined) return undefined;
  try {
    return await onDisk(`read ${label}`, () => readBounded(handle, label, maxBytes));
  } finally {
    await handle.close();
  }
}

/** Below what is no folder there is nothing either: a home that is `/dev/null`. */
async function openIfPresent(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r");
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOENT" || errnoOf(thrown) === "ENOTDIR") return undefined;
    throw thrown;
  }
}

async function readBounded(handle: FileHandle, label: string, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { bytesRead, buffer } = await handle.read({ buffer: Buffer.alloc(CHUNK_BYTES) });
    if (bytesRead === 0) return Buffer.concat(chunks, size);
    size += bytesRead;
    if (size > maxBytes) throw tooLarge(label, maxBytes);
    chunks.push(buffer.subarray(0, bytesRead));
  }
}

const CHUNK_BYTES = 64 * 1024;

function tooLarge(label: string, maxBytes: number): CountersignError {
  return new CountersignError("limit-reached", `${label} is larger than will be read`, {
    wanted: `at most ${maxBytes} bytes`,
  });
}
