import { randomUUID } from "node:crypto";
import type { JsonObject } from "../../../src/core/json.ts";
import type { SeenRequest } from "../http-server.ts";
import { type Answer, answered, pathOf, Refusal } from "./answer.ts";
import { digest } from "./keys.ts";
import type { FakeIssuer, TokenOptions } from "./oidc.ts";

/** What may be wrong: "no-pkce" in what is discovered, "other-state" in the redirect, the others as answers. */
export type OidcFault = "no-pkce" | "other-state" | "denied" | "no-id-token" | "other-issuer";

/** A provider that answers. Its user consents at once. */
export interface OidcParts {
  readonly issuer: FakeIssuer;
  /** Who logs in; audience, nonce or expiry given here stand in place of the right ones. */
  identity: TokenOptions;
  /** What the token endpoint says to a device before it gives the token: RFC 8628 §3.5. */
  deviceErrors: string[];
  /** Seconds. */
  deviceInterval: number;
  readonly grants: Map<string, URLSearchParams>;
}

/** OpenID Connect Discovery, RFC 6749 §4.1 with RFC 7636, RFC 8628. */
export function oidc(parts: OidcParts, request: SeenRequest, fault?: string): Answer {
  return answered(
    () => {
      switch (`${request.method} ${pathOf(request)}`) {
        case "GET /.well-known/openid-configuration":
          return { status: 200, body: discovery(parts.issuer, fault) };
        case "GET /keys":
          return { status: 200, body: parts.issuer.jwks() };
        case "GET /auth":
          return authorize(parts, new URL(request.target, parts.issuer.url).searchParams, fault);
        case "POST /device/code":
          return deviceCode(parts, formOf(request));
        case "POST /token":
          return tokens(parts, formOf(request), fault);
        default:
          throw new Refusal(404, "not_found");
      }
    },
    ({ status, message }) => ({ status, body: { error: message } }),
  );
}

function discovery({ url, algorithm }: FakeIssuer, fault: string | undefined): JsonObject {
  return {
    issuer: fault === "other-issuer" ? "https://somebody-else.example.com" : url,
    jwks_uri: `${url}/keys`,
    authorization_endpoint: `${url}/auth`,
    token_endpoint: `${url}/token`,
    device_authorization_endpoint: `${url}/device/code`,
    response_types_supported: ["code"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: [algorithm],
    ...(fault === "no-pkce" ? {} : { code_challenge_methods_supported: ["S256"] }),
  };
}

function formOf({ body, headers }: SeenRequest): URLSearchParams {
  if (headers["content-type"]?.startsWith("application/x-www-form-urlencoded") !== true) {
    throw new Refusal(400, "invalid_request");
  }
  return new URLSearchParams(body.toString("utf8"));
}

/** Where there is no address to come back to: the user copies the code. */
const OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob";

/** Back to the loopback address with a code: what a browser would follow. */
function authorize({ grants }: OidcParts, asked: URLSearchParams, fault: string | undefined): Answer {
  const wanted = { response_type: "code", code_challenge_method: "S256" };
  const isRight = Object.entries(wanted).every(([name, value]) => asked.get(name) === value);
  if (!isRight || asked.get("code_challenge") === null) throw new Refusal(400, "invalid_request");
  const code = randomUUID();
  if (fault !== "denied") grants.set(code, asked);
  const redirect = asked.get("redirect_uri") ?? "";
  if (redirect === OUT_OF_BAND) return { status: 200, body: code, headers: { "content-type": "text/plain" } };
  const back = new URL(redirect);
  back.searchParams.set("state", fault === "other-state" ? "another" : (asked.get("state") ?? ""));
  if (fault === "denied") back.searchParams.set("error", "access_denied");
  else back.searchParams.set("code", code);
  return { status: 302, body: "", headers: { location: back.href } };
}

function deviceCode({ issuer, grants, deviceInterval }: OidcParts, asked: URLSearchParams): Answer {
  if (asked.get("client_id") === null) throw new Refusal(400, "invalid_client");
  const code = randomUUID();
  grants.set(code, asked);
  const page = `${issuer.url}/device`;
  return {
    status: 200,
    body: {
      device_code: code,
      user_code: "WDJB-MJHT",
      verification_uri: page,
      verification_uri_complete: `${page}?user_code=WDJB-MJHT`,
      expires_in: 300,
      interval: deviceInterval,
    },
  };
}

const DEVICE = "urn:ietf:params:oauth:grant-type:device_code";

function tokens(parts: OidcParts, form: URLSearchParams, fault: string | undefined): Answer {
  const isDevice = form.get("grant_type") === DEVICE;
  const code = form.get(isDevice ? "device_code" : "code") ?? "";
  const asked = parts.grants.get(code);
  if (asked === undefined) throw new Refusal(400, "invalid_grant");
  const pending = isDevice ? parts.deviceErrors.shift() : undefined;
  if (pending !== undefined) throw new Refusal(400, pending);
  parts.grants.delete(code);
  checkVerifier(asked, form);
  if (!isDevice && asked.get("redirect_uri") !== form.get("redirect_uri")) throw new Refusal(400, "invalid_grant");
  const accessToken = randomUUID();
  const grant = { access_token: accessToken, token_type: "Bearer", expires_in: 300 };
  if (fault === "no-id-token") return { status: 200, body: grant };
  return { status: 200, body: { ...grant, id_token: parts.issuer.token(tokenFor(parts, asked, accessToken)) } };
}

/** RFC 7636 §4.6; a device may do without a challenge. */
function checkVerifier(asked: URLSearchParams, form: URLSearchParams): void {
  const challenge = asked.get("code_challenge");
  if (challenge === null) return;
  const found = digest(Buffer.from(form.get("code_verifier") ?? "")).toString("base64url");
  if (found !== challenge) throw new Refusal(400, "invalid_grant");
}

function tokenFor({ identity }: OidcParts, asked: URLSearchParams, accessToken: string): TokenOptions {
  const nonce = asked.get("nonce");
  // OpenID Connect Core §3.1.3.6: the left half of the hash.
  const atHash = digest(Buffer.from(accessToken)).subarray(0, 16).toString("base64url");
  return {
    audience: asked.get("client_id") ?? "",
    ...(nonce === null ? {} : { nonce }),
    ...identity,
    claims: { at_hash: atHash, ...identity.claims },
  };
}
