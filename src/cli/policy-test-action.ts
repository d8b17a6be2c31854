import type { CaseResult } from "../core/verify/case-result.ts";
import { runCases } from "../ops/policy-cases.ts";
import { casesDocument, casesText } from "../report/policy-cases.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit-codes.ts";
import type { Output } from "./output.ts";
import { findCases } from "./policy-cases.ts";

/** `countersign policy test DIR…`: no connection is opened. */
export async function testPolicies(
  context: Context,
  output: Output,
  folders: readonly string[],
  policy: string | undefined,
): Promise<void> {
  const results = await runCases(await findCases(context, output, folders, policy));
  await output.result({ text: (style) => casesText(results, style), json: () => casesDocument(results) });
  context.exitCode = exitCodeOfCases(results);
}

/** In the order in which all commands decide: a difference that was seen comes before what could not be read. */
function exitCodeOfCases(results: readonly CaseResult[]): ExitCode {
  const outcomes = new Set(results.map(({ outcome }) => outcome));
  if (outcomes.has("failed")) return EXIT_CODES.refused;
  return outcomes.has("unreadable") ? EXIT_CODES.usage : EXIT_CODES.done;
}
