import { setTimeout as sleep } from "node:timers/promises";
import { assembleAudit } from "../core/audit/assemble.ts";
import type { AuditPlan, AuditStandard, ImageFacts, PlanItem } from "../core/audit/audit.ts";
import { planAt } from "../core/audit/plan.ts";
import { parseShard, shardOf } from "../core/audit/shard.ts";
import { LIMITS } from "../core/limits.ts";
import { mayPass, runAudit } from "../ops/audit.ts";
import { type AuditJournal, openAuditJournal } from "./audit-journal.ts";
import { readAuditOptions } from "./audit-options.ts";
import { type AuditProgressLine, openAuditProgress } from "./audit-progress.ts";
import { concludeAudit } from "./audit-report.ts";
import { type AuditWish, type OpenAudit, openAudit } from "./audit-run.ts";
import { readPlan } from "./audit-sources.ts";
import type { Context } from "./context.ts";
import type { RawOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { type QueueOptions, readQueueOptions, refuseBesideQueue } from "./queue-options.ts";
import { readTaggedOptions } from "./verify-options.ts";

/** `countersign audit SOURCE…`, `countersign audit --plan FILE`. */
export async function audit(
  context: Context,
  output: Output,
  sources: readonly string[],
  raw: RawOptions,
): Promise<void> {
  const options = readAuditOptions(raw, sources);
  // What is wrong with the flags is said before anything is read.
  readTaggedOptions(raw);
  refuseBesideQueue(raw);
  const queue = readQueueOptions(context, raw);
  const shard = options.shard === undefined ? undefined : parseShard(options.shard, context.env);
  if (options.store !== undefined) await (await import("./audit-store.ts")).checkStore(context, options.store);
  const journal = options.journal === undefined ? undefined : await openAuditJournal(context, options.journal);
  let isDone = false;
  try {
    const { plan: planned, wiring } = await readPlan(context, output, { sources, plan: options.plan, raw });
    // A plan that was read has a time of its own.
    const plan = options.plan === undefined && journal?.at !== undefined ? planAt(planned, journal.at) : planned;
    const items = shard === undefined ? plan.items : shardOf(plan, shard);
    const { standard, facts } = await examineAll(context, output, { plan, items, raw, journal, wiring, queue });
    await concludeAudit(context, output, assembleAudit({ plan, items, facts, standard, shard }), options);
    isDone = !facts.some(mayPass);
  } finally {
    await journal?.close(isDone);
  }
}

interface Work extends AuditWish {
  readonly plan: AuditPlan;
  /** Those of the plan that this process looks at. */
  readonly items: readonly PlanItem[];
  readonly journal: AuditJournal | undefined;
  readonly queue: QueueOptions | undefined;
}

interface Examined {
  readonly standard: AuditStandard;
  readonly facts: readonly ImageFacts[];
}

async function examineAll(context: Context, output: Output, work: Work): Promise<Examined> {
  const { plan, queue } = work;
  const opened = await openAudit(context, output, work);
  const progress = openAuditProgress(context, output);
  try {
    const { standard } = opened;
    if (queue === undefined) return { standard, facts: await examineHere(context, output, work, opened, progress) };
    const { examineByQueue } = await import("./audit-queue.ts");
    return { standard, facts: await examineByQueue(context, output, { plan, standard }, queue, progress.onProgress) };
  } finally {
    progress.finish();
    await opened.close();
  }
}

async function examineHere(
  context: Context,
  output: Output,
  { plan, items, journal }: Work,
  opened: OpenAudit,
  { onProgress }: AuditProgressLine,
): Promise<readonly ImageFacts[]> {
  const { auditor, workers, standard } = opened;
  const kept = await journal?.begin(plan, items, standard.digest);
  if (kept !== undefined && kept.known.size > 0) {
    output.note(`${kept.known.size} of ${items.length} images are known from the journal`);
  }
  const pause = (round: number): Promise<boolean> => pauseBefore(round, context, opened);
  return await runAudit(items, auditor, { workers, journal: kept, onProgress, pause });
}

const FIRST_PAUSE_MS = 1000;

/** As long as registries ask for, and longer from round to round; not at all where one asks for too much. */
async function pauseBefore(round: number, { signal }: Context, { wiring }: OpenAudit): Promise<boolean> {
  const asked = await wiring.askedMs();
  if (asked > LIMITS.auditPauseMs) return false;
  const own = Math.min(FIRST_PAUSE_MS * 2 ** (round - 2), LIMITS.retryCapMs);
  await sleep(Math.max(asked, own), undefined, { signal }).catch(() => undefined);
  // Half an audit is no result: nothing of it is reported, and the journal keeps what is known.
  signal.throwIfAborted();
  return true;
}
