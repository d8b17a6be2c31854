import { CountersignError } from "../../core/errors.ts";
import { safeUrl } from "./redact.ts";

/** RFC 8288 §3: a target in brackets, and parameters whose quoted values may hold anything. */
const LINK = /<([^<>]*)>((?:\s*;\s*[^\s=;,<>"]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s";,<>]+))?)*)/g;
const IS_NEXT = /;\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next(?=\s*(?:;|$)))/i;

/**
 * The target of the first link whose relation is `next`, in the `Link` headers of the answer from `from`.
 *
 * @throws CountersignError `redirect-refused` for one on another origin.
 */
export function nextLink(headers: readonly string[], from: URL, what: string): URL | undefined {
  const links = headers.flatMap((header) => [...header.matchAll(LINK)]);
  const target = links.find(([, , parameters = ""]) => IS_NEXT.test(parameters))?.[1];
  if (target === undefined) return undefined;
  const next = URL.parse(target, from);
  if (next?.origin === from.origin && next.username === "") return next;
  throw new CountersignError("redirect-refused", `the next page of ${what} is elsewhere and is not read`, {
    found: next === null ? "not a URL" : safeUrl(next),
    wanted: from.origin,
  });
}
