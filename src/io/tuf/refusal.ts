import { CountersignError } from "../../core/errors.ts";
import { describeAge, formatInstant, type Instant } from "../../core/time.ts";
import { peerText } from "../http/redact.ts";
import { hasHashes } from "./hashes.ts";
import type { FileEntry, Kind, UntrustedMetadata } from "./untrusted.ts";

/** What was served last: where tuf-js refuses, it refuses this, or something that this rests on. */
export interface Served {
  readonly role: string;
  readonly bytes: Uint8Array;
  readonly metadata: UntrustedMetadata;
}

/** What was at hand when tuf-js refused. */
export interface Circumstances {
  /** For messages: `tuf.example`. */
  readonly name: string;
  readonly now: Instant;
  /** Trusted metadata by role. */
  readonly trusted: (role: string) => UntrustedMetadata | undefined;
  readonly served: Served | undefined;
}

/**
 * Why tuf-js refused, in our words. It has decided; this only finds out what to say, in the order in which it checks:
 * what the file rests on, signatures, hashes, versions, expiry.
 */
export function explainRefusal(thrown: unknown, at: Circumstances): CountersignError {
  const { served } = at;
  const reason = thrown instanceof Error ? peerText(thrown.message) : "no reason";
  if (served === undefined)
    return rejected(`${at.name} cannot be believed`, reason, "metadata as TUF describes it", thrown);
  return (
    staleParent(served.metadata.kind, at) ??
    tooFewSignatures(reason, served, at, thrown) ??
    wrongSuccessor(served, at, thrown) ??
    expired(served.role, served.metadata, at) ??
    rejected(
      `${nameRole(served.role)} of ${at.name} cannot be believed`,
      reason,
      "metadata as TUF describes it",
      thrown,
    )
  );
}

/** What was to be verified against an expired file is not looked at any more. */
const PARENTS: Readonly<Record<Kind, readonly string[]>> = {
  root: [],
  timestamp: ["root"],
  snapshot: ["root", "timestamp"],
  targets: ["root", "timestamp", "snapshot"],
};

function staleParent(kind: Kind, at: Circumstances): CountersignError | undefined {
  for (const role of PARENTS[kind]) {
    const metadata = at.trusted(role);
    const error = metadata === undefined ? undefined : expired(role, metadata, at);
    if (error !== undefined) return error;
  }
  return undefined;
}

/** `trust-stale` where metadata has expired. */
export function expired(
  role: string,
  { version, expires }: Pick<UntrustedMetadata, "version" | "expires">,
  { name, now }: Pick<Circumstances, "name" | "now">,
): CountersignError | undefined {
  if (now < expires) return undefined;
  return new CountersignError("trust-stale", `${nameRole(role)} of ${name} has expired`, {
    found: `version ${version}, valid until ${formatInstant(expires)}, ${describeAge(expires, now)}`,
    wanted: `one that is valid at ${formatInstant(now)}`,
    next: `check this machine's clock; if it is right, whoever runs ${name} has to publish anew`,
  });
}

/** tuf-js counts; of what it says, only the numbers are used. */
function tooFewSignatures(
  reason: string,
  { role, metadata }: Served,
  at: Circumstances,
  cause: unknown,
): CountersignError | undefined {
  const [, valid, threshold] = /was signed by ([0-9]+)\/([0-9]+) keys/.exec(reason) ?? [];
  if (valid === undefined || threshold === undefined) return undefined;
  return rejected(
    `${nameRole(role)} of ${at.name} lacks valid signatures`,
    `${valid} of them on version ${metadata.version}`,
    `${threshold}, by the keys that ${delegator(role)} names`,
    cause,
  );
}

function delegator(role: string): string {
  const isTopLevel = ["root", "timestamp", "snapshot", "targets"].includes(role);
  return isTopLevel ? "the root" : "its delegator";
}

function wrongSuccessor(served: Served, at: Circumstances, cause: unknown): CountersignError | undefined {
  const { role, metadata } = served;
  const fail = (found: string, wanted: string) =>
    rejected(`${nameRole(role)} of ${at.name} does not follow from what is known`, found, wanted, cause);
  const known = at.trusted(role)?.version;
  switch (metadata.kind) {
    case "root":
      return metadata.version - 1 === known
        ? undefined
        : fail(`version ${metadata.version}`, `version ${(known ?? 0) + 1}`);
    case "timestamp":
      return rolledBack(metadata, known, fail) ?? lostFiles(metadata, at.trusted(role), fail);
    case "snapshot":
      return notAsListed(served, at.trusted("timestamp"), fail) ?? lostFiles(metadata, at.trusted(role), fail);
    default:
      return notAsListed(served, at.trusted("snapshot"), fail);
  }
}

type Fail = (found: string, wanted: string) => CountersignError;

function rolledBack(
  { version }: UntrustedMetadata,
  known: number | undefined,
  fail: Fail,
): CountersignError | undefined {
  return known === undefined || version >= known ? undefined : fail(`version ${version}`, `version ${known} or later`);
}

/** A file that was listed must stay, and must not go back (TUF 1.0.34, 5.4.3.2 and 5.5.5). */
function lostFiles(
  metadata: UntrustedMetadata,
  known: UntrustedMetadata | undefined,
  fail: Fail,
): CountersignError | undefined {
  for (const [file, { version }] of known?.files ?? []) {
    const now = metadata.files.get(file)?.version;
    if (now === undefined) return fail(`nothing about ${file}`, `version ${version} of it, or later`);
    if (now < version) return fail(`version ${now} of ${file}`, `version ${version} or later`);
  }
  return undefined;
}

/** Versions, sizes and hashes are listed one level up: anything else is a mixture of two states of the repository. */
function notAsListed(
  { role, bytes, metadata }: Served,
  parent: UntrustedMetadata | undefined,
  fail: Fail,
): CountersignError | undefined {
  const entry: FileEntry | undefined = parent?.files.get(`${role}.json`);
  if (entry === undefined) return fail("a file that is not listed", `${role}.json in the ${parent?.kind ?? "list"}`);
  const { version, length, hashes } = entry;
  if (length !== undefined && length !== bytes.byteLength) return fail(`${bytes.byteLength} bytes`, `${length} bytes`);
  if (hashes !== undefined && !hasHashes(bytes, hashes)) return fail("another hash", `${Object.values(hashes)[0]}`);
  return metadata.version === version
    ? undefined
    : fail(`version ${metadata.version}`, `version ${version}, as listed`);
}

/** For messages: "the timestamp", "the list of targets", "the role releases". */
export function nameRole(role: string): string {
  if (role === "targets") return "the list of targets";
  return delegator(role) === "the root" ? `the ${role}` : `the role ${role}`;
}

function rejected(message: string, found: string, wanted: string, cause: unknown): CountersignError {
  return new CountersignError("trust-rejected", message, { found, wanted, cause });
}
