import { setTimeout as sleep } from "node:timers/promises";
import type { ImageFacts } from "../../core/audit/audit.ts";
import type { QueuedRun, QueueSecret } from "../../core/audit/queued.ts";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { QueueAddress } from "./address.ts";
import { type LinkOptions, QueueLink } from "./link.ts";
import { type Counts, type Rate, RunQueues } from "./run-queues.ts";

export interface ShareOptions extends LinkOptions {
  readonly address: QueueAddress;
  readonly secret: QueueSecret;
  readonly rate?: Rate | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly onWarning?: ((line: string) => void) | undefined;
  /** Milliseconds without one image more. */
  readonly idleMs?: number | undefined;
}

/**
 * Has workers examine the images of a run, and waits for all of them. Called again with the same plan and standard, it goes on
 * with what is there. In the order of the images.
 *
 * @throws CountersignError `unreachable`, `denied` and `server-error` of the queue's server; `record-invalid` for results that
 * no worker of this run sealed; `timeout` where none comes; what a worker says that no image can be judged by.
 */
export async function shareAudit(run: QueuedRun, options: ShareOptions): Promise<readonly ImageFacts[]> {
  const link = await QueueLink.open(options.address, options);
  const stop = new AbortController();
  try {
    const queues = await RunQueues.open(link, run, "owner");
    try {
      return await link.during(new Coordinator(queues, options, stop.signal).facts());
    } catch (error) {
      if (options.signal?.aborted === true) await forgetInTime(queues);
      throw error;
    }
  } finally {
    stop.abort();
    link.close();
  }
}

/** Whoever interrupts is not kept waiting by a server that does not answer. */
async function forgetInTime(queues: RunQueues): Promise<void> {
  const forgotten = queues.forget().catch(() => undefined);
  await Promise.race([forgotten, sleep(LIMITS.queueConnectMs, undefined, { ref: false })]);
}

class Coordinator {
  readonly #queues: RunQueues;
  readonly #options: ShareOptions;
  readonly #stop: AbortSignal;
  #finished = -1;
  #movedAt = performance.now();
  #isWarned = false;

  constructor(queues: RunQueues, options: ShareOptions, stop: AbortSignal) {
    this.#queues = queues;
    this.#options = options;
    this.#stop = stop;
  }

  async facts(): Promise<readonly ImageFacts[]> {
    const { secret, rate } = this.#options;
    // First, while there is nothing in the queues but what an earlier run has left.
    await this.#queues.retryFailed();
    await this.#queues.publish(secret, rate);
    for (let poll = 1; ; poll++) {
      const counts = await this.#queues.counts();
      this.#heed(counts);
      if (counts.finished >= this.#total) {
        const facts = await this.#queues.results(secret);
        const whole = facts.filter((one) => one !== undefined);
        if (whole.length === this.#total) return await this.#conclude(whole);
      }
      // A server that was restarted may have forgotten what it was told last, and another audit of the same run takes it away
      // at its end; adding twice adds once. Without the record, no worker finds the images.
      if (counts.known < this.#total || !(await this.#queues.isWanted())) await this.#queues.publish(secret, rate);
      if (poll % LIMITS.queueKeepPolls === 0) await this.#queues.keep();
      await sleep(LIMITS.queuePollMs, undefined, { signal: this.#stop });
    }
  }

  get #total(): number {
    return this.#queues.run.images.length;
  }

  async #conclude(facts: readonly ImageFacts[]): Promise<readonly ImageFacts[]> {
    await this.#queues.forget();
    return facts;
  }

  #heed({ finished, begun }: Counts): void {
    const idle = performance.now() - this.#movedAt;
    if (finished !== this.#finished) {
      this.#finished = finished;
      this.#movedAt = performance.now();
      this.#options.onProgress?.(Math.min(finished, this.#total), this.#total);
    } else if (idle > (this.#options.idleMs ?? LIMITS.queueIdleMs)) {
      throw this.#stuck(idle);
    } else if (idle > LIMITS.queueLockMs && finished + begun === 0 && !this.#isWarned) {
      this.#isWarned = true;
      this.#options.onWarning?.(
        "no worker has taken an image yet; start countersign audit worker with the same --queue, keys and policy",
      );
    }
  }

  #stuck(idle: number): CountersignError {
    return new CountersignError("timeout", "no worker has come to an end with an image for too long", {
      found: `${Math.max(this.#finished, 0)} of ${this.#total} images, and none more in ${Math.round(idle / 1000)} s`,
      wanted: "countersign audit worker with the same --queue, secret, keys and policy",
      next: "start workers, then run the same command with the same --plan again: it goes on with what is done",
    });
  }
}
