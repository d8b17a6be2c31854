import type { Audit, AuditedImage, AuditStandard, Use } from "../../core/audit/audit.ts";
import { type Break, whatBreaks } from "../../core/audit/breaks.ts";
import { judgedMembers, lookedAtMembers } from "../../core/audit/facts.ts";
import { type FixAction, shortestFix } from "../../core/audit/fix.ts";
import { tallyWorkloads } from "../../core/audit/workloads.ts";
import { wellFormedJson } from "../../core/json.ts";
import type { SourceProblem } from "../../core/sources/mention.ts";
import { formatInstantExactly } from "../../core/time.ts";
import { findingMember, formatDocument } from "../json.ts";

/**
 * docs/schemas/audit.json. The same bytes for the same audit, whoever made it, and `parseAudit` reads it back. `summary`,
 * `breaks` and `fixes` follow from the rest, for whoever has no program to work them out.
 */
export function auditDocument(audit: Audit): string {
  return recordDocument("audit", {
    at: formatInstantExactly(audit.at),
    sources: audit.sources,
    plan: audit.plan,
    shard: audit.shard && { index: audit.shard.index, count: audit.shard.count },
    standard: standardMember(audit.standard),
    summary: summaryOf(audit),
    images: audit.images.map(imageMember),
    problems: audit.problems.map(problemMember),
    breaks: whatBreaks(audit).map(breakMember),
    fixes: shortestFix(audit).map(fixMember),
  });
}

/** A document that strict JSON reads back, whatever sources wrote. */
export function recordDocument(command: string, members: Readonly<Record<string, unknown>>): string {
  const text = formatDocument(command, members);
  return HALF_PAIR.test(text) ? formatDocument(command, wellFormed(members)) : text;
}

/** An escape that may stand for half of a surrogate pair, which YAML can write and strict JSON cannot say. */
const HALF_PAIR = /\\ud[89a-f]/;

function wellFormed(members: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return JSON.parse(wellFormedJson(members)) as Readonly<Record<string, unknown>>;
}

/** How much there is of what. */
export function summaryOf(audit: Audit): Readonly<Record<string, number>> {
  const { images, problems } = audit;
  const count = (matches: (image: AuditedImage) => boolean) => images.filter(matches).length;
  return {
    images: images.length,
    accepted: count(({ verdict }) => verdict === "accepted"),
    refused: count(({ verdict }) => verdict === "refused"),
    undetermined: count(({ verdict }) => verdict === "undetermined"),
    pinned: count(({ pinned }) => pinned),
    unpinned: count(({ pinned }) => !pinned),
    drift: count(({ drift }) => drift),
    uses: images.reduce((sum, { uses }) => sum + uses.length, 0),
    problems: problems.length,
    ...tallyWorkloads(audit),
  };
}

export function standardMember({ policy, wanted, digest, weakened }: AuditStandard): Readonly<Record<string, unknown>> {
  return { policy: policy && { name: policy.name, digest: policy.digest }, wanted, digest, weakened };
}

function imageMember(image: AuditedImage): Readonly<Record<string, unknown>> {
  const { pinned, drift, uses } = image;
  return { ...judgedMembers(image), pinned, drift, ...lookedAtMembers(image), uses: uses.map(useMember) };
}

export function useMember({ as, kind, place, workload }: Use): Readonly<Record<string, unknown>> {
  return {
    as,
    kind,
    place: placeMember(place),
    workload: workload && {
      kind: workload.kind,
      namespace: workload.namespace,
      name: workload.name,
      container: workload.container,
      owner: workload.owner,
    },
  };
}

export function problemMember({ place, finding }: SourceProblem): Readonly<Record<string, unknown>> {
  return { place: placeMember(place), finding: findingMember(finding) };
}

function placeMember({ source, line, column }: Use["place"]): Readonly<Record<string, unknown>> {
  return { source, line, column };
}

/** What is stopped, and why; `workloads` are named as the images' uses name them. */
export function breakMember(one: Break): Readonly<Record<string, unknown>> {
  const { verdict, code, message, wanted, place, next, owner, images, workloads } = one;
  return { verdict, code, message, wanted, place, next, owner, images, workloads };
}

export function fixMember(action: FixAction): Readonly<Record<string, unknown>> {
  const { kind, code, image, wanted, place, next, frees, owners, images } = action;
  return { kind, code, image, wanted, place, next, frees, owners, images };
}
