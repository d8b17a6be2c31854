import type { Audit, AuditedImage } from "../core/audit/audit.ts";
import { type Failing, failingsOf } from "../core/audit/fail-on.ts";
import { explainBriefly } from "../core/explain.ts";
import { printable } from "../core/printable.ts";
import { placeName } from "../core/sources/mention.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode } from "./exit-codes.ts";
import type { Output, Result } from "./output.ts";
import { isSeenTwice } from "./verdicts.ts";

/** Ends a command whose result is an audit: the report, a few lines on standard error, and the exit code. */
export async function concludeAudit(
  context: Context,
  output: Output,
  audit: Audit,
  failOn: readonly Failing[],
): Promise<void> {
  await output.result(await reportOf(audit, output.format));
  if (!isSeenTwice(context, output)) sayTrouble(context, audit);
  context.exitCode = exitCodeOf(audit, failOn);
}

/** Only the format that is asked for is loaded. */
async function reportOf(audit: Audit, _format: string): Promise<Result> {
  const { auditDocument } = await import("../report/audit/json.ts");
  const json = (): string => auditDocument(audit);
  return { text: () => standInText(audit), json };
}

function standInText({ images }: Audit): string {
  return images.map(({ verdict, name, reasons }) => `${verdict}  ${name}  ${reasons[0]?.code ?? ""}\n`).join("");
}

function exitCodeOf(audit: Audit, failOn: readonly Failing[]): ExitCode {
  const failed = new Set([...failingsOf(audit)].filter((failing) => failOn.includes(failing)));
  if (failed.has("refused") || failed.has("unpinned") || failed.has("drift")) return EXIT_CODES.refused;
  return failed.has("undetermined") ? EXIT_CODES.undetermined : EXIT_CODES.done;
}

// --- standard error ---------------------------------------------------------------------------------------------------

/** Lines of each kind; a fleet's worth of them is in the report. */
const LINES = 5;

function sayTrouble(context: Context, { images, problems }: Audit): void {
  const say = (line: string): void => void context.stderr.stream.write(`countersign: ${printable(line)}\n`);
  sayFew(
    say,
    problems.map(({ place, finding }) => `${placeName(place)}: ${explainBriefly(finding)}`),
    "problems",
  );
  for (const verdict of ["refused", "undetermined"] as const) {
    sayFew(say, images.filter((image) => image.verdict === verdict).map(explainImage), verdict);
  }
}

function sayFew(say: (line: string) => void, lines: readonly string[], what: string): void {
  for (const line of lines.slice(0, LINES)) say(line);
  if (lines.length > LINES) say(`${lines.length - LINES} more ${what}: the report has all of them`);
}

function explainImage({ verdict, name, reasons }: AuditedImage): string {
  const [first] = reasons;
  return `${verdict}: ${name}${first === undefined ? "" : `: ${explainBriefly(first)}`}`;
}
