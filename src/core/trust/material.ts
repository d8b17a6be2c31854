import type { PublicKey } from "../crypto/public-key.ts";
import type { UntrustedSignature } from "../formats/envelope.ts";
import type { Digest } from "../oci/digest.ts";
import type { Instant } from "../time.ts";
import type { CertificateIdentity } from "./identity.ts";

/**
 * What a signature must bring to prove who made it and when: counts of distinct ones. Nought is "not asked for", and the
 * verdict says so.
 */
export interface Demands {
  /** Transparency logs, by operator, that hold the signature. */
  readonly logs: number;
  /** Certificate transparency logs that vouch for the certificate by an embedded timestamp (SCT). */
  readonly certificateLogs: number;
  /** RFC 3161 authorities that vouch for the time of signing. */
  readonly timestamps: number;
  /** Proven times of either kind, an authority's or a log's, at all of which the certificate must have been valid. */
  readonly times: number;
  /** Where no time is proven, judge the certificate by the present: for a private authority, and only when told to. */
  readonly currentTime: boolean;
}

/** Sigstore's public instance, and private ones like it. */
export const PUBLIC_DEMANDS: Demands = {
  logs: 1,
  certificateLogs: 1,
  timestamps: 0,
  times: 1,
  currentTime: false,
};

/** What was proven beside the signature itself. */
export interface SignatureProof {
  /** Label of the trust root that it was proven by. */
  readonly trust?: string | undefined;
  readonly logs: readonly ProvenLogEntry[];
  readonly timestamps: readonly ProvenTimestamp[];
  /** Host names of the logs that vouch for the certificate. */
  readonly certificateLogs: readonly string[];
  /** The earliest proven time; absent where none was. */
  readonly signedAt?: Instant | undefined;
}

export interface ProvenLogEntry {
  /** Host name of the log. */
  readonly log: string;
  readonly index: string;
  /** The log's own time, where its promise covers it. */
  readonly integratedAt?: Instant | undefined;
}

export interface ProvenTimestamp {
  /** Subject of the authority. */
  readonly authority: string;
  readonly at: Instant;
}

export interface CertificateProof extends SignatureProof {
  readonly identity: CertificateIdentity;
  /** The certificate's key. */
  readonly publicKey: PublicKey;
}

/** Whom to believe about certificates, logs and times. Made by `loadTrustMaterial`; nothing in it comes from a signature. */
export interface TrustMaterial {
  /** As it is printed: `trusted_root.json`, `sigstore (refreshed 2 days ago)`. */
  readonly label: string;
  /** Of the bytes of the trust root: two that agree in it prove the same. */
  readonly digest: Digest;
  /** It names logs of certificates, so that signatures can be asked for a certificate that is in one. */
  readonly namesCertificateLogs: boolean;
  /**
   * Proves who made a signature with a certificate: times, log entries, chain, certificate timestamps, and the signature
   * itself. Entries and timestamps of unknown logs and authorities are passed over; one of a known log that is wrong fails.
   *
   * @throws CountersignError `certificate-untrusted`, `log-entry-invalid`, `log-entry-missing`, `timestamp-invalid`,
   * `timestamp-missing`, `bad-signature`, `malformed-signature`, `limit-reached`.
   */
  proveCertificate(signature: UntrustedSignature, demands: Demands, now: Instant): CertificateProof;
  /**
   * Proves that logs and authorities hold a signature that was already verified with a bare key. A log that tells no time
   * has to be believed at the present where nothing else tells it (CVE-2026-54787).
   *
   * @throws CountersignError as `proveCertificate`.
   */
  proveKey(signature: UntrustedSignature, key: PublicKey, demands: Demands, now: Instant): SignatureProof;
}
