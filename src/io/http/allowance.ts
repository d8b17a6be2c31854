import { LIMITS } from "../../core/limits.ts";

/** What an answer tells of how much its sender bears. */
export interface Answer {
  readonly status: number;
  header(name: string): string | undefined;
}

/** A 503 that says when to come back is meant like a 429. */
export function asksForLess(answer: Answer): boolean {
  return answer.status === 429 || (answer.status === 503 && answer.header("retry-after") !== undefined);
}

export interface Allowance {
  readonly remaining: number | undefined;
  /** Milliseconds from now. */
  readonly resetMs: number | undefined;
}

/**
 * How many requests are left, and when there will be more: `RateLimit-Remaining` and `-Reset` (Docker Hub's have the
 * length of the window behind a semicolon), `RateLimit: "name";r=5;t=30` of the later drafts, and GitHub's `X-RateLimit-…`.
 */
export function allowanceIn(answer: Answer, now: number): Allowance {
  const [, remaining] = /;\s*r=([0-9]{1,9})(?![0-9])/.exec(answer.header("ratelimit") ?? "") ?? [];
  const [, reset] = /;\s*t=([0-9]{1,9})(?![0-9])/.exec(answer.header("ratelimit") ?? "") ?? [];
  const number = (name: string): string | undefined =>
    /^\s*([0-9]{1,12})\s*(?:$|;)/.exec(
      answer.header(`ratelimit-${name}`) ?? answer.header(`x-ratelimit-${name}`) ?? "",
    )?.[1];
  return {
    remaining: numberIn(remaining ?? number("remaining")),
    resetMs: resetIn(numberIn(reset ?? number("reset")), now),
  };
}

function numberIn(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

/** Seconds from now; GitHub's are those since 1970. */
function resetIn(seconds: number | undefined, now: number): number | undefined {
  if (seconds === undefined) return undefined;
  return seconds < SINCE_1970 ? seconds * 1000 : Math.max(0, seconds * 1000 - now);
}

const SINCE_1970 = 1_000_000_000;

/**
 * How long a refusal asks to wait, in milliseconds: `Retry-After` (RFC 9110 §10.2.3), else when there will be requests
 * left again. A time beyond any quota's is none: nobody can be told to come back then.
 */
export function waitAskedFor(answer: Answer, now: number): number | undefined {
  const asked = parseRetryAfter(answer.header("retry-after"), now) ?? untilReset(answer, now);
  return asked === undefined || asked > LIMITS.retryAfterSaneMs ? undefined : asked;
}

function untilReset(answer: Answer, now: number): number | undefined {
  if (answer.status !== 429) return undefined;
  const { remaining, resetMs } = allowanceIn(answer, now);
  return (remaining ?? 0) === 0 ? resetMs : undefined;
}

/** RFC 9110 §10.2.3: seconds or a date, as milliseconds from `now`; undefined where it is neither. */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  if (/^[0-9]{1,12}$/.test(text)) return Number(text) * 1000;
  if (!/^[A-Z][a-z]+,? /.test(text)) return undefined;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}
