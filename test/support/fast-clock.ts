import { setTimeout as delay, setImmediate as settled } from "node:timers/promises";
import type { Clock } from "../../src/io/http/clock.ts";

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

/** So many turns of the event loop without anybody waking up: whatever this process sends to itself has arrived. */
const QUIET_TURNS = 10;

/**
 * A clock that goes on only while nothing else happens: what would take a minute is over as soon as everybody sleeps, and
 * however slowly a busy machine answers, no time passes meanwhile.
 */
export class FastClock implements Clock {
  readonly #random: () => number;
  #now = Date.UTC(2026, 0, 1);
  #sleepers: Sleeper[] = [];
  #isGoing = false;
  #isHeld = false;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  now(): number {
    return this.#now;
  }

  random(): number {
    return this.#random();
  }

  sleep(milliseconds: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#sleepers.push({ at: this.#now + milliseconds, wake: resolve });
    if (!this.#isGoing) void this.#go();
    return promise;
  }

  get sleeping(): number {
    return this.#sleepers.length;
  }

  /** Nobody wakes up until `release`. */
  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    if (!this.#isGoing) void this.#go();
  }

  async #go(): Promise<void> {
    this.#isGoing = true;
    while (this.#sleepers.length > 0 && !this.#isHeld) {
      await delay(1);
      for (let turn = 0; turn < QUIET_TURNS; turn++) await settled();
      if (!this.#isHeld) this.#wakeNext();
    }
    this.#isGoing = false;
  }

  /** All whose time it is. */
  #wakeNext(): void {
    this.#now = Math.max(this.#now, Math.min(...this.#sleepers.map(({ at }) => at)));
    const due = this.#sleepers.filter(({ at }) => at <= this.#now);
    this.#sleepers = this.#sleepers.filter(({ at }) => at > this.#now);
    for (const { wake } of due) wake();
  }
}

/** How a gateway throttles: so many requests a second, and a few at once. */
export class Throttle {
  readonly #clock: Clock;
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;
  refused = 0;

  constructor(clock: Clock, perSecond: number, burst: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#at = clock.now();
  }

  /** Counts a request, and says whether it is one too many. */
  refuses(): boolean {
    const now = this.#clock.now();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#at) / 1000) * this.#perSecond);
    this.#at = now;
    if (this.#tokens >= 1) {
      this.#tokens--;
      return false;
    }
    this.refused++;
    return true;
  }
}
