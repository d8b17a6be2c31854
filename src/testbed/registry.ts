import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { breakReply, FaultPlan, type Outcome, type SeenRequest } from "./faults.ts";
import { type Authentication, createGatekeeper, type Gatekeeper } from "./registry/auth.ts";
import { serveBlob } from "./registry/blob-routes.ts";
import { MemoryBlobs } from "./registry/blobs.ts";
import { createControl, type RegistryControl } from "./registry/control.ts";
import { FolderBlobs } from "./registry/folder.ts";
import { Journal } from "./registry/journal.ts";
import { serveCatalog, serveReferrers, serveTags } from "./registry/listings.ts";
import { serveManifest } from "./registry/manifests.ts";
import { Repositories } from "./registry/repositories.ts";
import { findRoute, type Route } from "./registry/routes.ts";
import { serveUpload, serveUploads, Uploads } from "./registry/uploads.ts";
import { type Behaviour, isRead, methodNotAllowed, type RegistryRequest, type World } from "./registry/world.ts";
import { emptyReply, errorReply, ProtocolError, type Reply, sendReply } from "./reply.ts";

export type { Authentication } from "./registry/auth.ts";
export type { RegistryControl } from "./registry/control.ts";
export type { StoredManifest } from "./registry/repositories.ts";

export interface RegistryOptions extends Partial<Behaviour> {
  /** The folder to keep everything in; without one it is kept in memory. */
  readonly root?: string | undefined;
  /** Default `127.0.0.1`. */
  readonly host?: string | undefined;
  /** Default 0: any free port. */
  readonly port?: number | undefined;
  /** Default none: anybody may do everything. */
  readonly authentication?: Authentication | undefined;
  /** Called when an answer is finished or its connection is gone. */
  readonly onRequest?: ((request: LoggedRequest) => void) | undefined;
  /** Called with what is neither the client's fault nor a planned one: a full disk, a defect. */
  readonly onError?: ((error: unknown) => void) | undefined;
  /** Whether `requests` is kept; default yes. A registry that runs for long must not. */
  readonly keepRequests?: boolean | undefined;
}

/** A request as it was answered. */
export interface LoggedRequest extends SeenRequest {
  readonly headers: IncomingMessage["headers"];
  /** Of the answer that was made; 0 where there is none (yet): the connection was reset or stalled. */
  readonly status: number;
}

