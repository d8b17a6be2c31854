import { CountersignError } from "../../core/errors.ts";
import type { Reference } from "../../core/oci/reference.ts";
import { repositoryName } from "../../core/oci/reference.ts";
import type { Access } from "../http/auth.ts";
import type { Method, RequestBody, RequestHeaders } from "../http/client.ts";
import { TransientError } from "../http/failures.ts";
import { Hops, isRedirect, placeNamed } from "../http/redirects.ts";
import type { HttpResponse } from "../http/response.ts";
import type { Attempts } from "../http/retry.ts";
import { readPeerError } from "../http/status.ts";
import type { Endpoint } from "./endpoint.ts";
import { statusError } from "./failures.ts";
import type { RegistryPool } from "./pool.ts";

export interface RegistryRequest {
  readonly method: Method;
  /** Below `/v2/NAME/`, with its query; from the registry's root where it begins with a slash; or a place that it named. */
  readonly path: string | URL;
  /** For messages: "the list of referrers". */
  readonly what: string;
  readonly headers?: RequestHeaders | undefined;
  readonly body?: RequestBody | undefined;
  /** Statuses that the caller deals with; all others become errors. */
  readonly expect: readonly number[];
  /** What a token has to allow, where it is not the repository that is read or written. */
  readonly scopes?: readonly string[] | undefined;
  /** A repository to mount from: reading it needs a scope too. */
  readonly mountFrom?: string | undefined;
  /** Redirects to another host are handed to the caller as they are. */
  readonly sameHostOnly?: boolean | undefined;
}

/** Requests to one repository: scheme, credentials, redirects, retries, errors. */
export class Session {
  readonly pool: RegistryPool;
  readonly registry: string;
  /** Path in the registry. */
  readonly repository: string;
  /** `registry/repository`. */
  readonly name: string;
  readonly #endpoint: Endpoint;

  constructor(pool: RegistryPool, reference: Reference) {
    this.pool = pool;
    this.registry = reference.registry;
    this.repository = reference.repository;
    this.name = repositoryName(reference);
    this.#endpoint = pool.endpoint(reference.registry);
  }

  /** Repeats whole pieces of work, not only single requests. */
  retrying<Result>(work: (attempts: Attempts) => Promise<Result>): Promise<Result> {
    return this.pool.retrier.run(this.registry, work);
  }

  /** One request with its retries; `consume` reads the answer and is part of what is retried. */
  run<Result>(request: RegistryRequest, consume: (response: HttpResponse) => Promise<Result>): Promise<Result> {
    return this.retrying(() => this.once(request, consume));
  }

  /** The same without retries: throws TransientError where one might help. */
  async once<Result>(request: RegistryRequest, consume: (response: HttpResponse) => Promise<Result>): Promise<Result> {
    const response = await this.open(request);
    return drained(response, () => consume(response));
  }

  /** The same, and the caller reads or discards the body. */
  async open(request: RegistryRequest): Promise<HttpResponse> {
    const turn = await this.pool.retrier.budgets.of(this.registry).enter();
    try {
      const response = await this.#endpoint.exchange((origin) => this.#authenticated(request, origin));
      turn.answered(response);
      this.pool.noteWarnings(this.registry, response);
      const handed = request.sameHostOnly === true && isRedirect(response.status);
      if (handed || request.expect.includes(response.status)) return response;
      throw await statusError(response, request, this);
    } catch (thrown) {
      if (thrown instanceof TransientError) thrown.heldMs = turn.heldMs;
      throw thrown;
    } finally {
      turn.end();
    }
  }

