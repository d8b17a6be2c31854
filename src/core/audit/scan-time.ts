import { CountersignError } from "../errors.ts";
import { isOfType } from "../formats/predicates.ts";
import { readScan, SCAN_TYPES } from "../formats/scans/read.ts";
import { LIMITS } from "../limits.ts";
import type { Instant } from "../time.ts";
import type { SignatureReport } from "../verify/verdict.ts";

/**
 * When the scan was made that a signature attests, by the scan itself or by a proven time of signing before that; undefined for
 * what counts for nobody, is no scan, cannot be read as one, or is of the future.
 */
export function scanTimeOf(report: SignatureReport, now: Instant): Instant | undefined {
  const { accepted, predicateType, statement, proof } = report;
  if (!accepted || predicateType === undefined || statement === undefined) return undefined;
  if (!SCAN_TYPES.some((type) => isOfType(predicateType, type))) return undefined;
  try {
    const { finishedAt } = readScan(predicateType, statement);
    if (finishedAt > now + LIMITS.scanSkewMs) return undefined;
    const signedAt = proof?.signedAt ?? finishedAt;
    return signedAt < finishedAt ? signedAt : finishedAt;
  } catch (error) {
    if (error instanceof CountersignError) return undefined;
    throw error;
  }
}

/** The latest of them. */
export function newestOf(times: readonly (Instant | undefined)[]): Instant | undefined {
  return times.reduce((a, b) => (a === undefined || (b !== undefined && b > a) ? b : a), undefined);
}
