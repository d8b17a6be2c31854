import { createHash } from "node:crypto";
import { type SignedEntity, type TrustMaterial, VerificationError, Verifier } from "@sigstore/verify";
import { encodeHex, equalBytes } from "../bytes.ts";
import { verifySigned } from "../crypto/digest-signature.ts";
import type { PublicKey } from "../crypto/public-key.ts";
import { CountersignError } from "../errors.ts";
import type { UntrustedLogEntry, UntrustedSignature } from "../formats/envelope.ts";
import { describeWindow, formatInstant, type Instant, isInstant } from "../time.ts";
import { ownCheckpoint } from "./checkpoint.ts";
import { checkBody, type LoggedSigner } from "./log-body.ts";
import type { Log } from "./root.ts";

/** An entry that a log of the trust root holds. */
export interface ProvenEntry {
  readonly log: Log;
  readonly index: bigint;
  /** The log's own time, where its promise covers it. */
  readonly integratedAt: Instant | undefined;
}

/** Who made a signature, as far as logs and the signature itself are concerned. */
export interface Maker {
  readonly key: PublicKey;
  /** What log entries have to name. */
  readonly logged: LoggedSigner;
}

function invalid(message: string, found: string, wanted: string, cause?: unknown): CountersignError {
  return new CountersignError("log-entry-invalid", message, { found, wanted, cause });
}

/**
 * Verifies a signature with a key, and the entries that logs of the trust root made of it: promise, proof of inclusion,
 * checkpoint, and that the entry is about this signature by this key or certificate. Entries of other logs are passed over.
 * `stamped` are the times at which others say that it was made, for entries whose log does not say.
 *
 * @throws CountersignError `bad-signature`, `log-entry-invalid`, `malformed-signature`.
 */
export function proveEntries(
  signature: UntrustedSignature,
  maker: Maker,
  logs: readonly Log[],
  stamped: readonly Instant[],
): readonly ProvenEntry[] {
  const known = signature.logEntries.flatMap((entry) => {
    const log = logOf(entry, logs, stamped);
    return log === undefined ? [] : [{ entry, log }];
  });
  const entries = known.map(({ entry, log }) => {
    checkEntry(entry, log);
    checkBody(entry, signature, maker.logged);
    return libraryEntry(entry, log);
  });
  runLibrary(
    signature,
    maker.key,
    entries,
    known.map(({ log }) => log),
  );
  return known.map(({ entry, log }) => provenEntry(entry, log));
}

/** By its id; where a log stands in the trust root more than once, the one whose window its time is in. */
function logOf(entry: UntrustedLogEntry, logs: readonly Log[], stamped: readonly Instant[]): Log | undefined {
  const named = logs.filter(({ id }) => equalBytes(id, entry.logId));
  const time = promisedTime(entry);
  const times = time === undefined ? stamped : [time];
  return named.find((log) => times.every((each) => isWithin(log, each))) ?? named[0];
}

/** The log's time, which is anybody's word unless its promise covers it. */
function promisedTime({ promise, integratedTime }: UntrustedLogEntry): Instant | undefined {
  const time = Number(integratedTime ?? 0n) * 1000;
  return promise !== undefined && time > 0 && isInstant(time) ? time : undefined;
}

function isWithin({ from, until }: Log, time: Instant): boolean {
  return time >= from && (until === undefined || time <= until);
}

/** @throws CountersignError `log-entry-invalid` where the log's key was not believed at that time. */
export function checkLogWindow(log: Log, time: Instant): void {
  if (isWithin(log, time)) return;
  const wanted = `${log.name}, believed ${describeWindow(log.from, log.until)} in the trust root`;
  throw invalid("a log entry is of a time when its log was not believed", formatInstant(time), wanted);
}

function checkEntry(entry: UntrustedLogEntry, log: Log): void {
  const { promise, proof } = entry;
  if (promise === undefined && proof === undefined) {
    throw invalid("a log entry proves nothing", "neither a promise nor a proof", "a proof of inclusion");
  }
  if (promise !== undefined) {
    const time = promisedTime(entry);
    if (time === undefined) throw invalid("a log's promise has no time", "no integratedTime", "a time");
    if (entry.logIndex > MAX_PROMISED) throw invalid("a log's index is too large", `${entry.logIndex}`, "below 2^53");
    checkLogWindow(log, time);
  }
  // Rekor 2: a log is one tree, and the index outside of the proof has no meaning of its own.
  if (isSecondGeneration(entry) && proof !== undefined && proof.logIndex !== entry.logIndex) {
    throw invalid("a log entry has two places in its log", `${entry.logIndex}`, `${proof.logIndex}, as proven`);
  }
}

/** Promises are made over JSON numbers. */
const MAX_PROMISED = BigInt(Number.MAX_SAFE_INTEGER);

function isSecondGeneration({ kind, version }: UntrustedLogEntry): boolean {
  return kind === "hashedrekord" && version === "0.0.2";
}

