import { createHash, randomBytes } from "node:crypto";
import { equalBytes } from "../../core/bytes.ts";
import { LIMITS } from "../../core/limits.ts";
import { errorReply, jsonReply, type Reply } from "../reply.ts";
import type { Route } from "./routes.ts";
import { methodNotAllowed, type RegistryRequest, readAll } from "./world.ts";

type Users = Readonly<Record<string, string>>;

/** How clients prove who they are. Every user may do everything: this registry knows no rights, only passwords. */
export type Authentication =
  | { readonly kind: "basic"; readonly users: Users }
  | {
      /** Docker's token protocol, with the token endpoint at `/token` of this registry. */
      readonly kind: "bearer";
      readonly users: Users;
      /** Whether a token for pulling is given to anybody. */
      readonly anonymousPull?: boolean;
      readonly lifetimeSeconds?: number;
      /** Named in the challenge instead of this registry's own endpoint, as a hostile registry would. */
      readonly realm?: string;
    };

type Action = "pull" | "push" | "delete";
/** `repository:acme/app` and `registry:catalog`, with what may be done there. */
type Grants = ReadonlyMap<string, ReadonlySet<string>>;

interface Token {
  readonly grants: Grants;
  readonly expires: number;
}

const SERVICE = "countersign-registry";
const ACTIONS: ReadonlySet<string> = new Set<Action>(["pull", "push", "delete"]);
const LIFETIME_SECONDS = 300;

/** Decides who may do what. */
export interface Gatekeeper {
  /** The refusal, or undefined for a request that may go on. */
  refuse(request: RegistryRequest, route: Route): Reply | undefined;
  mayPull(request: Pick<RegistryRequest, "headers">, repository: string): boolean;
  /** The token endpoint; undefined where there is none. */
  token(request: RegistryRequest): Promise<Reply | undefined>;
  /** Makes every token given so far worthless. */
  revoke(): void;
}

/** @param address `host:port` of this registry, for the realm. */
export function createGatekeeper(authentication: Authentication | undefined, address: () => string): Gatekeeper {
  switch (authentication?.kind) {
    case "basic":
      return new BasicGatekeeper(authentication.users);
    case "bearer":
      return new BearerGatekeeper(authentication, () => authentication.realm ?? `http://${address()}/token`);
    default:
      return { refuse: () => undefined, mayPull: () => true, token: async () => undefined, revoke: () => undefined };
  }
}

class BasicGatekeeper implements Gatekeeper {
  readonly #users: Users;

  constructor(users: Users) {
    this.#users = users;
  }

  refuse(request: RegistryRequest): Reply | undefined {
    if (this.mayPull(request)) return undefined;
    return unauthorized(`Basic realm="${SERVICE}", charset="UTF-8"`);
  }

  mayPull(request: Pick<RegistryRequest, "headers">): boolean {
    return userOf(request.headers.authorization, this.#users) !== undefined;
  }

  async token(): Promise<undefined> {
    return undefined;
  }

  revoke(): void {}
}

class BearerGatekeeper implements Gatekeeper {
  readonly #options: Authentication & { readonly kind: "bearer" };
  readonly #realm: () => string;
  readonly #tokens = new Map<string, Token>();
  readonly #refreshTokens = new Map<string, string>();

  constructor(options: Authentication & { readonly kind: "bearer" }, realm: () => string) {
    this.#options = options;
    this.#realm = realm;
  }

  refuse(request: RegistryRequest, route: Route): Reply | undefined {
    const token = this.#find(request.headers.authorization);
    const needed = neededFor(route, request.method);
    if (token !== undefined && needed.every(([scope, actions]) => allows(token.grants, scope, actions)))
      return undefined;
    const parts = [`realm="${this.#realm()}"`, `service="${SERVICE}"`];
    if (needed.length > 0) parts.push(`scope="${needed.map(([scope, actions]) => `${scope}:${actions}`).join(" ")}"`);
    const sent = request.headers.authorization !== undefined;
    if (sent) parts.push(`error="${token === undefined ? "invalid_token" : "insufficient_scope"}"`);
    return unauthorized(`Bearer ${parts.join(",")}`);
  }

  mayPull(request: Pick<RegistryRequest, "headers">, repository: string): boolean {
    const token = this.#find(request.headers.authorization);
    return token !== undefined && allows(token.grants, `repository:${repository}`, "pull");
  }

