import { CountersignError } from "../../core/errors.ts";
import { parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { checkBytes, checkedStream, type Descriptor, digestMismatch, sizeMismatch } from "../../core/oci/descriptor.ts";
import { type Digest, digestAlgorithm, digestOf, isDigest } from "../../core/oci/digest.ts";
import { type Manifest, parseDescribedManifest, parseManifest } from "../../core/oci/manifest.ts";
import { MANIFEST_TYPES } from "../../core/oci/media-types.ts";
import { TransientError } from "../http/failures.ts";
import type { HttpResponse } from "../http/response.ts";
import { webPage } from "./failures.ts";
import { pages, tooMany } from "./pages.ts";
import type { Session } from "./session.ts";

/** Every type, on every request for a manifest: some registries answer 404 to a stored type that is not listed. */
export const ACCEPT_MANIFESTS = MANIFEST_TYPES.join(", ");

/** A manifest's bytes and what came with them. */
export interface FetchedManifest {
  readonly bytes: Uint8Array;
  readonly contentType: string;
  readonly etag: string | undefined;
}

/**
 * The manifest under a tag or digest, undefined where the registry has none. A tag's digest is computed over the bytes:
 * `Docker-Content-Digest` is a hint that some registries get wrong.
 */
export async function resolveManifest(session: Session, target: string): Promise<Manifest | undefined> {
  const fetched = await fetchManifest(session, target);
  if (fetched === undefined) return undefined;
  if (!isDigest(target)) return parseManifest(fetched.bytes, fetched.contentType);
  const found = digestOf(fetched.bytes, digestAlgorithm(target));
  if (found !== target) throw digestMismatch(`the manifest ${target}`, found, target);
  const manifest = parseManifest(fetched.bytes, fetched.contentType);
  return { ...manifest, descriptor: { ...manifest.descriptor, digest: target } };
}

/**
 * The manifest under a tag, or "unchanged" where it is still the known one. The digest is the entity tag of most registries; one
 * that has another one sends the manifest again. Caches in between have to ask (RFC 9111, 5.2.1.4).
 */
export async function resolveChanged(
  session: Session,
  tag: string,
  known: Digest | undefined,
): Promise<Manifest | "unchanged" | undefined> {
  const condition = known === undefined ? {} : { "if-none-match": `"${known}"` };
  const what = `the manifest ${tag}`;
  const headers = { accept: ACCEPT_MANIFESTS, "cache-control": "no-cache", ...condition };
  const request = { method: "GET", path: `manifests/${tag}`, what, headers, expect: [200, 304, 404] } as const;
  const fetched = await session.run(request, async (response) => {
    if (response.status === 304 && known !== undefined) return "unchanged";
    return await readManifest(response, what);
  });
  if (fetched === undefined || fetched === "unchanged") return fetched;
  const manifest = parseManifest(fetched.bytes, fetched.contentType);
  return manifest.descriptor.digest === known ? "unchanged" : manifest;
}

/** @throws CountersignError `not-found`, `size-mismatch`, `digest-mismatch`, `manifest-invalid`. */
export async function describedManifest(session: Session, descriptor: Descriptor): Promise<Manifest> {
  const { digest, size } = descriptor;
  if (size > LIMITS.manifestBytes) throw tooLarge(`the manifest ${digest}`, size, LIMITS.manifestBytes);
  const fetched = await fetchManifest(session, digest, size);
  if (fetched !== undefined) return parseDescribedManifest(fetched.bytes, descriptor);
  throw new CountersignError("not-found", `${session.name} does not hold the manifest ${digest}`, {
    found: "404",
    wanted: digest,
  });
}

/**
 * The bytes under a tag or digest, undefined for 404.
 *
 * @param size What a descriptor says; another Content-Length ends it before the body.
 */
export function fetchManifest(session: Session, target: string, size?: number): Promise<FetchedManifest | undefined> {
  const what = `the manifest ${target}`;
  const headers = { accept: ACCEPT_MANIFESTS };
  const request = { method: "GET", path: `manifests/${target}`, what, headers, expect: [200, 404] } as const;
  return session.run(request, (response) => readManifest(response, what, size));
}

async function readManifest(response: HttpResponse, what: string, size?: number): Promise<FetchedManifest | undefined> {
  const { contentType, contentLength } = response;
  if (contentType === "text/html") throw webPage(response.url, `${response.status} on ${what}`);
  if (response.status === 404) return undefined;
  if (response.status === 304) throw unasked(response, what);
  refuseEncoding(response, what);
  if (size !== undefined && contentLength !== undefined && contentLength !== size) {
    throw sizeMismatch(what, contentLength, size);
  }
  const bytes = await response.bytes(LIMITS.manifestBytes, what);
  return { bytes, contentType, etag: response.header("etag") };
}

function unasked(response: HttpResponse, what: string): CountersignError {
  return new CountersignError("protocol-error", `${response.url.host} says that ${what} has not changed`, {
    found: "304 to a request without a condition",
    wanted: "the manifest",
  });
}

/** Whether a HEAD finds it. Where HEAD is not answered as it should, GET tells why. */
export async function exists(session: Session, kind: "manifests" | "blobs", { digest }: Descriptor): Promise<boolean> {
  const what = `the ${kind === "blobs" ? "blob" : "manifest"} ${digest}`;
  const headers = kind === "manifests" ? { accept: ACCEPT_MANIFESTS } : {};
  const common = { path: `${kind}/${digest}`, what, headers };
  const expect = [200, 400, 403, 404, 405];
  const status = await session.run({ ...common, method: "HEAD", expect }, async (response) => response.status);
  if (status === 200 || status === 404) return status === 200;
  const answer = async (response: HttpResponse) => {
    response.discard();
    return response.status === 200;
  };
  return session.run({ ...common, method: "GET", expect: [200, 404] }, answer);
}

/**
 * What the registry says that a tag names: a HEAD is not counted as a pull where pulls are counted. undefined where there is no
 * such tag, or where HEAD is not answered as it should be; GET tells which.
 */
export function claimedDigest(session: Session, tag: string): Promise<Digest | undefined> {
  const what = `the manifest ${tag}`;
  const headers = { accept: ACCEPT_MANIFESTS };
  const request = {
    method: "HEAD",
    path: `manifests/${tag}`,
    what,
    headers,
    expect: [200, 400, 403, 404, 405],
  } as const;
  return session.run(request, async (response) => {
    const digest = response.status === 200 ? response.header("docker-content-digest") : undefined;
    return digest !== undefined && isDigest(digest) ? digest : undefined;
  });
}

/** A small blob as a whole, checked. */
export async function smallBlob(session: Session, descriptor: Descriptor, maxBytes: number): Promise<Uint8Array> {
  const { digest, size } = descriptor;
  const what = `the blob ${digest}`;
  if (size > maxBytes) throw tooLarge(what, size, maxBytes);
  const request = { method: "GET", path: `blobs/${digest}`, what, expect: [200] } as const;
  const bytes = await session.run(request, async (response) => {
    checkBlobResponse(response, descriptor, what);
    return response.bytes(size, what);
  });
  checkBytes(bytes, descriptor, what);
  return bytes;
}

/**
 * A blob's bytes from `offset`; from 0 they are checked against size and digest. A broken connection is continued where
 * it broke, by asking the registry again: the place it redirected to may have expired.
 */
export function blobStream(
  session: Session,
  descriptor: Descriptor,
  offset: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const what = `the blob ${descriptor.digest}`;
  const source = resumedStream(session, descriptor, offset, what);
  if (offset === 0) return checkedStream(source, descriptor, what);
  return source;
}

async function* resumedStream(
  session: Session,
  descriptor: Descriptor,
  offset: number,
  what: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const attempts = session.pool.retrier.attempts(session.registry);
  let at = offset;
  for (;;) {
    const before = at;
    try {
      await attempts.pass();
      for await (const chunk of segment(session, descriptor, at, what)) {
        at += chunk.byteLength;
        yield chunk;
      }
      if (at >= descriptor.size) return;
      throw endedEarly(what, at, descriptor.size);
    } catch (thrown) {
      if (at - before >= LIMITS.resumeBytes) attempts.progressed();
      await attempts.failed(thrown);
    }
  }
}

/** An answer that ends in good order and too soon: worth asking for the rest, and then a wrong size. */
function endedEarly(what: string, at: number, size: number): TransientError {
  return new TransientError("size-mismatch", `${what} has the wrong size`, {
    found: `${at} bytes`,
    wanted: `${size} bytes`,
  });
}

/** What one request brings of the blob, from `at` on and never beyond its size. */
async function* segment(
  session: Session,
  descriptor: Descriptor,
  at: number,
  what: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { digest, size } = descriptor;
  if (at === size && size > 0) return;
  const range = at === 0 ? {} : { range: `bytes=${at}-` };
  const request = { method: "GET", path: `blobs/${digest}`, what, headers: range } as const;
  const first = await session.open({ ...request, expect: at === 0 ? [200] : [200, 206, 416] });
  if (first.status === 416) await first.drain();
  const response = first.status === 416 ? await session.open({ ...request, headers: {}, expect: [200] }) : first;
  yield* bounded(response, descriptor, at, what);
}

async function* bounded(
  response: HttpResponse,
  descriptor: Descriptor,
  at: number,
  what: string,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    if (response.status === 206) checkRange(response, descriptor, at, what);
    else checkBlobResponse(response, descriptor, what);
    let skip = response.status === 206 ? 0 : at;
    let left = descriptor.size - at;
    for await (const chunk of response.chunks()) {
      const part = chunk.subarray(Math.min(skip, chunk.byteLength));
      skip -= chunk.byteLength - part.byteLength;
      left -= part.byteLength;
      if (left < 0) throw sizeMismatch(what, `more than ${descriptor.size}`, descriptor.size);
      if (part.byteLength > 0) yield part;
    }
  } finally {
    response.discard();
  }
}

