import { bounded, CountersignError, type Finding, toFinding } from "../errors.ts";
import { readScan } from "../formats/scans/read.ts";
import { foldId, type Scan, type Vulnerability } from "../formats/scans/scan.ts";
import type { JsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import type { Digest } from "../oci/digest.ts";
import { describeAge, formatInstant, type Instant } from "../time.ts";
import type { VulnerabilitiesRequirement, VulnerabilityException } from "./document.ts";
import { formatDuration } from "./duration.ts";
import { isTooSevere } from "./severity.ts";
import { Exploitability } from "./vex.ts";
import {
  type Answered,
  answeredWarnings,
  type Refusing,
  unfixedWarning,
  vulnerableFinding,
} from "./vulnerable-words.ts";

/** Types of statements to gather: scans, and what is said of exploitability. */
export { VEX_TYPES } from "../formats/scans/openvex.ts";
export { SCAN_TYPES } from "../formats/scans/read.ts";

/** What a scan may say. */
export type VulnerabilityDemands = Pick<
  VulnerabilitiesRequirement,
  "maxAge" | "severityAtMost" | "fixableOnly" | "except"
> & {
  /** Milliseconds since a VEX statement was signed or, where no time is proven, since its document says it was issued. */
  readonly vexMaxAge?: number | undefined;
};

/** A statement about the image that is judged, its signature and its signer proven and wanted. */
export interface SignedStatement {
  readonly predicateType: string;
  readonly statement: JsonObject;
  /** Who signed it, in words. */
  readonly signer: string;
  /** The earliest proven time. */
  readonly signedAt?: Instant | undefined;
}

/** What one scan comes to. */
export type Assessment =
  /** `warnings`: what the scan names and an exception or a VEX statement answers for. */
  | { readonly acceptable: true; readonly scannedAt: Instant; readonly warnings: readonly Finding[] }
  /** `vulnerable`, `scan-old` or `scan-invalid`; `limit-reached` for one that is too large to be read. */
  | { readonly acceptable: false; readonly scannedAt?: Instant | undefined; readonly finding: Finding };

/**
 * Judges one scan by somebody who is believed. What cannot be read wholly, is about another image, is of the future or too old
 * is refused; then every vulnerability that is too severe needs an answer of its own: no fix is known (where the policy lets
 * those through), an exception that has not ended, or a VEX statement that is believed.
 *
 * @param vex OpenVEX statements about the same image, by those who are believed in that.
 * @param subject the digest that both are about.
 */
export function assessScan(
  scan: SignedStatement,
  vex: readonly SignedStatement[],
  demands: VulnerabilityDemands,
  subject: Digest,
  now: Instant,
): Assessment {
  let scannedAt: Instant | undefined;
  try {
    const read = readScan(scan.predicateType, scan.statement);
    scannedAt = scan.signedAt === undefined || scan.signedAt > read.finishedAt ? read.finishedAt : scan.signedAt;
    checkSubject(read, subject);
    checkAge(read, scannedAt, demands.maxAge, now);
    // Only a scan that needs an answer has the documents read.
    const exploitability = once(() => new Exploitability(vex, demands, subject, now));
    const { refusing, warnings } = sortOut(read, exploitability, demands, now);
    if (refusing.length > 0) {
      const finding = vulnerableFinding(refusing, read, demands, exploitability().warnings);
      return { acceptable: false, scannedAt, finding };
    }
    return { acceptable: true, scannedAt, warnings: [...scanWarnings(read, demands), ...warnings].map(bounded) };
  } catch (error) {
    return { acceptable: false, scannedAt, finding: toFinding(error) };
  }
}

/**
 * Where the result itself names digests, the image's has to be among them. A scan of one platform names no index but where it
 * was asked for by the index; it says nothing of the other platforms.
 */
function checkSubject({ digests }: Scan, subject: Digest): void {
  if (digests.length === 0 || digests.includes(subject)) return;
  throw new CountersignError("scan-invalid", "the scan is of another image than it was signed for", {
    found: `a scan of ${digests.slice(0, LIMITS.vulnerabilitiesNamed).join(", ")}`,
    wanted: `a scan of ${subject}`,
    next: "scan this digest itself, in the registry or in a layout, and sign that: countersign scan --attest",
  });
}

function checkAge({ finishedAt }: Scan, scannedAt: Instant, maxAge: number, now: Instant): void {
  if (finishedAt > now + LIMITS.scanSkewMs) {
    throw new CountersignError("scan-invalid", "the scan is of the future", {
      found: `finished at ${formatInstant(finishedAt)}`,
      wanted: `not after ${formatInstant(now)}`,
      next: "check the clock of the machine that scans, and this one's",
    });
  }
  if (now - scannedAt <= maxAge) return;
  throw new CountersignError("scan-old", "the scan is older than the policy allows", {
    found: `of ${formatInstant(scannedAt)}, ${describeAge(scannedAt, now)}`,
    wanted: `at most ${formatDuration(maxAge)} old`,
  });
}

interface SortedOut {
  readonly refusing: readonly Refusing[];
  readonly warnings: readonly Finding[];
}

/** What refuses, and what is let through and why. */
function sortOut(scan: Scan, vex: () => Exploitability, demands: VulnerabilityDemands, now: Instant): SortedOut {
  const exceptions = Map.groupBy(demands.except, ({ id }) => foldId(id));
  const refusing: Refusing[] = [];
  const unfixed: Vulnerability[] = [];
  const answered: Answered[] = [];
  for (const vulnerability of scan.vulnerabilities) {
    if (!isTooSevere(vulnerability.severity, demands.severityAtMost)) continue;
    if (demands.fixableOnly && vulnerability.fixable === false) {
      unfixed.push(vulnerability);
      continue;
    }
    const applying = exceptionsFor(vulnerability, exceptions);
    const exception = applying.find(({ expires }) => now < expires);
    const answer = exception ?? vex().answer(vulnerability);

    if (answer === undefined) refusing.push({ vulnerability, expired: applying });
    else answered.push({ vulnerability, answer });
  }
  const warnings = [...unfixedWarning(unfixed), ...answeredWarnings(answered)];
  return { refusing, warnings };
}

function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

function exceptionsFor(
  { id, aliases }: Vulnerability,
  exceptions: ReadonlyMap<string, readonly VulnerabilityException[]>,
): readonly VulnerabilityException[] {
  return [...new Set([id, ...aliases].map(foldId))].flatMap((name) => exceptions.get(name) ?? []);
}

/** What the scanner could not see, by its own word. */
function scanWarnings(scan: Scan, { maxAge }: VulnerabilityDemands): readonly Finding[] {
  const message = "the scanner did not see or tell all";
  const notes = scan.notes.map((found): Finding => ({ code: "vulnerable", message, found }));
  const { databaseAt, finishedAt } = scan;
  if (databaseAt === undefined || finishedAt - databaseAt <= maxAge) return notes;
  const stale = {
    message: "what the scanner knew was older than a scan may be",
    found: `a database of ${formatInstant(databaseAt)}`,
    wanted: `at most ${formatDuration(maxAge)} old`,
  };
  return [...notes, { code: "scan-old", ...stale }];
}
