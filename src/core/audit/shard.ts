import { CountersignError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { AuditPlan, AuditShard, PlanItem } from "./audit.ts";

/**
 * Those items of the plan that are a shard's: item k of N (from 0) is in shard ⌊k·n/N⌋+1. Contiguous, so that images of one
 * repository are looked at together; every item is in exactly one; sizes differ by one at most.
 */
export function shardOf({ items }: Pick<AuditPlan, "items">, { index, count }: AuditShard): readonly PlanItem[] {
  return items.slice(startOf(index, count, items.length), startOf(index + 1, count, items.length));
}

/** The first item of a shard: the least k with ⌊k·n/N⌋ ≥ index−1. */
function startOf(index: number, count: number, length: number): number {
  return Math.ceil(((index - 1) * length) / count);
}

/** Where a Kubernetes Indexed Job says which of its pods this is, from 0. */
const INDEX_VARIABLE = "JOB_COMPLETION_INDEX";

/**
 * `2/4`, or `auto/4` for the part that an Indexed Job gives to this pod.
 *
 * @throws CountersignError `usage`; `configuration-invalid` where the variable is not one of 0 to n-1.
 */
export function parseShard(text: string, env: Readonly<Record<string, string | undefined>>): AuditShard {
  const [, part = "", whole = ""] = /^(auto|[1-9][0-9]{0,5})\/([1-9][0-9]{0,5})$/.exec(text) ?? [];
  const count = Number(whole);
  if (part === "" || count > LIMITS.auditShards) throw noShard(text);
  if (part === "auto") return { index: indexFrom(env, count), count };
  const index = Number(part);
  if (index > count) throw noShard(text);
  return { index, count };
}

function indexFrom(env: Readonly<Record<string, string | undefined>>, count: number): number {
  const value = env[INDEX_VARIABLE] ?? "";
  const index = Number(value);
  if (/^(?:0|[1-9][0-9]{0,5})$/.test(value) && index < count) return index + 1;
  throw new CountersignError("configuration-invalid", `${INDEX_VARIABLE} does not say which shard this is`, {
    found: value === "" ? "nothing" : value,
    wanted: `0 to ${count - 1}, as an Indexed Job with ${count} completions sets it`,
  });
}

function noShard(text: string): CountersignError {
  return new CountersignError("usage", "--shard takes a part of a whole", {
    found: text,
    wanted: `i/n with i from 1 to n, or auto/n; at most ${LIMITS.auditShards}`,
  });
}
