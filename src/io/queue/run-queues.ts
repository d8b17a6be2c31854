import type { Queue } from "bullmq";
import type { ImageFacts } from "../../core/audit/audit.ts";
import { jobId, QUEUE_PREFIX, type QueuedRun, type QueueSecret, queueName, sealRun } from "../../core/audit/queued.ts";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { QueueLink } from "./link.ts";
import { readResults } from "./results.ts";

/** What a worker is asked. That the image is one of the run is checked by whoever takes it. */
export interface ImageJob {
  readonly image: string;
}

/** Images of one run, by what became of them. */
export interface Counts {
  /** Those that the queue's server knows. */
  readonly known: number;
  readonly finished: number;
  /** In the hands of a worker, or put off by one. */
  readonly begun: number;
}

/** How many images of one registry may be begun in a second, on all machines together; may be less than one. */
export type Rate = number;

/** The runs that workers look for, by when they were last heard of. */
export const AUDITS_KEY = `${QUEUE_PREFIX}:audits`;

/** What holds for all machines of a run. */
export function recordKey(run: string): string {
  return `${QUEUE_PREFIX}:audit-${run}`;
}

const SECOND_MS = 1000;
/** A limit that is never reached: without any, BullMQ does not heed a pause either. */
const NO_RATE: Rate = 1_000_000;

/** Keys of a queue that say something by being there, for as long as BullMQ has them be. */
const HAVE_THEIR_TIME: ReadonlySet<string> = new Set(["limiter", "stalled-check"]);

/** Keys of a queue that are taken away in one step with the images in them. */
const GO_WITH_IMAGES: ReadonlySet<string> = new Set([
  ...["wait", "paused", "active", "waiting-children", "delayed", "prioritized", "completed", "failed", "meta"],
]);

type ImageQueue = Queue<ImageJob, string, string>;

/** One run in the queue's server: a queue for each registry. */
export class RunQueues {
  readonly run: QueuedRun;
  readonly #link: QueueLink;
  readonly #queues: ReadonlyMap<string, ImageQueue>;
  readonly #images: ReadonlyMap<string, readonly string[]>;

  private constructor(
    link: QueueLink,
    run: QueuedRun,
    images: ReadonlyMap<string, readonly string[]>,
    queues: ReadonlyMap<string, ImageQueue>,
  ) {
    this.#link = link;
    this.run = run;
    this.#images = images;
    this.#queues = queues;
  }

  /** @throws CountersignError `limit-reached` for images of too many registries. */
  static async open(link: QueueLink, run: QueuedRun, as: "owner" | "worker"): Promise<RunQueues> {
    const images = Map.groupBy(run.images, (image) => queueName(run.id, image));
    refuseManyRegistries(images.size);
    const { Queue } = await import("bullmq");
    const open = (name: string): ImageQueue => {
      const queue: ImageQueue = new Queue(name, {
        connection: link.redis,
        prefix: QUEUE_PREFIX,
        skipMetasUpdate: as === "worker",
        streams: { events: { maxLen: LIMITS.queueEvents } },
      });
      // The link tells what is wrong with the connection.
      return queue.on("error", () => undefined);
    };
    return new RunQueues(link, run, images, new Map([...images.keys()].map((name) => [name, open(name)])));
  }

  get names(): readonly string[] {
    return [...this.#images.keys()];
  }

  /** The images of one queue. */
  imagesOf(name: string): readonly string[] {
    return this.#images.get(name) ?? [];
  }

  // --- by whoever wants the result ----------------------------------------------------------------------------------

  /** Adds what is not there yet; what is there, and its results, stays as it is, and so does a limit where none is named. */
  async publish(secret: QueueSecret, rate?: Rate): Promise<void> {
    await this.#link.redis.set(recordKey(this.run.id), sealRun(this.run, secret), "PX", LIMITS.queueKeepMs);
    await this.keep();
    for (const [name, queue] of this.#queues) {
      await limit(queue, rate);
      // Sweeping up begins with a pause, which outlives whoever was killed there.
      await queue.resume();
      for (const images of batches(this.imagesOf(name))) await this.#add(queue, images);
      // Who swept up in between has taken the limit along.
      await limit(queue, rate);
    }
    await this.keep();
  }

  async #add(queue: ImageQueue, images: readonly string[]): Promise<void> {
    await queue.addBulk(images.map((image) => ({ name: "image", data: { image }, opts: jobOptions(image) })));
    const pipeline = this.#link.redis.pipeline();
    for (const image of images) pipeline.pexpire(queue.toKey(jobId(image)), LIMITS.queueKeepMs);
    await pipeline.exec();
  }

