import { CountersignError } from "../../core/errors.ts";

/** So many characters of a secret in a row are a part of it. */
const RUN = 8;

/**
 * Runs what may fail with words of a peer in its error: a service that repeats our token in its complaint must not bring
 * it into a log. Parts of the secrets are left out, and so is the chain of causes, which nobody reads before printing.
 */
export async function withSecrets<Result>(secrets: readonly string[], work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (thrown) {
    throw thrown instanceof CountersignError ? cleaned(thrown, secrets) : thrown;
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
  const kept: string[] = [];
  let hiddenTo = 0;
  for (let at = 0; at < text.length; at++) {
    const length = runs.has(text.slice(at, at + RUN)) ? RUN : 0;
    if (length > 0 && at >= hiddenTo) kept.push("…");
    hiddenTo = Math.max(hiddenTo, at + length);
    if (at >= hiddenTo) kept.push(text.charAt(at));
  }
  return kept.join("");
}

function runsOf(secret: string): readonly string[] {
  return [...Array(Math.max(0, secret.length - RUN + 1)).keys()].map((at) => secret.slice(at, at + RUN));
}
