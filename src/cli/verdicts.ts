import { explainVerdict } from "../core/explain.ts";
import { printable } from "../core/printable.ts";
import type { Verdict } from "../core/verify/verdict.ts";
import type { Context } from "./context.ts";
import { cosignExitCodeOfVerdicts, exitCodeOfVerdicts } from "./exit-codes.ts";
import type { Output, Result } from "./output.ts";

/**
 * Ends a command that judged images: its result, one line on standard error for each image that was not accepted, and
 * the exit code. Where both streams are one terminal, the result says it already.
 */
export async function concludeVerdicts(
  context: Context,
  output: Output,
  verdicts: readonly Verdict[],
  result: Result,
  exitCodes: "countersign" | "cosign",
): Promise<void> {
  await output.result(result);
  if (!isSeenTwice(context, output)) {
    for (const verdict of verdicts) if (verdict.status !== "accepted") sayVerdict(context, verdict);
  }
  context.exitCode = exitCodes === "cosign" ? cosignExitCodeOfVerdicts(verdicts) : exitCodeOfVerdicts(verdicts);
}

/** Result and errors go to one terminal: what the result says in full need not be said again on a line. */
export function isSeenTwice(context: Context, output: Output): boolean {
  const onTerminal = context.stdout.isTerminal && context.stderr.isTerminal;
  return onTerminal && output.format !== "json" && output.outputFile === undefined;
}

function sayVerdict(context: Context, verdict: Verdict): void {
  context.stderr.stream.write(`countersign: ${printable(explainVerdict(verdict))}\n`);
}
