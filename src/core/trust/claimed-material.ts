import { X509Certificate } from "node:crypto";
import { RFC3161Timestamp } from "@sigstore/core";
import { type Finding, toFinding } from "../errors.ts";
import type { UntrustedMaterial } from "../formats/envelope.ts";
import { type Instant, isInstant } from "../time.ts";
import { readCertificateIdentity } from "./certificate-identity.ts";
import type { CertificateIdentity } from "./identity.ts";

/** What lies beside a signature, as it describes itself. Anybody may have made any of it. */
export interface ClaimedMaterial {
  /** Whom the certificate names. */
  readonly identity?: CertificateIdentity | undefined;
  /** The first and the last moment of the certificate. */
  readonly validity?: { readonly from: Instant; readonly until: Instant } | undefined;
  /** Why the certificate names nobody. */
  readonly problem?: Finding | undefined;
  /** Of its log entries, in their order. */
  readonly logIndexes: readonly string[];
  /** When it was signed, as logs and timestamp authorities are said to say; in the order of the times. */
  readonly times: readonly ClaimedTime[];
}

export interface ClaimedTime {
  readonly by: "log" | "authority";
  readonly at: Instant;
}

/** Reads what can be read; what cannot is left out. Proves nothing: that is what a trust root is for. */
export function readClaimedMaterial({ certificates, logEntries, timestamps }: UntrustedMaterial): ClaimedMaterial {
  const [leaf] = certificates;
  const times = [
    ...logEntries.flatMap(({ integratedTime }) =>
      integratedTime === undefined ? [] : claim("log", logTime(integratedTime)),
    ),
    ...timestamps.flatMap((token) => claim("authority", timestampTime(token))),
  ];
  return {
    ...(leaf === undefined ? {} : readCertificate(leaf)),
    logIndexes: logEntries.map(({ logIndex }) => String(logIndex)),
    times: times.toSorted((a, b) => a.at - b.at),
  };
}

function readCertificate(der: Uint8Array): Pick<ClaimedMaterial, "identity" | "validity" | "problem"> {
  const validity = readValidity(der);
  try {
    return { identity: readCertificateIdentity(der), validity };
  } catch (error) {
    return { problem: toFinding(error), validity };
  }
}

function readValidity(der: Uint8Array): ClaimedMaterial["validity"] {
  try {
    const { validFromDate, validToDate } = new X509Certificate(der);
    const [from, until] = [validFromDate.getTime(), validToDate.getTime()];
    return isInstant(from) && isInstant(until) ? { from, until } : undefined;
  } catch {
    return undefined;
  }
}

function logTime(seconds: bigint): number {
  return Number(seconds) * 1000;
}

function timestampTime(token: Uint8Array): number {
  try {
    return RFC3161Timestamp.parse(Buffer.from(token)).signingTime.getTime();
  } catch {
    return Number.NaN;
  }
}

function claim(by: ClaimedTime["by"], at: number): readonly ClaimedTime[] {
  return isInstant(at) ? [{ by, at }] : [];
}
