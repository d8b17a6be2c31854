import type { Instant } from "../../time.ts";
import type { Rating } from "./severity.ts";

/** What a scanner found in an image, whichever scanner it was. Nothing in it says that the scanner is to be believed. */
export interface Scan {
  readonly scanner: { readonly name: string; readonly version?: string | undefined };
  /** When it looked: the earlier of what the record and what the result in it say. */
  readonly finishedAt: Instant;
  /** Of when its knowledge is. */
  readonly databaseAt?: Instant | undefined;
  /** The digests by which the result names what was scanned; none where it names none. */
  readonly digests: readonly string[];
  /** The same one more than once where it is in several packages, or in one package at several places. */
  readonly vulnerabilities: readonly Vulnerability[];
  /** What the scanner says of its own blind spots, in words. */
  readonly notes: readonly string[];
}

export interface Vulnerability {
  /** As the scanner calls it: `CVE-2024-3094`, `GHSA-…`, `DSA-…`. */
  readonly id: string;
  /** Other names of the same vulnerability, not of others that one advisory is about too. */
  readonly aliases: readonly string[];
  readonly severity: Rating;
  /** Absent where the form of the result has no place for it. */
  readonly package?: VulnerablePackage | undefined;
  /** Versions. Empty where none is known or none is said. */
  readonly fixedIn: readonly string[];
  /** Whether there is a fix; undefined where the form of the result does not say. */
  readonly fixable: boolean | undefined;
}

export interface VulnerablePackage {
  readonly name: string;
  readonly version?: string | undefined;
  readonly purl?: string | undefined;
}

/** A scanner's own result, as its reader hands it on. */
export interface ScannerReport {
  readonly scanner: Scan["scanner"];
  readonly finishedAt?: Instant | undefined;
  readonly databaseAt?: Instant | undefined;
  readonly digests: readonly string[];
  readonly vulnerabilities: readonly Vulnerability[];
  readonly notes: readonly string[];
}

/** `CVE-2024-1 ` and `cve-2024-1` are one: identifiers differ in nothing but their letters and digits. */
export function foldId(id: string): string {
  return id.trim().toUpperCase();
}

/**
 * Other names of one vulnerability. An advisory (`ALAS-2024-1`) may be about several at once: where the others name more than
 * one CVE, who answers for one of them has not answered for the advisory, and none is its alias.
 */
export function aliasesOf(id: string, others: readonly string[]): readonly string[] {
  const known = new Map(others.filter((other) => other !== "").map((other) => [foldId(other), other]));
  known.delete(foldId(id));
  const cves = [id, ...known.values()].filter((name) => CVE.test(foldId(name)));
  return [...known.values()].filter((name) => cves.length <= 1 || !CVE.test(foldId(name)));
}

const CVE = /^CVE-\d/;
