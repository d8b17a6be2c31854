import type { AuditPlan, AuditStandard, ImageFacts } from "../core/audit/audit.ts";
import { queuedRun } from "../core/audit/queued.ts";
import { shareAudit } from "../io/queue/coordinator.ts";
import type { AuditProgress } from "../ops/audit.ts";
import type { Context } from "./context.ts";
import type { Output } from "./output.ts";
import type { QueueOptions } from "./queue-options.ts";

/** Has workers on other machines examine all images of a plan. In the order of its items. */
export async function examineByQueue(
  context: Context,
  output: Output,
  { plan, standard }: { readonly plan: AuditPlan; readonly standard: AuditStandard },
  queue: QueueOptions,
  onProgress: (event: AuditProgress) => void,
): Promise<readonly ImageFacts[]> {
  return await shareAudit(queuedRun(plan, standard), {
    ...queue,
    signal: context.signal,
    onProgress: (done, total) => onProgress({ done, total, round: 1 }),
    onWarning: output.warn,
  });
}
