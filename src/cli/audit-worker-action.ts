import type { QueuedRun } from "../core/audit/queued.ts";
import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { type Examiner, workOnAudits } from "../io/queue/worker.ts";
import { mayPass } from "../ops/audit.ts";
import { workerDocument, workerText } from "../report/audit-worker.ts";
import { openAudit } from "./audit-run.ts";
import type { Context } from "./context.ts";
import { type RawOptions, readRegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { readQueueOptions } from "./queue-options.ts";

/** Images of one registry looked at at a time, where nobody says how many. */
const WORKERS = 32;

/** `countersign audit worker --queue ADDRESS`: until it is interrupted, or with --once until one audit has no work left. */
export async function auditWorker(context: Context, output: Output, raw: RawOptions): Promise<void> {
  const queue = readQueueOptions(context, raw);
  if (queue === undefined) {
    throw new CountersignError("usage", "nothing says where the audits are", { wanted: "--queue redis://HOST" });
  }
  const isOnce = raw["once"] === true;
  const { maxWorkers, passwordFromStdin } = readRegistryOptions(raw);
  refuseTwoReadings(passwordFromStdin, isOnce);
  const worked = await workOnAudits({
    ...queue,
    isOnce,
    signal: context.signal,
    workers: maxWorkers ?? WORKERS,
    open: (run, pause) => openExaminer(context, output, raw, run, pause),
    onNote: output.note,
    onWarning: output.warn,
  });
  await output.result({ text: () => workerText(worked), json: () => workerDocument(worked) });
}

/** Standard input is read once; a second audit would find nothing there. */
function refuseTwoReadings(passwordFromStdin: boolean, isOnce: boolean): void {
  if (!passwordFromStdin || isOnce) return;
  throw new CountersignError("usage", "a worker for several audits cannot read a password from standard input", {
    found: "--registry-password-stdin without --once",
    wanted: "it in COUNTERSIGN_REGISTRY_PASSWORD, a login kept by docker login, or --once",
  });
}

/** What this machine's flags name, as of the time of the run. */
async function openExaminer(
  context: Context,
  output: Output,
  raw: RawOptions,
  run: QueuedRun,
  pause: (registry: string, milliseconds: number) => void,
): Promise<Examiner> {
  const items = run.images.map((image) => ({ image, uses: [] }));
  const { standard, auditor, wiring, close } = await openAudit(context, output, { plan: { items, at: run.at }, raw });
  wiring.onAsked((registry, milliseconds) => pause(registry, Math.min(milliseconds, LIMITS.auditPauseMs)));
  return {
    standard: standard.digest,
    wanted: standard.wanted,
    examine: (image) => auditor.examine(image),
    // As in one process: a registry that asks for more than that is not asked again.
    mayPass: async (facts) => mayPass(facts) && (await wiring.askedMs()) <= LIMITS.auditPauseMs,
    close,
  };
}
