import assert from "node:assert/strict";
import { inspect } from "node:util";
import { CountersignError, toFinding } from "../../src/core/errors.ts";

/** How many characters of a secret in a row would give a part of it away. */
const RUN = 12;

/**
 * Nothing that could be printed of `shown`, an error with all its causes or a text, holds a part of a secret: neither
 * its message nor its stack, neither inspected nor as JSON.
 */
export function withoutPartsOf(shown: unknown, ...secrets: readonly string[]): void {
  const text = everythingOf(shown);
  for (const secret of secrets) {
    for (let at = 0; at + RUN <= secret.length; at++) {
      const run = secret.slice(at, at + RUN);
      assert.ok(!text.includes(run), `a part of a secret is shown, from its character ${at} on:\n${text}`);
    }
  }
}

function everythingOf(shown: unknown): string {
  if (typeof shown === "string") return shown;
  const whole = inspect(shown, { depth: null, showHidden: true, maxStringLength: null, maxArrayLength: null });
  if (!(shown instanceof Error)) return `${whole}\n${JSON.stringify(shown)}`;
  const own = shown instanceof CountersignError ? JSON.stringify(toFinding(shown)) : "";
  const cause = shown.cause === undefined ? "" : everythingOf(shown.cause);
  return [whole, own, shown.message, shown.stack, JSON.stringify(shown), cause].join("\n");
}
