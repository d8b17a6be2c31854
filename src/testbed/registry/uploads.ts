import { randomUUID } from "node:crypto";
import { type Digest, digestAlgorithm, isDigest } from "../../core/oci/digest.ts";
import { emptyReply, errorReply, ProtocolError, type Reply } from "../reply.ts";
import type { BlobStore, StagedBlob } from "./blobs.ts";
import { checkDigest, isName } from "./routes.ts";
import { blobPath, methodNotAllowed, type RegistryRequest, type World } from "./world.ts";

/** An upload under way. */
interface Session {
  readonly id: string;
  readonly repository: string;
  readonly staged: StagedBlob;
  /** Part of the location, as with CNCF distribution: a client that drops or rebuilds the query is found out. */
  readonly state: string;
  busy: boolean;
  touched: number;
}

/** A session nobody has written to for this long is given up, its bytes with it. */
const IDLE_MS = 60 * 60 * 1000;

/** The uploads under way. They end with the process: a client that finds its session gone starts again. */
export class Uploads {
  readonly #sessions = new Map<string, Session>();
  readonly #blobs: BlobStore;

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  async begin(repository: string): Promise<Session> {
    await this.#endIdle();
    const staged = await this.#blobs.stage();
    const session = { id: randomUUID(), repository, staged, state: randomUUID(), busy: false, touched: Date.now() };
    this.#sessions.set(session.id, session);
    return session;
  }

  /** @throws ProtocolError `BLOB_UPLOAD_UNKNOWN`. */
  find(repository: string, id: string, state: string | null): Session {
    const session = this.#sessions.get(id);
    if (session === undefined || session.repository !== repository || session.state !== state) {
      throw new ProtocolError(404, "BLOB_UPLOAD_UNKNOWN", "no such upload; use the latest Location as it was given");
    }
    return session;
  }

  forget(session: Session): void {
    this.#sessions.delete(session.id);
  }

  async cancel(session: Session): Promise<void> {
    this.forget(session);
    await session.staged.discard();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map((session) => this.cancel(session)));
  }

  async #endIdle(): Promise<void> {
    const limit = Date.now() - IDLE_MS;
    const idle = [...this.#sessions.values()].filter((session) => !session.busy && session.touched < limit);
    await Promise.all(idle.map((session) => this.cancel(session)));
  }
}

/** `POST /v2/<name>/blobs/uploads/`: a mount, a whole blob, or a session. */
export async function serveUploads(world: World, request: RegistryRequest, repository: string): Promise<Reply> {
  if (request.method !== "POST") return methodNotAllowed("POST");
  if (mountBlob(world, request, repository)) return created(repository, checkDigest(request.query.get("mount") ?? ""));
  const wanted = request.query.get("digest");
  const digest = wanted === null || !world.behaviour.singlePost ? undefined : checkDigest(wanted);
  const session = await world.uploads.begin(repository);
  if (digest === undefined) return progress(session, 202);
  try {
    await receive(session, request);
  } catch (error) {
    await world.uploads.cancel(session);
    throw error;
  }
  return await finish(world, session, digest);
}

/**
 * Distribution-spec, "Mounting a blob from another repository": without `from`, from any repository. Whatever keeps it
 * from happening (an unknown or forbidden repository, a digest that is not one) ends in an ordinary session.
 */
function mountBlob(world: World, request: RegistryRequest, repository: string): boolean {
  const digest = request.query.get("mount") ?? "";
  if (!isDigest(digest)) return false;
  const from = request.query.get("from") ?? "";
  const found =
    from === ""
      ? world.repositories.isBlobSomewhere(digest)
      : isName(from) && request.mayPull(from) && world.repositories.hasBlob(from, digest);
  if (found) world.repositories.change({ op: "put-blob", repository, digest });
  return found;
}

/** `/v2/<name>/blobs/uploads/<id>`: status, chunk, last chunk, cancel. */
export async function serveUpload(
  world: World,
  request: RegistryRequest,
  repository: string,
  id: string,
): Promise<Reply> {
  const allowed = ["GET", "PATCH", "PUT", "DELETE"];
  if (!allowed.includes(request.method)) return methodNotAllowed(...allowed);
  const session = world.uploads.find(repository, id, request.query.get("_state"));
  if (request.method === "GET") return progress(session, 204);
  if (session.busy) return errorReply(409, "BLOB_UPLOAD_INVALID", "another request is writing to this upload");
  if (request.method === "DELETE") {
    await world.uploads.cancel(session);
    return emptyReply(204);
  }
  if (request.method === "PATCH") {
    await receive(session, request);
    return progress(session, 202);
  }
  const digest = checkDigest(request.query.get("digest") ?? "");
  await receive(session, request);
  return await finish(world, session, digest);
}

/** Appends the request's body. What arrived before a connection broke stays: the client asks and goes on from there. */
async function receive(session: Session, request: RegistryRequest): Promise<void> {
  checkRange(session, request);
  session.busy = true;
  try {
    for await (const chunk of request.body) await session.staged.append(chunk);
  } finally {
    session.busy = false;
    session.touched = Date.now();
  }
}

/** Distribution-spec, "Pushing a blob in chunks": chunks come in order, and `Content-Range` says which one this is. */
function checkRange(session: Session, request: RegistryRequest): void {
  const header = request.headers["content-range"];
  if (header === undefined) return;
  const [whole, start, end] = /^([0-9]+)-([0-9]+)$/.exec(header) ?? [];
  const length = request.headers["content-length"];
  if (whole === undefined) {
    throw new ProtocolError(400, "BLOB_UPLOAD_INVALID", "Content-Range must be <start>-<end>");
  }
  if (length === undefined) throw new ProtocolError(411, "SIZE_INVALID", "a chunk with a range needs Content-Length");
  if (Number(start) !== session.staged.size) {
    throw new ProtocolError(416, "BLOB_UPLOAD_INVALID", "this chunk is not the next one", location(session));
  }
  if (Number(end) - Number(start) + 1 !== Number(length)) {
    throw new ProtocolError(400, "SIZE_INVALID", "Content-Range and Content-Length disagree", location(session));
  }
}

/** Publishes what the digest names; anything else ends the upload and is gone. */
async function finish(world: World, session: Session, digest: Digest): Promise<Reply> {
  world.uploads.forget(session);
  const found = await session.staged.seal(digestAlgorithm(digest));
  if (found !== digest) {
    await session.staged.discard();
    return errorReply(400, "DIGEST_INVALID", `the uploaded content is ${found}`);
  }
  session.staged.publish(digest);
  world.repositories.change({ op: "put-blob", repository: session.repository, digest });
  return created(session.repository, digest);
}

function created(repository: string, digest: Digest): Reply {
  return emptyReply(201, { Location: blobPath(repository, digest), "Docker-Content-Digest": digest });
}

function progress(session: Session, status: 202 | 204): Reply {
  return emptyReply(status, location(session));
}

/** An empty upload says `0-0`, as CNCF distribution does: the field knows no way to say "nothing yet". */
function location(session: Session): Reply["headers"] {
  return {
    Location: `/v2/${session.repository}/blobs/uploads/${session.id}?_state=${session.state}`,
    Range: `0-${Math.max(session.staged.size - 1, 0)}`,
    "Docker-Upload-UUID": session.id,
  };
}
