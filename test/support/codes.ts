import assert from "node:assert/strict";
import { CountersignError } from "../../src/core/errors.ts";
import type { ReasonCode } from "../../src/core/reasons.ts";

/** The error that `action` ends in. Fails unless it is a CountersignError with this code. */
export function thrownBy(action: () => unknown, code: ReasonCode): CountersignError {
  try {
    action();
  } catch (error) {
    return withCode(error, code);
  }
  return assert.fail(`nothing was thrown, expected ${code}`);
}

/** The same for a promise. */
export async function rejectedBy(action: () => Promise<unknown>, code: ReasonCode): Promise<CountersignError> {
  try {
    await action();
  } catch (error) {
    return withCode(error, code);
  }
  return assert.fail(`nothing was rejected, expected ${code}`);
}

function withCode(error: unknown, code: ReasonCode): CountersignError {
  if (!(error instanceof CountersignError)) throw error;
  assert.equal(error.code, code, error.message);
  return error;
}
