import { resolve } from "node:path";
import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { Demands, TrustMaterial } from "../core/trust/material.ts";
import { type ChosenServices, chooseServices, parseSigningConfig, type Quorum } from "../core/trust/signing-config.ts";
import type { ServiceClient } from "../io/http/service.ts";
import { rekor } from "../io/sigstore/rekor.ts";
import { timestampAuthority } from "../io/sigstore/tsa.ts";
import type { WitnessOptions } from "../io/sigstore/witness.ts";
import type { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import type { Output } from "./output.ts";
import type { SignatoryOptions } from "./signatory-options.ts";
import { openSigningConfig } from "./trust.ts";
import { readTrustFile } from "./trust-instances.ts";

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
 * @throws CountersignError `trust-invalid`, `disk-error`, `limit-reached`, `usage` where nothing says which to use, and what
 * `openSigningConfig` throws.
 */
export async function readServices(
  context: Context,
  output: Output,
  wiring: Wiring,
  { services: wish, trust }: Pick<SignatoryOptions, "services" | "trust">,
): Promise<SigningServices> {
  if (wish.kind === "addresses") {
    const { authority, log, timestampAuthority: stamps } = wish;
    return { authority, issuer: undefined, logs: oneOrNone(log), timestampAuthorities: oneOrNone(stamps) };
  }
  const bytes = await readConfiguration(context, output, wiring, { services: wish, trust });
  return addressed(chooseServices(parseSigningConfig(bytes), context.referenceTime));
}

async function readConfiguration(
  context: Context,
  output: Output,
  wiring: Wiring,
  { services: wish, trust }: Pick<SignatoryOptions, "services" | "trust">,
): Promise<Uint8Array> {
  if (wish.kind === "config") {
    const file = { path: resolve(context.workingDirectory, wish.file), label: wish.file };
    return await readTrustFile(file, LIMITS.signingConfigBytes);
  }
  const found = wish.kind === "usual" ? await openSigningConfig(context, output, trust, wiring) : undefined;
  if (found !== undefined) return found.bytes;
  throw new CountersignError("usage", "nothing says which services to sign with", {
    found:
      trust.trustedRoot === undefined ? "a trust instance without a signing configuration" : "--trusted-root alone",
    wanted: "--signing-config FILE, or the addresses of the services",
  });
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
 * The same where a certificate signs, which lives for minutes: without a time that somebody vouches for, nobody could tell
 * later that it was good. A log of unknown version has to tell it then, as Rekor 1 does.
 *
 * @throws CountersignError `trust-invalid`.
 */
export function tellingTime(services: SigningServices, { logLater }: SignatoryOptions): SigningServices {
  if (services.timestampAuthorities.count > 0) return services;
  const first = asRekor1(services);
  const isTold = first.logs.services.some(({ majorApiVersion }) => majorApiVersion === 1);
  if (isTold && !logLater) return first;
  throw new CountersignError(
    "trust-invalid",
    "nothing would prove when it was signed, and certificates live for minutes",
    {
      found: isTold
        ? "--log-later, and no timestamp authority"
        : "neither a timestamp authority nor a log that tells the time",
      wanted: "a timestamp authority in the signing configuration, or --timestamp-server-url",
    },
  );
}

/** The same for legacy signatures, which have a place for the promise of a Rekor 1 log and none for a proof. @throws `unsupported`. */
export function promising(services: SigningServices): SigningServices {
  const first = asRekor1(services);
  const { logs } = first;
  if (logs.count === 0 || logs.services.some(({ majorApiVersion }) => majorApiVersion === 1)) return first;
  throw new CountersignError("unsupported", "a legacy signature cannot hold an entry of this log", {
    found: "a Rekor 2 log, and --format cosign-legacy",
    wanted: "--format bundle, or a Rekor 1 log",
  });
}

function asRekor1(services: SigningServices): SigningServices {
  const { logs } = services;
  const first = logs.services.map(({ url, majorApiVersion = 1 }) => ({ url, majorApiVersion }));
  return { ...services, logs: { ...logs, services: first } };
}
