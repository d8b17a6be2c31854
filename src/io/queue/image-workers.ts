import type { Job, Worker } from "bullmq";
import { jobId, QUEUE_PREFIX, type QueueSecret, sealResult } from "../../core/audit/queued.ts";
import { CountersignError, toFinding } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { QueueLink } from "./link.ts";
import type { ImageJob, RunQueues } from "./run-queues.ts";
import type { Examiner } from "./worker.ts";

export interface ImageWorkersOptions {
  readonly secret: QueueSecret;
  readonly signal: AbortSignal;
  readonly examiner: Examiner;
  /** Of one registry at a time. */
  readonly workers: number;
  /** What the server calls this machine. */
  readonly name: string;
  readonly onDone: () => void;
  readonly onError: (error: Error) => void;
}

export interface ImageWorkers {
  /** With `isLost`, without a word to the server. */
  close(isLost: boolean): Promise<void>;
}

/** Takes images out of all queues of a run. */
export async function startWorkers(
  link: QueueLink,
  queues: RunQueues,
  options: ImageWorkersOptions,
): Promise<ImageWorkers> {
  const { Worker, UnrecoverableError } = await import("bullmq");
  const start = (name: string): Worker<ImageJob, string> => {
    const images = new Map(queues.imagesOf(name).map((image) => [jobId(image), image]));
    const work = async (job: Job<ImageJob, string>): Promise<string> => {
      // Whoever can write to the server could have anything asked for, with our credentials.
      const image = images.get(job.id ?? "");
      if (image === undefined) throw new UnrecoverableError("no image of this audit");
      const result = await resultFor(image, job.attemptsMade, options, () => Worker.RateLimitError());
      options.onDone();
      return sealResult(queues.run.id, image, result, options.secret);
    };
    const worker = new Worker<ImageJob, string>(name, work, { connection: link.redis, ...settings(options) });
    worker.on("error", (error) => {
      if (!isOfTheConnection(error)) options.onError(error);
    });
    return worker;
  };
  const all = queues.names.map(start);
  return {
    async close(isLost) {
      await Promise.all(all.map((worker) => worker.close(isLost)));
    },
  };
}

function settings({ workers, name }: ImageWorkersOptions) {
  return {
    prefix: QUEUE_PREFIX,
    name,
    concurrency: workers,
    lockDuration: LIMITS.queueLockMs,
    stalledInterval: LIMITS.queueStalledMs,
    maxStalledCount: LIMITS.queueStalls,
    runRetryDelay: LIMITS.queuePollMs,
    drainDelay: 1,
  } as const;
}

/** @throws Error what the queue takes for "once more": later where it may pass, at once where this machine ends. */
async function resultFor(
  image: string,
  attemptsMade: number,
  { examiner, signal }: ImageWorkersOptions,
  giveBack: () => Error,
): Promise<Parameters<typeof sealResult>[2]> {
  try {
    const facts = await examiner.examine(image);
    const isLast = attemptsMade + 1 >= LIMITS.queueTries;
    if (!isLast && (await examiner.mayPass(facts))) throw new Passing(facts.reasons[0]?.code);
    return { facts };
  } catch (error) {
    if (error instanceof Passing) throw error;
    if (signal.aborted || (error instanceof CountersignError && error.class === "interrupted")) throw giveBack();
    return { error: toFinding(error) };
  }
}

/** It was not found out, and may be in a moment. */
class Passing extends Error {}

/** The link sees to those; and a result that comes too late, because its image was given to another, is no loss. */
function isOfTheConnection(error: Error): boolean {
  return /ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|Connection is closed|Missing (?:lock|key) for job/.test(
    error.message,
  );
}
