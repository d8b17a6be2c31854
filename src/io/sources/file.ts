import { decodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { onDisk } from "../disk/errors.ts";
import { gather, openRegular, readRange } from "../disk/files.ts";

/** A file in which images are looked for, as it was read. */
export interface SourceFile {
  /** As the user named it, or below the folder that the user named. */
  readonly label: string;
  /** Where it is: absolute, no part of it a link. */
  readonly path: string;
  readonly text: string;
  readonly bytes: Uint8Array;
}

/** @throws CountersignError `source-invalid`, `limit-reached`, `disk-error`; `interrupted`. */
export async function readSourceFile(path: string, label: string, signal?: AbortSignal): Promise<SourceFile> {
  const file = await openRegular(path);
  if (file === undefined || typeof file === "string") {
    throw new CountersignError("source-invalid", "there is no file to read", {
      found: file ?? "nothing",
      wanted: "a file",
    });
  }
  try {
    const bytes = await onDisk(`read ${label}`, () =>
      gather(readRange(file.handle, 0, LIMITS.sourceFileBytes + 1, signal)),
    );
    return { label, path, bytes, text: decodeSource(bytes) };
  } finally {
    await file.handle.close();
  }
}

/** @throws CountersignError `source-invalid` for what is no text, `limit-reached`. */
export function decodeSource(bytes: Uint8Array): string {
  if (bytes.byteLength > LIMITS.sourceFileBytes) {
    throw new CountersignError("limit-reached", "the file is too large to be looked through", {
      found: `more than ${LIMITS.sourceFileBytes} bytes`,
      wanted: "a smaller file, or to leave it out with --exclude",
    });
  }
  if (bytes.includes(0)) throw notText("a zero byte");
  try {
    return decodeUtf8(bytes);
  } catch {
    throw notText("bytes that are not UTF-8");
  }
}

function notText(found: string): CountersignError {
  return new CountersignError("source-invalid", "the file is no text", { found, wanted: "UTF-8" });
}
