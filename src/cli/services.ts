import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { CountersignError } from "../core/errors.ts";
import { isLoopback } from "../core/oci/reference.ts";
import type { Demands, TrustMaterial } from "../core/trust/material.ts";
import { type ChosenServices, chooseServices, parseSigningConfig, type Quorum } from "../core/trust/signing-config.ts";
import { onDisk } from "../io/disk/errors.ts";
import type { ServiceClient } from "../io/http/service.ts";
import { rekor } from "../io/sigstore/rekor.ts";
import { timestampAuthority } from "../io/sigstore/tsa.ts";
import type { WitnessOptions } from "../io/sigstore/witness.ts";
import type { Context } from "./context.ts";
import type { ServiceWish, SignatoryOptions } from "./signatory-options.ts";

/** Services to sign with: addresses, and of each kind how many are needed. */
export interface SigningServices {
  readonly authority: URL | undefined;
  /** Who signs people in. */
  readonly issuer: string | undefined;
  readonly logs: Needed;
  readonly timestampAuthorities: Needed;
}

interface Needed {
  readonly services: readonly Address[];
  readonly count: number;
}

interface Address {
  readonly url: URL;
  /** Unknown where only the address was given. */
  readonly majorApiVersion: number | undefined;
}

/**
 * The services that the flags ask for.
 *
 * @throws CountersignError `trust-invalid`, `disk-error`, `usage` where nothing says which to use.
 */
export async function readServices(context: Context, wish: ServiceWish): Promise<SigningServices> {
  switch (wish.kind) {
    case "addresses":
      return {
        authority: wish.authority,
        issuer: undefined,
        logs: oneOrNone(wish.log),
        timestampAuthorities: oneOrNone(wish.timestampAuthority),
      };
    case "config": {
      const path = resolve(context.workingDirectory, wish.file);
      const bytes = await onDisk(`reading ${wish.file}`, () => readFile(path));
      return addressed(chooseServices(parseSigningConfig(bytes), context.referenceTime));
    }
    default:
      throw new CountersignError("usage", "nothing says which services to sign with", {
        wanted: "--signing-config FILE, or the addresses of the services",
      });
  }
}

function oneOrNone(url: URL | undefined): Needed {
  const services = url === undefined ? [] : [{ url, majorApiVersion: undefined }];
  return { services, count: services.length };
}

function addressed(chosen: ChosenServices): SigningServices {
  const { certificateAuthority, identityProvider, logs, timestampAuthorities } = chosen;
  return {
    authority: certificateAuthority === undefined ? undefined : new URL(certificateAuthority.url),
    issuer: identityProvider?.url,
    logs: needed(logs),
    timestampAuthorities: needed(timestampAuthorities),
  };
}

function needed({ services, count }: Quorum): Needed {
  return { services: services.map(({ url, majorApiVersion }) => ({ url: new URL(url), majorApiVersion })), count };
}

/** The clients of those that vouch for a signature. */
export function witnesses(
  services: SigningServices,
  client: ServiceClient,
): Pick<WitnessOptions, "logs" | "timestampAuthorities"> {
  const ask: ServiceClient["ask"] = (request) => client.ask(request);
  const { logs, timestampAuthorities } = services;
  return {
    logs: {
      clients: logs.services.map(({ url, majorApiVersion }) => rekor(ask, url, majorApiVersion)),
      count: logs.count,
    },
    timestampAuthorities: {
      clients: timestampAuthorities.services.map(({ url }) => timestampAuthority(ask, url)),
      count: timestampAuthorities.count,
    },
  };
}

/** What follows from the services for whoever verifies: that what they did is there. */
export function demandsOf({ logs, timestampAuthorities }: SigningServices): Demands {
  return {
    logs: Math.min(logs.count, 1),
    timestamps: Math.min(timestampAuthorities.count, 1),
    certificateLogs: 0,
    times: 0,
    currentTime: false,
  };
}

/** The same with a certificate, whose life has to hold the time of signing. */
export function certificateDemands(services: SigningServices, trust: TrustMaterial): Demands {
  return { ...demandsOf(services), times: 1, certificateLogs: trust.namesCertificateLogs ? 1 : 0 };
}

/**
 * A certificate lives for minutes: without a time that somebody vouches for, nobody could tell later that it was good.
 *
 * @throws CountersignError `trust-invalid`.
 */
export function requireTime({ logs, timestampAuthorities }: SigningServices, { logLater }: SignatoryOptions): void {
  const logsTellTime = logs.services.some(({ majorApiVersion }) => majorApiVersion !== 2);
  if (timestampAuthorities.count > 0 || (logsTellTime && !logLater)) return;
  throw new CountersignError(
    "trust-invalid",
    "nothing would prove when it was signed, and certificates live for minutes",
    {
      found: logsTellTime
        ? "--log-later, and no timestamp authority"
        : "neither a timestamp authority nor a log that tells the time",
      wanted: "a timestamp authority in the signing configuration, or --timestamp-server-url",
    },
  );
}

/** Legacy signatures have a place for the promise of a Rekor 1 log, and none for a proof. @throws `unsupported`. */
export function requirePromise({ logs }: SigningServices): void {
  if (logs.count === 0 || logs.services.some(({ majorApiVersion }) => majorApiVersion !== 2)) return;
  throw new CountersignError("unsupported", "a legacy signature cannot hold an entry of this log", {
    found: "a Rekor 2 log, and --format cosign-legacy",
    wanted: "--format bundle, or a Rekor 1 log",
  });
}

/** Services elsewhere that make public what they are shown. */
export function publishers({ authority, logs }: SigningServices): readonly URL[] {
  const all = [...(authority === undefined ? [] : [authority]), ...logs.services.map(({ url }) => url)];
  return all.filter(({ host }) => !isLoopback(host));
}
