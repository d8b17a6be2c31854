import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { HttpClient } from "../http/client.ts";
import { systemClock } from "../http/clock.ts";
import { isPrivateHost } from "../http/hosts.ts";
import { Retrier } from "../http/retry.ts";
import { isTransientStatus, readPeerError, transientStatus } from "../http/status.ts";
import { protocolError } from "./answers.ts";

/** By its address rather than its name: on a machine that is not Google's, somebody else could answer for the name. */
const ADDRESS = "169.254.169.254";
const NAME = "metadata.google.internal";

export interface MetadataAnswer {
  readonly status: number;
  readonly bytes: Uint8Array;
}

/**
 * Google's metadata server (Google Cloud docs, "About VM metadata"): plain HTTP on the link itself, never through a proxy,
 * and with little patience, since it is close by or not there.
 */
export class MetadataServer {
  readonly #http: HttpClient;
  readonly #retrier: Retrier;
  readonly #base: URL;

  /** @throws CountersignError `configuration-invalid` for a GCE_METADATA_HOST that could not be on this link. */
  constructor(host: string | undefined, signal: AbortSignal | undefined) {
    this.#base = hostAddress(host || ADDRESS);
    this.#http = new HttpClient({
      env: {},
      tlsFor: () => ({ ca: [] }),
      userAgent: "countersign",
      signal,
      connectMs: LIMITS.metadataMs,
      idleMs: LIMITS.metadataMs,
    });
    this.#retrier = new Retrier({ clock: systemClock, tries: LIMITS.metadataTries, signal });
  }

  /** What is below `/computeMetadata/v1/instance/service-accounts/default/`. @throws CountersignError. */
  async ofAccount(path: string): Promise<MetadataAnswer> {
    const url = new URL(`/computeMetadata/v1/instance/service-accounts/default/${path}`, this.#base);
    return await this.#retrier.run(url.host, async () => {
      const what = "the metadata of the service account";
      const response = await this.#http.send({ method: "GET", url, headers: { "metadata-flavor": "Google" } });
      try {
        const { status } = response;
        if (isTransientStatus(status)) {
          throw transientStatus(response, await readPeerError(response), what, systemClock.now());
        }
        // A server that was told of the header and does not send it is somebody else's.
        if (response.header("metadata-flavor") !== "Google") throw somebodyElse(url.host);
        return { status, bytes: await response.bytes(LIMITS.tokenBytes, what) };
      } finally {
        await response.drain();
      }
    });
  }

  async close(): Promise<void> {
    await this.#http.close();
  }
}

function hostAddress(host: string): URL {
  const url = URL.parse(`http://${host}`);
  const isBare = url !== null && /^[^/?#@\\]+$/.test(host);
  if (isBare && (url.hostname === NAME || isPrivateHost(url))) return url;
  throw new CountersignError("configuration-invalid", "GCE_METADATA_HOST cannot be used", {
    found: isBare ? url.host : "no host",
    wanted: `${NAME}, or a private address, with or without a port`,
  });
}

function somebodyElse(host: string): CountersignError {
  const wanted = "Metadata-Flavor: Google";
  return protocolError(`what answers at ${host} is not Google's metadata server`, "no Metadata-Flavor header", wanted);
}
