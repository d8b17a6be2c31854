import { CountersignError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { formatInstantExactly } from "../time.ts";
import { pinOf } from "./assemble.ts";
import type { Audit, AuditShard } from "./audit.ts";
import { sealPlan } from "./plan.ts";

/** One part of an audit, as it was read from a file. */
export interface ShardFile {
  /** The file, for errors. */
  readonly label: string;
  readonly audit: Audit;
}

/**
 * The parts as one audit, the same as if one process had done it all, in whatever order they come. The plan is made again
 * from what they hold: nothing of it can be missing from them.
 *
 * @throws CountersignError `record-invalid`: a part is missing, is there twice, or belongs to another audit.
 */
export function mergeShards(files: readonly ShardFile[]): Audit {
  const shards = files.map((file) => ({ ...file, shard: shardIn(file) }));
  const [first, ...others] = shards.toSorted((a, b) => a.shard.index - b.shard.index);
  if (first === undefined) throw new CountersignError("usage", "nothing to merge", { found: "no shard" });
  for (const other of others) requireSame(first, other);
  const sorted = [first, ...others];
  requireEach(sorted, first.shard.count);
  requireDisjoint(sorted);
  const { at, sources, plan, problems, standard } = first.audit;
  const images = sorted.flatMap(({ audit }) => audit.images);
  for (const file of sorted) requireWhatFollows(file);
  const items = images.map(({ image, uses }) => ({ image, uses }));
  const merged = sealPlan({ at, sources, items, problems });
  if (merged.digest === plan) return { at, sources, plan, standard, images, problems };
  throw new CountersignError("record-invalid", "the shards together are not what was planned", {
    found: `${images.length} images with the digest ${merged.digest}`,
    wanted: plan,
    next: "run again those shards whose files were changed or cut",
  });
}

interface Shard extends ShardFile {
  readonly shard: AuditShard;
}

function shardIn({ label, audit }: ShardFile): AuditShard {
  const { shard } = audit;
  if (shard === undefined)
    throw invalid(label, "it is a whole audit, and no part of one", "an audit that --shard made");
  if (shard.count <= LIMITS.auditShards) return shard;
  throw invalid(label, "it is a part of too many", `at most ${LIMITS.auditShards} shards`, `${shard.count} shards`);
}

/** What every part was given has to be the same: else they are answers to different questions. */
function requireSame({ audit: one, label: other, shard: { count } }: Shard, { label, audit, shard }: Shard): void {
  const differs = (what: string, found: string, wanted: string): CountersignError =>
    invalid(label, `it is of another ${what} than ${other}`, wanted, found);
  if (audit.plan !== one.plan) {
    if (audit.at === one.at) throw differs("plan", audit.plan, one.plan);
    throw differs("time", formatInstantExactly(audit.at), formatInstantExactly(one.at));
  }
  if (audit.standard.digest !== one.standard.digest) {
    throw differs("standard", describeStandard(audit), describeStandard(one));
  }
  if (shard.count !== count) throw differs("number of shards", `${shard.count} shards`, `${count} shards`);
}

function describeStandard({ standard: { wanted, digest } }: Audit): string {
  return `${wanted} (${digest})`;
}

/** @throws CountersignError where not every part is there once. */
function requireEach(sorted: readonly Shard[], count: number): void {
  for (const [at, { label, shard }] of sorted.entries()) {
    const before = sorted[at - 1];
    if (before?.shard.index !== shard.index) continue;
    throw invalid(label, `shard ${shard.index} is there twice`, "each shard once", `${before.label} too`);
  }
  const present = new Set(sorted.map(({ shard }) => shard.index));
  const missing = Array.from({ length: count }, (_, at) => at + 1).filter((index) => !present.has(index));
  if (missing.length > 0) throw missingShards(missing, count);
}

const MISSING_SHOWN = 10;

function missingShards(missing: readonly number[], count: number): CountersignError {
  const more = missing.length - MISSING_SHOWN;
  const names = [...missing.slice(0, MISSING_SHOWN).map(String), ...(more > 0 ? [`${more} more`] : [])].join(", ");
  return new CountersignError(
    "record-invalid",
    `of ${count} shards, ${missing.length} ${missing.length === 1 ? "is" : "are"} missing`,
    {
      found: `nothing of ${names}`,
      wanted: "every shard once",
      next: "run the missing shards, then merge all of them",
    },
  );
}

function requireDisjoint(shards: readonly Shard[]): void {
  const seen = new Map<string, string>();
  for (const { label, audit } of shards) {
    for (const { image } of audit.images) {
      const other = seen.get(image);
      if (other !== undefined) throw invalid(label, `it overlaps with ${other}`, "each image in one shard", image);
      seen.set(image, label);
    }
  }
}

/** What is told of a pin follows from the rest of an image: a file that says otherwise was changed. */
function requireWhatFollows({ label, audit }: Shard): void {
  for (const each of audit.images) {
    const { pinned, drift } = pinOf(each);
    if (each.pinned === pinned && each.drift === drift) continue;
    const wanted = `pinned ${pinned}, drift ${drift}`;
    throw invalid(
      label,
      `${each.image} is not what it is said to be`,
      wanted,
      `pinned ${each.pinned}, drift ${each.drift}`,
    );
  }
}

function invalid(label: string, message: string, wanted: string, found?: string): CountersignError {
  return new CountersignError("record-invalid", `${label}: ${message}`, {
    found,
    wanted,
    next: "merge the files that the shards of one plan wrote",
  });
}
