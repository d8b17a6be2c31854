import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import {
  checkBytes,
  type Descriptor,
  digestMismatch,
  EMPTY_DESCRIPTOR,
  sizeMismatch,
} from "../../core/oci/descriptor.ts";
import { type Digest, DigestStream, digestAlgorithm, digestOf } from "../../core/oci/digest.ts";
import type { Manifest } from "../../core/oci/manifest.ts";
import type { BlobSource, PushOptions } from "../../core/ports.ts";
import type { RequestBody } from "../http/client.ts";
import type { HttpResponse } from "../http/response.ts";
import type { Attempts } from "../http/retry.ts";
import { uploadInChunks } from "./chunked-upload.ts";
import { exists, fetchManifest } from "./pull.ts";
import type { RegistryRequest, Session } from "./session.ts";
import { EMPTY_SOURCE, forgetStored, isStored, noteStored } from "./stored-blobs.ts";
import { checkStored, withDigest } from "./upload-answer.ts";

export type PushOutcome = "stored" | "present" | "mounted";

const OCTETS = { "content-type": "application/octet-stream" } as const;

/**
 * Stores a blob in as few requests as the registry allows. A failure on the way starts over with a new upload: what
 * became of the old one cannot be known, and if it was stored after all, the new one finds it. Where several manifests
 * name the blob, it is sent for the first.
 */
export async function pushBlob(
  session: Session,
  descriptor: Descriptor,
  source: BlobSource,
  mountFrom: string | undefined,
): Promise<PushOutcome> {
  const { digest, size } = descriptor;
  return await session.pool.inTurn(`${session.name} ${digest}`, async () => {
    if (await isStored(session, digest)) return "present";
    const upload = new Upload(session, descriptor, source, mountFrom);
    const small = size <= LIMITS.smallUploadBytes ? await collect(source, descriptor) : undefined;
    const outcome = await session.retrying((attempts) =>
      small === undefined ? upload.large(attempts) : upload.small(small),
    );
    await noteStored(session, digest);
    return outcome;
  });
}

/** Where the body of an upload goes, or that there is no need of one. */
type Begun = { readonly place: URL } | { readonly done: PushOutcome };

class Upload {
  readonly #session: Session;
  readonly #descriptor: Descriptor;
  readonly #source: BlobSource;
  readonly #mountFrom: string | undefined;
  readonly #what: string;

  constructor(session: Session, descriptor: Descriptor, source: BlobSource, mountFrom: string | undefined) {
    this.#session = session;
    this.#descriptor = descriptor;
    this.#source = source;
    this.#mountFrom = mountFrom;
    this.#what = `the blob ${descriptor.digest}`;
  }

  /**
   * A small blob is sent at once (distribution-spec, "Single POST"): one request where the registry knows that, two
   * where it does not. There a mount from the repository itself finds a blob that is there already.
   */
  async small(bytes: Uint8Array): Promise<PushOutcome> {
    const { capabilities } = this.#session.pool;
    if (this.#mountFrom !== undefined || (await capabilities.lacks(this.#session.registry, "single-post-upload"))) {
      return this.#finish(await this.#mount(this.#mountFrom ?? this.#session.repository), bytes);
    }
    const begun = await this.#begin(`digest=${encodeURIComponent(this.#descriptor.digest)}`, "stored", bytes);
    const state = "done" in begun ? "there" : "lacking";
    await capabilities.note(this.#session.registry, "single-post-upload", state);
    return this.#finish(begun, bytes);
  }

  /** A large blob is not sent before it is known that it has to be. */
  async large(attempts: Attempts): Promise<PushOutcome> {
    const { size } = this.#descriptor;
    const begun = this.#mountFrom === undefined ? undefined : await this.#mount(this.#mountFrom);
    if (begun !== undefined && "done" in begun) return begun.done;
    if (await exists(this.#session, "blobs", this.#descriptor)) return "present";
    const open = () => heldBack(this.#source.open(0), this.#descriptor, this.#what, () => attempts.moved());
    const body = { size, open };
    return this.#finish(begun ?? (await this.#begin("", "stored")), body);
  }

  /** Not every registry lets every blob be mounted; an upload always does. */
  async #mount(from: string): Promise<Begun> {
    const { digest } = this.#descriptor;
    const query = `mount=${encodeURIComponent(digest)}&from=${encodeURIComponent(from)}`;
    const outcome = from === this.#session.repository ? "present" : "mounted";
    return this.#begin(query, outcome, undefined, from);
  }

  /** `POST …/uploads/`. What the query asks for beyond a session is dropped where the registry objects to it. */
  async #begin(query: string, created: PushOutcome, body?: Uint8Array, mountFrom?: string): Promise<Begun> {
    const path = query === "" ? "blobs/uploads/" : `blobs/uploads/?${query}`;
    const headers = body === undefined ? {} : OCTETS;
    const request = { method: "POST", path, what: `the upload of ${this.#what}`, headers, mountFrom } as const;
    try {
      return await this.#session.once(
        { ...request, body: body ?? new Uint8Array(), expect: [201, 202] },
        async (response) => (response.status === 201 ? { done: created } : { place: this.#place(response) }),
      );
    } catch (thrown) {
      const isRefused = thrown instanceof CountersignError && (thrown.code === "denied" || thrown.code === "not-found");
      if (query === "" || !isRefused) throw thrown;
      return this.#begin("", created);
    }
  }

  #place(response: HttpResponse): URL {
    return this.#session.place(response.header("location"), response.url);
  }

  async #finish(begun: Begun, body: RequestBody): Promise<PushOutcome> {
    if ("done" in begun) return begun.done;
    const request: RegistryRequest = {
      method: "PUT",
      path: withDigest(begun.place, this.#descriptor),
      what: this.#what,
      headers: OCTETS,
      body,
      expect: [201, 204, 413],
    };
    const status = await this.#session.once(request, async (response) => {
      if (response.status !== 413) checkStored(response, this.#descriptor, this.#what);
      return response.status;
    });
    if (status === 413) await this.#chunked();
    return "stored";
  }

  async #chunked(): Promise<void> {
    const begun = await this.#begin("", "stored");
    if ("done" in begun) return;
    await uploadInChunks(this.#session, begun.place, this.#descriptor, this.#source, this.#what);
  }
}

async function collect(source: BlobSource, descriptor: Descriptor): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source.open(0)) {
    size += chunk.byteLength;
    if (size > descriptor.size)
      throw sizeMismatch(`the blob ${descriptor.digest}`, `more than ${descriptor.size}`, descriptor.size);
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(Buffer.concat(chunks, size));
  checkBytes(bytes, descriptor, `the blob ${descriptor.digest}`);
  return bytes;
}

