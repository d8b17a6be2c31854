import { planDocument } from "../report/audit/plan.ts";
import { planText } from "../report/audit/plan-text.ts";
import { sayProblems } from "./audit-report.ts";
import { readPlan } from "./audit-sources.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES } from "./exit-codes.ts";
import type { RawOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { isSeenTwice } from "./verdicts.ts";

/** `countersign audit plan SOURCE…`: what `audit --plan` and its shards look at. */
export async function planAudit(
  context: Context,
  output: Output,
  sources: readonly string[],
  raw: RawOptions,
): Promise<void> {
  const { plan, wiring } = await readPlan(context, output, { sources, raw });
  await wiring?.close();
  await output.result({ text: (style) => planText(plan, style), json: () => planDocument(plan) });
  if (!isSeenTwice(context, output)) sayProblems(context, plan.problems);
  context.exitCode = plan.problems.length === 0 ? EXIT_CODES.done : EXIT_CODES.undetermined;
}
