import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { isLoopback } from "../../core/oci/reference.ts";
import { isPrivateHost } from "./hosts.ts";
import { safeUrl } from "./redact.ts";

/** Where a peer may send us: judged for redirects, upload locations and links alike. */
export interface Trail {
  /** The registry that was asked in the first place. */
  readonly registry: URL;
  /** The user allowed plain HTTP to hosts other than loopback. */
  readonly allowHttp: boolean;
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

export function isRedirect(status: number): boolean {
  return REDIRECTS.has(status);
}

/**
 * The place a peer names, if one may go there: http or https, no user information, never from https down to http, plain
 * HTTP only to loopback unless allowed, and no private address unless the registry is one itself. What is sent there
 * is another question: credentials only ever go to the registry's own origin.
 *
 * @throws CountersignError `redirect-refused`.
 */
export function placeNamed(location: string | undefined, from: URL, trail: Trail): URL {
  const target = location === undefined ? null : URL.parse(location, from);
  if (target === null) throw refused(from, location === undefined ? "no location" : "not a URL", "a location");
  const why = objection(target, from, trail);
  if (why !== undefined) throw refused(from, safeUrl(target), why);
  target.hash = "";
  return target;
}

function objection(target: URL, from: URL, { registry, allowHttp }: Trail): string | undefined {
  if (target.protocol !== "https:" && target.protocol !== "http:") return "http or https";
  if (target.username !== "" || target.password !== "") return "a location without user information";
  if (target.protocol === "http:") {
    if (from.protocol === "https:" || registry.protocol === "https:") return "https, as the registry itself";
    if (!allowHttp && !isLoopback(target.host)) return "https, or http on this machine";
  }
  if (isPrivateHost(target) && !isPrivateHost(registry)) return "a public address, as the registry's own";
  return undefined;
}

/** Counts the hops of one request and knows where it has been. */
export class Hops {
  readonly #seen = new Set<string>();

  /** @throws CountersignError `redirect-refused` for a loop or too many hops. */
  visit(url: URL): void {
    if (this.#seen.has(url.href)) throw refused(url, "a location that was visited before", "no loop");
    if (this.#seen.size > LIMITS.redirects) {
      throw refused(url, `more than ${LIMITS.redirects} redirects`, `at most ${LIMITS.redirects}`);
    }
    this.#seen.add(url.href);
  }
}

function refused(from: URL, found: string, wanted: string): CountersignError {
  return new CountersignError("redirect-refused", `a redirect by ${from.host} is not followed`, { found, wanted });
}
