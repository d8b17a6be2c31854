import type { Audit, AuditedImage, Use } from "../../core/audit/audit.ts";
import { causeOf } from "../../core/audit/breaks.ts";
import type { Finding } from "../../core/errors.ts";
import { explainFinding, nextStep } from "../../core/explain.ts";
import { REASONS, type ReasonCode } from "../../core/reasons.ts";
import type { SourceProblem } from "../../core/sources/mention.ts";
import { isFile } from "./files.ts";

/** What code scanning takes of a run; it keeps and shows the 5,000 that it holds to be the worst. */
export const RESULTS = 25_000;

/** Something that is told at a place. */
export interface SarifFinding {
  readonly code: ReasonCode;
  /** Where it is not the level of its reason. */
  readonly level?: "error" | "warning" | undefined;
  readonly text: string;
  /** What makes it the same finding in the next run, beside code and place. */
  readonly key: string;
  readonly subject?: Readonly<Record<string, unknown>> | undefined;
  readonly places: readonly [Pick<Use, "place" | "workload">, ...Pick<Use, "place" | "workload">[]];
}

/**
 * All that is to be told, what must not be cut first: every refused image once, then every one that could not be looked at
 * and every place that could not be read, then their other places, then what is accepted and may change.
 */
export function findingsOf(audit: Audit): readonly SarifFinding[] {
  const [refused, undetermined, others]: [SarifFinding[], SarifFinding[], SarifFinding[]] = [[], [], []];
  for (const image of audit.images) {
    const [first, ...more] = doubtsOf(image);
    if (first !== undefined) (image.verdict === "refused" ? refused : undetermined).push(first);
    others.push(...more);
  }
  const drifted = audit.images.filter(({ drift }) => drift).flatMap(driftOf);
  const unpinned = audit.images.filter(({ pinned }) => !pinned).flatMap(unpinnedOf);
  return [...refused, ...undetermined, ...audit.problems.map(problemOf), ...others, ...drifted, ...unpinned];
}

function doubtsOf(image: AuditedImage): readonly SarifFinding[] {
  const cause = causeOf(image);
  if (cause === undefined) return [];
  const text = `${image.image}: ${image.verdict}: ${image.reasons.map(explainFinding).join("; ")}. Next: ${cause.next}.`;
  const subject = { image: image.image, digest: image.digest, verdict: image.verdict, rule: image.rule };
  const level = image.verdict === "refused" ? "error" : "warning";
  return atEach(image, { code: cause.code, level, text, key: image.image, subject });
}

function driftOf(image: AuditedImage): readonly SarifFinding[] {
  const { digest, tagDigest, pinned } = image;
  const text = `${image.image}: ${pinned ? movedOn(tagDigest) : diverged(image)}`;
  return atEach(image, {
    code: "tag-moved",
    text,
    key: image.image,
    subject: { image: image.image, digest, tagDigest },
  });
}

function movedOn(tagDigest = "another digest"): string {
  return `the tag names ${tagDigest} now. Next: ${REASONS["tag-moved"].next}.`;
}

function diverged({ tagDigest, signedTag }: AuditedImage): string {
  return `the registry's tag names ${tagDigest}, and the publisher signed ${signedTag?.digest}. Next: ask which is meant.`;
}

/** Only files are pinned: clusters and registries say what there is. */
function unpinnedOf(image: AuditedImage): readonly SarifFinding[] {
  const uses = image.uses.filter(({ place }) => isFile(place));
  const text = `${image.image}: named by a tag alone, which can mean other bytes tomorrow. Next: ${REASONS.unpinned.next}.`;
  const subject = { image: image.image, digest: image.digest, verdict: image.verdict };
  return uses.map((use) => ({ code: "unpinned", text, key: image.image, subject, places: [use] }));
}

/** One for each place in a file, and one for all clusters and registries together. */
function atEach(image: AuditedImage, about: Omit<SarifFinding, "places">): readonly SarifFinding[] {
  const [first, ...elsewhere] = image.uses.filter(({ place }) => !isFile(place));
  const inFiles = image.uses.filter(({ place }) => isFile(place)).map((use) => ({ ...about, places: [use] as const }));
  if (first !== undefined) return [...inFiles, { ...about, places: [first, ...elsewhere] }];
  return inFiles.length > 0 ? inFiles : [{ ...about, places: [{ place: { source: "images" } }] }];
}

function problemOf({ place, finding }: SourceProblem): SarifFinding {
  return {
    code: finding.code,
    level: "warning",
    text: problemText(finding),
    key: finding.message,
    places: [{ place }],
  };
}

function problemText(finding: Finding): string {
  return `${explainFinding(finding)}. Next: ${nextStep(finding)}.`;
}