/**
 * Passes bytes on, but the last of them only when all are known to be the described ones: an upload of anything else is
 * never complete.
 */
async function* heldBack(
  source: AsyncIterable<Uint8Array>,
  { digest, size }: Descriptor,
  what: string,
  moved: () => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  const hash = new DigestStream(digestAlgorithm(digest));
  let held: Uint8Array | undefined;
  let seen = 0;
  for await (const chunk of source) {
    seen += chunk.byteLength;
    if (seen > size) throw sizeMismatch(what, `more than ${size}`, size);
    hash.update(chunk);
    moved();
    if (held !== undefined) yield held;
    held = chunk;
  }
  if (seen !== size) throw sizeMismatch(what, seen, size);
  const found = hash.finish();
  if (found !== digest) throw digestMismatch(what, found, digest);
  if (held !== undefined) yield held;
}

/** What the registry says of the subject of a manifest that it stored. */
export interface PutOutcome {
  /** `OCI-Subject` named the subject: the registry lists it among the referrers by itself. */
  readonly indexed: boolean;
}

/** Stores a manifest's exact bytes by digest, or under a tag; the options are those of `ContentStore.pushManifest`. */
export async function putManifest(
  session: Session,
  manifest: Manifest,
  tag: string | undefined,
  { isShared = false, over }: PushOptions,
): Promise<PutOutcome> {
  const { descriptor, bytes, subject } = manifest;
  const what = `the manifest ${tag ?? descriptor.digest}`;
  checkBytes(bytes, descriptor, what);
  const path = `manifests/${tag ?? descriptor.digest}`;
  const headers = { "content-type": descriptor.mediaType };
  const request = { method: "PUT", path, what, headers, body: bytes, expect: [201] } as const;
  const read = async (response: HttpResponse): Promise<PutOutcome> => {
    checkStored(response, descriptor, what);
    return { indexed: subject !== undefined && response.header("oci-subject") === subject.digest };
  };
  const isStill = async () => tag === undefined || over === undefined || (await isNamed(session, tag, over));
  const put = () => (isShared ? putOnce(session, request, read, isStill) : session.run(request, read));
  try {
    return await put();
  } catch (thrown) {
    if (!(await forgetStored(session, manifest, thrown))) throw thrown;
    await pushBlob(session, EMPTY_DESCRIPTOR, EMPTY_SOURCE, undefined);
    return isShared ? { indexed: false } : await put();
  }
}

async function isNamed(session: Session, tag: string, wanted: Digest | "nothing"): Promise<boolean> {
  const found = await fetchManifest(session, tag);
  if (wanted === "nothing") return found === undefined;
  return found !== undefined && digestOf(found.bytes, digestAlgorithm(wanted)) === wanted;
}

async function putOnce(
  session: Session,
  request: RegistryRequest,
  read: (response: HttpResponse) => Promise<PutOutcome>,
  isStill: () => Promise<boolean>,
): Promise<PutOutcome> {
  const attempts = session.pool.retrier.attempts(session.registry);
  try {
    // Others write while the registry has us wait.
    if ((await attempts.pass()) && !(await isStill())) return { indexed: false };
    return await session.once(request, read);
  } catch (thrown) {
    await attempts.failed(thrown);
    return { indexed: false };
  }
}
