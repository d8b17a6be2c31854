import { createHash, createPublicKey, type KeyObject, verify } from "node:crypto";
import { encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { isObject, type JsonObject, type JsonValue, kindOf } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Instant } from "../../core/time.ts";
import { decodeJwt, type UntrustedJwt } from "../../core/trust/jwt.ts";
import { checkToken, type IdentityToken, identityTokenOf } from "../../core/trust/token.ts";
import type { ServiceClient } from "../http/service.ts";
import { jsonOf, protocolError } from "./answers.ts";

/** What an ID token from a sign-in has to be (OpenID Connect Core §3.1.3.7). */
export interface IdTokenExpectations {
  readonly issuer: string;
  readonly clientId: string;
  /** What was sent along with the request; undefined for a device, whose flow has none. */
  readonly nonce: string | undefined;
  /** What came with it: `at_hash` binds the two. */
  readonly accessToken: string | undefined;
  readonly now: Instant;
}

const WHAT = "the issuer's keys";

/** The issuer's JSON Web Key Set (RFC 7517 §5): the keys that are written like keys. */
export async function fetchIssuerKeys(service: ServiceClient, url: URL): Promise<readonly JsonObject[]> {
  const { keys } = jsonOf(await service.ask({ url, what: WHAT, maxBytes: LIMITS.tokenBytes }), WHAT);
  if (!Array.isArray(keys)) throw protocolError(`${WHAT} are not a list`, kindOf(keys), "a list of keys");
  if (keys.length > LIMITS.issuerKeys) {
    throw new CountersignError("limit-reached", `${WHAT} are too many`, {
      found: `${keys.length} keys`,
      wanted: `at most ${LIMITS.issuerKeys}`,
    });
  }
  return keys.filter(isObject);
}

/**
 * The token, once everything about it was checked: that the issuer signed it, for this client, as the answer to this
 * very request, together with this access token, and that it can be used now.
 *
 * @throws CountersignError `token-invalid`.
 */
export function checkIdToken(text: string, keys: readonly JsonObject[], expected: IdTokenExpectations): IdentityToken {
  const jwt = decodeJwt(text);
  const algorithm = algorithmOf(jwt);
  checkSignature(jwt, algorithm, keys);
  const token = identityTokenOf(text, jwt.claims);
  if (token.issuer !== expected.issuer) throw wrong("it is by another issuer", token.issuer, expected.issuer);
  checkToken(token, { audience: expected.clientId, now: expected.now });
  // §3.1.3.7 (4, 5): issued to another client, it was not meant for us.
  if (jwt.claims["azp"] !== undefined) requireClaim("authorized party", jwt.claims["azp"], expected.clientId);
  if (expected.nonce !== undefined) requireClaim("nonce", jwt.claims["nonce"], expected.nonce);
  checkAccessToken(jwt.claims["at_hash"], expected.accessToken, algorithm);
  return token;
}

// --- the signature ----------------------------------------------------------------------------------------------------

interface Algorithm {
  readonly name: string;
  readonly keyType: "RSA" | "EC";
  readonly curve: string | undefined;
  readonly hash: string;
}

/** RFC 7518 §3.1: what a public key can check. Whoever has a shared secret or none at all could have been anyone. */
const ALGORITHMS: readonly Algorithm[] = [
  { name: "RS256", keyType: "RSA", curve: undefined, hash: "sha256" },
  { name: "RS384", keyType: "RSA", curve: undefined, hash: "sha384" },
  { name: "RS512", keyType: "RSA", curve: undefined, hash: "sha512" },
  { name: "ES256", keyType: "EC", curve: "P-256", hash: "sha256" },
  { name: "ES384", keyType: "EC", curve: "P-384", hash: "sha384" },
  { name: "ES512", keyType: "EC", curve: "P-521", hash: "sha512" },
];

function algorithmOf({ header }: UntrustedJwt): Algorithm {
  const algorithm = ALGORITHMS.find(({ name }) => name === header["alg"]);
  if (algorithm !== undefined) return algorithm;
  throw wrong("its signature algorithm is not accepted", undefined, ALGORITHMS.map(({ name }) => name).join(", "));
}

function checkSignature(
  { header, signedText, signature }: UntrustedJwt,
  algorithm: Algorithm,
  keys: readonly JsonObject[],
): void {
  const key = keyObject(chooseKey(keys, header["kid"], algorithm), algorithm);
  const how = { key, dsaEncoding: "ieee-p1363" } as const;
  if (verify(algorithm.hash, encodeUtf8(signedText), how, signature)) return;
  throw wrong("its signature is not the issuer's", undefined, "a signature by one of the issuer's keys");
}

/** The key that the token names; where it names none, the only one that it could be. */
function chooseKey(keys: readonly JsonObject[], keyId: unknown, { name, keyType, curve }: Algorithm): JsonObject {
  const fitting = keys.filter(
    (key) =>
      key["kty"] === keyType &&
      (curve === undefined || key["crv"] === curve) &&
      (key["use"] === undefined || key["use"] === "sig") &&
      (key["alg"] === undefined || key["alg"] === name) &&
      (keyId === undefined || key["kid"] === keyId),
  );
  const [only] = fitting;
  if (only !== undefined && fitting.length === 1) return only;
  throw wrong("it is signed by a key that the issuer does not publish", `${fitting.length} keys that fit`, "one");
}

/** RFC 7518 §3.3: RSA keys of less than 2048 bits must not be used. */
const LEAST_RSA_BITS = 2048;

function keyObject({ n, e, crv, x, y }: JsonObject, { keyType }: Algorithm): KeyObject {
  // Only the members of a public key are taken (RFC 7518 §6).
  const jwk =
    keyType === "RSA"
      ? { kty: keyType, n: textOf(n), e: textOf(e) }
      : { kty: keyType, crv: textOf(crv), x: textOf(x), y: textOf(y) };
  try {
    const key = createPublicKey({ key: jwk, format: "jwk" });
    if ((key.asymmetricKeyDetails?.modulusLength ?? LEAST_RSA_BITS) >= LEAST_RSA_BITS) return key;
  } catch {
    // Said below; what OpenSSL says of a broken key adds nothing.
  }
  const wanted = `a point on its curve, or RSA of at least ${LEAST_RSA_BITS} bits`;
  throw wrong("the issuer's key for it cannot be used", undefined, wanted);
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}

// --- what it says -----------------------------------------------------------------------------------------------------

/** Neither is repeated: a nonce is ours alone, and a hostile issuer could have put anything into it. */
function requireClaim(name: string, found: unknown, wanted: string): void {
  if (found === wanted) return;
  throw wrong(
    `its ${name} is not the one that was asked for`,
    typeof found === "string" ? "another one" : "none",
    `the same ${name}`,
  );
}

/** OpenID Connect Core §3.1.3.8: the left half of the hash, by the algorithm of the signature. */
function checkAccessToken(claim: unknown, accessToken: string | undefined, { hash }: Algorithm): void {
  if (claim === undefined) return;
  const digest = createHash(hash)
    .update(accessToken ?? "", "ascii")
    .digest();
  const half = digest.subarray(0, digest.byteLength / 2).toString("base64url");
  if (accessToken !== undefined && claim === half) return;
  throw wrong(
    "it belongs to another access token",
    "another at_hash",
    "the hash of the access token that came with it",
  );
}

function wrong(why: string, found: string | undefined, wanted: string): CountersignError {
  return new CountersignError("token-invalid", `the issuer's token is not to be believed: ${why}`, {
    found,
    wanted,
    next: "sign in again; if that does not help, report it to the issuer's operator",
  });
}
