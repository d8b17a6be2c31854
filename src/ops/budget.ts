import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";

export interface BudgetOptions {
  /** LIMITS.candidates where nothing is said. */
  readonly items?: number | undefined;
  /** LIMITS.candidateBytes where nothing is said. */
  readonly bytes?: number | undefined;
  /** What is read counts towards this one too: all the platforms of one index share it. */
  readonly within?: Budget | undefined;
}

/** How much may still be read of what is attached to an image: who attaches it decides how much there is. */
export class Budget {
  #items: number;
  #bytes: number;
  readonly #maxBytes: number;
  readonly #within: Budget | undefined;

  constructor({ items = LIMITS.candidates, bytes = LIMITS.candidateBytes, within }: BudgetOptions = {}) {
    this.#items = items;
    this.#bytes = bytes;
    this.#maxBytes = bytes;
    this.#within = within;
  }

  /** How many of `count` further things may be read. */
  take(count: number): number {
    const own = Math.min(count, this.#items);
    const allowed = this.#within?.take(own) ?? own;
    this.#items -= allowed;
    return allowed;
  }

  /** Manifests and blobs alike. @throws CountersignError `limit-reached`. */
  spend(bytes: number): void {
    this.#within?.spend(bytes);
    this.#bytes -= bytes;
    if (this.#bytes >= 0) return;
    throw new CountersignError("limit-reached", "what is attached to this image is too large together", {
      wanted: `at most ${this.#maxBytes} bytes`,
    });
  }
}
