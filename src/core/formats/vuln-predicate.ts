import { encodeUtf8 } from "../bytes.ts";
import type { JsonObject } from "../json.ts";
import { formatInstant, type Instant } from "../time.ts";
import { goString } from "./annotations.ts";
import type { Scan, Vulnerability } from "./scans/scan.ts";

/** cosign's type for what a scanner found (cosign, specs/COSIGN_VULN_ATTESTATION_SPEC.md). */
export const VULN_PREDICATE = "https://cosign.sigstore.dev/attestation/vuln/v1";

/** Where a scanner's knowledge comes from, as far as it says so. */
export interface ScannerDatabase {
  readonly uri?: string | undefined;
  readonly version?: string | undefined;
  /** As the scanner writes it. */
  readonly lastUpdate?: string | undefined;
}

/** One scan of one image: what is said of it beside what it found. */
export interface ScanRecord {
  /** `pkg:github/aquasecurity/trivy@0.70.0`. */
  readonly uri: string;
  readonly version: string;
  readonly database: ScannerDatabase | undefined;
  /** The flags that it ran with. */
  readonly parameters: readonly string[];
  readonly startedAt: Instant;
  readonly finishedAt: Instant;
}

/**
 * The predicate of a scan, its result taken over as the scanner printed it but for the blanks between values: numbers of
 * many digits stay what they were.
 *
 * @param result one JSON object, read before.
 */
export function vulnPredicate(record: ScanRecord, result: Uint8Array): Uint8Array {
  const { uri, version, database, parameters } = record;
  const invocation = `{"parameters":[${parameters.map(goString).join(",")}],"uri":"","event_id":"","builder.id":""}`;
  const scanner = `{"uri":${goString(uri)},"version":${goString(version)},"db":${databaseText(database)},"result":`;
  return Buffer.concat([
    encodeUtf8(`{"invocation":${invocation},"scanner":${scanner}`),
    withoutBlanks(result),
    encodeUtf8(`},"metadata":${metadataText(record)}}`),
  ]);
}

/** in-toto's own type (in-toto/attestation, spec/predicates/vulns_02.md). */
export const REDUCED_PREDICATE = "https://in-toto.io/attestation/vulns/v0.2";

/** What is needed to judge a scan, and no more. */
export interface ReducedScan {
  readonly record: ScanRecord;
  readonly scan: Pick<Scan, "vulnerabilities">;
}

/**
 * One or several scans by the same scanner as one list of vulnerabilities: identifiers and severities, and in annotations
 * whatever else decides whether one is accepted. What is found in several of them is listed once.
 */
export function reducedPredicate(scans: readonly [ReducedScan, ...ReducedScan[]]): Uint8Array {
  const [{ record }] = scans;
  const { uri, version, database } = record;
  const vulnerabilities = scans.flatMap(({ scan }) => scan.vulnerabilities.map(listed));
  const result = [...new Map(vulnerabilities.map((one) => [JSON.stringify(one), one])).values()];
  const metadata = {
    scanStartedOn: formatInstant(scans.map((one) => one.record.startedAt).reduce((a, b) => (b < a ? b : a))),
    scanFinishedOn: formatInstant(scans.map((one) => one.record.finishedAt).reduce((a, b) => (b > a ? b : a))),
  };
  return encodeUtf8(JSON.stringify({ scanner: { uri, version, db: { ...database }, result }, metadata }));
}

/** The names of annotations are ours: the type leaves them to whoever writes it. */
function listed({ id, aliases, severity, package: found, fixedIn, fixable }: Vulnerability): JsonObject {
  const told = { aliases, name: found?.name, version: found?.version, purl: found?.purl, fixedIn, fixable };
  const known = Object.entries(told).filter(([, value]) => value !== undefined && !isEmptyList(value));
  return {
    id,
    severity: [{ method: "rating", score: severity }],
    ...(known.length === 0 ? {} : { annotations: [Object.fromEntries(known) as JsonObject] }),
  };
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** cosign and Trivy always write both members; the time is in-toto's (spec/predicates/vulns_02.md). */
function databaseText({ uri = "", version = "", lastUpdate }: ScannerDatabase = {}): string {
  const updated = lastUpdate === undefined ? "" : `,"lastUpdate":${goString(lastUpdate)}`;
  return `{"uri":${goString(uri)},"version":${goString(version)}${updated}}`;
}

function metadataText({ startedAt, finishedAt }: ScanRecord): string {
  return `{"scanStartedOn":"${formatInstant(startedAt)}","scanFinishedOn":"${formatInstant(finishedAt)}"}`;
}

const [BACKSLASH, QUOTE] = [0x5c, 0x22];
const BLANKS: ReadonlySet<number> = new Set([0x20, 0x09, 0x0a, 0x0d]);

/** RFC 8259, section 2: blanks between tokens mean nothing. Byte by byte, since a string in it may be megabytes long. */
function withoutBlanks(json: Uint8Array): Uint8Array {
  const kept = new Uint8Array(json.byteLength);
  let length = 0;
  let isInString = false;
  let isEscaped = false;
  for (const byte of json) {
    if (!isInString && BLANKS.has(byte)) continue;
    kept[length++] = byte;
    if (isEscaped) isEscaped = false;
    else if (byte === BACKSLASH) isEscaped = isInString;
    else if (byte === QUOTE) isInString = !isInString;
  }
  return kept.subarray(0, length);
}
