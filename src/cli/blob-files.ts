import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { resolve } from "node:path";
import { prepareDigests } from "../core/crypto/digest-signature.ts";
import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { type Digest, digestHex, isDigest } from "../core/oci/digest.ts";
import type { Blob } from "../core/verify/blob.ts";
import { throwIfAborted } from "../io/disk/errors.ts";
import type { Context } from "./context.ts";

/** Files that are signed or judged as they are, not as images. */

/** Where the bundle of a file is, unless it is said. */
export function bundleBeside(file: string): string {
  return `${file}.sigstore.json`;
}

type Place = Pick<Context, "workingDirectory" | "signal">;

/**
 * A file to be judged, or a digest of one that is elsewhere: what is written like a digest and names no file. Large files
 * are hashed as they are read and never held.
 *
 * @throws CountersignError `not-found`, `disk-error`, `interrupted`.
 */
export async function readBlob(place: Place, name: string): Promise<Blob> {
  const handle = await openFile(place, name);
  if (handle !== undefined) return await readOpened(place, name, handle);
  if (!isDigest(name)) {
    throw new CountersignError("not-found", "there is no such file", {
      found: name,
      wanted: "a file, or the digest of one: sha256:…",
      next: "check the path",
    });
  }
  await prepareDigests();
  const [algorithm] = name.split(":", 1) as [SignedAlgorithm];
  return {
    name,
    digest: name,
    content: { kind: "digests", digests: { [algorithm]: Buffer.from(digestHex(name), "hex") } },
  };
}

type SignedAlgorithm = "sha256" | "sha512";

/** A file to be signed. @throws CountersignError `limit-reached` beside what `readBlob` throws. */
export async function readSmallFile(place: Place, name: string, what: string): Promise<Uint8Array> {
  const handle = await openFile(place, name);
  if (handle === undefined) {
    throw new CountersignError("not-found", "there is no such file", { found: name, next: "check the path" });
  }
  const read = await readAll(place, name, handle);
  if ("bytes" in read) return read.bytes;
  throw new CountersignError("limit-reached", `${what} is too large`, {
    found: name,
    wanted: `at most ${LIMITS.fileBytes} bytes`,
    next: "sign a file that lists its digest instead, such as sha256sum writes",
  });
}

async function openFile({ workingDirectory }: Place, name: string): Promise<FileHandle | undefined> {
  try {
    return await open(resolve(workingDirectory, name), "r");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw unreadable(name, cause);
  }
}

async function readOpened(place: Place, name: string, handle: FileHandle): Promise<Blob> {
  const read = await readAll(place, name, handle);
  const { sha256 } = read.digests;
  const digest = `sha256:${sha256.toString("hex")}` as Digest;
  if ("bytes" in read) return { name, digest, content: { kind: "bytes", bytes: read.bytes } };
  await prepareDigests();
  return { name, digest, content: { kind: "digests", digests: read.digests } };
}

type Digests = Readonly<Record<"sha256" | "sha384" | "sha512", Buffer>>;
type ReadFile = { readonly digests: Digests; readonly bytes: Uint8Array } | { readonly digests: Digests };

async function readAll({ signal }: Place, name: string, handle: FileHandle): Promise<ReadFile> {
  const hashes = [createHash("sha256"), createHash("sha384"), createHash("sha512")] as const;
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of handle.createReadStream({ autoClose: false, highWaterMark: READ_BYTES, signal })) {
      for (const hash of hashes) hash.update(chunk as Buffer);
      size += (chunk as Buffer).byteLength;
      if (size <= LIMITS.fileBytes) chunks.push(chunk as Buffer);
      else chunks.length = 0;
    }
  } catch (cause) {
    throwIfAborted(signal);
    throw unreadable(name, cause);
  } finally {
    await handle.close();
  }
  const [sha256, sha384, sha512] = hashes.map((hash) => hash.digest()) as [Buffer, Buffer, Buffer];
  const digests = { sha256, sha384, sha512 };
  return size <= LIMITS.fileBytes ? { digests, bytes: Buffer.concat(chunks, size) } : { digests };
}

const READ_BYTES = 256 * 1024;

function unreadable(name: string, cause: unknown): CountersignError {
  const code = String((cause as NodeJS.ErrnoException).code);
  const why = code === "EISDIR" ? "it is a folder" : code === "EACCES" ? "permission denied" : code;
  return new CountersignError("disk-error", `${name} cannot be read`, { found: why, cause });
}
