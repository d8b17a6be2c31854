import { sign } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { runPeer } from "./peers.ts";
import { type Server, startDistribution } from "./servers.ts";

const ISSUER = "interop token server";
const SERVICE = "interop registry";
const LIFETIME_S = 300;
/** By name: cosign and crane refuse a realm at a literal private address, even that of the registry itself. */
const HOST = "localhost";

/**
 * CNCF distribution behind a token server of its own (distribution, "Token Authentication Specification"): the
 * registry answers 401 with a realm, the server gives a signed token for the scope that is asked for. Like Docker Hub's,
 * it gives anybody a token, one that grants nothing; a wrong password gets 401.
 */
export async function startTokenRegistry(folder: string, users: Readonly<Record<string, string>>): Promise<Server> {
  const identity = await makeIdentity(folder);
  const server = createServer((request, response) => {
    const user = identify(request, users);
    if (user === "wrong") return response.writeHead(401).end();
    const url = new URL(request.url ?? "/", "http://localhost");
    const access = user === undefined ? [] : url.searchParams.getAll("scope").flatMap(readScope);
    const token = makeToken(identity, user ?? "", access);
    response.setHeader("content-type", "application/json");
    return response.end(JSON.stringify({ token, expires_in: LIFETIME_S }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("no port");
  const registry = await startDistribution(folder, tokenSettings(`http://${HOST}:${bound.port}/token`, identity));
  const stop = async () => {
    await registry.stop();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { address: registry.address.replace("127.0.0.1", HOST), stop };
}

interface Identity {
  /** PEM files. */
  readonly key: string;
  readonly certificate: string;
}

async function makeIdentity(folder: string): Promise<Identity> {
  mkdirSync(folder, { recursive: true });
  const identity = { key: join(folder, "token.key"), certificate: join(folder, "token.crt") };
  const subject = ["-subj", `/CN=${ISSUER}`, "-keyout", identity.key, "-out", identity.certificate];
  const made = await runPeer("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"],
    ...subject,
  ]);
  if (made.code !== 0) throw new Error(made.stderr);
  return identity;
}

function tokenSettings(realm: string, identity: Identity): string {
  const settings = { realm, service: SERVICE, issuer: ISSUER, rootcertbundle: identity.certificate };
  return `auth: {token: ${JSON.stringify(settings)}}\n`;
}

function identify(request: IncomingMessage, users: Readonly<Record<string, string>>): string | undefined {
  const [, basic] = /^Basic (.+)$/.exec(request.headers.authorization ?? "") ?? [];
  if (basic === undefined) return undefined;
  const text = Buffer.from(basic, "base64").toString();
  const user = text.slice(0, text.indexOf(":"));
  return users[user] === text.slice(text.indexOf(":") + 1) ? user : "wrong";
}

/** `repository:team/app:pull,push` */
function readScope(scope: string): { readonly type: string; readonly name: string; readonly actions: string[] }[] {
  return scope.split(" ").map((one) => {
    const [type = "", name = "", actions = ""] = one.split(":");
    return { type, name, actions: actions.split(",") };
  });
}

/** A JSON Web Token that the registry believes for the certificate in its header. */
function makeToken(identity: Identity, subject: string, access: readonly unknown[]): string {
  const [, der = ""] = /-----BEGIN CERTIFICATE-----([^-]+)/.exec(readFileSync(identity.certificate, "utf8")) ?? [];
  const now = Math.floor(Date.now() / 1000);
  const header = { typ: "JWT", alg: "ES256", x5c: [der.replace(/\s/g, "")] };
  const times = { iat: now, nbf: now - 10, exp: now + LIFETIME_S };
  const claims = { iss: ISSUER, aud: SERVICE, sub: subject, jti: `${now}`, ...times, access };
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${encode(header)}.${encode(claims)}`;
  const key = { key: readFileSync(identity.key), dsaEncoding: "ieee-p1363" } as const;
  return `${signed}.${sign("sha256", Buffer.from(signed), key).toString("base64url")}`;
}
