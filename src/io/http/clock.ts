import { setTimeout as delay } from "node:timers/promises";
import { throwIfAborted } from "../disk/errors.ts";

/** Time and chance of the adapters; tests bring their own. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** @throws CountersignError `interrupted` when the signal aborts. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** At least 0, less than 1. */
  random(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  random: () => Math.random(),
  async sleep(milliseconds, signal) {
    throwIfAborted(signal);
    await delay(milliseconds, undefined, signal === undefined ? {} : { signal }).catch(() => throwIfAborted(signal));
  },
};
