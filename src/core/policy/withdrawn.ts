import { encodeUtf8 } from "../bytes.ts";
import { CountersignError, type Finding } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { describeAge, formatInstant, type Instant } from "../time.ts";
import { readYaml, type YamlPlace, type YamlValue } from "../yaml.ts";
import { placeName } from "./document.ts";
import { checkName } from "./parse-scope.ts";

/** A list of digests that are not to be run any more, as its file says it: docs/schemas/withdrawn.json. */
export interface Withdrawn {
  /** What it is called, where somebody keeps several: a policy that says a name takes no other's. */
  readonly name?: string | undefined;
  /** When somebody last stood by it: what it does not name was not taken back then. */
  readonly issued: Instant;
  readonly digests: readonly WithdrawnDigest[];
}

export interface WithdrawnDigest {
  readonly digest: Digest;
  readonly reason: string;
  /** When it was taken back; for people. A digest on the list is withdrawn whatever this says. */
  readonly since?: Instant | undefined;
}

const API_VERSION = "countersign/v1";
const KIND = "Withdrawn";
const ABOUT = { code: "policy-invalid", what: "the list of withdrawn digests" } as const;

// --- reading ----------------------------------------------------------------------------------------------------------

/**
 * Reads a list, in JSON or YAML, strictly: nothing unknown in it, every digest once. Whether somebody signed it is not said.
 *
 * @throws CountersignError `policy-invalid` with file, line and column.
 */
export function parseWithdrawn(bytes: Uint8Array, label: string): ReadWithdrawn {
  const root = readYaml(bytes, { label, maxBytes: LIMITS.withdrawnBytes, about: ABOUT });
  const fields = root.fields(["apiVersion", "kind", "name", "issued", "digests"]);
  requireText(required(root, fields.apiVersion, "apiVersion"), API_VERSION);
  requireText(required(root, fields.kind, "kind"), KIND);
  const name = fields.name && checkName(fields.name.text("the name of the list"), fields.name);
  const issued = required(root, fields.issued, "issued").instant();
  const listed = required(root, fields.digests, "digests");
  const entries = listed.items("a list of digests, which may be empty");
  if (entries.length > LIMITS.withdrawnDigests) {
    listed.fail(`${entries.length} digests`, `at most ${LIMITS.withdrawnDigests}`);
  }
  const places = new Map<Digest, YamlPlace>();
  const digests = entries.map((entry) => readEntry(entry, places));
  return { ...(name === undefined ? {} : { name }), issued, digests, places };
}

/** A list that was read. */
export interface ReadWithdrawn extends Withdrawn {
  /** Where each digest stands in its file. */
  readonly places: ReadonlyMap<Digest, YamlPlace>;
}

function required(parent: YamlValue, field: YamlValue | undefined, name: string): YamlValue {
  return field ?? parent.fail(`no ${name}`, `${name} too`);
}

function requireText(field: YamlValue, wanted: string): void {
  const found = field.text(wanted);
  if (found !== wanted) field.fail(JSON.stringify(found), wanted);
}

function readEntry(entry: YamlValue, places: Map<Digest, YamlPlace>): WithdrawnDigest {
  const fields = entry.fields(["digest", "reason", "since"]);
  const named = required(entry, fields.digest, "digest");
  const digest = readDigest(named);
  if (places.has(digest)) named.fail(`${digest} for the second time`, "every digest once");
  places.set(digest, named.place);
  return { digest, reason: readReason(required(entry, fields.reason, "reason")), since: fields.since?.instant() };
}

function readDigest(field: YamlValue): Digest {
  const text = field.text("sha256:…");
  return isDigest(text) ? text : field.fail(JSON.stringify(text), "sha256:… in lower-case hexadecimal");
}

function readReason(field: YamlValue): string {
  const text = field.text("why it was taken back");
  if (text.length <= LIMITS.withdrawnReasonCharacters) return text;
  return field.fail(`${text.length} characters`, `at most ${LIMITS.withdrawnReasonCharacters} characters`);
}

