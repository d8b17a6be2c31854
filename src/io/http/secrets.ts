import { CountersignError } from "../../core/errors.ts";
import type { HttpRequest } from "./client.ts";
import { TransientError } from "./failures.ts";

/** So many characters of a secret in a row are a part of it; of a shorter one all of it, unless it may be any word. */
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
    const length = Math.max(0, ...[...lengths].filter((run) => runs.has(text.slice(at, at + run))));
    if (length > 0 && at >= hiddenTo) kept.push("…");
    hiddenTo = Math.max(hiddenTo, at + length);
    if (at >= hiddenTo) kept.push(text.charAt(at));
  }
  return kept.join("");
}

function runsOf(secret: string): readonly string[] {
  if (secret.length < RUN) return secret.length < SHORTEST ? [] : [secret];
  return [...Array(secret.length - RUN + 1).keys()].map((at) => secret.slice(at, at + RUN));
}

/**
 * What a request proves its sender by: the credentials of its `Authorization` header, those of Basic (RFC 7617) decoded as
 * well, and the tokens of a form (RFC 6749 §6).
 */
export function secretsIn({ headers, body }: Pick<HttpRequest, "headers" | "body">): readonly string[] {
  const [, scheme = "", credentials = ""] = /^(\S+) (.*)$/s.exec(headers?.["authorization"] ?? "") ?? [];
  const decoded = scheme.toLowerCase() === "basic" ? Buffer.from(credentials, "base64").toString("utf8") : "";
  const password = decoded.slice(decoded.indexOf(":") + 1);
  const isForm = headers?.["content-type"] === "application/x-www-form-urlencoded" && body instanceof Uint8Array;
  const form = new URLSearchParams(isForm ? Buffer.from(body).toString("utf8") : "");
  return [credentials, password, form.get("refresh_token") ?? ""].filter((secret) => secret !== "");
}
