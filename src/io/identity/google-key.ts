import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import { encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { type JsonObject, parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { withSecrets } from "../http/secrets.ts";
import { formBody, formHeaders, jsonOf, textIn } from "./answers.ts";
import { type Surroundings, serviceAddress } from "./provider.ts";

type Asking = Pick<Surroundings, "service" | "audience" | "now">;

/** A service account's key, and the tokens that it gets. */
export interface GoogleKey {
  identityToken(asking: Asking): Promise<string>;
  /** For Google's own interfaces. */
  accessToken(asking: Asking): Promise<string>;
}

interface KeyParts {
  readonly account: string;
  readonly keyId: string;
  readonly key: KeyObject;
  readonly tokenAddress: URL;
}

/**
 * A file that GOOGLE_APPLICATION_CREDENTIALS names (Google Cloud docs, "Service account credentials").
 *
 * @throws CountersignError `configuration-invalid`, `unsupported` (credentials of another kind), `limit-reached`.
 */
export function readGoogleKey(bytes: Uint8Array | undefined, path: string): GoogleKey {
  const parts = partsOf(bytes, path);
  return {
    identityToken: ({ audience, ...asking }) => exchange(parts, asking, { target_audience: audience }, "id_token"),
    accessToken: (asking) => exchange(parts, asking, { scope: SCOPE }, "access_token"),
  };
}

const SCOPE = "https://www.googleapis.com/auth/iam";

function partsOf(bytes: Uint8Array | undefined, path: string): KeyParts {
  if (bytes === undefined) throw unusable(path, "there is no such file");
  const what = path;
  const json = parseJsonObject(bytes, { what, code: "configuration-invalid", maxBytes: LIMITS.identityFileBytes });
  const { type, client_email: account, private_key_id: keyId, private_key: pem, token_uri: address } = json;
  if (type !== "service_account") throw otherKind(path, type);
  if ([account, keyId, pem, address].some((member) => typeof member !== "string")) {
    throw unusable(path, "a member is missing");
  }
  return {
    account: String(account),
    keyId: String(keyId),
    key: privateKeyOf(String(pem), path),
    tokenAddress: serviceAddress(String(address), `token_uri in ${path}`),
  };
}

function privateKeyOf(pem: string, path: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === "rsa") return key;
  } catch {
    // Said below, without OpenSSL's words: they add nothing.
  }
  throw unusable(path, "a private key that is no RSA key");
}

/** RFC 7523 §2.1: a token for what the key has signed. */
async function exchange(
  { account, keyId, key, tokenAddress: url }: KeyParts,
  { service, now }: Pick<Asking, "service" | "now">,
  wish: JsonObject,
  member: string,
): Promise<string> {
  const issued = Math.floor(now() / 1000);
  const claims = { iss: account, aud: url.href, iat: issued, exp: issued + LIFETIME, ...wish };
  const assertion = signedJwt({ alg: "RS256", typ: "JWT", kid: keyId }, claims, key);
  return await withSecrets([assertion], async () => {
    const answer = await service.ask({
      method: "POST",
      url,
      what: "the token",
      headers: formHeaders,
      body: formBody({ grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion }),
      maxBytes: LIMITS.tokenBytes,
    });
    return textIn(jsonOf(answer, "the answer"), member, "the answer");
  });
}

/** Seconds; Google takes an hour at most. */
const LIFETIME = 300;

function signedJwt(header: JsonObject, claims: JsonObject, key: KeyObject): string {
  const text = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
  return `${text}.${sign("sha256", encodeUtf8(text), key).toString("base64url")}`;
}

function unusable(path: string, found: string): CountersignError {
  return new CountersignError("configuration-invalid", "GOOGLE_APPLICATION_CREDENTIALS cannot be used", {
    found: `${path}: ${found}`,
    wanted: "the key of a service account as Google's console writes it",
  });
}

function otherKind(path: string, type: unknown): CountersignError {
  return new CountersignError("unsupported", "Google credentials of this kind are not supported", {
    found: `${path}: ${typeof type === "string" && /^[a-z_]{1,40}$/.test(type) ? type : "no type"}`,
    wanted: "service_account",
    next: "get a token with gcloud auth print-identity-token, and give it with --identity-token",
  });
}
