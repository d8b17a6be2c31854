import { CountersignError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { isLoopback } from "../../core/oci/reference.ts";
import { isPrivateHost } from "../http/hosts.ts";
import { safeUrl } from "../http/redact.ts";
import type { ServiceClient } from "../http/service.ts";
import { jsonOf, optionalTextIn, protocolError } from "./answers.ts";

/** An OpenID provider that signs people in, as it describes itself. */
export interface OidcIssuer {
  /** Exactly as tokens must name it. */
  readonly issuer: string;
  readonly authorizationEndpoint: URL | undefined;
  readonly tokenEndpoint: URL;
  readonly deviceEndpoint: URL | undefined;
  readonly keysAddress: URL;
  /** It says who it is in every authorization response (RFC 9207 §3). */
  readonly namesItself: boolean;
}

const WHAT = "the description of the token issuer";

/**
 * OpenID Connect Discovery 1.0 §4: the document at the issuer's own address, which has to name the same issuer. One that
 * cannot bind a code to who asked for it (PKCE with S256, RFC 7636) is refused: on a loopback address anyone may listen.
 *
 * @throws CountersignError `configuration-invalid` (an address that is no issuer's), `protocol-error`, `unsupported`, and
 * what `ServiceClient` throws.
 */
export async function discoverIssuer(service: ServiceClient, issuer: string): Promise<OidcIssuer> {
  const base = issuerAddress(issuer);
  const url = new URL(`${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`);
  const json = jsonOf(await service.ask({ url, what: WHAT, maxBytes: LIMITS.tokenBytes }), WHAT);
  if (json["issuer"] !== issuer) throw otherIssuer(json, issuer);
  checkPkce(json, issuer);
  const endpoint = (member: string) => optionalEndpoint(json, member, base);
  return {
    issuer,
    authorizationEndpoint: endpoint("authorization_endpoint"),
    tokenEndpoint: required(endpoint("token_endpoint"), "token_endpoint"),
    deviceEndpoint: endpoint("device_authorization_endpoint"),
    keysAddress: required(endpoint("jwks_uri"), "jwks_uri"),
    namesItself: json["authorization_response_iss_parameter_supported"] === true,
  };
}

function issuerAddress(issuer: string): URL {
  const url = URL.parse(issuer);
  const isBare = url !== null && url.search === "" && url.hash === "" && url.username === "" && url.password === "";
  if (isBare && isSafe(url)) return url;
  throw new CountersignError("configuration-invalid", "this is not the address of a token issuer", {
    found: url === null ? "not a URL" : safeUrl(url),
    wanted: "https, or http on this machine, without a query",
  });
}

function isSafe(url: URL): boolean {
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url.host));
}

/**
 * An endpoint may be anywhere that is as safe as the issuer: what is sent there is worth a signature. An issuer out on
 * the internet has no endpoint on this machine or its network.
 */
export function optionalEndpoint(json: JsonObject, member: string, issuer: URL): URL | undefined {
  const text = optionalTextIn(json, member, WHAT);
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  const isClean = url !== null && url.username === "" && url.password === "" && url.hash === "";
  if (isClean && isSafe(url) && (!isPrivateHost(url) || isPrivateHost(issuer))) return url;
  const found = `${member} ${url === null ? "that is no URL" : safeUrl(url)}`;
  const wanted = "https at a public address, or where the issuer itself is";
  throw protocolError(`${issuer.host} names an address that cannot be used`, found, wanted);
}

function required(endpoint: URL | undefined, member: string): URL {
  if (endpoint !== undefined) return endpoint;
  throw protocolError(`${WHAT} has no "${member}"`, "nothing", "a URL");
}

function otherIssuer(json: JsonObject, issuer: string): CountersignError {
  const named = json["issuer"];
  const found = typeof named === "string" ? named : "no name";
  return protocolError(`what answers at ${issuer} is another issuer`, found, issuer);
}

function checkPkce(json: JsonObject, issuer: string): void {
  const methods = json["code_challenge_methods_supported"];
  if (Array.isArray(methods) && methods.includes("S256")) return;
  throw new CountersignError("unsupported", `${issuer} cannot sign people in safely`, {
    found: "no S256 in code_challenge_methods_supported",
    wanted: "PKCE with S256 (RFC 7636)",
    next: "give a token of this issuer with --identity-token, or ask its operator for PKCE",
  });
}
