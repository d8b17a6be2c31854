import { LIMITS } from "../../core/limits.ts";
import { interruption, throwIfAborted } from "../disk/errors.ts";
import { type Allowance, type Answer, allowanceIn, asksForLess } from "./allowance.ts";
import type { Clock } from "./clock.ts";

export interface BudgetOptions {
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  /** Requests a second to one host at most; as many as it bears where nothing is said. */
  readonly maxRate?: number | undefined;
  /** A host wants to be left alone for so long, in milliseconds: for those who ask it from other machines. */
  readonly onAsked?: ((host: string, milliseconds: number) => void) | undefined;
}

type OneBudgetOptions = Omit<BudgetOptions, "onAsked"> & {
  readonly onAsked?: ((milliseconds: number) => void) | undefined;
};

/** What each host bears. Shared by everything that a command sends: nobody waits for a host that it does not ask. */
export class HostBudgets {
  readonly #options: BudgetOptions;
  readonly #hosts = new Map<string, HostBudget>();

  constructor(options: BudgetOptions) {
    this.#options = options;
  }

  of(host: string): HostBudget {
    const { onAsked } = this.#options;
    const tellOthers = (milliseconds: number): void => onAsked?.(host, milliseconds);
    const known = this.#hosts.get(host) ?? new HostBudget({ ...this.#options, onAsked: tellOthers });
    this.#hosts.set(host, known);
    return known;
  }

  /** How long it is until all may be asked again of those that were given up on, in milliseconds. */
  get askedMs(): number {
    return Math.max(0, ...[...this.#hosts.values()].map((host) => host.askedMs));
  }
}

/**
 * How one host is spared. When it asks one worker to slow down, all wait as long. When it does, half as many requests may
 * be under way from then on, and with every round that it bears one more (additive increase, multiplicative decrease, as
 * in TCP): with thirty workers that start again at once, thirty would be refused again. And when one has tried in vain as
 * often as it may, the others need not do the same each for itself.
 */
export class HostBudget {
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #intervalMs: number;
  readonly #tellOthers: (milliseconds: number) => void;
  /** Closed until then, for everybody. */
  #until = Number.NEGATIVE_INFINITY;
  /** The earliest time of the next request by the user's own rate. */
  #next = Number.NEGATIVE_INFINITY;
  /** How many may be under way: no matter how many, until a host has asked for less. */
  #window = Number.POSITIVE_INFINITY;
  #underWay = 0;
  /** How often the window was cut: what was sent before a cut says nothing about what it left. */
  #cuts = 0;
  readonly #queue: { readonly start: () => void; readonly stop: (reason: unknown) => void }[] = [];
  #isHeeding = false;
  #successes = 0;
  #succeededAt = Number.NEGATIVE_INFINITY;
  #givenUpAt = Number.NEGATIVE_INFINITY;
  /** What was asked for the last time, when nobody was left who would wait for it. */
  #askedUntil = Number.NEGATIVE_INFINITY;

  constructor({ clock, signal, maxRate, onAsked }: OneBudgetOptions) {
    this.#clock = clock;
    this.#signal = signal;
    this.#intervalMs = maxRate === undefined ? 0 : 1000 / maxRate;
    this.#tellOthers = (milliseconds) => onAsked?.(milliseconds);
  }

  // --- waiting -----------------------------------------------------------------------------------------------------------

  /**
   * Waits until the host may be asked again, and says whether it took any waiting. Those who waited start spread over a moment,
   * not all at once.
   */
  async pass(): Promise<boolean> {
    for (let hasWaited = false; ; hasWaited = true) {
      const wait = this.#until - this.#clock.now();
      if (wait <= 0) return hasWaited;
      await this.#clock.sleep(wait + this.#clock.random() * LIMITS.retryBaseMs, this.#signal);
    }
  }

  /** Nobody asks for so long. */
  close(milliseconds: number): void {
    this.#until = Math.max(this.#until, this.#clock.now() + milliseconds);
    this.#tellOthers(milliseconds);
  }

  /** Waits for one's turn at the user's own rate. */
  async paced(): Promise<void> {
    if (this.#intervalMs === 0) return;
    const now = this.#clock.now();
    const at = Math.max(now, this.#next);
    this.#next = at + this.#intervalMs;
    if (at > now) await this.#clock.sleep(at - now, this.#signal);
  }

  /** Waits until one more request may be under way, which it is until the turn ends. */
  async enter(): Promise<Turn> {
    throwIfAborted(this.#signal);
    const began = this.#clock.now();
    if (this.#underWay >= this.#window) await this.#queued();
    else this.#underWay++;
    try {
      await this.paced();
      await this.pass();
    } catch (thrown) {
      this.#leave();
      throw thrown;
    }
    return this.#turn(this.#clock.now() - began);
  }

  #turn(heldMs: number): Turn {
    const cuts = this.#cuts;
    return {
      heldMs,
      answered: (answer) => this.#answered(answer, cuts),
      end: () => this.#leave(),
    };
  }

  #queued(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (!this.#isHeeding) this.#signal?.addEventListener("abort", () => this.#stopQueue(), { once: true });
      this.#isHeeding = true;
      this.#queue.push({ start: resolve, stop: reject });
    });
  }

  #stopQueue(): void {
    for (const { stop } of this.#queue.splice(0)) stop(interruption(this.#signal));
  }

  #leave(): void {
    this.#underWay--;
    this.#admit();
  }

  #admit(): void {
    while (this.#queue.length > 0 && this.#underWay < this.#window) {
      this.#underWay++;
      this.#queue.shift()?.start();
    }
  }

