import { setTimeout as delay } from "node:timers/promises";
import type { Clock } from "../../src/io/http/clock.ts";

/** A clock that goes many times as fast as it should: what would take a minute is over in a second or two. */
export class FastClock implements Clock {
  readonly #factor: number;
  readonly #began = performance.now();

  constructor(factor: number) {
    this.#factor = factor;
  }

  now(): number {
    return Date.UTC(2026, 0, 1) + (performance.now() - this.#began) * this.#factor;
  }

  random(): number {
    return Math.random();
  }

  async sleep(milliseconds: number): Promise<void> {
    await delay(milliseconds / this.#factor);
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
