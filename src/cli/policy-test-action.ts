import type { CaseResult } from "../core/cases/case-result.ts";
import { CountersignError } from "../core/errors.ts";
import { runCases } from "../ops/policy-cases.ts";
import { casesDocument, casesText } from "../report/policy-cases.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit-codes.ts";
import { type RawOptions, text } from "./options.ts";
import type { Output } from "./output.ts";
import { findCases } from "./policy-cases.ts";

/** `countersign policy test DIR…`, and with `--record` a new case. */
export async function test(
  context: Context,
  output: Output,
  folders: readonly string[],
  raw: RawOptions,
): Promise<void> {
  const image = text(raw, "record");
  if (image === undefined) return await runTests(context, output, folders, text(raw, "policy"));
  const [folder, ...others] = folders;
  if (folder === undefined || others.length > 0) {
    throw new CountersignError("usage", "one image becomes one case", {
      found: folders.join(", "),
      wanted: "the folder of the new case",
    });
  }
  const { recordCase } = await import("./policy-record-action.ts");
  await recordCase(context, output, image, folder, raw);
}

/** No connection is opened. */
async function runTests(
  context: Context,
  output: Output,
  folders: readonly string[],
  policy: string | undefined,
): Promise<void> {
  if (policy !== undefined) output.note(`countersign: all cases are judged by ${policy}, not by their own policies`);
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