  // --- what answers say --------------------------------------------------------------------------------------------------

  #answered(answer: Answer, cuts: number): void {
    if (asksForLess(answer)) {
      if (cuts === this.#cuts) this.#cut(Math.floor(Math.min(this.#window, this.#underWay) / 2));
      return;
    }
    if (answer.status < 500) this.#grow();
    this.#heed(allowanceIn(answer, this.#clock.now()));
  }

  #cut(window: number): void {
    this.#cuts++;
    this.#window = Math.max(1, window);
  }

  #grow(): void {
    if (this.#window === Number.POSITIVE_INFINITY) return;
    const grown = this.#window + 1 / this.#window;
    this.#window = grown >= LIMITS.connections ? Number.POSITIVE_INFINITY : grown;
    this.#admit();
  }

  /** Who has used up its share need not be told so by a refusal. */
  #heed({ remaining, resetMs }: Allowance): void {
    if (remaining === undefined) return;
    if (remaining === 0 && resetMs !== undefined && resetMs <= LIMITS.retryAfterMs) this.close(resetMs);
    else if (remaining < this.#underWay) this.#cut(Math.min(this.#window, remaining));
  }

  // --- how it went -------------------------------------------------------------------------------------------------------

  /** How many requests got through until now. */
  get successes(): number {
    return this.#successes;
  }

  succeeded(): void {
    this.#successes++;
    this.#succeededAt = this.#clock.now();
    this.#givenUpAt = Number.NEGATIVE_INFINITY;
  }

  /** All tries since `started` failed. Means nothing where others got through in the meantime. */
  giveUp(started: number): void {
    if (this.#succeededAt < started) this.#givenUpAt = this.#clock.now();
  }

  /** It wants to be left alone for longer than this request can wait. */
  leaveAlone(milliseconds: number): void {
    this.#askedUntil = Math.max(this.#askedUntil, this.#clock.now() + milliseconds);
    this.#tellOthers(milliseconds);
  }

  /** How much longer it wants to be left alone, in milliseconds. */
  get askedMs(): number {
    return Math.max(0, this.#askedUntil - this.#clock.now());
  }

  /** Failures at this host are not worth another try for now. */
  get isGivenUp(): boolean {
    return this.#clock.now() - this.#givenUpAt < LIMITS.retryAfterMs;
  }
}

/** One request that is under way. */
export interface Turn {
  /** How long it was waited for, in milliseconds. */
  readonly heldMs: number;
  /** The head of the answer: what follows of it does not count as under way. */
  answered(answer: Answer): void;
  end(): void;
}
