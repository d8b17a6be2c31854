import { type TestContext, test } from "node:test";
import fc from "fast-check";

/** How long one property looks for a counterexample; a slow machine tries fewer cases and never fails for it. */
const TIME_BOX_MS = 800;

/** `COUNTERSIGN_SEED` repeats a run; without it every run has a seed of its own. The seed is printed either way. */
const SEED = Number(process.env["COUNTERSIGN_SEED"] ?? Date.now() % 0x7fffffff);

/**
 * A test that a property holds. A counterexample is printed with its seed; it belongs into a unit test or a vector,
 * named for what it was.
 */
export function property<Values extends [unknown, ...unknown[]]>(
  title: string,
  arbitraries: { [Index in keyof Values]: fc.Arbitrary<Values[Index]> },
  holds: (...values: Values) => void,
): void {
  test(title, (context: TestContext) => {
    context.diagnostic(`COUNTERSIGN_SEED=${SEED}`);
    const tried = fc.property(...arbitraries, holds);
    // One case without a limit: a machine that stops for a second before the first one ends is no counterexample.
    fc.assert(tried, { seed: SEED, numRuns: 1 });
    fc.assert(tried, {
      seed: SEED,
      numRuns: 2_000,
      interruptAfterTimeLimit: TIME_BOX_MS,
      markInterruptAsFailure: false,
      reporter: reportCounterexample,
    });
  });
}

/** fast-check calls a run failed whose time was up before its first case ended; here only a counterexample is a failure. */
export function reportCounterexample<Values>(run: fc.RunDetails<Values>): void {
  const wasOnlySlow = run.interrupted && run.counterexamplePath === null;
  if (run.failed && !wasOnlySlow) throw new Error(fc.defaultReportMessage(run), { cause: run.errorInstance });
}
