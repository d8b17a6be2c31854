import { CountersignError } from "../../core/errors.ts";
import { describeAge, formatInstant, type Instant } from "../../core/time.ts";
import { peerText } from "../http/redact.ts";
import type { Fault, FaultTable } from "./faults.ts";
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
  readonly faults: FaultTable;
}

/**
 * Why tuf-js refused, in our words. It has decided; this only finds out what to say, in the order in which it checks:
 * what the file rests on, signatures, hashes, versions, expiry.
 */
export function explainRefusal(thrown: unknown, at: Circumstances): CountersignError {
  const { served } = at;
  const reason = thrown instanceof Error ? peerText(thrown.message) : "no reason";
  const what = served === undefined ? at.name : `${nameRole(served.role)} of ${at.name}`;
  const unbelievable = () =>
    rejected(at, "malformed", `${what} cannot be believed`, {
      found: reason,
      wanted: "metadata as TUF describes it",
      cause: thrown,
    });
  if (served === undefined) return unbelievable();
  return (
    staleParent(served.metadata.kind, at) ??
    tooFewSignatures(reason, served, at, thrown) ??
    wrongSuccessor(served, at, thrown) ??
    expired(served.role, served.metadata, at) ??
    expiredBefore(served.role, at) ??
    unbelievable()
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

function expired(
  role: string,
  { version, expires }: Pick<UntrustedMetadata, "version" | "expires">,
  at: Circumstances,
): CountersignError | undefined {
  const { name, now } = at;
  if (now < expires) return undefined;
  return rejected(at, role === "root" ? "root-expired" : "expired", `${nameRole(role)} of ${name} has expired`, {
    found: `version ${version}, valid until ${formatInstant(expires)}, ${describeAge(expires, now)}`,
    wanted: `one that is valid at ${formatInstant(now)} by this machine's clock`,
  });
}

/** Of two of one version, tuf-js keeps to the one that it knew. */
function expiredBefore(role: string, at: Circumstances): CountersignError | undefined {
  const metadata = at.trusted(role);
  return metadata === undefined ? undefined : expired(role, metadata, at);
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
    at,
    role === "root" ? "root-chain" : "signatures",
    `${nameRole(role)} of ${at.name} lacks valid signatures`,
    {
      found: `${valid} of them on version ${metadata.version}`,
      wanted: `${threshold}, by the keys that ${delegator(role)} names`,
      cause,
    },
  );
}

function delegator(role: string): string {
  const isTopLevel = ["root", "timestamp", "snapshot", "targets"].includes(role);
  return isTopLevel ? "the root" : "its delegator";
}

function wrongSuccessor(served: Served, at: Circumstances, cause: unknown): CountersignError | undefined {
  const { role, metadata } = served;
  const fail: Fail = (fault, found, wanted) => {
    return rejected(at, fault, `${nameRole(role)} of ${at.name} ${WRONG[fault]}`, { found, wanted, cause });
  };
  const known = at.trusted(role)?.version;
  switch (metadata.kind) {
    case "root":
      return metadata.version - 1 === known
        ? undefined
        : fail("root-gap", `version ${metadata.version}`, `version ${(known ?? 0) + 1}`);
    case "timestamp":
      return rolledBack(metadata, known, fail) ?? lostFiles(metadata, at.trusted(role), fail);
    case "snapshot":
      return notAsListed(served, at.trusted("timestamp"), fail) ?? lostFiles(metadata, at.trusted(role), fail);
    default:
      return notAsListed(served, at.trusted("snapshot"), fail);
  }
}

/** How what is served does not follow from what is known. */
const WRONG = {
  "root-gap": "is not the next one",
  older: "goes back behind what was seen before",
  vanished: "lacks a file that was listed before",
  "not-listed": "is not the one that is listed",
} as const satisfies Partial<Record<Fault, string>>;

type Fail = (fault: keyof typeof WRONG, found: string, wanted: string) => CountersignError;

function rolledBack(
  { version }: UntrustedMetadata,
  known: number | undefined,
  fail: Fail,
): CountersignError | undefined {
  if (known === undefined || version >= known) return undefined;
  return fail("older", `version ${version}`, `version ${known} or later`);
}

/** A file that was listed must stay, and must not go back (TUF 1.0.34, 5.4.3.2 and 5.5.5). */
function lostFiles(
  metadata: UntrustedMetadata,
  known: UntrustedMetadata | undefined,
  fail: Fail,
): CountersignError | undefined {
  for (const [file, { version }] of known?.files ?? []) {
    const now = metadata.files.get(file)?.version;
    if (now === undefined) return fail("vanished", `nothing about ${file}`, `version ${version} of it, or later`);
    if (now < version) return fail("older", `version ${now} of ${file}`, `version ${version} or later`);
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
  const unlisted = (found: string, wanted: string) => fail("not-listed", found, wanted);
  if (entry === undefined)
    return unlisted("a file that is not listed", `${role}.json in the ${parent?.kind ?? "list"}`);
  const { version, length, hashes } = entry;
  if (length !== undefined && length !== bytes.byteLength) {
    return unlisted(`${bytes.byteLength} bytes`, `${length} bytes`);
  }
  if (hashes !== undefined && !hasHashes(bytes, hashes)) return unlisted("another hash", `${Object.values(hashes)[0]}`);
  if (metadata.version === version) return undefined;
  return unlisted(`version ${metadata.version}`, `version ${version}, as listed`);
}

/** For messages: "the timestamp", "the list of targets", "the role releases". */
export function nameRole(role: string): string {
  if (role === "targets") return "the list of targets";
  return delegator(role) === "the root" ? `the ${role}` : `the role ${role}`;
}

function rejected(
  { faults, name }: Pick<Circumstances, "faults" | "name">,
  fault: Fault,
  message: string,
  particulars: { readonly found: string; readonly wanted: string; readonly cause?: unknown },
): CountersignError {
  return new CountersignError(faults.codes[fault], message, { ...particulars, next: faults.next?.(fault, name) });
}
