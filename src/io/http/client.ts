import { Readable } from "node:stream";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { throwIfAborted } from "../disk/errors.ts";
import { isUnknownAuthority, type Peer, transportError } from "./failures.ts";
import { proxyFor } from "./proxy.ts";
import { Pulse } from "./pulse.ts";
import { safeUrl } from "./redact.ts";
import { HttpResponse } from "./response.ts";
import { secretsIn } from "./secrets.ts";
import { type Roots, type TlsProfile, tlsOptions } from "./tls.ts";
import { type Dispatcher, openPool, openProxyAgent, type ResponseData } from "./undici.ts";

export type Method = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
export type RequestHeaders = Readonly<Record<string, string>>;

/** A body that can be sent again. */
export type RequestBody = Uint8Array | { readonly size: number; open(): AsyncIterable<Uint8Array> };

export interface HttpRequest {
  readonly method: Method;
  readonly url: URL;
  readonly headers?: RequestHeaders | undefined;
  readonly body?: RequestBody | undefined;
}

export interface HttpClientOptions {
  /** Proxies. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The profile of the host that a URL names. */
  readonly tlsFor: (url: URL) => TlsProfile;
  /** For every request, loopback too, instead of what the environment says. */
  readonly proxy?: URL | undefined;
  readonly userAgent: string;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds; LIMITS where nothing is said. */
  readonly connectMs?: number | undefined;
  readonly idleMs?: number | undefined;
}

/**
 * The one place that knows undici: connections, timeouts, bounds. One request, one response: no redirects, retries or
 * credentials, and never a decoded body.
 */
export class HttpClient {
  /** Ends every request, and whatever is done for one. */
  readonly signal: AbortSignal | undefined;
  readonly #options: HttpClientOptions;
  readonly #connectMs: number;
  readonly #idleMs: number;
  readonly #dispatchers = new Map<string, Promise<Dispatcher>>();
  /** Origins whose certificate needs the system's roots. */
  readonly #wide = new Set<string>();
  readonly #pulse = new Pulse();

  constructor(options: HttpClientOptions) {
    this.signal = options.signal;
    this.#options = options;
    this.#connectMs = options.connectMs ?? LIMITS.connectMs;
    this.#idleMs = options.idleMs ?? LIMITS.idleMs;
  }

  /** @throws CountersignError `unreachable`, `timeout`, `not-a-registry`, `limit-reached`, `interrupted`. */
  async send(request: HttpRequest): Promise<HttpResponse> {
    const { url } = request;
    const { signal } = this;
    throwIfAborted(signal);
    const proxy = this.#options.proxy ?? proxyFor(url, this.#options.env);
    const peer = this.#peer(url, proxy);
    if (this.#pulse.isSilent(url.host)) throw silentHost(peer);
    const began = performance.now();
    const pulse = {
      progressed: () => this.#pulse.progressed(url.host),
      timedOut: () => this.#pulse.timedOut(url.host, began),
    };
    try {
      const { statusCode, headers, body } = await this.#exchange(request, proxy);
      return new HttpResponse({
        status: statusCode,
        headers,
        body,
        url,
        peer,
        pulse,
        signal,
        secrets: secretsIn(request),
      });
    } catch (thrown) {
      throwIfAborted(signal);
      const error = transportError(thrown, peer);
      if (error.code === "timeout") pulse.timedOut();
      throw error;
    }
  }

  /** Ends every connection at once. */
  async close(): Promise<void> {
    const open = [...this.#dispatchers.values()];
    this.#dispatchers.clear();
    // One that could not be opened has told its user why already.
    const end = (dispatcher: Promise<Dispatcher>) =>
      dispatcher.then(
        (opened) => opened.destroy(closed()),
        () => undefined,
      );
    await Promise.all(open.map(end));
  }

  /** A certificate that Node's roots do not know is tried once more with the system's: nothing was sent until then. */
  async #exchange(request: HttpRequest, proxy: URL | undefined): Promise<ResponseData> {
    const { origin } = request.url;
    try {
      return await this.#dispatch(request, proxy);
    } catch (thrown) {
      if (!isUnknownAuthority(thrown) || this.#wide.has(origin)) throw thrown;
      this.#wide.add(origin);
      return await this.#dispatch(request, proxy);
    }
  }

  async #dispatch(request: HttpRequest, proxy: URL | undefined): Promise<ResponseData> {
    const { method, url, body } = request;
    // undici takes up a connection again one turn of the event loop after its last answer, by a setImmediate of its own. Whoever
    // asks within that turn would have another opened, with all that it takes: name, TCP, TLS.
    if (this.#dispatchers.size > 0) await turn();
    const interim = new InterimLimit(this.#idleMs, this.signal);
    const guard = bodyGuard(body, () => interim.bodyMoved());
    try {
      const dispatcher = await this.#dispatcher(url, proxy);
      return await dispatcher.request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method,
        headers: this.#headers(request),
        body: guard.body,
        signal: interim.signal,
        // No `reset: false`: undici ends the connection after a HEAD, and has to. Some servers send a body with the answer, which
        // would be the answer to the next request: whoever made it could say what he likes in the registry's name.
        onInfo: () => interim.arrived(),
      });
    } catch (thrown) {
      // What broke our own source is the cause; the broken connection is its effect.
      throw guard.failure() ?? thrown;
    } finally {
      interim.clear();
    }
  }

  #headers({ headers, body }: HttpRequest): Record<string, string> {
    const size = body === undefined ? undefined : body instanceof Uint8Array ? body.byteLength : body.size;
    return {
      "user-agent": this.#options.userAgent,
      // Only the bytes as stored hash to their digest.
      "accept-encoding": "identity",
      ...headers,
      ...(size === undefined ? {} : { "content-length": String(size) }),
    };
  }

