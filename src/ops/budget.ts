import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";

/** How much may still be read of what is attached to an image: who attaches it decides how much there is. */
export class Budget {
  #items: number;
  #bytes: number = LIMITS.candidateBytes;

  constructor(items: number = LIMITS.candidates) {
    this.#items = items;
  }

  /** How many of `count` further things may be read. */
  take(count: number): number {
    const allowed = Math.min(count, this.#items);
    this.#items -= allowed;
    return allowed;
  }

  /** Manifests and blobs alike. @throws CountersignError `limit-reached`. */
  spend(bytes: number): void {
    this.#bytes -= bytes;
    if (this.#bytes >= 0) return;
    throw new CountersignError("limit-reached", "what is attached to this image is too large together", {
      wanted: `at most ${LIMITS.candidateBytes} bytes`,
    });
  }
}