function checkBlobResponse(response: HttpResponse, { size }: Descriptor, what: string): void {
  refuseEncoding(response, what);
  const announced = response.contentLength;
  if (announced === undefined || announced === size) return;
  if (response.contentType === "text/html") throw webPage(response.url, `${response.status} on ${what}`);
  throw sizeMismatch(what, announced, size);
}

/** RFC 9110 §14.4. Exactly the part that was asked for, and not as one of several. */
function checkRange(response: HttpResponse, { size }: Descriptor, at: number, what: string): void {
  refuseEncoding(response, what);
  const value = response.header("content-range") ?? "";
  const [, start, total] = /^bytes ([0-9]{1,15})-[0-9]{1,15}\/([0-9]{1,15}|\*)$/.exec(value) ?? [];
  if (start !== undefined && Number(start) === at && (total === "*" || Number(total) === size)) return;
  throw new CountersignError("protocol-error", `${response.url.host} answers another part of ${what}`, {
    found: value === "" ? response.contentType || "no Content-Range" : value,
    wanted: `bytes ${at}-${size - 1}/${size}`,
  });
}

/** The digest is over the bytes as stored: a transformed answer is not them, and decoding it would guess. */
function refuseEncoding(response: HttpResponse, what: string): void {
  const encoding = response.header("content-encoding")?.trim() ?? "";
  if (encoding === "" || encoding.toLowerCase() === "identity") return;
  throw new CountersignError("protocol-error", `${response.url.host} sends ${what} transformed`, {
    found: `Content-Encoding: ${encoding}`,
    wanted: "the bytes as they are stored",
  });
}

