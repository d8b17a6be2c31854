import { createSign, generateKeyPairSync, type KeyObject, randomUUID } from "node:crypto";
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
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const certificate = selfSigned(publicKey, privateKey, options.issuer);
  const server = await httpServer((request, response) => {
    const asked = question(request, options);
    if (asked === undefined)
      return reply(response, 401, { errors: [{ code: "UNAUTHORIZED", message: "who are you" }] });
    const access = asked.scopes
      .map((scope) => grant(scope, asked.user, options))
      .filter(({ actions }) => actions.length > 0);
    const token = sign(privateKey, certificate, claims(options, asked.user, access));
    reply(response, 200, { token, access_token: token, expires_in: 300, issued_at: new Date().toISOString() });
  });
  const base64 = certificate.toString("base64").replace(/.{64}/g, "$&\n");
  const pem = `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`;
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

/** A self-signed certificate in DER (RFC 5280 §4.1), good for a day: just enough for a registry's bundle of roots. */
function selfSigned(publicKey: KeyObject, privateKey: KeyObject, name: string): Buffer {
  const sha256WithRsa = sequence(oid(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b), der(0x05));
  const commonName = sequence(der(0x31, sequence(oid(0x55, 0x04, 0x03), der(0x0c, Buffer.from(name)))));
  const day = 86_400_000;
  const validity = sequence(utcTime(Date.now() - day), utcTime(Date.now() + day));
  const isAuthority = sequence(
    oid(0x55, 0x1d, 0x13),
    der(0x01, Buffer.of(0xff)),
    der(0x04, sequence(der(0x01, Buffer.of(0xff)))),
  );
  const body = sequence(
    der(0xa0, der(0x02, Buffer.of(2))),
    der(0x02, Buffer.of(1)),
    sha256WithRsa,
    commonName,
    validity,
    commonName,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(isAuthority)),
  );
  const signature = createSign("sha256").update(body).sign(privateKey);
  return sequence(body, sha256WithRsa, der(0x03, Buffer.concat([Buffer.of(0), signature])));
}

function der(tag: number, content: Buffer = Buffer.alloc(0)): Buffer {
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function oid(...bytes: readonly number[]): Buffer {
  return der(0x06, Buffer.from(bytes));
}

function utcTime(at: number): Buffer {
  return der(
    0x17,
    Buffer.from(
      new Date(at)
        .toISOString()
        .replace(/[-:T]|\.\d{3}/g, "")
        .slice(2),
    ),
  );
}
