import { CountersignError } from "../../src/core/errors.ts";

/** Whether this is the error of a wrong command line; for `assert.throws`. */
export function isUsage(error: unknown): boolean {
  return error instanceof CountersignError && error.class === "usage";
}
