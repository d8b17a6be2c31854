import { createHash, randomBytes } from "node:crypto";
import { CountersignError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Instant } from "../../core/time.ts";
import type { IdentityToken } from "../../core/trust/token.ts";
import { peerText } from "../http/redact.ts";
import type { ServiceClient } from "../http/service.ts";
import { formBody, formHeaders, jsonOf, optionalTextIn, textIn } from "./answers.ts";
import type { OidcIssuer } from "./discovery.ts";
import { checkIdToken, fetchIssuerKeys } from "./id-token.ts";

/** What both ways of signing in take. */
export interface SignInOptions {
  readonly service: ServiceClient;
  readonly issuer: OidcIssuer;
  /** As which program we ask; the tokens' audience. */
  readonly clientId: string;
  readonly now: () => Instant;
  readonly signal?: AbortSignal | undefined;
  /** Tells the person what to do, a line at a time. */
  readonly say: (line: string) => void;
}

/** An address to sign in the name of, and nothing more. */
export const SCOPE = "openid email";

/** 256 bits, more than anyone can guess (RFC 7636 §7.1), in characters that need no escape anywhere. */
export function randomText(): string {
  return randomBytes(32).toString("base64url");
}

/** RFC 7636 §4: what is shown now, and what only we can show later. */
export interface ProofKey {
  readonly verifier: string;
  readonly challenge: string;
}

export function proofKey(): ProofKey {
  const verifier = randomText();
  return { verifier, challenge: createHash("sha256").update(verifier, "ascii").digest("base64url") };
}

/** What the token endpoint says: tokens, or a word for why not (RFC 6749 §5), as it was written. */
export type TokenAnswer =
  | { readonly tokens: JsonObject }
  | { readonly error: string; readonly description: string | undefined };

/** Refusals are answers: 400 by the standard, the others by some issuers. */
const ANSWERS: readonly number[] = [200, 400, 401, 403, 428];

/** One request to the token endpoint. The secrets in it come back in no message (see `withSecrets`). */
export async function requestTokens(
  { service, issuer, clientId }: Pick<SignInOptions, "service" | "issuer" | "clientId">,
  form: Readonly<Record<string, string>>,
): Promise<TokenAnswer> {
  const what = "the token";
  const answer = await service.ask({
    method: "POST",
    url: issuer.tokenEndpoint,
    what,
    headers: formHeaders,
    body: formBody({ ...form, client_id: clientId }),
    expect: ANSWERS,
    maxBytes: LIMITS.tokenBytes,
  });
  const json = jsonOf(answer, "the answer to the request for a token");
  if (answer.status === 200) return { tokens: json };
  const description = json["error_description"];
  return {
    error: textIn(json, "error", what),
    description: typeof description === "string" ? description : undefined,
  };
}

/** A refusal as an error: `denied` where a person said no, `protocol-error` otherwise. */
export function refusedTokens(
  { error, description }: Extract<TokenAnswer, { error: string }>,
  { issuer }: OidcIssuer,
): CountersignError {
  const isPerson = error === "access_denied";
  return new CountersignError(isPerson ? "denied" : "protocol-error", `${issuer} gives no token`, {
    found: peerText(description === undefined ? error : `${error}: ${description}`),
    wanted: "a token",
    next: `sign in again${isPerson ? " and agree" : ""}, or give --identity-token`,
  });
}

/**
 * The identity token among the tokens, checked against the issuer's keys.
 *
 * @throws CountersignError `token-invalid`, `protocol-error`, and what fetching the keys fails with.
 */
export async function identityTokenIn(
  tokens: JsonObject,
  { service, issuer, clientId, now }: SignInOptions,
  nonce: string | undefined,
): Promise<IdentityToken> {
  const what = "the answer with the tokens";
  const text = textIn(tokens, "id_token", what);
  const accessToken = optionalTextIn(tokens, "access_token", what);
  const keys = await fetchIssuerKeys(service, issuer.keysAddress);
  return checkIdToken(text, keys, { issuer: issuer.issuer, clientId, nonce, accessToken, now: now() });
}
