import { RFC3161Timestamp } from "@sigstore/core";
import { type Certificate, parseCertificate } from "../crypto/certificate.ts";
import { type Finding, toFinding } from "../errors.ts";
import type { UntrustedMaterial } from "../formats/envelope.ts";
import { LIMITS } from "../limits.ts";
import { type Instant, isInstant } from "../time.ts";
import { identityOf } from "./certificate-identity.ts";
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
  try {
    const certificate = parseCertificate(der, "the signing certificate", "certificate-untrusted");
    const { notBefore: from, notAfter: until } = certificate;
    return { ...readIdentity(certificate), validity: { from, until } };
  } catch (error) {
    return { problem: toFinding(error) };
  }
}

function readIdentity(certificate: Certificate): Pick<ClaimedMaterial, "identity" | "problem"> {
  try {
    return { identity: identityOf(certificate) };
  } catch (error) {
    return { problem: toFinding(error) };
  }
}

function logTime(seconds: bigint): number {
  return Number(seconds) * 1000;
}

/** What is larger than a timestamp is none, and would take a hundred times its size to be parsed. */
function timestampTime(token: Uint8Array): number {
  if (token.byteLength > LIMITS.timestampAnswerBytes) return Number.NaN;
  try {
    return RFC3161Timestamp.parse(Buffer.from(token)).signingTime.getTime();
  } catch {
    return Number.NaN;
  }
}

function claim(by: ClaimedTime["by"], at: number): readonly ClaimedTime[] {
  return isInstant(at) ? [{ by, at }] : [];
}
