import { CountersignError } from "../../core/errors.ts";
import { isLoopback } from "../../core/oci/reference.ts";
import type { ReasonCode } from "../../core/reasons.ts";
import { HttpClient, type Method, type RequestHeaders } from "./client.ts";
import { type Clock, systemClock } from "./clock.ts";
import { safeUrl } from "./redact.ts";
import { Hops, isRedirect, placeNamed } from "./redirects.ts";
import type { HttpResponse } from "./response.ts";
import { Retrier } from "./retry.ts";
import { inBrackets, isTransientStatus, readPeerError, transientStatus } from "./status.ts";
import type { TlsProfile } from "./tls.ts";

/** How services other than registries are spoken to. */
export interface ServiceOptions {
  /** Proxies. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `countersign/VERSION`. */
  readonly userAgent: string;
  readonly signal?: AbortSignal | undefined;
  /** All tries of a request together; LIMITS.tries where nothing is said. */
  readonly tries?: number | undefined;
  /** Milliseconds without progress. */
  readonly idleMs?: number | undefined;
  /** PEM: further certificate authorities for every service. */
  readonly authorities?: readonly string[] | undefined;
  /** For a client of one service alone: all that TLS with it takes, and the proxy that leads to it. */
  readonly tls?: TlsProfile | undefined;
  readonly proxy?: URL | undefined;
  readonly clock?: Clock | undefined;
}

export interface ServiceRequest {
  readonly method?: Extract<Method, "GET" | "POST"> | undefined;
  readonly url: URL;
  /** For messages: "the signing certificate". */
  readonly what: string;
  readonly headers?: RequestHeaders | undefined;
  readonly body?: Uint8Array | undefined;
  /** Statuses that the caller deals with; 200 where nothing is said. All others become errors. */
  readonly expect?: readonly number[] | undefined;
  /** A redirect is an error: the answer counts because of who gives it. */
  readonly stay?: boolean | undefined;
  /** Of the answer. */
  readonly maxBytes: number;
}

export interface ServiceAnswer {
  readonly status: number;
  readonly bytes: Uint8Array;
  /** Without parameters, in lower case; empty where there is none. */
  readonly contentType: string;
  header(name: string): string | undefined;
}

/**
 * Requests to services: certificate authorities, logs, timestamp authorities, token issuers, TUF repositories. HTTPS, or
 * plain HTTP on this machine; answers are bounded; failures that may pass are tried again, POSTs too, so that a service
 * must bear a repetition. Only GETs are redirected, and an `authorization` header stays with the origin it was for.
 */
export class ServiceClient {
  readonly #http: HttpClient;
  readonly #retrier: Retrier;
  readonly #clock: Clock;

  constructor(options: ServiceOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#http = new HttpClient({
      env: options.env,
      tlsFor: () => options.tls ?? { ca: options.authorities ?? [], insecure: false },
      proxy: options.proxy,
      userAgent: options.userAgent,
      signal: options.signal,
      idleMs: options.idleMs,
    });
    this.#retrier = new Retrier({ clock: this.#clock, tries: options.tries, signal: options.signal });
  }

  /**
   * @throws CountersignError `unreachable`, `timeout`, `throttled`, `server-error`, `denied`, `not-found`,
   * `protocol-error`, `redirect-refused`, `limit-reached`, `configuration-invalid` (an address that may not be used).
   */
  async ask(request: ServiceRequest): Promise<ServiceAnswer> {
    checkAddress(request);
    return await this.#retrier.run(request.url.host, async () => {
      const response = await this.#follow(request);
      try {
        if (!(request.expect ?? [200]).includes(response.status)) throw await this.#statusError(response, request);
        const bytes = await response.bytes(request.maxBytes, request.what);
        const { status, contentType } = response;
        return { status, contentType, bytes, header: (name) => response.header(name) };
      } finally {
        await response.drain();
      }
    });
  }

  async close(): Promise<void> {
    await this.#http.close();
  }

  async #follow({ method = "GET", url: start, headers = {}, body, stay }: ServiceRequest): Promise<HttpResponse> {
    const hops = new Hops();
    const { authorization, ...open } = headers;
    let url = start;
    for (;;) {
      hops.visit(url);
      const secret = authorization !== undefined && url.origin === start.origin ? { authorization } : {};
      const response = await this.#http.send({ method, url, headers: { ...open, ...secret }, body });
      if (method !== "GET" || stay === true || !isRedirect(response.status)) return response;
      await response.drain();
      url = placeNamed(response.header("location"), url, { registry: start, allowHttp: false });
    }
  }

  async #statusError(response: HttpResponse, { what }: ServiceRequest): Promise<CountersignError> {
    const error = await readPeerError(response);
    if (isTransientStatus(response.status)) return transientStatus(response, error, what, this.#clock.now());
    const { host } = response.url;
    return new CountersignError(codeOf(response.status), `${host} refuses ${what}`, {
      found: `${response.status}${inBrackets(error)}`,
      next: `check the request, and what ${host} says of it`,
    });
  }
}

function codeOf(status: number): ReasonCode {
  if (status === 401 || status === 403) return "denied";
  return status === 404 ? "not-found" : "protocol-error";
}

function checkAddress({ url, what }: ServiceRequest): void {
  const isSafe = url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.host));
  if (isSafe && url.username === "" && url.password === "") return;
  throw new CountersignError("configuration-invalid", `the address for ${what} cannot be used`, {
    found: safeUrl(url),
    wanted: "https, or http on this machine, without user information",
  });
}
