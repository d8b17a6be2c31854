import { encodeUtf8 } from "../bytes.ts";
import { CountersignError } from "../errors.ts";
import { malformed } from "../formats/members.ts";
import { parseJsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import type { Digest } from "../oci/digest.ts";
import { formatInstantExactly, type Instant } from "../time.ts";
import type { ImageFacts } from "./audit.ts";
import { parseFacts } from "./facts.ts";
import { Members } from "./members.ts";
import { readRecord } from "./parse.ts";

/** What a journal is the journal of: results belong to these questions and to no others. */
export interface JournalHeader {
  /** `digestOfItems` of what is looked at. */
  readonly items: Digest;
  readonly standard: Digest;
  /** The reference time of the first run, and so of all that go on with it. */
  readonly at: Instant;
  /** When the first run began, by its clock. */
  readonly begun: Instant;
}

const WHAT = "the journal";
const KIND = "countersign audit";
const VERSION = 1;

/** One line. */
export function formatJournalHeader({ items, standard, at, begun }: JournalHeader): string {
  const times = { at: formatInstantExactly(at), begun: formatInstantExactly(begun) };
  return JSON.stringify({ journal: KIND, version: VERSION, items, standard, ...times });
}

/** @throws CountersignError `record-invalid`: of another kind, or of a newer version. */
export function parseJournalHeader(text: string, label: string): JournalHeader {
  return readRecord(label, () => {
    const options = { what: WHAT, code: "record-invalid", maxBytes: LIMITS.auditRecordBytes } as const;
    const json = parseJsonObject(encodeUtf8(text), options);
    const { version, journal } = json;
    if (journal !== KIND) throw malformed("the journal is of something else", String(journal), KIND);
    if (version !== VERSION)
      throw malformed(`${WHAT} is of another version`, `version ${version}`, `version ${VERSION}`);
    const members = new Members(json, WHAT, ["journal", "version", "items", "standard", "at", "begun"]);
    const [items, standard] = [members.digest("items"), members.digest("standard")];
    return { items, standard, at: members.time("at"), begun: members.time("begun") };
  });
}

/**
 * What an earlier run found out, by image.
 *
 * @throws CountersignError `record-invalid`, also for what a journal never holds: what was not determined.
 */
export function readJournalRecords(records: readonly string[], label: string): ReadonlyMap<string, ImageFacts> {
  const facts = records.map((record) => parseFacts(record, label, LIMITS.auditRecordBytes));
  const open = facts.find(({ verdict }) => verdict === "undetermined");
  if (open === undefined) return new Map(facts.map((each) => [each.image, each]));
  throw new CountersignError("record-invalid", `${label}: the journal holds what was not determined`, {
    found: open.image,
  });
}

/** @throws CountersignError `record-invalid` where the journal answers another question, or is too old to be gone on with. */
export function requireJournalOf(header: JournalHeader, wanted: JournalHeader, label: string): void {
  if (header.items !== wanted.items) throw foreign(label, "of other images", header.items, wanted.items);
  if (header.at !== wanted.at) {
    throw foreign(label, "of another time", formatInstantExactly(header.at), formatInstantExactly(wanted.at));
  }
  if (header.standard !== wanted.standard) {
    throw foreign(label, "by another standard", header.standard, wanted.standard);
  }
  const age = wanted.begun - header.begun;
  if (age >= 0 && age <= LIMITS.journalAgeMs) return;
  const hours = LIMITS.journalAgeMs / 3_600_000;
  throw foreign(label, "too old", `begun at ${formatInstantExactly(header.begun)}`, `begun within ${hours} hours`);
}

function foreign(label: string, what: string, found: string, wanted: string): CountersignError {
  return new CountersignError("record-invalid", `${label}: the journal is ${what}`, {
    found,
    wanted,
    next: "move the file away and start again",
  });
}
