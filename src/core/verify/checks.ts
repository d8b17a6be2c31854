import type { SignatureProof } from "../trust/material.ts";
import type { Requirement } from "./requirement.ts";
import type { SignatureReport } from "./verdict.ts";
import type { Judgement } from "./verify.ts";

/** What a verdict says was checked and what was not, in the words of the field. */
export interface Checks {
  readonly checked: readonly string[];
  readonly notChecked: readonly string[];
}

/** The scope of the question: what was asked about an index and its platforms. */
export type Scope = "image" | "index only" | "platform through its index" | "platform" | "file";

export interface Surroundings {
  /** What the image's place is called there; a layout or an archive has no name to compare with. */
  readonly repository: string | undefined;
  /** Layers and configuration are fetched and checked next. */
  readonly contentFollows: boolean;
}

export function describeChecks(
  judgement: Judgement,
  requirement: Requirement,
  scope: Scope,
  { repository, contentFollows }: Surroundings,
): Checks {
  const counted = judgement.signatures.filter((report) => report.accepted);
  if (judgement.status !== "accepted") return { checked: [], notChecked: [] };
  const legacy = counted.some((report) => report.format === "cosign-legacy");
  const named = repository !== undefined || requirement.signedAs.length > 0;
  const bundle = counted.some((report) => report.format === "bundle");
  return {
    checked: [
      "digest",
      "signature",
      ...provenChecks(counted),
      ...statementChecks(requirement, bundle && scope !== "file"),
      ...(legacy && named ? ["repository name"] : []),
      ...Object.entries(requirement.annotations).map(([name, value]) => `annotation ${name}=${value}`),
      ...(scope === "platform through its index" ? ["platform listed in the signed index"] : []),
    ],
    notChecked: [
      ...(contentFollows ? [] : ["layers (a pull checks them)"]),
      ...unprovenChecks(counted),
      ...(scope === "file" ? [] : ["whether the tag is current"]),
      ...(legacy && !named ? ["repository name (a file has none)"] : []),
      ...(scope === "index only" ? ["platforms (only the index was asked for)"] : []),
    ],
  };
}

function statementChecks({ attestation }: Requirement, bundle: boolean): readonly string[] {
  if (attestation === undefined) return bundle ? ["statement type"] : [];
  return ["attestation type", ...attestation.conditions.map(({ text }) => `condition ${text}`)];
}

/** Log entries that are named one by one; the JSON has all of them. */
const ENTRIES_SHOWN = 4;

/** What every signature that counted was proven by. */
function provenChecks(counted: readonly SignatureReport[]): readonly string[] {
  const proofs = counted.flatMap(({ proof }) => (proof === undefined ? [] : [proof]));
  if (proofs.length < counted.length) return [];
  return [
    ...(counted.every(isKeyless) ? ["identity", "certificate chain"] : []),
    ...(proofs.every(({ certificateLogs }) => certificateLogs.length > 0) ? ["SCT"] : []),
    ...(proofs.every(({ logs }) => logs.length > 0) ? describeEntries(proofs) : []),
    ...(proofs.every(({ timestamps }) => timestamps.length > 0) ? [describeTimestamps(proofs)] : []),
    ...(proofs.every(isTimedByLog) ? ["time of signing by the log"] : []),
  ];
}

function describeEntries(proofs: readonly SignatureProof[]): readonly string[] {
  const entries = [...new Set(proofs.flatMap(({ logs }) => logs.map(({ index }) => `log entry ${index}`)))];
  const more = entries.length - ENTRIES_SHOWN;
  return [...entries.slice(0, ENTRIES_SHOWN), ...(more > 0 ? [`${more} more log entries`] : [])];
}

/** How many vouch for each: the fewest. */
function describeTimestamps(proofs: readonly SignatureProof[]): string {
  const counts = proofs.map(({ timestamps }) => new Set(timestamps.map(({ authority }) => authority)).size);
  const least = Math.min(...counts);
  return `timestamp by ${least} ${least === 1 ? "authority" : "authorities"}`;
}

function isTimedByLog({ timestamps, logs }: SignatureProof): boolean {
  return timestamps.length === 0 && logs.some(({ integratedAt }) => integratedAt !== undefined);
}

function unprovenChecks(counted: readonly SignatureReport[]): readonly string[] {
  const keyless = counted.filter(isKeyless);
  const isUntimed = ({ proof }: SignatureReport): boolean => proof?.signedAt === undefined;
  const time = keyless.some(isUntimed)
    ? "time of signing (the certificate was judged by the present)"
    : "time of signing";
  return [
    ...(keyless.some(({ proof }) => proof?.certificateLogs.length === 0) ? ["SCT"] : []),
    ...(counted.some(({ proof }) => (proof?.logs.length ?? 0) === 0) ? ["transparency log"] : []),
    ...(counted.some(isUntimed) ? [time] : []),
  ];
}

function isKeyless({ signedBy }: SignatureReport): boolean {
  return signedBy?.kind === "identity";
}
