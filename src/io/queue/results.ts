import type { Redis } from "ioredis";
import type { ImageFacts } from "../../core/audit/audit.ts";
import { jobId, openResult, type QueueSecret } from "../../core/audit/queued.ts";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { peerText } from "../http/redact.ts";

/** What workers have left of some images of one queue. */
export interface ResultsOptions {
  readonly redis: Redis;
  readonly run: string;
  readonly images: readonly string[];
  readonly secret: QueueSecret;
  /** Where the server keeps what it knows of an image, by its id. */
  readonly keyOf: (id: string) => string;
}

/** Of an image that was looked at: the sealed result, when that was, and what went wrong. */
const FIELDS = ["returnvalue", "finishedOn", "failedReason"] as const;

/**
 * What is known of those images that somebody has come to an end with.
 *
 * @throws CountersignError `record-invalid` for what no worker of the run sealed; `limit-reached`; what a worker says that no
 * image can be judged by.
 */
export async function readResults(options: ResultsOptions): Promise<readonly ImageFacts[]> {
  await refuseLarge(options);
  const { redis, images, keyOf } = options;
  const pipeline = redis.pipeline();
  for (const image of images) pipeline.hmget(keyOf(jobId(image)), ...FIELDS);
  const rows = valuesOf(await pipeline.exec());
  return images.flatMap((image, at) => factsOf(image, rows[at], options) ?? []);
}

/** Before it is fetched: somebody else may have put anything there. */
async function refuseLarge({ redis, images, keyOf }: ResultsOptions): Promise<void> {
  const pipeline = redis.pipeline();
  for (const image of images) {
    for (const field of FIELDS) pipeline.hstrlen(keyOf(jobId(image)), field);
  }
  const lengths = valuesOf(await pipeline.exec()).map(Number);
  // In JSON, which the queue adds, some characters are two.
  const largest = 2 * LIMITS.queueResultBytes;
  const at = lengths.findIndex((length) => length > largest);
  if (at < 0) return;
  const image = images[Math.floor(at / FIELDS.length)];
  throw new CountersignError("limit-reached", `the result for ${image} in the queue is too large to read`, {
    found: `${lengths[at]} bytes`,
    wanted: `at most ${largest} bytes`,
  });
}

function factsOf(image: string, row: unknown, { run, secret }: ResultsOptions): ImageFacts | undefined {
  const [returned, finishedOn, reason] = Array.isArray(row) ? row.map(textOf) : [];
  if (returned !== undefined) {
    const result = openResult(run, image, unquoted(returned), secret);
    if ("facts" in result) return result.facts;
    throw new CountersignError(result.error.code, result.error.message, result.error);
  }
  return finishedOn === undefined ? undefined : givenUp(image, reason);
}

/** A worker ended before it was done, and so did those that had the image after it. */
function givenUp(image: string, reason: string | undefined): ImageFacts {
  return {
    image,
    name: image,
    verdict: "undetermined",
    reasons: [
      {
        code: "internal",
        message: "every worker that looked at it ended before it was done",
        ...(reason !== undefined && { found: peerText(reason) }),
        next: "look at what the workers said at their end, then run the same command again",
      },
    ],
    warnings: [],
    signers: [],
    checked: [],
    notChecked: [],
  };
}

/** @throws Error the first that the server answered. */
function valuesOf(answers: readonly (readonly [Error | null, unknown])[] | null): readonly unknown[] {
  return (answers ?? []).map(([error, value]) => {
    if (error !== null) throw error;
    return value;
  });
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** BullMQ keeps what a worker returns as JSON. What is none was not put there by it, and no seal fits it. */
function unquoted(json: string): string {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "string" ? value : "";
  } catch {
    return "";
  }
}