  /** Docker's "Token Authentication Specification" (GET) and its OAuth2 form (POST). */
  async token(request: RegistryRequest): Promise<Reply> {
    if (request.method === "GET") {
      const { authorization } = request.headers;
      const user = userOf(authorization, this.#options.users);
      if (authorization !== undefined && user === undefined) return wrongPassword();
      return this.#grant(user, request.query.getAll("scope"), request.query.get("offline_token") === "true");
    }
    if (request.method !== "POST") return methodNotAllowed("GET", "POST");
    const form = new URLSearchParams(await readForm(request));
    const user = this.#userOfForm(form);
    if (user === undefined) return wrongPassword();
    return this.#grant(user, (form.get("scope") ?? "").split(" "), true);
  }

  revoke(): void {
    this.#tokens.clear();
  }

  #userOfForm(form: URLSearchParams): string | undefined {
    if (form.get("grant_type") === "refresh_token") return this.#refreshTokens.get(form.get("refresh_token") ?? "");
    const name = form.get("username") ?? "";
    return isPassword(this.#options.users, name, form.get("password") ?? "") ? name : undefined;
  }

  /** Less may be granted than was asked for, without an error: the refusal then comes from the registry. */
  #grant(user: string | undefined, scopes: readonly string[], wantsRefresh: boolean): Reply {
    const lifetime = this.#options.lifetimeSeconds ?? LIFETIME_SECONDS;
    const token = randomBytes(24).toString("base64url");
    const mayPull = user !== undefined || this.#options.anonymousPull === true;
    const grants = mayPull ? readScopes(scopes, user === undefined) : new Map<string, Set<string>>();
    const now = Date.now();
    for (const [key, { expires }] of this.#tokens) if (expires <= now) this.#tokens.delete(key);
    this.#tokens.set(token, { grants, expires: now + lifetime * 1000 });
    const refresh = wantsRefresh && user !== undefined ? { refresh_token: this.#refreshTokenFor(user) } : {};
    const issued = new Date(now).toISOString();
    return jsonReply(200, { token, access_token: token, expires_in: lifetime, issued_at: issued, ...refresh });
  }

  #refreshTokenFor(user: string): string {
    const token = randomBytes(24).toString("base64url");
    this.#refreshTokens.set(token, user);
    return token;
  }

  #find(authorization: string | undefined): Token | undefined {
    const [, value] = /^Bearer +(\S+)$/i.exec(authorization ?? "") ?? [];
    const token = this.#tokens.get(value ?? "");
    return token !== undefined && token.expires > Date.now() ? token : undefined;
  }
}

/** `repository:acme/app:pull,push`; what is not understood is not granted. */
function readScopes(scopes: readonly string[], pullOnly: boolean): Grants {
  const grants = new Map<string, Set<string>>();
  for (const scope of scopes) {
    const [, resource, actions] = /^(repository:[^:]+|registry:catalog):([a-z,*]+)$/.exec(scope) ?? [];
    if (resource === undefined || actions === undefined) continue;
    const asked = actions.split(",").flatMap((action) => (action === "*" ? [...ACTIONS, "*"] : [action]));
    const granted = grants.get(resource) ?? new Set();
    for (const action of asked) if (!pullOnly || action === "pull") granted.add(action);
    grants.set(resource, granted);
  }
  return grants;
}

function allows(grants: Grants, scope: string, actions: string): boolean {
  const granted = grants.get(scope);
  return granted !== undefined && actions.split(",").every((action) => granted.has(action));
}

function neededFor(route: Route, method: string): readonly (readonly [scope: string, actions: string])[] {
  if (route.kind === "catalog") return [["registry:catalog", "*"]];
  if (!("repository" in route)) return [];
  const scope = `repository:${route.repository}`;
  // Cancelling an upload undoes one's own push; deleting content is a right of its own.
  if (method === "DELETE" && route.kind !== "upload") return [[scope, "delete"]];
  const isRead = (method === "GET" || method === "HEAD") && route.kind !== "upload";
  return [[scope, isRead ? "pull" : "pull,push"]];
}

function userOf(authorization: string | undefined, users: Users): string | undefined {
  const [, encoded] = /^Basic +(\S+)$/i.exec(authorization ?? "") ?? [];
  const text = Buffer.from(encoded ?? "", "base64").toString("utf8");
  const colon = text.indexOf(":");
  const name = text.slice(0, Math.max(colon, 0));
  return colon > 0 && isPassword(users, name, text.slice(colon + 1)) ? name : undefined;
}

function isPassword(users: Users, name: string, password: string): boolean {
  const wanted = Object.hasOwn(users, name) ? users[name] : undefined;
  return wanted !== undefined && equalBytes(sha256(password), sha256(wanted));
}

/** Equal lengths for a comparison in constant time. */
function sha256(text: string): Uint8Array {
  return createHash("sha256").update(text).digest();
}

function unauthorized(challenge: string): Reply {
  return errorReply(401, "UNAUTHORIZED", "authentication required", { "WWW-Authenticate": challenge });
}

function wrongPassword(): Reply {
  return errorReply(401, "UNAUTHORIZED", "unknown user, password or refresh token");
}

async function readForm(request: RegistryRequest): Promise<string> {
  const bytes = await readAll(request.body, LIMITS.tokenBytes);
  return bytes === undefined ? "" : Buffer.from(bytes).toString("utf8");
}