function tooLarge(what: string, size: number, maxBytes: number): CountersignError {
  return new CountersignError("limit-reached", `${what} is larger than will be read`, {
    found: `${size} bytes`,
    wanted: `at most ${maxBytes} bytes`,
  });
}

/** All tags, all pages. */
export async function listTags(session: Session): Promise<readonly string[]> {
  const what = "the list of tags";
  const request = { method: "GET", path: "tags/list", what, expect: [200] } as const;
  const tags: string[] = [];
  for await (const { bytes, contentType } of pages(session, request, LIMITS.tagPages)) {
    if (contentType === "text/html") throw webPage(new URL(`https://${session.registry}`), `200 on ${what}`);
    tags.push(...parseTags(bytes, what));
    if (tags.length > LIMITS.tags) throw tooMany(what, `${tags.length} tags`, `at most ${LIMITS.tags}`);
  }
  return tags;
}

/** Distribution-spec, "Listing Tags". Some registries write `null` for none. */
function parseTags(bytes: Uint8Array, what: string): readonly string[] {
  const json = parseJsonObject(bytes, { what, code: "protocol-error", maxBytes: LIMITS.manifestBytes });
  const tags = json["tags"] ?? [];
  if (Array.isArray(tags) && tags.every((tag) => typeof tag === "string")) return tags;
  throw new CountersignError("protocol-error", `${what} is not one`, { found: "no list of strings", wanted: '"tags"' });
}
