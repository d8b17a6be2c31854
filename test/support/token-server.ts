import { createSign, type KeyObject, randomUUID } from "node:crypto";
import { selfSigned } from "./certificate.ts";
import { httpServer, reply, type SeenRequest, type TestServer } from "./http-server.ts";

export interface TokenServerOptions {
  /** `aud` of the tokens; the registry's `service`. */
  readonly service: string;
  readonly issuer: string;
  /** Passwords by user. */
  readonly users: Readonly<Record<string, string>>;
  /** Refresh tokens, and whose they are. */
  readonly identityTokens?: Readonly<Record<string, string>>;
  /** Whether anybody may pull. */
  readonly anonymousPull?: boolean;
}

export interface TokenServer extends TestServer {
  readonly realm: string;
  /** PEM: what the registry's `rootcertbundle` holds. */
  readonly certificate: string;
}

/**
 * A token service as CNCF distribution wants it ("Token Authentication Specification"): GET with Basic, POST with a
 * refresh token, a JSON Web Token (RS256, its certificate in `x5c`) that grants what the user may do.
 */
export async function tokenServer(options: TokenServerOptions): Promise<TokenServer> {
  const { certificate, pem, key } = selfSigned(options.issuer);
  const server = await httpServer((request, response) => {
    const asked = question(request, options);
    if (asked === undefined)
      return reply(response, 401, { errors: [{ code: "UNAUTHORIZED", message: "who are you" }] });
    const access = asked.scopes
      .map((scope) => grant(scope, asked.user, options))
      .filter(({ actions }) => actions.length > 0);
    const token = sign(key, certificate, claims(options, asked.user, access));
    reply(response, 200, { token, access_token: token, expires_in: 300, issued_at: new Date().toISOString() });
  });
  return { ...server, realm: `http://${server.host}/token`, certificate: pem };
}

interface Question {
  /** undefined for anybody. */
  readonly user: string | undefined;
  readonly scopes: readonly string[];
}

/** undefined where the credentials do not do. */
function question(request: SeenRequest, options: TokenServerOptions): Question | undefined {
  const query = new URL(request.target, "http://127.0.0.1").searchParams;
  if (request.method === "POST") {
    const form = new URLSearchParams(request.body.toString("utf8"));
    const user = options.identityTokens?.[form.get("refresh_token") ?? ""];
    return user === undefined ? undefined : { user, scopes: (form.get("scope") ?? "").split(" ") };
  }
  const scopes = query.getAll("scope");
  const [, encoded] = /^Basic (.+)$/.exec(request.headers.authorization ?? "") ?? [];
  if (encoded === undefined) return { user: undefined, scopes };
  const [user = "", ...password] = Buffer.from(encoded, "base64").toString("utf8").split(":");
  return options.users[user] === password.join(":") ? { user, scopes } : undefined;
}

interface Grant {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

function grant(scope: string, user: string | undefined, options: TokenServerOptions): Grant {
  const [type = "", name = "", actions = ""] = scope.split(":");
  const allowed = user !== undefined ? ["pull", "push", "delete"] : options.anonymousPull === true ? ["pull"] : [];
  return { type, name, actions: actions.split(",").filter((action) => allowed.includes(action)) };
}

function claims({ issuer, service }: TokenServerOptions, user: string | undefined, access: readonly Grant[]): object {
  const now = Math.floor(Date.now() / 1000);
  return {
    iss: issuer,
    sub: user ?? "",
    aud: service,
    exp: now + 300,
    nbf: now - 10,
    iat: now,
    jti: randomUUID(),
    access,
  };
}

/** RFC 7515, RFC 7518 §3.3. */
function sign(key: KeyObject, certificate: Buffer, payload: object): string {
  const header = { typ: "JWT", alg: "RS256", x5c: [certificate.toString("base64")] };
  const input = [header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `${input}.${createSign("sha256").update(input).sign(key).toString("base64url")}`;
}
