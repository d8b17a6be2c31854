import { type FileHandle, open } from "node:fs/promises";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { ifPresent, onDisk } from "../disk/errors.ts";

/** A file as a whole, within LIMITS.identityFileBytes; undefined where there is none. Tests bring their own. */
export type ReadFile = (path: string) => Promise<Uint8Array | undefined>;

/**
 * Links are followed, since mounted secrets are links, and pipes are read: `--identity-token <(…)`.
 *
 * @throws CountersignError `disk-error`, `limit-reached`.
 */
export const readSmallFile: ReadFile = async (path) => {
  const handle = await onDisk(`read ${path}`, () => ifPresent(() => open(path, "r")));
  if (handle === undefined) return undefined;
  try {
    return await onDisk(`read ${path}`, () => readBounded(handle, path));
  } finally {
    await handle.close();
  }
};

async function readBounded(handle: FileHandle, path: string): Promise<Uint8Array> {
  const buffer = Buffer.alloc(LIMITS.identityFileBytes + 1);
  let size = 0;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, size, buffer.byteLength - size, null);
    size += bytesRead;
    if (size > LIMITS.identityFileBytes) throw tooLarge(path);
    if (bytesRead === 0) return buffer.subarray(0, size);
  }
}

function tooLarge(path: string): CountersignError {
  return new CountersignError("limit-reached", `${path} is too large to hold a token or a key`, {
    wanted: `at most ${LIMITS.identityFileBytes} bytes`,
  });
}
