import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { errnoOf, throwIfAborted } from "../disk/errors.ts";
import { type PageKind, page } from "./page.ts";

/** What the browser brings back: the parameters of the authorization response (RFC 6749 §4.1.2). */
export interface Callback {
  readonly parameters: URLSearchParams;
  /** Shows the person how it ended, and resolves when that is shown. */
  show(isSignedIn: boolean): Promise<void>;
}

interface WaitOptions {
  readonly waitMs: number;
  readonly signal: AbortSignal | undefined;
}

const PATH = "/auth/callback";

/** Status and page. */
type Refusal = readonly [number, PageKind];

const NOT_FOUND: Refusal = [404, "not-found"];

/**
 * Waits on this machine, and for this machine only, for the browser to come back (RFC 8252 §7.3). One callback is taken:
 * the first that knows the state. Any page in the browser could send one, so one that does not is answered and forgotten.
 */
export class CallbackServer {
  readonly redirectUri: string;
  readonly #servers: readonly Server[];
  readonly #port: number;
  readonly #state: string;
  readonly #first = Promise.withResolvers<Callback>();
  #taken = false;
  #strangers = 0;

  private constructor(servers: readonly Server[], port: number, state: string) {
    this.#servers = servers;
    this.#port = port;
    this.#state = state;
    this.redirectUri = `http://localhost:${port}${PATH}`;
    for (const server of servers) server.on("request", (request, response) => this.#answer(request, response));
  }

  /** @throws CountersignError `unsupported` where nothing can listen here. */
  static async listen(state: string): Promise<CallbackServer> {
    const { servers, port } = await listenOnLoopback();
    return new CallbackServer(servers, port, state);
  }

  /** @throws CountersignError `timeout`, `interrupted`. */
  async callback({ waitMs, signal }: WaitOptions): Promise<Callback> {
    throwIfAborted(signal);
    const { promise, resolve, reject } = Promise.withResolvers<Callback>();
    const timer = setTimeout(() => reject(this.#nobodyCame(waitMs)), waitMs);
    const abort = (): void => reject(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    this.#first.promise.then(resolve, reject);
    try {
      return await promise;
    } catch (thrown) {
      throwIfAborted(signal);
      throw thrown;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.map(closed));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const parameters = parametersOf(request.url);
    const refusal = this.#refusalOf(request, parameters);
    if (parameters === undefined || refusal !== undefined) {
      page(response, ...(refusal ?? NOT_FOUND));
      return;
    }
    this.#taken = true;
    this.#first.resolve({ parameters, show: (isSignedIn) => shown(response, isSignedIn) });
  }

  #refusalOf(request: IncomingMessage, parameters: URLSearchParams | undefined): Refusal | undefined {
    if (parameters === undefined || !this.#isForUs(request)) return NOT_FOUND;
    if (request.method !== "GET") return [405, "not-found"];
    if (!isOnly(parameters, "state", this.#state)) {
      this.#strangers++;
      return [400, "stranger"];
    }
    return this.#taken ? [409, "again"] : undefined;
  }

  /** A name that leads here by somebody's DNS is no name of ours. */
  #isForUs({ headers }: IncomingMessage): boolean {
    return ["localhost", "127.0.0.1", "[::1]"].some((name) => headers.host === `${name}:${this.#port}`);
  }

  #nobodyCame(waitMs: number): CountersignError {
    const strangers = this.#strangers === 0 ? "" : `; ${this.#strangers} that do not belong to this sign-in`;
    return new CountersignError("timeout", "nobody signed in", {
      found: `no answer from the browser within ${waitMs / 1000} s${strangers}`,
      wanted: "a sign-in in the browser",
      next: "run the command again, or give --identity-token",
    });
  }
}

/** undefined for any other path. Put together rather than resolved: two slashes in front would name another host. */
function parametersOf(target: string | undefined): URLSearchParams | undefined {
  const url = URL.parse(`http://localhost${target}`);
  return url?.host === "localhost" && url.pathname === PATH ? url.searchParams : undefined;
}

/** The parameter is there, once, and is this (RFC 6749 §3.1: none may be repeated). */
function isOnly(parameters: URLSearchParams, name: string, wanted: string): boolean {
  const values = parameters.getAll(name);
  return values.length === 1 && values[0] === wanted;
}

async function shown(response: ServerResponse, isSignedIn: boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  // A browser that was closed in the meantime gets no page.
  response.once("close", resolve);
  if (response.destroyed) resolve();
  page(response, 200, isSignedIn ? "signed-in" : "failed");
  await promise;
}

// --- listening --------------------------------------------------------------------------------------------------------

interface Listening {
  readonly servers: readonly Server[];
  readonly port: number;
}

/** How often another port is taken, where somebody else has this one on the other family of addresses. */
const PORTS_TRIED = 5;

/** Browsers try either address of localhost first: the port has to be ours on both, where there are both. */
async function listenOnLoopback(): Promise<Listening> {
  for (let tried = 1; ; tried++) {
    const first = await listenAt("127.0.0.1", 0);
    const { port } = first.address() as AddressInfo;
    try {
      return { servers: [first, await listenAt("::1", port)], port };
    } catch (thrown) {
      const errno = errnoOf(thrown);
      if (errno === "EADDRNOTAVAIL" || errno === "EAFNOSUPPORT") return { servers: [first], port };
      await closed(first);
      if (errno !== "EADDRINUSE" || tried === PORTS_TRIED) throw cannotListen(thrown);
    }
  }
}

function listenAt(host: string, port: number): Promise<Server> {
  const server = createServer({ maxHeaderSize: LIMITS.headerBytes });
  const { promise, resolve, reject } = Promise.withResolvers<Server>();
  server.once("error", reject);
  server.listen({ host, port, exclusive: true }, () => resolve(server));
  return promise;
}

function closed(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeAllConnections();
  return promise;
}

function cannotListen(cause: unknown): CountersignError {
  return new CountersignError("unsupported", "nothing can listen on this machine for the browser's answer", {
    found: errnoOf(cause) ?? "no port",
    wanted: "a free port on 127.0.0.1",
    next: "give --identity-token",
    cause,
  });
}
