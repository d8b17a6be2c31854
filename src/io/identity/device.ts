import { CountersignError } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { printable } from "../../core/printable.ts";
import type { IdentityToken } from "../../core/trust/token.ts";
import { type Clock, systemClock } from "../http/clock.ts";
import { withSecrets } from "../http/secrets.ts";
import { formBody, formHeaders, jsonOf, protocolError, textIn } from "./answers.ts";
import { optionalEndpoint } from "./discovery.ts";
import { identityTokenIn, proofKey, refusedTokens, requestTokens, SCOPE, type SignInOptions } from "./oauth.ts";

export interface DeviceOptions extends SignInOptions {
  readonly clock?: Pick<Clock, "now" | "sleep"> | undefined;
}

/** What the issuer gives a device (RFC 8628 §3.2). */
interface DeviceGrant {
  readonly deviceCode: string;
  readonly userCode: string;
  readonly page: URL;
  /** The same with the code in it. */
  readonly completePage: URL | undefined;
  /** Milliseconds. */
  readonly livesMs: number;
  readonly intervalMs: number;
}

/**
 * Signs a person in on another device, by a code that they type there (RFC 8628): for terminals without a browser.
 *
 * @throws CountersignError `timeout`, `denied`, `token-invalid`, `protocol-error`, `unsupported`, `interrupted`, and what
 * the issuer's services fail with.
 */
export async function deviceToken(options: DeviceOptions): Promise<IdentityToken> {
  const { verifier, challenge } = proofKey();
  const grant = await requestGrant(options, challenge);
  const { deviceCode, userCode, page, completePage } = grant;
  options.say(`To sign in, open ${page.href} on any device and enter the code ${printable(userCode)}`);
  if (completePage !== undefined) options.say(`  or open ${completePage.href}`);
  return await withSecrets([deviceCode, verifier], async () => {
    const tokens = await poll(grant, verifier, options);
    return await identityTokenIn(tokens, options, undefined);
  });
}

const WHAT = "the code for another device";

async function requestGrant(options: DeviceOptions, challenge: string): Promise<DeviceGrant> {
  const { service, issuer, clientId } = options;
  const url = issuer.deviceEndpoint;
  if (url === undefined) {
    throw new CountersignError("unsupported", `${issuer.issuer} signs nobody in on another device`, {
      found: "no device_authorization_endpoint",
      next: "sign in where a browser can be opened, or give --identity-token",
    });
  }
  const form = { client_id: clientId, scope: SCOPE, code_challenge: challenge, code_challenge_method: "S256" };
  const body = formBody(form);
  const what = WHAT;
  const answer = await service.ask({
    method: "POST",
    url,
    what,
    headers: formHeaders,
    body,
    maxBytes: LIMITS.tokenBytes,
  });
  return grantIn(jsonOf(answer, WHAT), new URL(issuer.issuer));
}

/** RFC 8628 §3.2: five seconds where nothing is said. */
const USUAL_INTERVAL = 5;

function grantIn(json: JsonObject, issuer: URL): DeviceGrant {
  const page = optionalEndpoint(json, "verification_uri", issuer);
  const userCode = textIn(json, "user_code", WHAT);
  if (page === undefined || userCode.length > LONGEST_USER_CODE) {
    const found = page === undefined ? "no verification_uri" : `a user_code of ${userCode.length} characters`;
    throw protocolError(`${WHAT} cannot be used`, found, "a page and a code for it");
  }
  return {
    deviceCode: textIn(json, "device_code", WHAT),
    userCode,
    page,
    completePage: optionalEndpoint(json, "verification_uri_complete", issuer),
    livesMs: Math.min(secondsIn(json, "expires_in"), LIMITS.deviceSignInMs),
    intervalMs: secondsIn(json, "interval", USUAL_INTERVAL),
  };
}

/** A person has to type it. */
const LONGEST_USER_CODE = 64;

/** In milliseconds. */
function secondsIn(json: JsonObject, member: string, usual?: number): number {
  const value = json[member] ?? usual;
  if (typeof value === "number" && value >= 1) return value * 1000;
  const found = typeof value === "number" ? String(value) : "no number";
  throw protocolError(`"${member}" of ${WHAT} cannot be used`, found, "at least 1 second");
}

/** RFC 8628 §3.5: how much slower, when told so, for this and all that follow. */
const SLOWER_MS = 5000;

async function poll(grant: DeviceGrant, verifier: string, options: DeviceOptions): Promise<JsonObject> {
  const { clock = systemClock, signal, issuer } = options;
  const until = clock.now() + grant.livesMs;
  let interval = grant.intervalMs;
  for (;;) {
    if (clock.now() + interval > until) throw tooLate(grant);
    await clock.sleep(interval, signal);
    const answer = await requestTokens(options, {
      grant_type: "urn:ietf:params:oauth:grant-type:device_code",
      device_code: grant.deviceCode,
      code_verifier: verifier,
    });
    if ("tokens" in answer) return answer.tokens;
    if (answer.error === "expired_token") throw tooLate(grant);
    if (answer.error === "slow_down") interval += SLOWER_MS;
    else if (answer.error !== "authorization_pending") throw refusedTokens(answer, issuer);
  }
}

function tooLate({ livesMs }: DeviceGrant): CountersignError {
  return new CountersignError("timeout", "nobody signed in", {
    found: `the code was valid for ${Math.round(livesMs / 1000)} s`,
    wanted: "a sign-in with the code",
    next: "run the command again, or give --identity-token",
  });
}
