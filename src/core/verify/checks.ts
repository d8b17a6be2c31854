import type { SignatureProof } from "../trust/material.ts";
import type { FoundTag } from "./evidence.ts";
import type { Judgement } from "./judgement.ts";
import type { Requirement } from "./requirement.ts";
import type { SignatureReport } from "./verdict.ts";

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
  readonly signedTag?: FoundTag | undefined;
}

/** `requirements`: those that an acceptance rests on. */
export function describeChecks(
  judgement: Judgement,
  requirements: Requirement | readonly Requirement[],
  scope: Scope,
  surroundings: Surroundings,
): Checks {
  if (judgement.status !== "accepted") return { checked: [], notChecked: [] };
  if (judgement.met?.length === 0) return letThroughUnmet(scope, surroundings);
  const counted = judgement.signatures.filter((report) => report.accepted);
  const wanted = "threshold" in requirements ? [requirements] : requirements;
  const legacy = counted.some((report) => report.format === "cosign-legacy");
  const named = surroundings.repository !== undefined || wanted.some(({ signedAs }) => signedAs.length > 0);
  const bound = (legacy && named) || wanted.some(({ nameBinding }) => nameBinding === true);
  const scanned = judgement.met?.some(({ kind }) => kind === "vulnerabilities") === true;
  return {
    checked: distinct([
      "digest",
      ...(counted.length > 0 ? ["signature"] : []),
      ...provenChecks(counted),
      ...wanted.flatMap((each) => statementChecks(each, counted, scope)),
      ...(bound ? ["repository name"] : []),
      ...wanted.flatMap(annotationChecks),
      ...(wanted.some(({ maxAge }) => maxAge !== undefined) ? ["age"] : []),
      ...(scanned ? ["vulnerabilities"] : []),
      ...(scope === "platform through its index" ? ["platform listed in the signed index"] : []),
      ...(typeof surroundings.signedTag === "object" ? ["signed tag"] : []),
    ]),
    notChecked: [
      ...(surroundings.contentFollows ? [] : [LAYERS]),
      ...(counted.length > 0 ? unprovenChecks(counted) : [SIGNATURE]),
      ...(scope === "file" ? [] : tagChecks(surroundings)),
      ...(legacy && !named ? ["repository name (a file has none)"] : []),
      ...(scope === "index only" ? [PLATFORMS] : []),
    ],
  };
}

const LAYERS = "layers (a pull checks them)";
const SIGNATURE = "signature (none was asked for)";
const TAG = "whether the tag is current";
const UNPINNED = "signed tag (no root of this repository is pinned)";
const PLATFORMS = "platforms (only the index was asked for)";

function tagChecks({ signedTag }: Surroundings): readonly string[] {
  if (signedTag === "unpinned") return [UNPINNED];
  return typeof signedTag === "object" ? [] : [TAG];
}

/** Nothing of what is required was met. */
function letThroughUnmet(scope: Scope, surroundings: Surroundings): Checks {
  return {
    checked: ["digest", ...(typeof surroundings.signedTag === "object" ? ["signed tag"] : [])],
    notChecked: [
      "what the rule requires (it is not met)",
      ...(surroundings.contentFollows ? [] : [LAYERS]),
      ...tagChecks(surroundings),
      ...(scope === "index only" ? [PLATFORMS] : []),
    ],
  };
}

function distinct(values: readonly string[]): readonly string[] {
  return [...new Set(values)];
}

function statementChecks(
  { attestation }: Requirement,
  counted: readonly SignatureReport[],
  scope: Scope,
): readonly string[] {
  const bundle = scope !== "file" && counted.some(({ format }) => format === "bundle");
  if (attestation === undefined) return bundle ? ["statement type"] : [];
  return ["attestation type", ...attestation.conditions.map(({ text }) => `condition ${text}`)];
}

function annotationChecks({ annotations }: Requirement): readonly string[] {
  return Object.entries(annotations).map(([name, value]) => `annotation ${name}=${value}`);
}

/** Log entries that are named one by one; the JSON has all of them. */
const ENTRIES_SHOWN = 4;

/** What every signature that counted was proven by. */
function provenChecks(counted: readonly SignatureReport[]): readonly string[] {
  const proofs = counted.flatMap(({ proof }) => (proof === undefined ? [] : [proof]));
  if (counted.length === 0 || proofs.length < counted.length) return [];
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
