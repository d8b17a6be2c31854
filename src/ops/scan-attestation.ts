import { CountersignError } from "../core/errors.ts";
import { readScan } from "../core/formats/scans/read.ts";
import {
  REDUCED_PREDICATE,
  reducedPredicate,
  type ScanRecord,
  VULN_PREDICATE,
  vulnPredicate,
} from "../core/formats/vuln-predicate.ts";
import { parseJsonObject } from "../core/json.ts";
import { LIMITS } from "../core/limits.ts";
import type { ImageScan } from "../core/results.ts";
import { attestImage } from "./attest.ts";
import type { Attest } from "./scan.ts";
import type { SigningOptions } from "./sign.ts";

/**
 * What a scanner printed, as whoever verifies it later will read it.
 *
 * @throws CountersignError `scanner-error` where nobody could; `limit-reached`.
 */
export function readImageScan(record: ScanRecord, result: Uint8Array): ImageScan {
  // The result is bounded where it is printed, and what stands around it is short.
  const bytes = vulnPredicate(record, result);
  const predicate = parseJsonObject(bytes, { what: "the scan", code: "scanner-error", maxBytes: bytes.byteLength });
  try {
    return { record, result, scan: readScan(VULN_PREDICATE, { predicate }) };
  } catch (error) {
    if (!(error instanceof CountersignError) || error.code !== "scan-invalid") throw error;
    const { message, found, wanted } = error;
    throw new CountersignError("scanner-error", `no verifier can read this result: ${message}`, {
      found,
      wanted,
      cause: error,
    });
  }
}

/**
 * Attests a scan as the scanner printed it, or reduced to what it is judged by. Those of several platforms are one statement,
 * which is always reduced: no scanner's form has a place for more than one image.
 */
export function scanAttester(options: SigningOptions, isReduced: boolean): Attest {
  return async (target, scans) => {
    const [first, ...others] = scans;
    if (first === undefined) throw new CountersignError("internal", "there is no scan to attest");
    const isWhole = !isReduced && others.length === 0;
    const json = isWhole ? vulnPredicate(first.record, first.result) : reducedPredicate([first, ...others]);
    if (json.byteLength > LIMITS.statementBytes) throw tooLarge(json, isWhole);
    const predicateType = isWhole ? VULN_PREDICATE : REDUCED_PREDICATE;
    const predicate = { json, isWrapped: false };
    const formats = ["bundle"] as const;
    const { outcomes, finding } = await attestImage(target, { ...options, formats, predicateType, predicate });
    return { predicateType, outcomes, finding };
  };
}

function tooLarge(json: Uint8Array, isWhole: boolean): CountersignError {
  return new CountersignError("limit-reached", "what was found is too large to be attested", {
    found: `${json.byteLength} bytes`,
    wanted: `at most ${LIMITS.statementBytes} bytes`,
    next: isWhole
      ? "attest what it is judged by alone: --attest --reduced"
      : "mend the worst of it first, and scan again",
  });
}
