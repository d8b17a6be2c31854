import { join } from "node:path";
import { CountersignError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Digest } from "../../core/oci/digest.ts";
import type { Manifest } from "../../core/oci/manifest.ts";
import { Authenticator, type CredentialSource } from "../http/auth.ts";
import { HttpClient } from "../http/client.ts";
import { type Clock, systemClock } from "../http/clock.ts";
import { peerText } from "../http/redact.ts";
import type { HttpResponse } from "../http/response.ts";
import { Retrier } from "../http/retry.ts";
import { certificateFolders, environmentAuthorities, registryCertificates, type TlsProfile } from "../http/tls.ts";
import { CapabilityMemory } from "./capability.ts";
import { anonymous } from "./credentials.ts";
import { Endpoint } from "./endpoint.ts";

/** Everything that the registries of one command share. */
export interface RegistryOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homeDirectory: string;
  /** `findCredentials(…)`; anonymous where absent. */
  readonly credentials?: CredentialSource | undefined;
  /** Ends everything under way. Its reason is what is thrown, where that is a CountersignError. */
  readonly signal?: AbortSignal | undefined;
  /** Plain HTTP also to hosts other than loopback. */
  readonly allowHttp?: boolean | undefined;
  /** No TLS checks for the registries that are named, and for those only. */
  readonly insecureTls?: boolean | undefined;
  /** PEM. The authority counts for every host, the client's pair is shown only to the registries that are named. */
  readonly ca?: string | undefined;
  readonly clientCertificate?: string | undefined;
  readonly clientKey?: string | undefined;
  /** All tries of a request together; LIMITS.tries where nothing is said. */
  readonly tries?: number | undefined;
  /** Requests a second to one registry at most. */
  readonly maxRate?: number | undefined;
  /** A registry wants to be left alone for so long, in milliseconds. */
  readonly onAsked?: ((registry: string, milliseconds: number) => void) | undefined;
  /** Milliseconds. */
  readonly connectMs?: number | undefined;
  readonly idleMs?: number | undefined;
  /** Where it is remembered what registries lack. */
  readonly cacheDirectory?: string | undefined;
  /** `countersign/VERSION`. */
  readonly userAgent?: string | undefined;
  /** A registry's `Warning` header, printable; each text once. */
  readonly onWarning?: ((registry: string, text: string) => void) | undefined;
  /** Hosts of token services that may see credentials though they are of another site than the registry. */
  readonly tokenHosts?: readonly string[] | undefined;
  /** Folders in which a registry's certificates are looked for; containers-certs.d(5) where nothing is said. */
  readonly certificateFolders?: readonly string[] | undefined;
  readonly clock?: Clock | undefined;
}

/** Whether a repository was seen, in this process, to be served by the referrers API. */
export type ReferrersApi = "there" | "lacking";

/**
 * Connections, tokens, the back-off gate and what was learned about registries: made once per command and shared by all
 * the stores it opens.
 */
