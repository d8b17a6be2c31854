import { setTimeout as sleep } from "node:timers/promises";
import { assembleAudit } from "../core/audit/assemble.ts";
import type { Audit, AuditPlan, PlanItem } from "../core/audit/audit.ts";
import { planAt } from "../core/audit/plan.ts";
import { parseShard, shardOf } from "../core/audit/shard.ts";
import { LIMITS } from "../core/limits.ts";
import { mayPass, runAudit } from "../ops/audit.ts";
import { type AuditJournal, openAuditJournal } from "./audit-journal.ts";
import { readAuditOptions } from "./audit-options.ts";
import { openAuditProgress } from "./audit-progress.ts";
import { concludeAudit } from "./audit-report.ts";
import { type OpenAudit, openAudit } from "./audit-run.ts";
import { readPlan } from "./audit-sources.ts";
import type { Context } from "./context.ts";
import type { RawOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { readQueueOptions, refuseBesideQueue } from "./queue-options.ts";

/** `countersign audit SOURCE…`, `countersign audit --plan FILE`. */
export async function audit(
  context: Context,
  output: Output,
  sources: readonly string[],
  raw: RawOptions,
): Promise<void> {
  const options = readAuditOptions(raw, sources);
  refuseBesideQueue(raw);
  const shard = options.shard === undefined ? undefined : parseShard(options.shard, context.env);
  if (options.store !== undefined) await (await import("./audit-store.ts")).checkStore(context, options.store);
  const planned = await readPlan(context, options.plan, sources);
  const journal = options.journal === undefined ? undefined : await openAuditJournal(context, options.journal);
  let isDone = false;
  try {
    // A plan that was read has a time of its own.
    const plan = options.plan === undefined && journal?.at !== undefined ? planAt(planned, journal.at) : planned;
    const items = shard === undefined ? plan.items : shardOf(plan, shard);
    const result = await examineAll(context, output, { plan, items, raw, journal });
    const audit = shard === undefined ? result : { ...result, shard };
    await concludeAudit(context, output, audit, options);
    isDone = !result.images.some(mayPass);
  } finally {
    await journal?.close(isDone);
  }
}

interface Work {
  readonly plan: AuditPlan;
  /** Those of the plan that this process looks at. */
  readonly items: readonly PlanItem[];
  readonly raw: RawOptions;
  readonly journal: AuditJournal | undefined;
}

async function examineAll(context: Context, output: Output, { plan, items, raw, journal }: Work): Promise<Audit> {
  const queue = readQueueOptions(context, raw);
  const opened = await openAudit(context, output, plan, raw);
  const progress = openAuditProgress(context, output);
  try {
    const { standard, auditor, workers } = opened;
    const kept = await journal?.begin(plan, items, standard.digest);
    if (kept !== undefined && kept.known.size > 0)
      output.note(`${kept.known.size} of ${items.length} from the journal`);
    const { onProgress } = progress;
    const pause = (round: number): Promise<boolean> => pauseBefore(round, context, opened);
    if (queue !== undefined) {
      const { examineByQueue } = await import("./audit-queue.ts");
      const facts = await examineByQueue(context, output, { plan, standard }, queue, onProgress);
      return assembleAudit({ plan, items, facts, standard });
    }
    const facts = await runAudit(items, auditor, { workers, journal: kept, onProgress, pause });
    return assembleAudit({ plan, items, facts, standard });
  } finally {
    progress.finish();
    await opened.close();
  }
}

const FIRST_PAUSE_MS = 1000;

/** As long as registries ask for, and longer from round to round; not at all where one asks for too much. */
async function pauseBefore(round: number, { signal }: Context, { wiring }: OpenAudit): Promise<boolean> {
  const asked = await wiring.askedMs();
  if (asked > LIMITS.auditPauseMs) return false;
  const own = Math.min(FIRST_PAUSE_MS * 2 ** (round - 2), LIMITS.retryCapMs);
  await sleep(Math.max(asked, own), undefined, { signal }).catch(() => undefined);
  return !signal.aborted;
}
