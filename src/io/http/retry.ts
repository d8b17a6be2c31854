import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Clock } from "./clock.ts";
import { TransientError } from "./failures.ts";
import { type HostBudget, HostBudgets } from "./rate.ts";

export interface RetrierOptions {
  readonly clock: Clock;
  /** All tries together; LIMITS.tries where nothing is said. */
  readonly tries?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Requests a second to one host at most, for those who take their turn at it. */
  readonly maxRate?: number | undefined;
  /** As `BudgetOptions.onAsked`. */
  readonly onAsked?: ((host: string, milliseconds: number) => void) | undefined;
}

/** Repeats what may be repeated: only reads, and writes that can be sent again as they are. */
export class Retrier {
  /** Shared by everybody who repeats through this. */
  readonly budgets: HostBudgets;
  readonly #clock: Clock;
  readonly #tries: number;
  readonly #signal: AbortSignal | undefined;

  constructor(options: RetrierOptions) {
    this.#clock = options.clock;
    this.#tries = Math.max(1, options.tries ?? LIMITS.tries);
    this.#signal = options.signal;
    this.budgets = new HostBudgets(options);
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
    return new Attempts(this.budgets.of(host), this.#clock, this.#tries, this.#signal);
  }
}

export class Attempts {
  readonly #budget: HostBudget;
  readonly #clock: Clock;
  readonly #tries: number;
  readonly #signal: AbortSignal | undefined;
  readonly #started: number;
  #failures = 0;
  #waited = 0;
  /** Failures that do not count, since others got through; how long was waited for them; and up to which success. */
  #spared = 0;
  #sparedMs = 0;
  #successes: number;
  /** Since when there was no progress, and how long of it was spent waiting because others were told to. */
  #since: number;
  #held = 0;

  constructor(budget: HostBudget, clock: Clock, tries: number, signal: AbortSignal | undefined) {
    this.#budget = budget;
    this.#clock = clock;
    this.#tries = tries;
    this.#signal = signal;
    this.#successes = budget.successes;
    this.#started = clock.now();
    this.#since = this.#started;
  }

  /** As `HostBudget.pass`. */
  async pass(): Promise<boolean> {
    const before = this.#clock.now();
    const hasWaited = await this.#budget.pass();
    this.#held += this.#clock.now() - before;
    return hasWaited;
  }

  /** Something is under way: a long upload that breaks off is worth another try, as often as any other failure. */
  moved(): void {
    this.#since = this.#clock.now();
  }

  progressed(): void {
    this.#failures = 0;
    this.#waited = 0;
    this.#spared = 0;
    this.#sparedMs = 0;
    this.#held = 0;
    this.#since = this.#clock.now();
    this.#budget.succeeded();
  }

  /** Waits before the next try. @throws CountersignError where there is none: `thrown`, or its final form. */
  async failed(thrown: unknown): Promise<void> {
    if (!(thrown instanceof TransientError)) throw thrown;
    this.#held += thrown.heldMs;
    const wait = this.#sparedDelay(thrown) ?? this.#countedDelay(thrown);
    if (wait === undefined) {
      this.#budget.giveUp(this.#since);
      if (thrown.retryAfterMs !== undefined) this.#budget.leaveAlone(thrown.retryAfterMs);
      throw this.#final(thrown);
    }
    if (thrown.code === "throttled" || thrown.retryAfterMs !== undefined) this.#budget.close(wait);
    await this.#clock.sleep(wait, this.#signal);
  }

  /**
   * A host that lets others through while it turns this one away is shared by too many: no use of a try, or all of them
   * would have used up theirs when it has served a few. Bounded all the same: it may be this one alone that it refuses.
   */
  #sparedDelay(error: TransientError): number | undefined {
    const { successes } = this.#budget;
    const others = successes > this.#successes;
    this.#successes = successes;
    const wait = this.#wait(error, 0);
    if (error.code !== "throttled" || !others || this.#spared >= LIMITS.sparedTries) return undefined;
    if (this.#sparedMs + wait > LIMITS.sparedMs || wait > LIMITS.retryAfterMs) return undefined;
    this.#spared++;
    this.#sparedMs += wait;
    return wait;
  }

  #countedDelay(error: TransientError): number | undefined {
    this.#failures++;
    const wait = this.#delay(error);
    this.#waited += wait ?? 0;
    return wait;
  }

  /** Full jitter, and at least as long as the peer asked for. */
  #wait(error: TransientError, failuresBefore: number): number {
    const ceiling = Math.min(LIMITS.retryCapMs, LIMITS.retryBaseMs * 2 ** failuresBefore);
    return Math.max(this.#clock.random() * ceiling, error.retryAfterMs ?? 0);
  }

  #delay(error: TransientError): number | undefined {
    if (this.#budget.isGivenUp) return undefined;
    // The tries themselves took as long as one that stalls may: the next would be no better.
    const waited = this.#waited + this.#sparedMs + this.#held;
    if (this.#clock.now() - this.#since - waited >= LIMITS.idleMs) return undefined;
    if (this.#failures >= (error.cure === "once" ? Math.min(2, this.#tries) : this.#tries)) return undefined;
    const wait = this.#wait(error, this.#failures - 1);
    return this.#waited + wait > LIMITS.retryAfterMs ? undefined : wait;
  }

  #final(error: TransientError): CountersignError {
    const elapsed = Math.round((this.#clock.now() - this.#started) / 1000);
    const count = this.#failures + this.#spared;
    const tries = `${count} ${count === 1 ? "try" : "tries"} in ${elapsed} s`;
    const seconds = Math.ceil((error.retryAfterMs ?? 0) / 1000);
    const again = seconds === 0 ? undefined : `${seconds} s`;
    return new CountersignError(error.code, error.message, {
      found: `${error.found ?? error.message}, ${tries}${again === undefined ? "" : `; retry after ${again}`}`,
      wanted: error.wanted,
      next: again === undefined ? error.next : `try again in ${again}; until then the image counts as not verified`,
      cause: error,
    });
  }
}
