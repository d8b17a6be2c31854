import { CountersignError } from "../errors.ts";
import { LIMITS } from "../limits.ts";

/**
 * Counts the work of one evaluation in steps of about the time that it takes to evaluate a node. CEL always ends, but three
 * loops inside each other over a statement of some megabytes end after years.
 */
export class Meter {
  #spent = 0;
  /** Made once: throwing it has to be cheap, since loops of the library go on after an error. */
  readonly #exhausted: CountersignError;

  /** @param condition what is evaluated, as it is shown. */
  constructor(condition: string) {
    this.#exhausted = new CountersignError("limit-reached", "the condition takes too much work on this statement", {
      found: condition,
      wanted: `at most ${LIMITS.conditionWork} steps`,
    });
  }

  start(): void {
    this.#spent = 0;
  }

  /** @throws CountersignError `limit-reached`, from then on at every call until the next start. */
  spend(steps: number): void {
    this.#spent += steps;
    this.check();
  }

  /** An error inside `||` or a loop may be swallowed; this one has to come out. @throws as `spend`. */
  check(): void {
    if (this.#spent > LIMITS.conditionWork) throw this.#exhausted;
  }

  /** Whether anything was counted: that nothing was means that the counting does not work. */
  get isIdle(): boolean {
    return this.#spent === 0;
  }
}
