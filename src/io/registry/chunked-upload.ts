import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Descriptor } from "../../core/oci/descriptor.ts";
import type { BlobSource } from "../../core/ports.ts";
import type { HttpResponse } from "../http/response.ts";
import type { Session } from "./session.ts";
import { checkStored, withDigest } from "./upload-answer.ts";

/** How far an upload is: where the next piece goes, and at which byte it starts. */
interface Progress {
  readonly place: URL;
  readonly at: number;
}

/**
 * Distribution-spec, "Pushing a blob in chunks", for registries that refuse it as a whole. After a failure the registry
 * is asked how far it got.
 */
export async function uploadInChunks(
  session: Session,
  place: URL,
  descriptor: Descriptor,
  source: BlobSource,
  what: string,
): Promise<void> {
  const attempts = session.pool.retrier.attempts(session.registry);
  let progress: Progress = { place, at: 0 };
  while (progress.at < descriptor.size) {
    const chunk = await readChunk(
      source,
      progress.at,
      Math.min(LIMITS.uploadChunkBytes, descriptor.size - progress.at),
    );
    try {
      await attempts.pass();
      progress = await sendChunk(session, progress, chunk, what);
      attempts.progressed();
    } catch (thrown) {
      await attempts.failed(thrown);
      progress = await askProgress(session, progress.place, what);
    }
  }
  const request = {
    method: "PUT",
    path: withDigest(progress.place, descriptor),
    what,
    body: new Uint8Array(),
  } as const;
  await session.once({ ...request, expect: [201, 204] }, async (response) => checkStored(response, descriptor, what));
}

/** `Content-Range` here has no unit: `0-8388607`. Some registries answer 201 to a piece. */
async function sendChunk(
  session: Session,
  { place, at }: Progress,
  chunk: Uint8Array,
  what: string,
): Promise<Progress> {
  const headers = {
    "content-type": "application/octet-stream",
    "content-range": `${at}-${at + chunk.byteLength - 1}`,
  };
  const request = { method: "PATCH", path: place, what, headers, body: chunk } as const;
  return session.once({ ...request, expect: [201, 202, 204, 416] }, async (response) => {
    if (response.status === 416) return askProgress(session, place, what);
    return { place: session.place(response.header("location"), response.url), at: at + chunk.byteLength };
  });
}

/** `GET` of the session: 204, and in `Range` what it holds. */
async function askProgress(session: Session, place: URL, what: string): Promise<Progress> {
  const request = { method: "GET", path: place, what: `the upload of ${what}`, expect: [204] } as const;
  return session.run(request, async (response) => {
    const location = response.header("location");
    return { place: location === undefined ? place : session.place(location, response.url), at: heldBytes(response) };
  });
}

function heldBytes(response: HttpResponse): number {
  const range = response.header("range");
  const [, end] = /^(?:bytes=)?0-([0-9]{1,15})$/.exec(range ?? "") ?? [];
  if (end === undefined && range !== undefined) {
    throw new CountersignError("protocol-error", `${response.url.host} does not say how far the upload got`, {
      found: range,
      wanted: "Range: 0-END",
    });
  }
  // An empty session has no range, or `0-0` from some: one byte would be the same word, and sending it again is safe.
  return end === undefined || end === "0" ? 0 : Number(end) + 1;
}

async function readChunk(source: BlobSource, at: number, size: number): Promise<Uint8Array> {
  const chunk = new Uint8Array(size);
  let filled = 0;
  for await (const part of source.open(at)) {
    const taken = part.subarray(0, size - filled);
    chunk.set(taken, filled);
    filled += taken.byteLength;
    if (filled === size) return chunk;
  }
  throw new CountersignError("size-mismatch", "a blob ended while it was sent", {
    found: `${at + filled} bytes`,
    wanted: `at least ${at + size} bytes`,
  });
}
