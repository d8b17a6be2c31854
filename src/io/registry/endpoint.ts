import { isLoopback } from "../../core/oci/reference.ts";
import { isCertificateFailure, suggestsPlainHttp, suggestsTls } from "../http/failures.ts";
import type { HttpResponse } from "../http/response.ts";

const HUB = "docker.io";
const HUB_API = "registry-1.docker.io";

/**
 * Where a registry is spoken to, and how. Loopback registries in plain HTTP, all others with TLS; where the user allows
 * plain HTTP, it is taken only when the peer does not speak TLS at all, never when its certificate does not do.
 */
export class Endpoint {
  readonly #candidates: readonly URL[];
  #settled: URL | undefined;

  constructor(registry: string, allowHttp: boolean) {
    const host = registry === HUB ? HUB_API : registry;
    const schemes = isLoopback(registry) ? ["http", "https"] : allowHttp ? ["https", "http"] : ["https"];
    this.#candidates = schemes.map((scheme) => new URL(`${scheme}://${host}`));
    if (this.#candidates.length === 1) this.#settled = this.#candidates[0];
  }

  /** The likeliest origin; the right one once anything was answered. */
  get origin(): URL {
    return this.#settled ?? this.#candidates[0] ?? new URL("https://invalid.invalid");
  }

  /** Runs an exchange, at first in one scheme and, where the peer does not speak it, in the other. */
  async exchange(send: (origin: URL) => Promise<HttpResponse>): Promise<HttpResponse> {
    const [first, second] = this.#candidates;
    if (this.#settled !== undefined || first === undefined || second === undefined) return send(this.origin);
    try {
      const response = await send(first);
      if (!(await isTlsHint(first, response))) return this.#settle(first, response);
    } catch (thrown) {
      const mistaken = first.protocol === "http:" ? suggestsTls(thrown) : suggestsPlainHttp(thrown);
      if (!mistaken) throw thrown;
      return this.#settle(second, await this.#second(second, send, thrown));
    }
    return this.#settle(second, await send(second));
  }

  /** Where neither scheme works, the first failure is the one to report, unless TLS worked but for the certificate. */
  async #second(origin: URL, send: (origin: URL) => Promise<HttpResponse>, first: unknown): Promise<HttpResponse> {
    try {
      return await send(origin);
    } catch (thrown) {
      throw isCertificateFailure(thrown) ? thrown : first;
    }
  }

  #settle(origin: URL, response: HttpResponse): HttpResponse {
    this.#settled = origin;
    return response;
  }
}

/** What Go's and nginx's servers say on their TLS port; nothing else is concluded from a 400. */
async function isTlsHint(origin: URL, response: HttpResponse): Promise<boolean> {
  if (origin.protocol !== "http:" || response.status !== 400) return false;
  if (response.header("docker-distribution-api-version") !== undefined) return false;
  const text = Buffer.from(await response.beginning()).toString("latin1");
  return /HTTP request (?:to an HTTPS server|was sent to HTTPS port)/i.test(text);
}
