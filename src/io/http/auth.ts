import { encodeBase64, encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { isLoopback } from "../../core/oci/reference.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import type { HttpClient, HttpRequest } from "./client.ts";
import type { Clock } from "./clock.ts";
import { bareHost, isPrivateHost, isSameSite } from "./hosts.ts";
import { safeUrl } from "./redact.ts";
import { isRedirect } from "./redirects.ts";
import type { HttpResponse } from "./response.ts";
import type { Retrier } from "./retry.ts";
import { inBrackets, isTransientStatus, readPeerError, transientStatus } from "./status.ts";

/** A secret for one registry, and where it was found (printable). */
export type Credential =
  | { readonly kind: "password"; readonly username: string; readonly password: string; readonly source: string }
  /** An OAuth2 refresh token, to be exchanged at the token service. */
  | { readonly kind: "identity-token"; readonly token: string; readonly source: string }
  /** Sent to the registry as it is. */
  | { readonly kind: "registry-token"; readonly token: string; readonly source: string };

export interface CredentialSource {
  /** Asked only when a registry wants credentials. @throws CountersignError `configuration-invalid`, `interrupted`. */
  find(registry: string, repository: string, signal?: AbortSignal): Promise<Credential | undefined>;
  /** Where was looked, printable. */
  readonly searched: readonly string[];
}

/** Who asks for what. */
export interface Access {
  /** Scheme, host and port that the registry is spoken to at: the only place its credentials go, but for its realm. */
  readonly origin: URL;
  /** As in references. */
  readonly registry: string;
  readonly repository: string;
  /** `repository:NAME:pull` and the like, the essential one first. */
  readonly scopes: readonly string[];
}

export interface AuthenticatorOptions {
  readonly http: HttpClient;
  readonly retrier: Retrier;
  readonly clock: Clock;
  readonly credentials: CredentialSource;
  readonly allowHttp: boolean;
  /** Further hosts whose token services may see credentials, beside those of the registry's own site. */
  readonly tokenHosts?: readonly string[] | undefined;
}

interface Token {
  readonly value: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** For what a header is wanted, and which one has just been refused. */
interface Wish {
  readonly scopes: readonly string[];
  readonly refused?: string | undefined;
}

const MIN_TOKEN_MS = 60_000;
const RENEW_EARLY_MS = 5_000;
const CLIENT_ID = "countersign";
/** The names of one machine; any other address of 127.0.0.0/8 may be another service's. */
const LOCAL: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "::1"]);
/** Token services that live on another site than their registry. */
const PAIRS: ReadonlySet<string> = new Set(["nvcr.io authn.nvidia.com", "registry-1.docker.io auth.docker.io"]);

/** Answers the registries' challenges; one for all the stores of a command, so that a token serves them all. */
export class Authenticator {
  readonly #options: AuthenticatorOptions;
  /** By origin: what it asked for last. Later requests bring it unasked. */
  readonly #challenges = new Map<string, Challenge>();
  readonly #tokens = new Map<string, Token>();
  /** Token requests under way. */
  readonly #renewing = new Map<string, Promise<Token>>();
  /** By origin: the token service that was asked without the credentials there are. */
  readonly #withheld = new Map<string, string>();

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  /** The `Authorization` header for a request, undefined while the registry has not asked for one. */
  async authorization(access: Access): Promise<string | undefined> {
    const challenge = this.#challenges.get(access.origin.origin);
    return challenge === undefined ? undefined : this.#header(access, challenge, { scopes: access.scopes });
  }

  /**
   * The header that answers a 401, undefined where it holds no challenge that can be answered.
   *
   * @throws CountersignError `credentials-missing`, `denied`, and what the token service's answer deserves.
   */
  async answer(access: Access, response: HttpResponse, sent: string | undefined): Promise<string | undefined> {
    const challenge = chooseChallenge(response);
    if (challenge === undefined) return undefined;
    this.#challenges.set(access.origin.origin, challenge);
    // The registry knows better which scope it wants; behind a rewritten path it may even name another repository.
    const asked = challenge.parameters["scope"]?.split(" ").filter((scope) => scope !== "") ?? [];
    const scopes = asked.length === 0 ? access.scopes : asked;
    const header = await this.#header(access, challenge, { scopes, refused: sent });
    if (header === undefined || header === sent) throw await this.refusal(access, response);
    return header;
  }

