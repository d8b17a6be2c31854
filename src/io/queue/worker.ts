import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { ImageFacts } from "../../core/audit/audit.ts";
import { isRunId, openRun, type QueuedRun, type QueueSecret } from "../../core/audit/queued.ts";
import { CountersignError, toFinding } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Digest } from "../../core/oci/digest.ts";
import type { QueueAddress } from "./address.ts";
import { type ImageWorkers, startWorkers } from "./image-workers.ts";
import { type LinkOptions, QueueLink } from "./link.ts";
import { AUDITS_KEY, RunQueues, recordKey } from "./run-queues.ts";

/** What a machine brings to one run. */
export interface Examiner {
  /** The digest of what it requires of every image: it has to be the run's. */
  readonly standard: Digest;
  /** In words. */
  readonly wanted: string;
  /** @throws CountersignError where no image can be judged, and `interrupted`. */
  examine(image: string): Promise<ImageFacts>;
  /** Whether another try may find out more. */
  mayPass(facts: ImageFacts): Promise<boolean>;
  close(): Promise<void>;
}

export interface WorkOptions extends LinkOptions {
  readonly address: QueueAddress;
  readonly secret: QueueSecret;
  readonly signal: AbortSignal;
  /** End with the first run that there is, and fail where one cannot be worked on. */
  readonly isOnce: boolean;
  /** Images of one registry at a time. */
  readonly workers: number;
  /** Opens what examines; `pause` holds back all machines of the run from a registry. */
  readonly open: (run: QueuedRun, pause: (registry: string, milliseconds: number) => void) => Promise<Examiner>;
  readonly onNote?: ((line: string) => void) | undefined;
  readonly onWarning?: ((line: string) => void) | undefined;
}

/** What a worker has done when it ends. */
export interface Worked {
  readonly audits: number;
  readonly images: number;
}

/**
 * Examines images for whatever run is in the queue, until the signal is aborted, which is its ordinary end; with `isOnce`
 * until the first run has no work left.
 *
 * @throws CountersignError as `QueueLink.open`; what `open` throws; with `isOnce`, `record-invalid` for a run that is sealed
 * with another secret or requires something else.
 */
export async function workOnAudits(options: WorkOptions): Promise<Worked> {
  const link = await QueueLink.open(options.address, { ...options, signal: undefined });
  const office = new Office(link, options);
  try {
    await link.during(office.work());
  } finally {
    await office.close();
    link.close();
  }
  return { audits: office.audits, images: office.images };
}

/** One run, and who is at work on it here. */
interface Serving {
  readonly queues: RunQueues;
  readonly examiner: Examiner;
  readonly workers: ImageWorkers;
}

class Office {
  readonly #link: QueueLink;
  readonly #options: WorkOptions;
  readonly #name = randomBytes(6).toString("hex");
  readonly #serving = new Map<string, Serving>();
  /** Runs that this worker has nothing to do with, each told of once. */
  readonly #declined = new Set<string>();
  readonly #told = new Set<string>();
  audits = 0;
  images = 0;

  constructor(link: QueueLink, options: WorkOptions) {
    this.#link = link;
    this.#options = options;
  }

