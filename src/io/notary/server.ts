import { join } from "node:path";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { isLoopback } from "../../core/oci/reference.ts";
import { type Access, Authenticator, type CredentialSource } from "../http/auth.ts";
import { HttpClient } from "../http/client.ts";
import { type Clock, systemClock } from "../http/clock.ts";
import { safeUrl } from "../http/redact.ts";
import { isRedirect } from "../http/redirects.ts";
import type { HttpResponse } from "../http/response.ts";
import { Retrier } from "../http/retry.ts";
import { inBrackets, isTransientStatus, readPeerError, transientStatus } from "../http/status.ts";
import { certificateFolders, environmentAuthorities, registryCertificates, type TlsProfile } from "../http/tls.ts";

/** A Notary server, and one repository on it. */
export interface NotaryOptions {
  /** `https://notary.example`: where Docker was told to look by DOCKER_CONTENT_TRUST_SERVER. */
  readonly server: URL;
  /** `registry.example/acme/app`, as Docker calls the repository. */
  readonly gun: string;
  /** Whose credentials are shown, as Docker does: those of the image's registry. */
  readonly registry: string;
  readonly credentials: CredentialSource;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homeDirectory: string;
  /** PEM: a further authority. */
  readonly ca?: string | undefined;
  readonly userAgent: string;
  readonly signal?: AbortSignal | undefined;
  /** All tries of a request together. */
  readonly tries?: number | undefined;
  /** Milliseconds without progress. */
  readonly idleMs?: number | undefined;
  readonly clock?: Clock | undefined;
}

/** What Notary calls a file: `timestamp`, `root.HASH`, `3.root`, `targets/releases`. No part of it leads elsewhere. */
const FILE_NAME =
  /^(?:[1-9][0-9]{0,8}\.)?(?:root|snapshot|timestamp|targets(?:\/(?!\.+(?:\/|$))[-a-z0-9._]{1,255})*)(?:\.[0-9a-f]{64})?$/;

/** Reads a repository's metadata from a Notary server (server/server.go); nothing that it answers is believed here. */
export class NotaryServer {
  readonly #options: NotaryOptions;
  readonly #clock: Clock;
  readonly #http: HttpClient;
  readonly #retrier: Retrier;
  readonly #authenticator: Authenticator;

  /** @throws CountersignError `configuration-invalid` for an address that is not asked. */
  constructor(options: NotaryOptions) {
    checkAddress(options.server);
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const { env, userAgent, signal, tries, idleMs, credentials } = options;
    this.#http = new HttpClient({ env, userAgent, signal, idleMs, tlsFor: (url) => this.#tlsFor(url) });
    this.#retrier = new Retrier({ clock: this.#clock, tries, signal });
    const shared = { http: this.#http, retrier: this.#retrier, clock: this.#clock };
    this.#authenticator = new Authenticator({ ...shared, credentials, allowHttp: false });
  }

  /** Printable. */
  get location(): string {
    return safeUrl(this.#options.server);
  }

  /**
   * One file. undefined: the server answered that it has none.
   *
   * @throws CountersignError `unreachable`, `timeout`, `throttled`, `server-error`, `denied`, `credentials-missing`,
   * `protocol-error`, `redirect-refused`, `limit-reached`, `interrupted`.
   */
  async file(name: string): Promise<Uint8Array | undefined> {
    const url = this.#address(name);
    return await this.#retrier.run(url.host, async () => {
      const response = await this.#authenticated(url);
      try {
        return await this.#read(response, name);
      } finally {
        await response.drain();
      }
    });
  }

  async close(): Promise<void> {
    await this.#http.close();
  }

  #address(name: string): URL {
    if (!FILE_NAME.test(name)) throw new CountersignError("protocol-error", "not a file of Notary's", { found: name });
    const { server, gun } = this.#options;
    const base = server.pathname.replace(/\/+$/, "");
    return new URL(`${base}/v2/${gun}/_trust/tuf/${name}.json`, server);
  }

  async #authenticated(url: URL): Promise<HttpResponse> {
    const access = this.#access();
    const sent = await this.#authenticator.authorization(access);
    const response = await this.#send(url, sent);
    if (response.status !== 401) return response;
    const header = await this.#answer(access, response, sent);
    const again = await this.#send(url, header);
    if (again.status !== 401) return again;
    throw await this.#refused(access, again);
  }

  async #answer(access: Access, response: HttpResponse, sent: string | undefined): Promise<string> {
    try {
      const header = await this.#authenticator.answer(access, response, sent);
      if (header !== undefined) return header;
    } finally {
      await response.drain();
    }
    throw new CountersignError("protocol-error", `${this.location} wants credentials and does not say which kind`, {
      found: "401 without a challenge that can be answered",
      wanted: "a WWW-Authenticate header with Bearer or Basic",
    });
  }

  async #refused(access: Access, response: HttpResponse): Promise<CountersignError> {
    try {
      return await this.#authenticator.refusal(access, response);
    } finally {
      await response.drain();
    }
  }

  async #send(url: URL, authorization: string | undefined): Promise<HttpResponse> {
    const headers = { accept: "application/json", ...(authorization !== undefined && { authorization }) };
    return await this.#http.send({ method: "GET", url, headers });
  }

  async #read(response: HttpResponse, name: string): Promise<Uint8Array | undefined> {
    if (response.status === 200) return await response.bytes(LIMITS.dctFileBytes, `${name}.json`);
    if (response.status === 404) return undefined;
    const error = await readPeerError(response);
    if (isTransientStatus(response.status)) {
      throw transientStatus(response, error, `${name}.json`, this.#clock.now());
    }
    const code =
      response.status === 403 ? "denied" : isRedirect(response.status) ? "redirect-refused" : "protocol-error";
    throw new CountersignError(code, `${this.location} does not give ${name}.json`, {
      found: `${response.status}${inBrackets(error)}`,
      wanted: "200 or 404",
    });
  }

  #access(): Access {
    const { server, registry, gun } = this.#options;
    const slash = gun.indexOf("/");
    return { origin: server, registry, repository: gun.slice(slash + 1), scopes: [`repository:${gun}:pull`] };
  }

  /** Docker's place for a Notary server's authority is `~/.docker/tls/HOST`; it counts for that server alone. */
  #tlsFor(url: URL): TlsProfile {
    const { env, homeDirectory, ca, server } = this.#options;
    const authorities = [...environmentAuthorities(env), ...(ca === undefined ? [] : [ca])];
    if (url.host !== server.host) return { ca: authorities };
    const docker = join(env["DOCKER_CONFIG"] ?? join(homeDirectory, ".docker"), "tls");
    const own = registryCertificates(server.host, [docker, ...certificateFolders(env, homeDirectory)]);
    return { ...own, ca: [...authorities, ...own.ca] };
  }
}

function checkAddress(server: URL): void {
  const isSafe = server.protocol === "https:" || (server.protocol === "http:" && isLoopback(server.host));
  if (isSafe && server.username === "" && server.password === "" && server.search === "") return;
  throw new CountersignError("configuration-invalid", "the address of the Notary server cannot be used", {
    found: safeUrl(server),
    wanted: "https, or http on this machine, without user information",
  });
}