  /** A 401 for which there is no better answer. */
  async refusal(access: Access, response: HttpResponse): Promise<CountersignError> {
    const found = `${response.status}${inBrackets(await readPeerError(response))}`;
    const credential = await this.#credential(access);
    if (credential === undefined) return this.#missing(access, found);
    const withheld = this.#withheld.get(access.origin.origin);
    const reason =
      withheld === undefined ? "" : `; they were not shown to ${withheld}, a token service of another site`;
    return new CountersignError(
      "denied",
      `${access.registry} refuses access with the credentials from ${credential.source}`,
      {
        found: `${found} for ${access.scopes.join(" ")}${reason}`,
      },
    );
  }

  #missing(access: Access, found: string): CountersignError {
    const { searched } = this.#options.credentials;
    return new CountersignError("credentials-missing", `${access.registry} wants credentials and none were found`, {
      found,
      wanted: `credentials for ${access.registry}${searched.length === 0 ? "" : ` in ${searched.join(", ")}`}`,
    });
  }

  async #header(access: Access, challenge: Challenge, wish: Wish): Promise<string | undefined> {
    const credential = await this.#credential(access);
    if (challenge.scheme === "basic") return credential?.kind === "password" ? basic(credential) : undefined;
    if (credential?.kind === "registry-token") return `Bearer ${headerSafe(credential.token, credential.source)}`;
    return bearer(await this.#token(access, challenge, credential, wish));
  }

  /** Over plain HTTP credentials go to this machine only, unless the user allowed more. */
  async #credential({ origin, registry, repository }: Access): Promise<Credential | undefined> {
    const { allowHttp, credentials, http } = this.#options;
    if (origin.protocol === "http:" && !isLoopback(origin.host) && !allowHttp) return undefined;
    return credentials.find(registry, repository, http.signal);
  }

  /** A token that is still good, for these scopes or for more; one request for all who want it at once. */
  async #token(access: Access, challenge: Challenge, credential: Credential | undefined, wish: Wish): Promise<Token> {
    for (const scopes of [access.scopes, withPush(access.scopes)]) {
      const known = this.#tokens.get(cacheKey(access, credential, scopes));
      if (known !== undefined && known.expiresAt > this.#options.clock.now() && bearer(known) !== wish.refused)
        return known;
    }
    const key = cacheKey(access, credential, access.scopes);
    const fetching = this.#renewing.get(key) ?? this.#fetch(access, challenge, credential, wish.scopes);
    this.#renewing.set(key, fetching);
    try {
      const token = await fetching;
      this.#tokens.set(key, token);
      return token;
    } finally {
      this.#renewing.delete(key);
    }
  }

  async #fetch(
    access: Access,
    challenge: Challenge,
    credential: Credential | undefined,
    scopes: readonly string[],
  ): Promise<Token> {
    const realm = this.#realm(access, challenge);
    const trusted = credential === undefined || this.#mayReceive(realm, access.origin);
    if (!trusted && isPrivateHost(realm)) {
      throw realmRefused(realm, access, "a token service of the registry's own site");
    }
    if (!trusted) this.#withheld.set(access.origin.origin, realm.host);
    const shown = trusted ? credential : undefined;
    const request = tokenRequest(realm, challenge, shown, scopes);
    return this.#options.retrier.run(realm.host, () => this.#exchange(request, access, shown));
  }

  /** @throws CountersignError `redirect-refused` for a realm that may not be asked at all. */
  #realm(access: Access, challenge: Challenge): URL {
    const { origin } = access;
    const realm = URL.parse(challenge.parameters["realm"] ?? "", origin);
    if (realm === null) throw realmRefused(origin, access, "a URL as realm");
    const plain = realm.protocol === "http:" && origin.protocol === "http:";
    if (realm.protocol !== "https:" && !(plain && (isLoopback(realm.host) || this.#options.allowHttp))) {
      throw realmRefused(realm, access, "https");
    }
    if (realm.username !== "" || realm.password !== "") throw realmRefused(realm, access, "no user information");
    realm.hash = "";
    return realm;
  }

  /** The registry decides where its realm is, but not to whom its users' secrets go. */
  #mayReceive(realm: URL, origin: URL): boolean {
    if (isSameSite(realm, origin) || (LOCAL.has(bareHost(realm)) && LOCAL.has(bareHost(origin)))) return true;
    if (PAIRS.has(`${origin.hostname} ${realm.hostname}`)) return true;
    return this.#options.tokenHosts?.includes(realm.host) === true;
  }

  async #exchange(request: HttpRequest, access: Access, credential: Credential | undefined): Promise<Token> {
    await this.#options.retrier.budgets.of(request.url.host).paced();
    const response = await this.#options.http.send(request);
    if (response.status === 200 && response.contentType !== "text/html") {
      const bytes = await response.bytes(LIMITS.tokenBytes, "the token");
      return await response.discreetly(async () => readToken(bytes, request.url, this.#options.clock.now()));
    }
    throw await this.#tokenFailure(response, access, credential);
  }

  async #tokenFailure(
    response: HttpResponse,
    access: Access,
    credential: Credential | undefined,
  ): Promise<CountersignError> {
    const { status, url } = response;
    const error = await readPeerError(response);
    if (isTransientStatus(status)) return transientStatus(response, error, "the token", this.#options.clock.now());
    const found = `${status} from ${safeUrl(url)}${inBrackets(error)}`;
    if (isRedirect(status)) return realmRefused(url, access, "an answer of its own, not a redirect");
    if (error.isHtml)
      return new CountersignError("not-a-registry", "the token service answers with a web page", { found });
    if (status !== 401 && status !== 403) {
      return new CountersignError("protocol-error", "the token service gives no token", { found, wanted: "200" });
    }
    if (credential === undefined) return this.#missing(access, found);
    return new CountersignError("denied", `the token service refuses the credentials from ${credential.source}`, {
      found,
    });
  }
}