function provenEntry(entry: UntrustedLogEntry, log: Log): ProvenEntry {
  const { promise, proof, logIndex } = entry;
  // A proof says where in its tree an entry is; only a promise covers the number that counts over all trees.
  const index = promise === undefined ? (proof?.logIndex ?? logIndex) : logIndex;
  return { log, index, integratedAt: promisedTime(entry) };
}

// --- the library ------------------------------------------------------------------------------------------------------

type LibraryEntry = SignedEntity["tlogEntries"][number];

function libraryEntry(entry: UntrustedLogEntry, log: Log): LibraryEntry {
  const { promise, proof } = entry;
  return {
    logIndex: String(entry.logIndex),
    logId: { keyId: Buffer.from(entry.logId) },
    kindVersion: { kind: entry.kind, version: entry.version },
    integratedTime: String(entry.integratedTime ?? 0n),
    inclusionPromise: promise && { signedEntryTimestamp: Buffer.from(promise) },
    inclusionProof: proof && {
      logIndex: String(proof.logIndex),
      treeSize: String(proof.treeSize),
      rootHash: Buffer.from(proof.rootHash),
      hashes: proof.hashes.map((hash) => Buffer.from(hash)),
      checkpoint: { envelope: ownCheckpoint(proof, log) },
    },
    canonicalizedBody: Buffer.from(entry.body),
  };
}

/** Thresholds are ours: the library counts entries, and mixes the times of logs and authorities. */
const COUNT_NOTHING = { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 };

function runLibrary(
  signature: UntrustedSignature,
  key: PublicKey,
  tlogEntries: LibraryEntry[],
  logs: readonly Log[],
): void {
  const trust: TrustMaterial = {
    certificateAuthorities: [],
    timestampAuthorities: [],
    ctlogs: [],
    tlogs: logs.map(libraryLog),
    publicKey: () => ({ publicKey: key.keyObject, validFor: () => true }),
  };
  const content = signatureContent(signature, key);
  try {
    new Verifier(trust, COUNT_NOTHING).verify({
      signature: content,
      key: { $case: "public-key", hint: "" },
      tlogEntries,
      timestamps: [],
    });
  } catch (cause) {
    throw libraryFailure(cause);
  }
}

const FOREVER = new Date(8_640_000_000_000_000);

function libraryLog({ id, name, key, from, until }: Log): TrustMaterial["tlogs"][number] {
  return {
    logID: Buffer.from(id),
    baseURL: name,
    publicKey: key,
    validFor: { start: new Date(from), end: until === undefined ? FOREVER : new Date(until) },
  };
}

/** What the library asks of a signature: its own classes know SHA-256 alone, no Ed25519 and no bare digests. */
function signatureContent(signature: UntrustedSignature, key: PublicKey): SignedEntity["signature"] {
  return {
    signature: Buffer.from(signature.signature),
    compareSignature: (other) => equalBytes(other, signature.signature),
    compareDigest: (digest) => equalBytes(digest, hashLike(digest, signature.payload ?? new Uint8Array())),
    compareSignedDigest: (digest) => {
      const { signed } = signature;
      return equalBytes(digest, signed.kind === "digest" ? signed.digest : hashLike(digest, signed.bytes));
    },
    verifySignature: () => verifySigned(key, signature.signed, signature.signature),
  };
}

/** The hash that is as long as this one. */
function hashLike(digest: Uint8Array, data: Uint8Array): Uint8Array {
  return createHash(digest.byteLength === 64 ? "sha512" : digest.byteLength === 48 ? "sha384" : "sha256")
    .update(data)
    .digest();
}

/** Nothing that the library throws is a success; only what it says of the signature itself has another reason. */
function libraryFailure(cause: unknown): CountersignError {
  if (cause instanceof CountersignError) return cause;
  if (cause instanceof VerificationError && cause.code === "SIGNATURE_ERROR") {
    return new CountersignError("bad-signature", "the signature does not verify", {
      found: "a signature that its key did not make over this content",
      wanted: "one that it made",
      cause,
    });
  }
  const found = cause instanceof Error ? cause.message : "an unknown failure";
  return invalid("a log's proof of its entry does not hold", found, "a promise and a proof by the log's key", cause);
}

// --- duplicates -------------------------------------------------------------------------------------------------------

/**
 * One entry twice must not make two (CVE-2026-49834).
 *
 * @throws CountersignError `malformed-signature`.
 */
export function refuseDuplicates({ logEntries, timestamps }: UntrustedSignature): void {
  if (logEntries.length < 2 && timestamps.length < 2) return;
  const places = logEntries.map(({ logId, logIndex }) => `${encodeHex(logId)} ${logIndex}`);
  const bodies = logEntries.map(({ logId, body }) => `${encodeHex(logId)} ${encodeHex(body)}`);
  for (const [what, names] of [
    ["log entry", places],
    ["log entry", bodies],
    ["timestamp", timestamps.map(encodeHex)],
  ] as const) {
    if (new Set(names).size === names.length) continue;
    throw new CountersignError("malformed-signature", `the signature carries a ${what} twice`, {
      found: `${names.length} of them, not all different`,
      wanted: "each once",
    });
  }
}
