import { CountersignError } from "../../core/errors.ts";
import { TransientError } from "../http/failures.ts";
import { safeUrl } from "../http/redact.ts";
import { isRedirect } from "../http/redirects.ts";
import type { HttpResponse } from "../http/response.ts";
import { inBrackets, isTransientStatus, type PeerError, readPeerError, transientStatus } from "../http/status.ts";
import type { RegistryRequest, Session } from "./session.ts";

/** A status that nobody expected, as an error that says what it was about. */
export async function statusError(
  response: HttpResponse,
  request: RegistryRequest,
  session: Session,
): Promise<CountersignError> {
  const { status, url } = response;
  const { what, method } = request;
  const error = await readPeerError(response);
  if (isTransientStatus(status)) return transientStatus(response, error, what, session.pool.clock.now());
  const found = `${status} on ${what}${inBrackets(error)}`;
  if (error.isHtml || (response.contentType === "text/html" && method === "HEAD")) return webPage(url, found);
  if (isRedirect(status)) {
    return new CountersignError("redirect-refused", `${session.registry} redirects ${what} to another host`, { found });
  }
  if (status === 404) return notFound(session, request, error, found);
  if (status === 401 || status === 403) {
    return new CountersignError("denied", `${session.registry} refuses access to ${session.repository}`, { found });
  }
  const isWrite = method !== "GET" && method !== "HEAD";
  if (isWrite && error.code === "DIGEST_INVALID") return disputedDigest(session, what, found);
  if (isWrite && status >= 400 && status < 500) {
    return new CountersignError("denied", `${session.registry} does not take ${what}`, {
      found,
      next: "correct what the registry's answer names, or ask its operator",
    });
  }
  return new CountersignError("protocol-error", `${session.registry} gives an unexpected answer for ${what}`, {
    found,
  });
}

/**
 * What is sent was hashed here before: the registry is mistaken. CNCF distribution 2 answers so where somebody else is
 * just writing the same configuration or layer, whose link it then reads half written.
 */
function disputedDigest({ registry }: Session, what: string, found: string): TransientError {
  const next = "try again, and report it to the registry's operator";
  return new TransientError("denied", `${registry} does not take ${what}`, { found, next });
}

/** A web page where the protocol wants something else: a login portal, a proxy's error, another service. */
export function webPage(url: URL, found: string): CountersignError {
  return new CountersignError("not-a-registry", `what answers at ${url.host} is a web page, not a registry`, {
    found: `${found} from ${safeUrl(url)}`,
  });
}

function notFound(
  session: Session,
  { what, method }: RegistryRequest,
  error: PeerError,
  found: string,
): CountersignError {
  const isWrite = method !== "GET" && method !== "HEAD";
  if (error.code === "NAME_UNKNOWN" && isWrite) {
    return new CountersignError("not-found", `${session.registry} has no repository ${session.repository}`, {
      found,
      next: "create the repository first: this registry does not make it on the first push",
    });
  }
  return new CountersignError("not-found", `${session.name} does not hold ${what}`, { found });
}