export interface Registry {
  /** `127.0.0.1:PORT`: the registry part of a reference. */
  readonly address: string;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Every request so far, in the order of arrival; `status` is 0 until it is answered. */
  readonly requests: readonly LoggedRequest[];
  /** Breaks requests on purpose. */
  readonly faults: FaultPlan;
  /** Looks at, and tampers with, what is stored. */
  readonly control: RegistryControl;
  /** Forgets the requests so far; the next one has index 1. */
  restart(): void;
  /** Ends every connection and, on a folder, closes the journal. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts an OCI registry (distribution-spec 1.1) in this process. It shares no code with the client.
 *
 * @throws CountersignError `usage` for an address that cannot be listened on, `destination-exists` for a folder that
 * holds something else, `disk-error`.
 */
export async function startRegistry(options: RegistryOptions = {}): Promise<Registry> {
  const { world, closeStorage } = await openWorld(options);
  const log = new RequestLog(options);
  const faults = new FaultPlan();
  let address = "";
  const gatekeeper = createGatekeeper(options.authentication, () => address);
  const server = createServer((incoming, response) => {
    const request = readRequest(incoming, gatekeeper);
    const seen = log.begin(incoming, request.path);
    response.setHeader("Docker-Distribution-Api-Version", "registry/2.0");
    response.once("close", () => options.onRequest?.(seen));
    const answer = () => answerRequest(world, gatekeeper, request, options);
    breakReply(faults.hook(seen), seen, answer)
      .then((outcome) => {
        seen.status = typeof outcome === "string" ? 0 : outcome.status;
        return deliver(outcome, incoming, response);
      })
      // What is left to fail here is the connection itself.
      .catch(() => response.destroy());
  });
  try {
    address = await listen(server, options.host ?? "127.0.0.1", options.port ?? 0);
  } catch (error) {
    await closeStorage();
    throw error;
  }
  const close = async () => {
    await closeServer(server);
    await world.uploads.close();
    await closeStorage();
  };
  return {
    address,
    url: `http://${address}`,
    requests: log.requests,
    faults,
    control: createControl(world, () => gatekeeper.revoke()),
    restart: () => log.clear(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

interface OpenWorld {
  readonly world: World;
  closeStorage(): Promise<void>;
}

async function openWorld(options: RegistryOptions): Promise<OpenWorld> {
  const behaviour: Behaviour = {
    referrersApi: options.referrersApi ?? true,
    singlePost: options.singlePost ?? true,
    referrersPageSize: options.referrersPageSize ?? Number.MAX_SAFE_INTEGER,
    conditionalPut: options.conditionalPut ?? false,
  };
  if (options.root !== undefined) return await openFolder(options.root, behaviour);
  const blobs = new MemoryBlobs();
  const world = { repositories: new Repositories(), blobs, uploads: new Uploads(blobs), behaviour };
  return { world, closeStorage: async () => undefined };
}

async function openFolder(root: string, behaviour: Behaviour): Promise<OpenWorld> {
  const { journal, past } = await Journal.open(root);
  const closeStorage = () => journal.close();
  try {
    const repositories = new Repositories(past, (change) => journal.record(change));
    await journal.begin(repositories.history());
    const blobs = await FolderBlobs.open(root, (digest) => repositories.isHeld(digest));
    return { world: { repositories, blobs, uploads: new Uploads(blobs), behaviour }, closeStorage };
  } catch (error) {
    await closeStorage();
    throw error;
  }
}

/** The path is decoded before it is matched: `sha256%3A…` is a digest too. */
function readRequest(incoming: IncomingMessage, gatekeeper: Gatekeeper): RegistryRequest {
  // RFC 9112, 3.2.2: a proxy's absolute form is to be understood as well.
  const [rawPath = "", ...query] = (incoming.url ?? "").replace(/^https?:\/\/[^/?]*/i, "").split("?");
  return {
    method: incoming.method ?? "",
    path: decodePath(rawPath),
    query: new URLSearchParams(query.join("?")),
    headers: incoming.headers,
    // Left in the middle (413), the connection must live on to carry the answer.
    body: incoming.iterator({ destroyOnReturn: false }),
    mayPull: (repository) => gatekeeper.mayPull(incoming, repository),
  };
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

async function answerRequest(
  world: World,
  gatekeeper: Gatekeeper,
  request: RegistryRequest,
  options: RegistryOptions,
): Promise<Reply> {
  try {
    const route = findRoute(request.path);
    const reply = route === undefined ? undefined : await serve(world, gatekeeper, request, route);
    return reply ?? errorReply(404, "UNSUPPORTED", "no such endpoint");
  } catch (error) {
    if (error instanceof ProtocolError) return error.reply;
    if (isBrokenUpload(error)) return errorReply(400, "BLOB_UPLOAD_INVALID", "the request's content ended early");
    options.onError?.(error);
    return errorReply(500, "UNKNOWN", "the registry failed");
  }
}

/** The client went away while it was sending: nobody is left to read the answer. */
function isBrokenUpload(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ECONNRESET" || code === "ERR_STREAM_PREMATURE_CLOSE";
}

async function serve(
  world: World,
  gatekeeper: Gatekeeper,
  request: RegistryRequest,
  route: Route,
): Promise<Reply | undefined> {
  if (route.kind === "token") return await gatekeeper.token(request);
  const refusal = gatekeeper.refuse(request, route);
  if (refusal !== undefined) return refusal;
  switch (route.kind) {
    case "ping":
      return isRead(request) ? emptyReply(200) : methodNotAllowed("GET", "HEAD");
    case "catalog":
      return serveCatalog(world, request);
    case "tags":
      return serveTags(world, request, route.repository);
    case "manifest":
      return await serveManifest(world, request, route.repository, route.target);
    case "blob":
      return serveBlob(world, request, route.repository, route.digest);
    case "uploads":
      return await serveUploads(world, request, route.repository);
    case "upload":
      return await serveUpload(world, request, route.repository, route.id);
    case "referrers":
      return serveReferrers(world, request, route.repository, route.digest);
  }
}

async function deliver(outcome: Outcome, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  if (outcome === "reset") {
    incoming.socket.resetAndDestroy();
    return;
  }
  if (outcome === "stall") {
    // The registry's own patience must not end what the client's is tested with.
    incoming.socket.setTimeout(0);
    return;
  }
  await drain(incoming);
  await sendReply(outcome, incoming.method ?? "", response);
}

const DRAIN_BYTES = 64 * 1024 * 1024;

/**
 * Reads what is left of a request that is answered before its end (401, 413): closing the connection on a client that
 * is still writing would lose it the answer. What is even longer is cut.
 */
async function drain(incoming: IncomingMessage): Promise<void> {
  if (incoming.complete) return;
  let size = 0;
  for await (const chunk of incoming.iterator({ destroyOnReturn: false })) {
    size += chunk.byteLength;
    if (size > DRAIN_BYTES) return;
  }
}

type OpenRequest = { -readonly [Name in keyof LoggedRequest]: LoggedRequest[Name] };

class RequestLog {
  readonly requests: LoggedRequest[] = [];
  readonly #keep: boolean;
  #count = 0;

  constructor(options: RegistryOptions) {
    this.#keep = options.keepRequests ?? true;
  }

  begin(incoming: IncomingMessage, path: string): OpenRequest {
    const { method = "", url = "", headers } = incoming;
    const request = { index: ++this.#count, method, url, path, headers, status: 0 };
    if (this.#keep) this.requests.push(request);
    return request;
  }

  clear(): void {
    this.requests.length = 0;
    this.#count = 0;
  }
}

async function listen(server: Server, host: string, port: number): Promise<string> {
  // A push may last for hours; it is idleness that ends a connection.
  server.requestTimeout = 0;
  server.timeout = LIMITS.idleMs;
  server.keepAliveTimeout = LIMITS.idleMs;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(cannotListen(error, host, port)));
    server.listen(port, host, resolve);
  });
  const bound = server.address() as AddressInfo;
  return bound.family === "IPv6" ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`;
}

const LISTEN_ERRORS: Readonly<Record<string, string>> = {
  EADDRINUSE: "the address is in use",
  EACCES: "no permission to listen there",
  EADDRNOTAVAIL: "the address is not one of this machine",
  ENOTFOUND: "the host name is unknown",
};

function cannotListen(error: NodeJS.ErrnoException, host: string, port: number): CountersignError {
  const why = LISTEN_ERRORS[error.code ?? ""] ?? error.message;
  return new CountersignError("usage", `cannot listen: ${why}`, {
    found: host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`,
    next: "choose another address",
    cause: error,
  });
}

async function closeServer(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