  /** Those that workers gave up in an earlier run of the same name are looked at again. */
  async retryFailed(): Promise<void> {
    for (const queue of this.#queues.values()) await queue.retryJobs({ state: "failed" });
  }

  /** Says that somebody is still there who wants the result: what nobody wants is forgotten by the server. */
  async keep(): Promise<void> {
    const now = Date.now();
    const pipeline = this.#link.redis.pipeline();
    pipeline.zadd(AUDITS_KEY, now, this.run.id);
    pipeline.zremrangebyscore(AUDITS_KEY, 0, now - LIMITS.queueKeepMs);
    for (const key of [AUDITS_KEY, recordKey(this.run.id)]) pipeline.pexpire(key, LIMITS.queueKeepMs);
    await pipeline.exec();
    await this.keepQueues();
  }

  /** What is known of the images, in their order; undefined for those that nobody has come to an end with. */
  async results(secret: QueueSecret): Promise<readonly (ImageFacts | undefined)[]> {
    const found = new Map<string, ImageFacts>();
    const { redis } = this.#link;
    for (const [name, queue] of this.#queues) {
      const keyOf = (id: string): string => queue.toKey(id);
      for (const images of batches(this.imagesOf(name))) {
        const results = await readResults({ redis, run: this.run.id, images, secret, keyOf });
        for (const facts of results) found.set(facts.image, facts);
      }
    }
    return this.run.images.map((image) => found.get(image));
  }

  // --- by both ------------------------------------------------------------------------------------------------------

  async counts(): Promise<Counts> {
    const all = await Promise.all([...this.#queues.values()].map((queue) => queue.getJobCounts(...STATES)));
    const sum = (...states: readonly string[]): number =>
      all.reduce((total, counts) => total + states.reduce((part, state) => part + (counts[state] ?? 0), 0), 0);
    return { known: sum(...STATES), finished: sum("completed", "failed"), begun: sum("active", "delayed") };
  }

  /** Has the server forget the queues one day, too; what comes into them may be a new key each time. */
  async keepQueues(): Promise<void> {
    const pipeline = this.#link.redis.pipeline();
    for (const queue of this.#queues.values()) {
      for (const [name, key] of Object.entries(queue.keys)) {
        if (!HAVE_THEIR_TIME.has(name)) pipeline.pexpire(key, LIMITS.queueKeepMs);
      }
    }
    await pipeline.exec();
  }

  /** Whether whoever wants the result is still waiting for it. */
  async isWanted(): Promise<boolean> {
    return (await this.#link.redis.exists(recordKey(this.run.id))) === 1;
  }

  /** Nobody begins with another image of the registry for so long. */
  async pause(registry: string, milliseconds: number): Promise<void> {
    const image = this.run.images.find((one) => one.startsWith(`${registry}/`));
    const queue = image === undefined ? undefined : this.#queues.get(queueName(this.run.id, image));
    await queue?.rateLimit(milliseconds);
  }

  /** Takes away everything that was put into the server for this run, and nothing else. */
  async forget(): Promise<void> {
    await this.#link.redis.zrem(AUDITS_KEY, this.run.id);
    await this.#link.redis.del(recordKey(this.run.id));
    await this.sweep();
  }

  /**
   * Takes away what is left of a run that nobody wants any more. Somebody may want it again meanwhile: no image is taken out of
   * the queue without what is known of it, which would not be added again as long as that is there.
   */
  async sweep(): Promise<void> {
    for (const queue of this.#queues.values()) {
      if (await isSweptUp(queue)) await this.#link.redis.del(...emptyKeys(queue));
    }
  }
}

/**
 * Takes the images away, unless somebody else comes first between the pause and the rest of it: with the same, which leaves
 * nothing to do, or with the images, which are wanted then.
 */
async function isSweptUp(queue: ImageQueue): Promise<boolean> {
  try {
    await queue.obliterate({ force: true });
    return true;
  } catch (error) {
    if (error instanceof Error && /non-paused queue/.test(error.message)) return false;
    throw error;
  }
}

/** The keys of a queue in which there are no images and no settings: those go with the images. */
function emptyKeys({ keys }: ImageQueue): readonly string[] {
  return Object.entries(keys).flatMap(([name, key]) => (GO_WITH_IMAGES.has(name) ? [] : key));
}

const STATES = ["wait", "active", "delayed", "prioritized", "completed", "failed"] as const;

function jobOptions(image: string) {
  return {
    jobId: jobId(image),
    attempts: LIMITS.queueTries,
    backoff: { type: "exponential", delay: LIMITS.queueBackoffMs },
    // What a worker throws has paths of its machine in it, and nobody reads them here.
    stackTraceLimit: 0,
  } as const;
}

/** Two may want the same run, and only one of them knows what its registry bears. */
async function limit(queue: ImageQueue, rate: Rate | undefined): Promise<void> {
  if (rate === undefined && (await queue.getGlobalRateLimit()) !== null) return;
  await queue.setGlobalRateLimit(...limitOf(rate ?? NO_RATE));
}

/** So many images in so many milliseconds: the least of them that are whole. */
function limitOf(rate: Rate): readonly [images: number, milliseconds: number] {
  const images = Math.max(1, Math.floor(rate));
  return [images, Math.ceil((images / rate) * SECOND_MS)];
}

function refuseManyRegistries(count: number): void {
  if (count <= LIMITS.queueRegistries) return;
  throw new CountersignError("limit-reached", "images of too many registries for one queue", {
    found: `${count} registries`,
    wanted: `at most ${LIMITS.queueRegistries}`,
    next: "audit them in parts: countersign audit --shard",
  });
}

function batches<Item>(items: readonly Item[]): readonly (readonly Item[])[] {
  const count = Math.ceil(items.length / LIMITS.queueBatch);
  return Array.from({ length: count }, (_, at) => items.slice(at * LIMITS.queueBatch, (at + 1) * LIMITS.queueBatch));
}