/** Bearer before Basic; what cannot be answered is passed over. */
function chooseChallenge(response: HttpResponse): Challenge | undefined {
  const challenges = parseChallenges(response.headers("www-authenticate"));
  return (
    challenges.find(({ scheme, parameters }) => scheme === "bearer" && parameters["realm"] !== undefined) ??
    challenges.find(({ scheme }) => scheme === "basic")
  );
}

/** RFC 7617. A user name cannot hold a colon, and neither part a control character. */
function basic({ username, password, source }: Extract<Credential, { kind: "password" }>): string {
  const unusable = /[\p{Cc}]/u.test(username + password) || username.includes(":");
  if (unusable) throw unusableCredential(source);
  return `Basic ${encodeBase64(encodeUtf8(`${username}:${password}`))}`;
}

function bearer(token: Token): string {
  return `Bearer ${token.value}`;
}

function headerSafe(token: string, source: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw unusableCredential(source);
}

function unusableCredential(source: string): CountersignError {
  return new CountersignError("configuration-invalid", `the credentials from ${source} cannot be sent`, {
    found: "a character that is not allowed in them",
  });
}

/** A token for pull and push does for pull. */
function withPush(scopes: readonly string[]): readonly string[] {
  return scopes.map((scope) => (scope.endsWith(":pull") ? `${scope},push` : scope));
}

function cacheKey({ origin }: Access, credential: Credential | undefined, scopes: readonly string[]): string {
  return JSON.stringify([origin.origin, credential ?? null, [...scopes].sort()]);
}

/** Distribution "Token Authentication": GET, or for an identity token the OAuth2 form of it. */
function tokenRequest(
  realm: URL,
  challenge: Challenge,
  credential: Credential | undefined,
  scopes: readonly string[],
): HttpRequest {
  const service = challenge.parameters["service"];
  const named = service === undefined ? {} : { service };
  if (credential?.kind === "identity-token") {
    const form = new URLSearchParams({
      grant_type: "refresh_token",
      ...named,
      client_id: CLIENT_ID,
      scope: scopes.join(" "),
      refresh_token: credential.token,
    });
    const headers = { "content-type": "application/x-www-form-urlencoded", accept: "application/json" };
    return { method: "POST", url: realm, headers, body: encodeUtf8(form.toString()) };
  }
  const url = new URL(realm);
  for (const [name, value] of Object.entries(named)) url.searchParams.set(name, value);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  if (credential?.kind !== "password") return { method: "GET", url };
  url.searchParams.set("account", credential.username);
  return { method: "GET", url, headers: { authorization: basic(credential) } };
}

function readToken(bytes: Uint8Array, realm: URL, now: number): Token {
  const reading = { what: "the token service's answer", code: "protocol-error", maxBytes: LIMITS.tokenBytes } as const;
  const json = parseJsonObject(bytes, reading);
  const value = [json["token"], json["access_token"]].find((item) => typeof item === "string" && item !== "");
  if (typeof value !== "string" || !/^[\x21-\x7e]+$/.test(value)) {
    throw new CountersignError("protocol-error", "the token service's answer holds no token", {
      found: safeUrl(realm),
      wanted: '"token" or "access_token"',
    });
  }
  const seconds = json["expires_in"];
  const lifetime = typeof seconds === "number" ? Math.max(MIN_TOKEN_MS, seconds * 1000) : MIN_TOKEN_MS;
  return { value, expiresAt: now + lifetime - RENEW_EARLY_MS };
}

function realmRefused(realm: URL, { registry }: Access, wanted: string): CountersignError {
  return new CountersignError("redirect-refused", `${registry} names a token service that is not asked`, {
    found: safeUrl(realm),
    wanted,
  });
}
