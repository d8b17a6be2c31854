import { equalBytes } from "../bytes.ts";
import {
  type Certificate,
  describeCertificate,
  describeIssuer,
  describeName,
  parseCertificate,
} from "../crypto/certificate.ts";
import { mayLead, PURPOSES, proveChain } from "../crypto/chain.ts";
import { type PublicKey, publicKeyFrom } from "../crypto/public-key.ts";
import { CountersignError } from "../errors.ts";
import type { UntrustedSignature } from "../formats/envelope.ts";
import { LIMITS } from "../limits.ts";
import type { Digest } from "../oci/digest.ts";
import type { Instant } from "../time.ts";
import { identityOf } from "./certificate-identity.ts";
import { checkLogWindow, type Maker, type ProvenEntry, proveEntries, refuseDuplicates } from "./logs.ts";
import type { CertificateProof, Demands, SignatureProof, TrustMaterial } from "./material.ts";
import type { Authority, TrustRoot } from "./root.ts";
import { proveCertificateLogs } from "./scts.ts";
import { type ProvenTime, proveTimestamp } from "./times.ts";

/** Proves signatures by a trust root (Sigstore client-spec.md, section 4). */
export class SigstoreTrust implements TrustMaterial {
  readonly label: string;
  readonly #root: TrustRoot;

  constructor(root: TrustRoot, label: string) {
    this.label = label;
    this.#root = root;
  }

  get digest(): Digest {
    return this.#root.digest;
  }

  get namesCertificateLogs(): boolean {
    return this.#root.certificateLogs.length > 0;
  }

  proveCertificate(signature: UntrustedSignature, demands: Demands, now: Instant): CertificateProof {
    checkBounds(signature);
    const { leaf, intermediates } = readCertificates(signature);
    this.#requireIssuer(leaf, intermediates);
    const publicKey = keyOf(leaf);
    const maker = { key: publicKey, logged: { kind: "certificate", der: leaf.der } } as const;
    const proven = this.#proveWitnesses(signature, maker, demands);
    const times = judgedAt(proven, demands, now);
    checkWindows(proven, times);
    const { issuer } = proveChain({
      leaf,
      intermediates,
      anchors: this.#root.authorities,
      purpose: PURPOSES.codeSigning,
      times,
      code: "certificate-untrusted",
      what: "the signing certificate",
    });
    const certificateLogs = proveCertificateLogs(leaf, issuer, this.#root.certificateLogs).map(({ name }) => name);
    requireCertificateLogs(certificateLogs, demands.certificateLogs);
    return { ...summary(proven), certificateLogs, identity: identityOf(leaf), publicKey };
  }

  proveKey(signature: UntrustedSignature, key: PublicKey, demands: Demands, now: Instant): SignatureProof {
    checkBounds(signature);
    const maker = { key, logged: { kind: "key", der: key.spki } } as const;
    const proven = this.#proveWitnesses(signature, maker, demands);
    requireTimes(proven, demands.times);
    if (timesOf(proven).length === 0) checkWindows(proven, [now]);
    return { ...summary(proven), certificateLogs: [] };
  }

  /** Before anything is computed: a signature of another instance is the commonest of all that do not do. */
  #requireIssuer(leaf: Certificate, intermediates: readonly Certificate[]): void {
    const anchors = this.#root.authorities;
    if (mayLead({ leaf, intermediates, anchors })) return;
    throw new CountersignError("certificate-untrusted", "the signing certificate is by another authority", {
      found: `one by ${describeIssuer(leaf)}`,
      wanted: describeAuthorities(anchors, leaf) || "an authority in the trust root, which has none",
    });
  }

