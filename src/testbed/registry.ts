import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { breakReply, FaultPlan, type Outcome, type SeenRequest } from "./faults.ts";
import { closeServer, listen } from "./listener.ts";
import { type Authentication, createGatekeeper } from "./registry/auth.ts";
import { MemoryBlobs } from "./registry/blobs.ts";
import { createControl, type RegistryControl } from "./registry/control.ts";
import { answerRequest, readRequest } from "./registry/dispatch.ts";
import { FolderBlobs } from "./registry/folder.ts";
import { Journal } from "./registry/journal.ts";
import { Repositories } from "./registry/repositories.ts";
import { Uploads } from "./registry/uploads.ts";
import type { Behaviour, World } from "./registry/world.ts";
import { sendReply } from "./reply.ts";

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
    const answer = () => answerRequest(world, gatekeeper, request, options.onError);
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
