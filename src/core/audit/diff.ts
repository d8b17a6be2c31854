import { compareTexts } from "../bytes.ts";
import { CountersignError } from "../errors.ts";
import type { SourceProblem } from "../sources/mention.ts";
import type { Instant } from "../time.ts";
import type { Audit, AuditedImage, AuditedSigner, AuditStandard } from "./audit.ts";
import { type Pair, pairImages } from "./pairs.ts";
import { type AffectedWorkload, workloadKey, workloadOf } from "./workloads.ts";

/**
 * What can have become of an image, worst first.
 *
 * - `refused`, `undetermined`: its verdict is that now and was not, be it because the image is new
 * - `accepted`: it was known before, and not accepted
 * - `signer-lost`, `signer-changed`, `signer-new`: whose signatures were accepted
 * - `unpinned`, `pin-moved`, `pin-new`: its reference names no digest any more, another one, or one now
 * - `tag-moved`: the same tag is another digest
 * - `drift`: a pinned image's tag names another digest, and did not before
 * - `unseen`: it is not mentioned any more, but not all could be read where it was
 */
export const CHANGES = [
  ...(["refused", "undetermined", "signer-lost", "signer-changed", "unpinned", "tag-moved", "drift"] as const),
  ...(["unseen", "pin-moved", "new", "gone", "accepted", "signer-new", "pin-new"] as const),
] as const;

export type Change = (typeof CHANGES)[number];

/** What is different about one image. */
export interface ImageChange {
  /** As the newer audit names it; the older one where it is gone. */
  readonly image: string;
  /** At least one, in the order of `CHANGES`. */
  readonly changes: readonly Change[];
  readonly before?: AuditedImage | undefined;
  readonly after?: AuditedImage | undefined;
  readonly signersLost: readonly AuditedSigner[];
  readonly signersNew: readonly AuditedSigner[];
  /** Who runs it: in the newer audit, where it is in there. */
  readonly workloads: readonly AffectedWorkload[];
}

/** One of the two audits. */
export interface AuditSide {
  readonly at: Instant;
  readonly sources: readonly string[];
  readonly plan: Audit["plan"];
  readonly standard: AuditStandard;
  /** How many. */
  readonly images: number;
}

export interface AuditDiff {
  readonly old: AuditSide;
  readonly new: AuditSide;
  /** Else a verdict may differ because something else was asked for. */
  readonly sameStandard: boolean;
  /** Else an image may be new or gone because somebody looked elsewhere. */
  readonly sameSources: boolean;
  /** Worst first. */
  readonly images: readonly ImageChange[];
  /** What could not be read in one of them only. */
  readonly problems: { readonly new: readonly SourceProblem[]; readonly gone: readonly SourceProblem[] };
}

/**
 * What is different between two audits of the whole.
 *
 * @throws CountersignError `record-invalid` for a shard, which does not know what the others saw.
 */
export function diffAudits(old: Audit, now: Audit): AuditDiff {
  refuseShard(old);
  refuseShard(now);
  const images = pairImages(old, now).flatMap((pair) => changeOf(pair, now.problems));
  return {
    old: sideOf(old),
    new: sideOf(now),
    sameStandard: old.standard.digest === now.standard.digest,
    sameSources: JSON.stringify(old.sources) === JSON.stringify(now.sources),
    images: images.toSorted(worstFirst),
    problems: compareProblems(old, now),
  };
}

function refuseShard({ shard }: Audit): void {
  if (shard === undefined) return;
  throw new CountersignError("record-invalid", "a shard is no audit of the whole", {
    found: `shard ${shard.index} of ${shard.count}`,
    wanted: "all shards, merged",
    next: "merge the shards first: countersign audit merge",
  });
}

function sideOf({ at, sources, plan, standard, images }: Audit): AuditSide {
  return { at, sources, plan, standard, images: images.length };
}

// --- one image --------------------------------------------------------------------------------------------------------