  async work(): Promise<void> {
    const { signal, isOnce } = this.#options;
    for (let poll = 1; !signal.aborted && !this.#link.isClosed; poll++) {
      for (const id of await this.#newRuns()) await this.#begin(id);
      if (poll % LIMITS.queueKeepPolls === 0) await this.#keep();
      const ended = await this.#endFinished();
      if (isOnce && ended) return;
      await sleep(LIMITS.queuePollMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** Oldest first. */
  async #newRuns(): Promise<readonly string[]> {
    const ids = await this.#link.redis.zrange(AUDITS_KEY, "0", String(LIMITS.queueAudits - 1));
    return ids.filter((id) => isRunId(id) && !this.#serving.has(id) && !this.#declined.has(id));
  }

  async #begin(id: string): Promise<void> {
    const { secret, isOnce, open, onNote } = this.#options;
    try {
      const sealed = await this.#readRecord(id);
      if (sealed === null) return;
      const run = openRun(id, sealed, secret);
      const queues = await RunQueues.open(this.#link, run, "worker");
      const examiner = await open(run, (registry, wait) => void queues.pause(registry, wait).catch(() => undefined));
      try {
        refuseOther(run, examiner);
      } catch (error) {
        await examiner.close();
        throw error;
      }
      onNote?.(`working on audit ${id}: images ${run.images.length}, registries ${queues.names.length}`);
      this.#serving.set(id, { queues, examiner, workers: await this.#start(queues, examiner) });
      this.audits++;
    } catch (error) {
      if (isOnce || !isAboutTheRun(error)) throw error;
      this.#declined.add(id);
      this.#warn(`audit ${id} is not worked on: ${error.message}: found ${error.found}, wanted ${error.wanted}`);
    }
  }

  /** Looked at before it is fetched: somebody else may have put anything there. */
  async #readRecord(id: string): Promise<string | null> {
    const key = recordKey(id);
    const length = await this.#link.redis.strlen(key);
    if (length <= LIMITS.queueRunBytes) return await this.#link.redis.get(key);
    throw new CountersignError("limit-reached", `audit ${id} in the queue is too large to read`, {
      found: `${length} bytes`,
      wanted: `at most ${LIMITS.queueRunBytes} bytes`,
    });
  }

  async #start(queues: RunQueues, examiner: Examiner): Promise<ImageWorkers> {
    const { secret, signal, workers } = this.#options;
    return await startWorkers(this.#link, queues, {
      ...{ secret, signal, workers, examiner, name: this.#name },
      onDone: () => {
        this.images++;
      },
      onError: (error) => {
        if (!signal.aborted) this.#warn(`the queue: ${toFinding(error).message}`);
      },
    });
  }

  /** Not the runs themselves: whoever wants them does that, or they are over. */
  async #keep(): Promise<void> {
    for (const { queues } of this.#serving.values()) await queues.keepQueues();
  }

  /** Lets go of runs that nobody wants any more. With `isOnce`, also of one in which everything is done. */
  async #endFinished(): Promise<boolean> {
    let ended = false;
    for (const [id, { queues }] of this.#serving) {
      const isWanted = await queues.isWanted();
      const isDone = isWanted && this.#options.isOnce && (await isFinished(queues));
      if (isWanted && !isDone) continue;
      await this.#end(id);
      // Whoever wanted it swept up while some of it was still in our hands; or a server that forgot it was told again.
      if (!isWanted && !(await queues.isWanted())) await queues.sweep();
      ended = true;
    }
    return ended;
  }

  async #end(id: string): Promise<void> {
    const serving = this.#serving.get(id);
    this.#serving.delete(id);
    await serving?.workers.close(this.#link.isClosed);
    await serving?.examiner.close();
  }

  /** Gives back what is not done: at once where the server is there, after LIMITS.queueLockMs where it is not. */
  async close(): Promise<void> {
    const closed = Promise.all([...this.#serving.keys()].map((id) => this.#end(id)));
    await this.#link.during(closed).catch(() => undefined);
  }

  #warn(line: string): void {
    if (this.#told.has(line)) return;
    this.#told.add(line);
    this.#options.onWarning?.(line);
  }
}

async function isFinished(queues: RunQueues): Promise<boolean> {
  const { finished } = await queues.counts();
  return finished >= queues.run.images.length;
}

/** Another secret, another standard, another version: that is the run's matter, not the worker's. */
function isAboutTheRun(error: unknown): error is CountersignError {
  return error instanceof CountersignError && (error.code === "record-invalid" || error.code === "limit-reached");
}

/** A verdict by something else than what was asked for would be no answer. */
function refuseOther(run: QueuedRun, { standard, wanted }: Examiner): void {
  if (standard === run.standard.digest) return;
  throw new CountersignError("record-invalid", "the audit in the queue requires something else than this worker", {
    found: `${wanted} (${standard})`,
    wanted: `${run.standard.wanted} (${run.standard.digest})`,
    next: "give the worker the same keys, policy, trust roots and flags as the audit",
  });
}
