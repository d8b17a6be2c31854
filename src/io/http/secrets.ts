import { encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import type { HttpRequest } from "./client.ts";
import { TransientError } from "./failures.ts";

/** So many characters of a secret in a row are a part of it; a shorter one is found as a word, unless it may be any. */
const RUN = 8;
const SHORTEST = 4;

/**
 * Runs what may fail with words of a peer in its error: a service that repeats our token in its complaint must not bring
 * it into a log. Parts of the secrets are left out, and so is the chain of causes, which nobody reads before printing.
 */
export async function withSecrets<Result>(secrets: readonly string[], work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (thrown) {
    // What may be tried again stays what it is; a peer's words in it are clean already (`HttpResponse.speakable`).
    const isClean = secrets.length === 0 || thrown instanceof TransientError;
    if (isClean || !(thrown instanceof CountersignError)) throw thrown;
    throw cleaned(thrown, secrets);
  }
}

function cleaned(
  { code, message, found, wanted, next }: CountersignError,
  secrets: readonly string[],
): CountersignError {
  const clean = (text: string | undefined) => (text === undefined ? undefined : withoutParts(text, secrets));
  return new CountersignError(code, withoutParts(message, secrets), {
    found: clean(found),
    wanted: clean(wanted),
    next: clean(next),
  });
}

/** The text with an ellipsis for whatever it has in common with a secret. */
export function withoutParts(text: string, secrets: readonly string[]): string {
  const runs = new Set(secrets.flatMap(runsOf));
  const lengths = new Set([...runs].map((run) => run.length));
  const kept: string[] = [];
  let hiddenTo = 0;
  for (let at = 0; at < text.length; at++) {
    const found = [...lengths].filter((run) => runs.has(text.slice(at, at + run)) && isWhole(text, at, run));
    const length = Math.max(0, ...found);
    if (length > 0 && at >= hiddenTo) kept.push("…");
    hiddenTo = Math.max(hiddenTo, at + length);
    if (at >= hiddenTo) kept.push(text.charAt(at));
  }
  return kept.join("");
}

/** What is left of "latest" without "test" would tell the secret rather than hide it. */
function isWhole(text: string, at: number, length: number): boolean {
  return length >= RUN || !(LETTER.test(text.charAt(at - 1)) || LETTER.test(text.charAt(at + length)));
}

const LETTER = /[\p{L}\p{N}]/u;

function runsOf(secret: string): readonly string[] {
  if (secret.length < RUN) return secret.length < SHORTEST ? [] : [secret];
  return [...Array(secret.length - RUN + 1).keys()].map((at) => secret.slice(at, at + RUN));
}

/**
 * What a request proves its sender by: the credentials of its `Authorization` header, those of Basic (RFC 7617) decoded as
 * well, and the tokens of a form (RFC 6749 §6). Also as a URL has them: services log what they are asked so.
 */
export function secretsIn({ headers, body }: Pick<HttpRequest, "headers" | "body">): readonly string[] {
  const [, scheme = "", credentials = ""] = /^(\S+) (.*)$/s.exec(headers?.["authorization"] ?? "") ?? [];
  const decoded = scheme.toLowerCase() === "basic" ? Buffer.from(credentials, "base64").toString("utf8") : "";
  const password = decoded.slice(decoded.indexOf(":") + 1);
  const isForm = headers?.["content-type"] === "application/x-www-form-urlencoded" && body instanceof Uint8Array;
  const form = new URLSearchParams(isForm ? Buffer.from(body).toString("utf8") : "");
  const secrets = [credentials, secretOf(password), form.get("refresh_token") ?? ""].filter((secret) => secret !== "");
  return secrets.flatMap((secret) => [secret, encodeURIComponent(secret)]);
}

/** Of a key file that is sent as a password (Google's `_json_key`) the key: the rest is names that messages need. */
function secretOf(password: string): string {
  if (!password.startsWith("{")) return password;
  try {
    const options = { what: "a key file", code: "configuration-invalid", maxBytes: LIMITS.credentialBytes } as const;
    const { private_key: key } = parseJsonObject(encodeUtf8(password), options);
    return typeof key === "string" && key !== "" ? key : password;
  } catch {
    return password;
  }
}
