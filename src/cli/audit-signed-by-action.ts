import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { Audit } from "../core/audit/audit.ts";
import {
  isExact,
  parseWho,
  type Sighting,
  type SignedBy,
  sightingsOf,
  signedBy,
  type Who,
} from "../core/audit/signed-by.ts";
import { parsePublicKey } from "../core/crypto/public-key.ts";
import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { DURATION_FORM, parseDuration } from "../core/policy/duration.ts";
import { type Instant, isInstant, parseInstant } from "../core/time.ts";
import { pastSightings } from "../io/store/history.ts";
import { signedByDocument, signedByText } from "../report/audit/signed-by.ts";
import { readAuditFile } from "./audit-files.ts";
import { askStore } from "./audit-store.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import { readNamedFile } from "./named-file.ts";
import { type RawOptions, text } from "./options.ts";
import type { Output } from "./output.ts";

/** What is asked: the last audits, and what earlier ones saw beside. */
interface Records {
  readonly audits: readonly Audit[];
  readonly sightings: readonly Sighting[];
}

/** `countersign audit signed-by WHO`. */
export async function askSignedBy(
  context: Context,
  output: Output,
  name: string,
  files: readonly string[],
  raw: RawOptions,
): Promise<void> {
  const since = readSince(text(raw, "since"), context.referenceTime);
  const who = await readWho(context, name);
  const { audits, sightings } = await readRecords(context, who, files, text(raw, "store"));
  const answer = signedBy(sightings, who, since);
  if (answer.signers.length === 0 && !isExact(who)) throw nobody(name, sightings);
  const asked = { who: name, audits, answer };
  await output.result({ text: (style) => signedByText(asked, style), json: () => signedByDocument(asked) });
  context.exitCode = isIncomplete(answer, audits) ? EXIT_CODES.undetermined : EXIT_CODES.done;
}

/** What could not be looked at or read may be theirs as well. */
function isIncomplete({ unseen }: SignedBy, audits: readonly Audit[]): boolean {
  return unseen.length > 0 || audits.some(({ problems }) => problems.length > 0);
}

const KNOWN_SHOWN = 5;

/** A slip of the pen is not to pass for "they signed nothing". */
function nobody(name: string, sightings: readonly Sighting[]): CountersignError {
  const known = [...new Set(sightings.flatMap(({ image }) => image.signers.map((signer) => signer.as ?? signer.name)))];
  const more = known.length > KNOWN_SHOWN ? [`${known.length - KNOWN_SHOWN} more`] : [];
  return new CountersignError("usage", "nobody of that name signed anything that was accepted", {
    found: name,
    wanted:
      known.length === 0
        ? "somebody; no signature was accepted at all"
        : [...known.slice(0, KNOWN_SHOWN), ...more].join(", "),
    next: "name a subject, ISSUER and SUBJECT with a space between, a fingerprint, a public key's file, or what the policy calls them",
  });
}

/** A file with a public key is that key; everything else is a name. */
async function readWho(context: Context, name: string): Promise<Who> {
  if (!(await isFile(resolve(context.workingDirectory, name)))) return parseWho(name);
  const wish = { flag: "audit signed-by", holds: "a public key", maxBytes: LIMITS.keyFileBytes };
  return { kind: "fingerprint", start: parsePublicKey(await readNamedFile(context, name, wish), name).fingerprint };
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** `2026-09-01`, `2026-09-01T12:00:00Z`, or how long ago: `30d`. */
function readSince(since: string | undefined, now: Instant): Instant | undefined {
  if (since === undefined) return undefined;
  const ago = parseDuration(since);
  const at =
    ago === undefined ? parseInstant(/^\d{4}-\d\d-\d\d$/.test(since) ? `${since}T00:00:00Z` : since) : now - ago;
  if (at !== undefined && isInstant(at)) return at;
  throw new CountersignError("usage", "--since takes a day, a time or how long ago", {
    found: since,
    wanted: `2026-09-01, 2026-09-01T12:00:00Z, or ${DURATION_FORM}`,
  });
}

async function readRecords(
  context: Context,
  who: Who,
  files: readonly string[],
  store: string | undefined,
): Promise<Records> {
  if ((store === undefined) === (files.length === 0)) {
    throw new CountersignError("usage", "audits are asked in files or in a store", {
      found: store === undefined ? "neither" : "both",
      wanted: "AUDIT… or --store FILE",
    });
  }
  const [audits, past] =
    store === undefined ? [await readFiles(context, files), []] : await askKept(context, store, who);
  return { audits, sightings: [...audits.flatMap((audit) => sightingsOf(audit)), ...past] };
}

async function readFiles(context: Context, files: readonly string[]): Promise<readonly Audit[]> {
  const audits: Audit[] = [];
  for (const file of files) audits.push(await readAuditFile(context, file, "audit signed-by"));
  return audits;
}

async function askKept(
  context: Context,
  file: string,
  who: Who,
): Promise<readonly [readonly Audit[], readonly Sighting[]]> {
  return await askStore(context, file, (store) => [
    store.latestRuns().map((run) => store.read(run)),
    pastSightings(store, who, file),
  ]);
}