  /** A place that the registry named in an answer. @throws CountersignError `redirect-refused`. */
  place(location: string | undefined, from: URL): URL {
    return placeNamed(location, from, { registry: this.#endpoint.origin, allowHttp: this.pool.allowHttp });
  }

  async #authenticated(request: RegistryRequest, origin: URL): Promise<HttpResponse> {
    const { authenticator } = this.pool;
    const access = this.#access(request, origin);
    const sent = await authenticator.authorization(access);
    const response = await this.#follow(request, origin, sent);
    if (response.status !== 401) return response;
    if (response.url.origin !== origin.origin) throw await strangerRefuses(response, origin);
    const header = await this.#answer(access, response, sent);
    const again = await this.#follow(request, origin, header);
    if (again.status === 401 && again.url.origin === origin.origin) throw await authenticator.refusal(access, again);
    return again;
  }

  /** Some registries answer 401 without a challenge, and tell at `/v2/` what they want. */
  async #answer(access: Access, response: HttpResponse, sent: string | undefined): Promise<string> {
    const { authenticator, http } = this.pool;
    const direct = await drained(response, () => authenticator.answer(access, response, sent));
    if (direct !== undefined) return direct;
    const ping = await http.send({ method: "GET", url: new URL("/v2/", access.origin) });
    const header = await drained(ping, async () =>
      ping.status === 401 ? authenticator.answer(access, ping, sent) : undefined,
    );
    if (header !== undefined) return header;
    throw new CountersignError("protocol-error", `${this.registry} wants credentials and does not say which kind`, {
      found: "401 without a challenge that can be answered",
      wanted: "a WWW-Authenticate header with Bearer or Basic",
    });
  }

  #access({ method, mountFrom, scopes: asked }: RegistryRequest, origin: URL): Access {
    const actions = method === "GET" || method === "HEAD" ? "pull" : "pull,push";
    const from = mountFrom === undefined || mountFrom === this.repository ? [] : [`repository:${mountFrom}:pull`];
    const scopes = asked ?? [`repository:${this.repository}:${actions}`, ...from];
    return { origin, registry: this.registry, repository: this.repository, scopes };
  }

  /** Redirects one by one. Credentials go to the registry's own origin and nowhere else. */
  async #follow(request: RegistryRequest, origin: URL, authorization: string | undefined): Promise<HttpResponse> {
    const { method, headers, body } = request;
    const hops = new Hops();
    let url = typeof request.path === "string" ? this.#url(request.path, origin) : request.path;
    for (;;) {
      hops.visit(url);
      const credentials = authorization !== undefined && url.origin === origin.origin ? { authorization } : {};
      const response = await this.pool.http.send({ method, url, headers: { ...headers, ...credentials }, body });
      const next = isRedirect(response.status) ? await this.#next(request, response, origin) : undefined;
      if (next === undefined) return response;
      url = next;
    }
  }

  /** Where a redirect leads; undefined where it is handed to the caller. */
  async #next(request: RegistryRequest, response: HttpResponse, origin: URL): Promise<URL | undefined> {
    const location = response.header("location");
    const from = response.url;
    const next = await drained(response, async () =>
      placeNamed(location, from, { registry: origin, allowHttp: this.pool.allowHttp }),
    );
    if (request.sameHostOnly === true && next.host !== from.host) return undefined;
    checkReplay(request, response, next);
    return next;
  }

  #url(path: string, origin: URL): URL {
    return new URL(path.startsWith("/") ? path : `/v2/${this.repository}/${path}`, origin);
  }
}

/** Runs `work` and leaves the connection usable, whatever becomes of it. */
async function drained<Result>(response: HttpResponse, work: () => Promise<Result>): Promise<Result> {
  try {
    return await response.discreetly(work);
  } finally {
    await response.drain();
  }
}

/** A write is repeated elsewhere only where the status says so, and never at another origin. */
function checkReplay({ method, what }: RegistryRequest, response: HttpResponse, to: URL): void {
  const from = response.url;
  if (method === "GET" || method === "HEAD") return;
  if ((response.status === 307 || response.status === 308) && from.origin === to.origin) return;
  throw new CountersignError("redirect-refused", `a redirect of a write by ${from.host} is not followed`, {
    found: `${response.status} to ${to.host} on ${what}`,
    wanted: "an answer by the registry itself",
  });
}

async function strangerRefuses(response: HttpResponse, origin: URL): Promise<CountersignError> {
  const { text } = await readPeerError(response);
  const message = `${origin.host} redirects to ${response.url.host}, which wants credentials`;
  return new CountersignError("denied", message, { found: `401${text === undefined ? "" : ` (${text})`}` });
}