function changeOf({ before, after }: Pair, problems: readonly SourceProblem[]): readonly ImageChange[] {
  const image = after ?? before;
  if (image === undefined) return [];
  const [signersLost, signersNew] = compareSigners(before, after);
  const found = new Set([
    ...presence(before, after, problems),
    ...verdictChange(before, after),
    ...signerChange(signersLost, signersNew),
    ...digestChange(before, after),
  ]);
  const changes = CHANGES.filter((change) => found.has(change));
  if (changes.length === 0) return [];
  return [{ image: image.image, changes, before, after, signersLost, signersNew, workloads: workloadsOf(image) }];
}

type Side = AuditedImage | undefined;

function presence(before: Side, after: Side, problems: readonly SourceProblem[]): readonly Change[] {
  if (before === undefined) return ["new"];
  if (after !== undefined) return [];
  const sources = before.uses.map(({ place }) => place.source);
  const unread = problems.some(({ place }) => sources.some((source) => isWithin(source, place.source)));
  return [unread ? "unseen" : "gone"];
}

/** Whether what could not be read is where that source is: the file itself, its folder, a part of the cluster. */
function isWithin(source: string, unread: string): boolean {
  return unread === "." || source === unread || source.startsWith(`${unread}/`) || unread.startsWith(`${source}/`);
}

function verdictChange(before: Side, after: Side): readonly Change[] {
  if (after === undefined || after.verdict === before?.verdict) return [];
  return after.verdict === "accepted" && before === undefined ? [] : [after.verdict];
}

/** Of an image that could not be looked at, nobody knows who signed it: nothing was lost and nothing is new. */
function compareSigners(before: Side, after: Side): readonly [readonly AuditedSigner[], readonly AuditedSigner[]] {
  if (before === undefined || after === undefined) return [[], []];
  if (before.verdict === "undetermined" || after.verdict === "undetermined") return [[], []];
  return [without(before.signers, after.signers), without(after.signers, before.signers)];
}

/** Each person once, however many signatures there are. */
function without(signers: readonly AuditedSigner[], others: readonly AuditedSigner[]): readonly AuditedSigner[] {
  const known = new Set(others.map(({ id }) => id));
  return signers.filter(({ id }) => !known.has(id) && known.add(id));
}

function signerChange(lost: readonly AuditedSigner[], gained: readonly AuditedSigner[]): readonly Change[] {
  if (lost.length === 0) return gained.length === 0 ? [] : ["signer-new"];
  return gained.length === 0 ? ["signer-lost"] : ["signer-changed"];
}

function digestChange(before: Side, after: Side): readonly Change[] {
  if (before === undefined || after === undefined) return [];
  const isMoved = before.digest !== undefined && after.digest !== undefined && before.digest !== after.digest;
  return [
    ...(before.pinned && !after.pinned ? ["unpinned" as const] : []),
    ...(!before.pinned && after.pinned ? ["pin-new" as const] : []),
    ...(isMoved ? [before.pinned && after.pinned ? ("pin-moved" as const) : ("tag-moved" as const)] : []),
    ...(after.drift && !before.drift ? ["drift" as const] : []),
  ];
}

function workloadsOf(image: AuditedImage): readonly AffectedWorkload[] {
  const workloads = image.uses.map((use) => workloadOf(image, use));
  return [...new Map(workloads.map((workload) => [workloadKey(workload), workload])).values()];
}

function worstFirst(a: ImageChange, b: ImageChange): number {
  return rankOf(a) - rankOf(b) || b.workloads.length - a.workloads.length || compareTexts(a.image, b.image);
}

function rankOf({ changes: [worst] }: ImageChange): number {
  return worst === undefined ? CHANGES.length : CHANGES.indexOf(worst);
}

function compareProblems(old: Audit, now: Audit): AuditDiff["problems"] {
  const minus = (these: readonly SourceProblem[], those: readonly SourceProblem[]) => {
    const known = new Set(those.map(problemKey));
    return these.filter((problem) => !known.has(problemKey(problem)));
  };
  return { new: minus(now.problems, old.problems), gone: minus(old.problems, now.problems) };
}

/** Not by its line: what stands above a problem may grow. */
function problemKey({ place, finding: { code, message, found } }: SourceProblem): string {
  return JSON.stringify([place.source, code, message, found ?? null]);
}