  #dispatcher(url: URL, proxy: URL | undefined): Promise<Dispatcher> {
    const roots: Roots = this.#wide.has(url.origin) ? "all" : "default";
    const key = `${url.origin} ${roots} ${proxy?.href ?? ""}`;
    const known = this.#dispatchers.get(key);
    if (known !== undefined) return known;
    const dispatcher = this.#connect(url, proxy, roots);
    this.#dispatchers.set(key, dispatcher);
    return dispatcher;
  }

  async #connect(url: URL, proxy: URL | undefined, roots: Roots): Promise<Dispatcher> {
    const tls = url.protocol === "https:" ? tlsOptions(this.#options.tlsFor(url), roots) : {};
    const common = {
      allowH2: false,
      connections: LIMITS.connections,
      pipelining: 1,
      keepAliveTimeout: LIMITS.keepAliveMs,
      connectTimeout: this.#connectMs,
      headersTimeout: this.#idleMs,
      bodyTimeout: this.#idleMs,
      maxHeaderSize: LIMITS.headerBytes,
    };
    // Happy eyeballs gives each address 250 ms by default: too little for a far host.
    const connect = { timeout: this.#connectMs, autoSelectFamily: true, autoSelectFamilyAttemptTimeout: 1000 };
    if (proxy === undefined) return openPool(url.origin, { ...common, connect: { ...connect, ...tls } });
    return openProxyAgent({
      ...common,
      uri: proxy.href.replace(/^socks5h:/, "socks5:"),
      requestTls: { ...connect, ...tls },
    });
  }

  #peer(url: URL, proxy: URL | undefined): Peer {
    return {
      host: url.host,
      proxy: proxy === undefined ? undefined : safeUrl(proxy),
      connectMs: this.#connectMs,
      idleMs: this.#idleMs,
    };
  }
}

/**
 * Interim responses (1xx, RFC 9110 §15.2) keep undici waiting for ever. The final one has to begin within the idle time
 * after the first of them, or after our own body moved last.
 */
class InterimLimit {
  /** Aborted then, and with the command. */
  readonly signal: AbortSignal;
  readonly #idleMs: number;
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(idleMs: number, outer: AbortSignal | undefined) {
    const own = this.#controller.signal;
    this.signal = outer === undefined ? own : AbortSignal.any([outer, own]);
    this.#idleMs = idleMs;
  }

  arrived(): void {
    const error = Object.assign(new Error("interim responses only"), { code: "UND_ERR_HEADERS_TIMEOUT" });
    this.#timer ??= setTimeout(() => this.#controller.abort(error), this.#idleMs);
  }

  bodyMoved(): void {
    this.#timer?.refresh();
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Node's streams read the stack of what ends them: that of the bundle, one script of 3 MiB, takes milliseconds to make. */
function closed(): Error {
  return Object.defineProperty(new Error("the connections were closed"), "stack", { value: undefined });
}

function silentHost({ host, idleMs }: Peer): CountersignError {
  return new CountersignError("timeout", `${host} makes no progress and is not asked again`, {
    found: `a request before this one that got nowhere in ${idleMs / 1000} s`,
  });
}

/** What undici sends, and what went wrong in reading it from its source. */
function bodyGuard(
  body: RequestBody | undefined,
  moved: () => void,
): {
  body: Uint8Array | Readable | null;
  failure(): CountersignError | undefined;
} {
  if (body === undefined) return { body: null, failure: () => undefined };
  if (body instanceof Uint8Array) return { body, failure: () => undefined };
  let failed: CountersignError | undefined;
  async function* guarded(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      for await (const chunk of source) {
        moved();
        yield chunk;
      }
    } catch (thrown) {
      if (thrown instanceof CountersignError) failed = thrown;
      throw thrown;
    }
  }
  return { body: Readable.from(guarded(body.open()), { objectMode: false }), failure: () => failed };
}
