import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { CountersignError } from "../../src/core/errors.ts";
import type { JsonObject, JsonValue } from "../../src/core/json.ts";
import type { ReasonCode } from "../../src/core/reasons.ts";
import { type Instant, instant } from "../../src/core/time.ts";
import type { Clock } from "../../src/io/http/clock.ts";
import { ServiceClient } from "../../src/io/http/service.ts";
import { type Handler, httpServer, reply, type SeenRequest, type TestServer } from "./http-server.ts";
import { withoutPartsOf } from "./secrets.ts";
import { FakeIssuer, type TokenOptions } from "./sigstore/oidc.ts";
import { type OidcParts, oidc } from "./sigstore/oidc-service.ts";

/** What tests of identity tokens share. */

/** A clock whose sleeps are over at once, though it counts them. */
export class QuickClock implements Clock {
  readonly slept: number[] = [];
  #now = Date.now();

  now(): number {
    return this.#now;
  }

  random(): number {
    return 0;
  }

  async sleep(milliseconds: number): Promise<void> {
    this.slept.push(milliseconds);
    this.#now += milliseconds;
    await delay(0);
  }
}

/** A client that tries again at once, and waits for nobody longer than `idleMs`. */
export function quickService(idleMs = 2_000, signal?: AbortSignal): ServiceClient {
  return new ServiceClient({ env: {}, userAgent: "countersign/test", clock: new QuickClock(), idleMs, signal });
}

export function presentTime(): Instant {
  return instant(Date.now());
}

/** The error that the work ends in: of this code, and without a part of any of the secrets. */
export async function quietlyRejected(
  work: () => Promise<unknown>,
  code: ReasonCode,
  secrets: readonly string[],
): Promise<CountersignError> {
  try {
    await work();
  } catch (error) {
    withoutPartsOf(error, ...secrets);
    if (!(error instanceof CountersignError)) throw error;
    assert.equal(error.code, code, `${error.message}: ${error.found ?? ""}`);
    return error;
  }
  return assert.fail(`nothing was rejected, expected ${code}`);
}

/** A JSON Web Token that says what it is told to, signed by nobody. */
export function unsignedToken(
  claims: JsonObject,
  header: JsonObject = { alg: "RS256", kid: "none", typ: "JWT" },
): string {
  const [first, second] = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"));
  return `${first}.${second}.${Buffer.from("this is nobody's signature at all").toString("base64url")}`;
}

/** Services that go wrong in every way that one meets: what they answer, and the code that it comes to. */
export interface BadAnswer {
  readonly name: string;
  readonly code: ReasonCode;
  readonly answer: Handler;
}

/** `secret` is repeated wherever it can be, as hostile and careless services do. */
export function badAnswers(secret: string): readonly BadAnswer[] {
  const says =
    (status: number, body: JsonValue): Handler =>
    (_request, response) =>
      reply(response, status, JSON.stringify(body));
  const echo = `we do not like ${secret} at all`;
  return [
    { name: "500", code: "server-error", answer: says(500, { message: echo }) },
    { name: "503 and a text", code: "server-error", answer: (_request, response) => reply(response, 503, echo) },
    { name: "429", code: "throttled", answer: says(429, { error: echo }) },
    { name: "404", code: "not-found", answer: says(404, { code: secret, message: echo }) },
    { name: "401", code: "denied", answer: says(401, { error: "invalid_token", error_description: echo }) },
    { name: "403", code: "denied", answer: says(403, { errors: [{ code: "DENIED", message: echo }] }) },
    { name: "a web page", code: "protocol-error", answer: html(200, echo) },
    { name: "a web page for an error", code: "denied", answer: html(403, echo) },
    { name: "nothing", code: "protocol-error", answer: (_request, response) => reply(response, 200, "") },
    { name: "a list", code: "protocol-error", answer: says(200, [secret]) },
    { name: "a text", code: "protocol-error", answer: (_request, response) => reply(response, 200, secret) },
    { name: "an object without it", code: "protocol-error", answer: says(200, { other: secret }) },
    {
      name: "a member twice",
      code: "protocol-error",
      answer: (_request, response) => reply(response, 200, `{"${secret}":1,"${secret}":2}`),
    },
    { name: "more than anyone reads", code: "limit-reached", answer: says(200, { filler: "x".repeat(200_000) }) },
    { name: "silence", code: "timeout", answer: () => undefined },
    { name: "a broken connection", code: "unreachable", answer: (_request, response) => void response.destroy() },
  ];
}

function html(status: number, text: string): Handler {
  return (_request, response) =>
    reply(response, status, `<!doctype html><p>${text}</p>`, { "content-type": "text/html; charset=utf-8" });
}

/** An OpenID provider on loopback whose user consents at once. */
export interface IssuerServer extends TestServer {
  readonly url: string;
  readonly issuer: FakeIssuer;
  /** Who signs in, and what devices are told; may be changed at any time. */
  readonly oidc: OidcParts;
  /** What is wrong with it: see OidcFault. */
  fault: string | undefined;
  /** Answers in place of its own, by path. */
  readonly instead: Map<string, Handler>;
}

export async function startIssuer(
  options: { algorithm?: "ES256" | "RS256"; identity?: TokenOptions } = {},
): Promise<IssuerServer> {
  const instead = new Map<string, Handler>();
  const answer = (request: SeenRequest) => oidc(running.oidc, request, running.fault);
  const server = await httpServer((request, response) => {
    const other = instead.get(new URL(request.target, running.url).pathname);
    if (other !== undefined) return other(request, response);
    const { status, body, headers } = answer(request);
    reply(response, status, body, headers);
  });
  const url = `http://${server.host}`;
  const issuer = new FakeIssuer({ url, algorithm: options.algorithm ?? "ES256", now: Date.now });
  const running: IssuerServer = {
    ...server,
    url,
    issuer,
    oidc: { issuer, identity: options.identity ?? {}, deviceErrors: [], deviceInterval: 1, grants: new Map() },
    fault: undefined,
    instead,
  };
  return running;
}

/** What a browser shows: the callback page, after the issuer sent it there. `edit` changes where it is sent. */
export async function browse(address: URL, edit: (back: URL) => void = () => undefined): Promise<Response> {
  const redirect = await fetch(address, { redirect: "manual" });
  const back = new URL(redirect.headers.get("location") ?? "");
  edit(back);
  return await fetch(back, { redirect: "manual" });
}
