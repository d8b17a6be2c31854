import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Clock } from "./clock.ts";
import { TransientError } from "./failures.ts";

/**
 * When a peer asks us to slow down, everybody who wants something of it waits, not only the one who was told; and when
 * one has tried in vain as often as it may, the others need not do the same each for itself. Shared by all the stores of
 * a command.
 */
export class BackOffGate {
  readonly #clock: Clock;
  readonly #until = new Map<string, number>();
  readonly #succeeded = new Map<string, number>();
  readonly #givenUp = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Waits until the peer may be asked again. Those who waited start spread over a moment, not all at once. */
  async pass(host: string, signal?: AbortSignal): Promise<void> {
    for (;;) {
      const wait = (this.#until.get(host) ?? 0) - this.#clock.now();
      if (wait <= 0) return;
      await this.#clock.sleep(wait + this.#clock.random() * LIMITS.retryBaseMs, signal);
    }
  }

  close(host: string, milliseconds: number): void {
    const until = this.#clock.now() + milliseconds;
    this.#until.set(host, Math.max(until, this.#until.get(host) ?? 0));
  }

  succeeded(host: string): void {
    this.#succeeded.set(host, this.#clock.now());
    this.#givenUp.delete(host);
  }

  /** All tries since `started` failed. Means nothing where others got through in the meantime. */
  giveUp(host: string, started: number): void {
    if ((this.#succeeded.get(host) ?? Number.NEGATIVE_INFINITY) < started) this.#givenUp.set(host, this.#clock.now());
  }

  /** Failures at this host are not worth another try for now. */
  isGivenUp(host: string): boolean {
    const at = this.#givenUp.get(host);
    return at !== undefined && this.#clock.now() - at < LIMITS.retryAfterMs;
  }
}

export interface RetrierOptions {
  readonly clock: Clock;
  /** All tries together; LIMITS.tries where nothing is said. */
  readonly tries?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Repeats what may be repeated: only reads, and writes that can be sent again as they are. */
export class Retrier {
  readonly #clock: Clock;
  readonly #tries: number;
  readonly #signal: AbortSignal | undefined;
  readonly #gate: BackOffGate;

  constructor(options: RetrierOptions) {
    this.#clock = options.clock;
    this.#tries = Math.max(1, options.tries ?? LIMITS.tries);
    this.#signal = options.signal;
    this.#gate = new BackOffGate(options.clock);
  }

  /**
   * Runs `operation` until it succeeds, fails for good or the tries are used up. Waits with full jitter, at least as
   * long as the peer asked for; more than LIMITS.retryAfterMs in all is not waited.
   *
   * @throws CountersignError what the operation throws; the last TransientError with the number of tries and the time.
   */
  async run<Result>(host: string, operation: (attempts: Attempts) => Promise<Result>): Promise<Result> {
    const attempts = this.attempts(host);
    for (;;) {
      await attempts.pass();
      try {
        const result = await operation(attempts);
        attempts.progressed();
        return result;
      } catch (thrown) {
        await attempts.failed(thrown);
      }
    }
  }

  /** For loops of their own: `pass` before each try, `failed` after one, `progressed` where a failure came late. */
  attempts(host: string): Attempts {
    return new Attempts(host, this.#clock, this.#tries, this.#signal, this.#gate);
  }
}

export class Attempts {
  readonly #host: string;
  readonly #clock: Clock;
  readonly #tries: number;
  readonly #signal: AbortSignal | undefined;
  readonly #gate: BackOffGate;
  readonly #started: number;
  #failures = 0;
  #waited = 0;
  /** Since when there was no progress, and how long of it was spent waiting because others were told to. */
  #since: number;
  #held = 0;

  constructor(host: string, clock: Clock, tries: number, signal: AbortSignal | undefined, gate: BackOffGate) {
    this.#host = host;
    this.#clock = clock;
    this.#tries = tries;
    this.#signal = signal;
    this.#gate = gate;
    this.#started = clock.now();
    this.#since = this.#started;
  }

  async pass(): Promise<void> {
    const before = this.#clock.now();
    await this.#gate.pass(this.#host, this.#signal);
    this.#held += this.#clock.now() - before;
  }

  /** Something is under way: a long upload that breaks off is worth another try, as often as any other failure. */
  moved(): void {
    this.#since = this.#clock.now();
  }

  progressed(): void {
    this.#failures = 0;
    this.#waited = 0;
    this.#held = 0;
    this.#since = this.#clock.now();
    this.#gate.succeeded(this.#host);
  }

  /** Waits before the next try. @throws CountersignError where there is none: `thrown`, or its final form. */
  async failed(thrown: unknown): Promise<void> {
    if (!(thrown instanceof TransientError)) throw thrown;
    this.#failures++;
    const wait = this.#delay(thrown);
    if (wait === undefined) {
      this.#gate.giveUp(this.#host, this.#since);
      throw this.#final(thrown);
    }
    this.#waited += wait;
    if (thrown.code === "throttled" || thrown.retryAfterMs !== undefined) this.#gate.close(this.#host, wait);
    await this.#clock.sleep(wait, this.#signal);
  }

  #delay(error: TransientError): number | undefined {
    if (this.#gate.isGivenUp(this.#host)) return undefined;
    // The tries themselves took as long as one that stalls may: the next would be no better.
    if (this.#clock.now() - this.#since - this.#waited - this.#held >= LIMITS.idleMs) return undefined;
    if (this.#failures >= (error.cure === "once" ? Math.min(2, this.#tries) : this.#tries)) return undefined;
    const ceiling = Math.min(LIMITS.retryCapMs, LIMITS.retryBaseMs * 2 ** (this.#failures - 1));
    const wait = Math.max(this.#clock.random() * ceiling, error.retryAfterMs ?? 0);
    return this.#waited + wait > LIMITS.retryAfterMs ? undefined : wait;
  }

  #final(error: TransientError): CountersignError {
    const elapsed = Math.round((this.#clock.now() - this.#started) / 1000);
    const tries = `${this.#failures} ${this.#failures === 1 ? "try" : "tries"} in ${elapsed} s`;
    const again = error.retryAfterMs === undefined ? undefined : `${Math.ceil(error.retryAfterMs / 1000)} s`;
    return new CountersignError(error.code, error.message, {
      found: `${error.found ?? error.message}, ${tries}${again === undefined ? "" : `; retry after ${again}`}`,
      wanted: error.wanted,
      next: again === undefined ? error.next : `try again in ${again}; until then the image counts as not verified`,
      cause: error,
    });
  }
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
