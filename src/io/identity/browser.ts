import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { IdentityToken } from "../../core/trust/token.ts";
import { peerText } from "../http/redact.ts";
import { withSecrets } from "../http/secrets.ts";
import { protocolError } from "./answers.ts";
import { type Callback, CallbackServer } from "./callback.ts";
import {
  identityTokenIn,
  proofKey,
  randomText,
  refusedTokens,
  requestTokens,
  SCOPE,
  type SignInOptions,
} from "./oauth.ts";
import type { OpenBrowser } from "./open-browser.ts";

export interface BrowserOptions extends SignInOptions {
  readonly openBrowser: OpenBrowser;
  /** How long a person may take, in milliseconds. */
  readonly waitMs?: number | undefined;
}

/** What binds the request, the callback and the tokens to each other. */
interface Binding {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly redirectUri: string;
}

/**
 * Signs a person in with their browser: the authorization code flow of a native application (RFC 8252), with PKCE, state
 * and nonce.
 *
 * @throws CountersignError `timeout`, `denied`, `token-invalid`, `protocol-error`, `unsupported`, `interrupted`, and what
 * the issuer's services fail with.
 */
export async function browserToken(options: BrowserOptions): Promise<IdentityToken> {
  const { waitMs = LIMITS.signInMs, signal } = options;
  const { verifier, challenge } = proofKey();
  const [state, nonce] = [randomText(), randomText()];
  const server = await CallbackServer.listen(state);
  try {
    const binding = { state, nonce, verifier, redirectUri: server.redirectUri };
    invite(authorizationAddress(options, binding, challenge), options);
    const callback = await server.callback({ waitMs, signal });
    return await answering(callback, () => redeem(callback, options, binding));
  } finally {
    await server.close();
  }
}

/** The address is shown in any case: whether a page really appears is for the person to see. */
function invite(address: URL, { openBrowser, say }: BrowserOptions): void {
  say(`Sign in with your browser. If no page opens, open this address yourself:\n  ${address.href}`);
  openBrowser(address).then(
    (isOpen) => isOpen || say("No browser can be opened from here."),
    () => say("No browser can be opened from here."),
  );
}

/** The browser shows how it ended, once it has. */
async function answering(callback: Callback, work: () => Promise<IdentityToken>): Promise<IdentityToken> {
  try {
    const token = await work();
    await callback.show(true);
    return token;
  } catch (thrown) {
    await callback.show(false);
    throw thrown;
  }
}

function authorizationAddress(
  { issuer, clientId }: SignInOptions,
  { state, nonce, redirectUri }: Binding,
  challenge: string,
): URL {
  if (issuer.authorizationEndpoint === undefined) {
    throw new CountersignError("unsupported", `${issuer.issuer} signs nobody in with a browser`, {
      found: "no authorization_endpoint",
      next: "give a token of this issuer with --identity-token",
    });
  }
  const url = new URL(issuer.authorizationEndpoint);
  const parameters = {
    response_type: "code",
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: SCOPE,
    state,
    nonce,
    code_challenge: challenge,
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url;
}

async function redeem({ parameters }: Callback, options: BrowserOptions, binding: Binding): Promise<IdentityToken> {
  const code = codeIn(parameters, options);
  const { nonce, verifier, redirectUri, state } = binding;
  return await withSecrets([code, verifier, nonce, state], async () => {
    const answer = await requestTokens(options, {
      grant_type: "authorization_code",
      code,
      redirect_uri: redirectUri,
      code_verifier: verifier,
    });
    if ("error" in answer) throw refusedTokens(answer, options.issuer);
    return await identityTokenIn(answer.tokens, options, nonce);
  });
}

/** @throws CountersignError `denied` where the person said no, `protocol-error`. */
function codeIn(parameters: URLSearchParams, { issuer }: BrowserOptions): string {
  checkSender(parameters, issuer);
  const error = parameters.get("error");
  const description = parameters.get("error_description") ?? undefined;
  if (error !== null) throw refusedTokens({ error, description }, issuer);
  const [code, ...others] = parameters.getAll("code");
  if (code !== undefined && code !== "" && others.length === 0) return code;
  const found = others.length > 0 ? "several codes" : "none";
  throw protocolError(`${issuer.issuer} sent the browser back without a code`, found, "a code");
}

/** RFC 9207 §2.4: who answers may say so, and must where it said that it would. */
function checkSender(parameters: URLSearchParams, { issuer, namesItself }: BrowserOptions["issuer"]): void {
  const [sender, ...others] = parameters.getAll("iss");
  const isRight = sender === undefined ? !namesItself : sender === issuer && others.length === 0;
  if (isRight) return;
  throw protocolError("another issuer sent the browser back", sender === undefined ? "none" : peerText(sender), issuer);
}