/** A list as what it means to a verdict: why each digest is refused. */
export function withdrawnFindings({ digests, places }: ReadWithdrawn): ReadonlyMap<Digest, Finding> {
  return new Map(
    digests.map(({ digest, reason, since }) => {
      const place = places.get(digest);
      const found = since === undefined ? reason : `${reason} (since ${formatInstant(since)})`;
      return [
        digest,
        { code: "withdrawn", message: "this digest was taken back", found, place: place && placeName(place) },
      ];
    }),
  );
}

/**
 * Holds a list to its age: what it does not name may have been taken back since.
 *
 * @throws CountersignError `trust-stale` for one that is too old, and for one from the future: one of two clocks is wrong.
 */
export function requireRecent(
  { issued }: Withdrawn,
  { label, maxAge }: { readonly label: string; readonly maxAge: number | undefined },
  now: Instant,
): void {
  if (issued > now + LIMITS.clockSkewMs) {
    throw new CountersignError("trust-stale", `the list of withdrawn digests ${label} was not issued yet`, {
      found: `issued at ${formatInstant(issued)}; here it is ${formatInstant(now)}`,
      wanted: "a time before the present",
      next: "set this machine's clock, or have the list issued again: countersign policy withdraw --refresh",
    });
  }
  if (maxAge === undefined || now - issued <= maxAge) return;
  throw new CountersignError("trust-stale", `the list of withdrawn digests ${label} is too old`, {
    found: `issued ${describeAge(issued, now)}, at ${formatInstant(issued)}`,
    wanted: `one that was issued at ${formatInstant((now - maxAge) as Instant)} or later`,
    next: "get the newest list from whoever keeps it, who can issue it again: countersign policy withdraw --refresh",
  });
}

/** @throws CountersignError `policy-untrusted` for another list, whoever has signed it. */
export function requireNamed(
  { name }: Withdrawn,
  { label, name: wanted }: { readonly label: string; readonly name: string | undefined },
): void {
  if (wanted === undefined || name === wanted) return;
  throw new CountersignError("policy-untrusted", `the list of withdrawn digests ${label} is another one`, {
    found: name === undefined ? "a list without a name" : `the list ${name}`,
    wanted: `the list ${wanted}`,
    next: "get the list of this name, with its bundle, from whoever keeps it",
  });
}

// --- adding -----------------------------------------------------------------------------------------------------------

/** A list with more on it, issued now; what was on it before stays as it was. */
export function withDigests(
  list: Withdrawn | undefined,
  digests: readonly Digest[],
  reason: string,
  now: Instant,
): {
  readonly list: Withdrawn;
  readonly added: readonly WithdrawnDigest[];
  readonly known: readonly WithdrawnDigest[];
} {
  if (list !== undefined) requireRecent(list, { label: "that is there", maxAge: undefined }, now);
  const before = list?.digests ?? [];
  const known = before.filter(({ digest }) => digests.includes(digest));
  const added = digests
    .filter((digest) => !known.some((one) => one.digest === digest))
    .map((digest) => ({ digest, reason, since: now }));
  return { list: { ...list, issued: now, digests: [...before, ...added] }, added, known };
}

// --- writing ----------------------------------------------------------------------------------------------------------

/** JSON, an entry a line. @throws CountersignError `limit-reached` for a list that would not be read again. */
export function formatWithdrawn({ name, issued, digests }: Withdrawn): Uint8Array {
  const named = name === undefined ? {} : { name };
  const head = { apiVersion: API_VERSION, kind: KIND, ...named, issued: formatInstant(issued) };
  const entries = digests.map(({ digest, reason, since }) =>
    JSON.stringify({ digest, reason, since: since === undefined ? undefined : formatInstant(since) }),
  );
  const body = entries.length === 0 ? "[]" : `[\n    ${entries.join(",\n    ")}\n  ]`;
  const members = Object.entries(head).map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)},\n`);
  const bytes = encodeUtf8(`{\n${members.join("")}  "digests": ${body}\n}\n`);
  if (bytes.byteLength <= LIMITS.withdrawnBytes && digests.length <= LIMITS.withdrawnDigests) return bytes;
  throw new CountersignError("limit-reached", "there is too much for one list of withdrawn digests", {
    found: `${digests.length} digests, ${bytes.byteLength} bytes`,
    wanted: `at most ${LIMITS.withdrawnDigests} digests and ${LIMITS.withdrawnBytes} bytes`,
    next: "begin a second list; a policy may name several",
  });
}