  #proveWitnesses(signature: UntrustedSignature, maker: Maker, demands: Demands): Witnesses {
    const timestamps = signature.timestamps.flatMap((token) => {
      const time = proveTimestamp(token, signature.timestamped, this.#root.timestampAuthorities);
      return time === undefined ? [] : [time];
    });
    const stamped = timestamps.map(({ at }) => at);
    const entries = proveEntries(signature, maker, this.#root.logs, stamped);
    const proven = { entries, timestamps };
    checkWindows(proven, timesOf(proven));
    requireLogs(signature, entries, demands.logs);
    requireTimestamps(signature, timestamps, demands.timestamps);
    return proven;
  }
}

/** Who vouches for a signature, proven. */
interface Witnesses {
  readonly entries: readonly ProvenEntry[];
  readonly timestamps: readonly ProvenTime[];
}

// --- reading ----------------------------------------------------------------------------------------------------------

/** Whoever made the value may not have counted (CVE-2024-45395). */
function checkBounds(signature: UntrustedSignature): void {
  const { logEntries, timestamps, certificates } = signature;
  checkBound(logEntries, "log entries", LIMITS.bundleLogEntries);
  checkBound(timestamps, "timestamps", LIMITS.bundleTimestamps);
  checkBound(certificates, "certificates", LIMITS.bundleCertificates);
  refuseDuplicates(signature);
}

function checkBound(list: readonly unknown[], what: string, most: number): void {
  if (list.length <= most) return;
  const found = `${list.length} ${what}`;
  throw new CountersignError("limit-reached", `the signature carries too many ${what}`, {
    found,
    wanted: `at most ${most}`,
  });
}

function readCertificates({ certificates }: UntrustedSignature): {
  readonly leaf: Certificate;
  readonly intermediates: readonly Certificate[];
} {
  const [leaf, ...others] = certificates;
  if (leaf === undefined) {
    throw new CountersignError("certificate-untrusted", "the signature carries no certificate", {
      found: "a bare key's signature",
      wanted: "a certificate that names who signed",
    });
  }
  return {
    leaf: parseCertificate(leaf, "the signing certificate", "certificate-untrusted"),
    intermediates: others.flatMap(readIntermediate),
  };
}

/** It can only help: one that cannot be read does not. */
function readIntermediate(der: Uint8Array): readonly Certificate[] {
  try {
    return [parseCertificate(der, "a certificate beside the signature", "certificate-untrusted")];
  } catch {
    return [];
  }
}

/** By their names; those whose name the leaf's issuer has too, by their keys. */
function describeAuthorities(authorities: readonly Authority[], leaf: Certificate): string {
  const issuers = authorities.flatMap(({ chain }) => chain.slice(0, 1));
  const namesakes = issuers.filter(({ subject }) => equalBytes(subject, leaf.issuer));
  const names =
    namesakes.length > 0 ? namesakes.map(describeCertificate) : issuers.map((each) => describeName(each.subject));
  return [...new Set(names)].join(" or ");
}

function keyOf(leaf: Certificate): PublicKey {
  try {
    return publicKeyFrom(leaf.key, "the certificate's key");
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause;
    const { found, wanted } = cause;
    throw new CountersignError("certificate-untrusted", cause.message, { found, wanted, cause });
  }
}

// --- times ------------------------------------------------------------------------------------------------------------

function timesOf({ entries, timestamps }: Witnesses): readonly Instant[] {
  return [
    ...timestamps.map(({ at }) => at),
    ...entries.flatMap(({ integratedAt }) => (integratedAt === undefined ? [] : [integratedAt])),
  ];
}

/** A log without a time of its own has to have been believed when others say that the signature was made. */
function checkWindows({ entries }: Witnesses, times: readonly Instant[]): void {
  for (const { log, integratedAt } of entries) {
    if (integratedAt === undefined) for (const time of times) checkLogWindow(log, time);
  }
}

/** At what times the certificate has to have been valid; there is always one. */
function judgedAt(proven: Witnesses, demands: Demands, now: Instant): readonly Instant[] {
  const times = timesOf(proven);
  if (times.length === 0 && demands.currentTime) return [now];
  requireTimes(proven, Math.max(1, demands.times));
  return times;
}

// --- demands ----------------------------------------------------------------------------------------------------------

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many} of the trust root`;
}

/** Distinct operators; entries of one log, or of two by the same people, are one witness (CVE-2026-49834). */
function requireLogs({ logEntries }: UntrustedSignature, proven: readonly ProvenEntry[], wanted: number): void {
  const operators = new Set(proven.map(({ log }) => log.operator));
  if (operators.size >= wanted) return;
  throw new CountersignError("log-entry-missing", "the signature is in too few transparency logs", {
    found: describeSeen(
      operators,
      logEntries.length - proven.length,
      "entry of an unknown log",
      "entries of unknown logs",
    ),
    wanted: count(wanted, "log"),
  });
}

function requireTimestamps({ timestamps }: UntrustedSignature, proven: readonly ProvenTime[], wanted: number): void {
  const operators = new Set(proven.map(({ authority }) => authority.operator));
  if (operators.size >= wanted) return;
  const unknown = timestamps.length - proven.length;
  throw new CountersignError("timestamp-missing", "too few timestamp authorities vouch for the time of signing", {
    found: describeSeen(operators, unknown, "timestamp by an unknown authority", "timestamps by unknown authorities"),
    wanted: count(wanted, "timestamp authority", "timestamp authorities"),
  });
}

function requireCertificateLogs(proven: readonly string[], wanted: number): void {
  if (proven.length >= wanted) return;
  throw new CountersignError("certificate-untrusted", "too few certificate logs vouch for the certificate (SCT)", {
    found: proven.join(", ") || "none that the trust root knows",
    wanted: count(wanted, "certificate log"),
  });
}

function describeSeen(known: ReadonlySet<string>, unknown: number, one: string, many: string): string {
  const others = unknown === 0 ? [] : [`${unknown} ${unknown === 1 ? one : many}`];
  return [...known, ...others].join(", ") || "none";
}

function requireTimes({ entries, timestamps }: Witnesses, wanted: number): void {
  const witnesses = new Set([
    ...timestamps.map(({ authority }) => `authority ${authority.operator}`),
    ...entries.flatMap(({ log, integratedAt }) => (integratedAt === undefined ? [] : [`log ${log.operator}`])),
  ]);
  if (witnesses.size >= wanted) return;
  throw new CountersignError("timestamp-missing", "nothing proves when the signature was made", {
    found: [...witnesses].join(", ") || "no timestamp and no log's time that the trust root vouches for",
    wanted: `the time, by ${wanted === 1 ? "one authority or log" : `${wanted} authorities or logs`} of the trust root`,
  });
}

function summary({ entries, timestamps }: Witnesses): Omit<SignatureProof, "certificateLogs"> {
  const [earliest] = timesOf({ entries, timestamps }).toSorted((a, b) => a - b);
  return {
    logs: entries.map(({ log, index, integratedAt }) => ({ log: log.name, index: String(index), integratedAt })),
    timestamps: timestamps.map(({ authority, at }) => ({ authority: authority.name, at })),
    signedAt: earliest,
  };
}
