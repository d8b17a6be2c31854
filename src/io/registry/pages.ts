import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { nextLink } from "../http/links.ts";
import { safeUrl } from "../http/redact.ts";
import type { HttpResponse } from "../http/response.ts";
import { type PeerError, readPeerError } from "../http/status.ts";
import type { RegistryRequest, Session } from "./session.ts";

/** One answer of a listing; `bytes` only for 200, `error` only for the rest. */
export interface Page {
  readonly status: number;
  readonly contentType: string;
  readonly bytes: Uint8Array;
  readonly error: PeerError | undefined;
}

export interface LinkedPage extends Page {
  readonly next: URL | undefined;
}

/**
 * A listing page by page, as `Link: <…>; rel="next"` leads (distribution-spec, "Listing Tags", "Listing Referrers"): on
 * one origin, never in a circle, never more than `maxPages`.
 *
 * @throws CountersignError `limit-reached`, `protocol-error`, `redirect-refused`.
 */
export async function* pages(
  session: Session,
  first: RegistryRequest,
  maxPages: number,
): AsyncGenerator<Page, void, undefined> {
  const { what } = first;
  const seen = new Set<string>();
  let request = first;
  for (let count = 1; ; count++) {
    const { next, ...page } = await session.run(request, (response) => readPage(response, what));
    yield page;
    if (next === undefined) return;
    if (seen.has(next.href)) throw circle(session, what, next);
    seen.add(next.href);
    if (count >= maxPages) throw tooMany(what, `more than ${maxPages} pages`, `at most ${maxPages} pages`);
    request = { ...first, path: next };
  }
}

export function tooMany(what: string, found: string, wanted: string): CountersignError {
  return new CountersignError("limit-reached", `${what} is longer than will be read`, { found, wanted });
}

/** The answer to one request of a listing; `next` as its `Link` says. */
export async function readPage(response: HttpResponse, what: string): Promise<LinkedPage> {
  const { status, contentType } = response;
  if (status !== 200) {
    return { status, contentType, bytes: new Uint8Array(), error: await readPeerError(response), next: undefined };
  }
  const bytes = await response.bytes(LIMITS.manifestBytes, what);
  return { status, contentType, bytes, error: undefined, next: nextLink(response.headers("link"), response.url, what) };
}

export function circle(session: Session, what: string, next: URL): CountersignError {
  return new CountersignError("protocol-error", `the pages of ${what} of ${session.registry} lead in a circle`, {
    found: safeUrl(next),
    wanted: "a next page that was not read before",
  });
}