export class RegistryPool {
  readonly clock: Clock;
  readonly http: HttpClient;
  readonly retrier: Retrier;
  readonly authenticator: Authenticator;
  readonly capabilities: CapabilityMemory;
  readonly allowHttp: boolean;
  readonly signal: AbortSignal;
  /** Folder for the locks of what several processes write. */
  readonly lockFolder: string | undefined;
  /** By `registry/repository`. */
  readonly referrersApi = new Map<string, ReferrersApi>();
  /** By `registry/repository:tag`: what a fallback tag was seen to list before it was added to. */
  readonly listed = new Map<string, JsonObject>();
  readonly #options: RegistryOptions;
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #profiles = new Map<string, TlsProfile>();
  readonly #warned = new Set<string>();
  readonly #stored = new Map<string, Set<Digest>>();
  readonly #queues = new Map<string, Promise<unknown>>();
  /** Ends what nobody waits for any more when the pool is closed. */
  readonly #closing = new AbortController();
  readonly #ahead = new Map<string, Promise<Manifest | undefined>>();
  #authorities: readonly string[] | undefined;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.clock = options.clock ?? systemClock;
    const closing = this.#closing.signal;
    this.signal = options.signal === undefined ? closing : AbortSignal.any([options.signal, closing]);
    this.allowHttp = options.allowHttp === true;
    this.http = new HttpClient({
      env: options.env,
      tlsFor: (url) => this.#profile(url),
      userAgent: options.userAgent ?? "countersign",
      signal: this.signal,
      connectMs: options.connectMs,
      idleMs: options.idleMs,
    });
    this.retrier = new Retrier({
      clock: this.clock,
      tries: options.tries,
      signal: this.signal,
      maxRate: options.maxRate,
      onAsked: options.onAsked,
    });
    this.authenticator = new Authenticator({
      http: this.http,
      retrier: this.retrier,
      clock: this.clock,
      credentials: options.credentials ?? anonymous,
      allowHttp: this.allowHttp,
      tokenHosts: options.tokenHosts,
    });
    const cache = options.cacheDirectory;
    this.capabilities = new CapabilityMemory(cache === undefined ? undefined : join(cache, "registries"), this.clock);
    this.lockFolder = cache === undefined ? undefined : join(cache, "locks");
  }

  endpoint(registry: string): Endpoint {
    const known = this.#endpoints.get(registry) ?? new Endpoint(registry, this.allowHttp);
    this.#endpoints.set(registry, known);
    return known;
  }

  /** Blobs that this command stored in, or found in, a repository: they need not be offered again. */
  storedIn(repository: string): Set<Digest> {
    const known = this.#stored.get(repository) ?? new Set();
    this.#stored.set(repository, known);
    return known;
  }

  /** A manifest that will be wanted soon. Whoever asks for it by the same name first gets this answer, and nobody else. */
  expect(name: string, answer: Promise<Manifest | undefined>): void {
    // What went wrong is told to who asks; perhaps nobody does.
    answer.catch(() => undefined);
    this.#ahead.set(name, answer);
  }

  /** The answer to `name` that is on its way, once. */
  expected(name: string): Promise<Manifest | undefined> | undefined {
    const answer = this.#ahead.get(name);
    this.#ahead.delete(name);
    return answer;
  }

  /** Runs work on one subject one after the other, whichever store it comes from. */
  async inTurn<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.#queues.get(key) ?? Promise.resolve();
    const mine = before.then(work, work);
    const settled = mine.catch(() => undefined);
    this.#queues.set(key, settled);
    try {
      return await mine;
    } finally {
      if (this.#queues.get(key) === settled) this.#queues.delete(key);
    }
  }

  /** RFC 7234 §5.5 and distribution-spec "Warnings": `299 - "text"`, shown once. */
  noteWarnings(registry: string, response: HttpResponse): void {
    for (const header of response.headers("warning")) {
      const [, quoted] = /^299 - "((?:[^"\\]|\\.)*)"/.exec(header.slice(0, LIMITS.warningBytes)) ?? [];
      if (quoted === undefined) continue;
      const text = peerText(response.speakable(quoted.replace(/\\(.)/g, "$1")), LIMITS.warningBytes);
      const key = `${registry} ${text}`;
      if (text === "" || this.#warned.has(key)) continue;
      this.#warned.add(key);
      this.#options.onWarning?.(registry, text);
    }
  }

  /** Ends every connection, and whatever is under way. */
  close(): Promise<void> {
    this.#closing.abort(new CountersignError("interrupted", "the registry is not asked any more"));
    return this.http.close();
  }

  /** What is configured for a registry stays with it: its CDN and a token service elsewhere get the authorities only. */
  #profile(url: URL): TlsProfile {
    const known = this.#profiles.get(url.host);
    if (known !== undefined) return known;
    const profile = this.#makeProfile(url);
    this.#profiles.set(url.host, profile);
    return profile;
  }

  #makeProfile(url: URL): TlsProfile {
    const { env, homeDirectory, ca, clientCertificate, clientKey, insecureTls } = this.#options;
    this.#authorities ??= [...environmentAuthorities(env), ...(ca === undefined ? [] : [ca])];
    const registry = [...this.#endpoints].find(([, endpoint]) => endpoint.origin.host === url.host)?.[0];
    if (registry === undefined) return { ca: this.#authorities };
    const folders = this.#options.certificateFolders ?? certificateFolders(env, homeDirectory);
    const own = registryCertificates(registry, folders);
    const pair = clientCertificate === undefined ? {} : { certificate: clientCertificate, key: clientKey };
    return { ...own, ...pair, ca: [...this.#authorities, ...own.ca], insecure: insecureTls };
  }
}
