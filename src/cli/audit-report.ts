import type { Audit, AuditedImage } from "../core/audit/audit.ts";
import { type Failing, failingsOf } from "../core/audit/fail-on.ts";
import { type Finding, findingUnlessInterrupted } from "../core/errors.ts";
import { explainBriefly } from "../core/explain.ts";
import { printable } from "../core/printable.ts";
import { reasonClass } from "../core/reasons.ts";
import { placeName, type SourceProblem } from "../core/sources/mention.ts";
import type { AuditReportOptions } from "../report/audit/options.ts";
import type { Style } from "../report/style.ts";
import { VERSION } from "../version.ts";
import type { ReportOptions } from "./audit-options.ts";
import type { Context } from "./context.ts";
import { EXIT_CODES, type ExitCode, exitCodeOfClasses } from "./exit-codes.ts";
import { type Output, type Result, sayFinding } from "./output.ts";
import { isSeenTwice } from "./verdicts.ts";

/**
 * Ends a command whose result is an audit: the store, the report, a few lines on standard error, and the exit code. A store
 * that cannot be written takes nothing from the report.
 */
export async function concludeAudit(
  context: Context,
  output: Output,
  audit: Audit,
  options: ReportOptions,
): Promise<void> {
  const unkept = options.store === undefined ? undefined : await keep(context, options.store, audit);
  await output.result(await reportOf(audit, output.format, options));
  if (!isSeenTwice(context, output)) sayTrouble(context, audit);
  context.exitCode = exitCodeOf(audit, options.failOn);
  if (unkept === undefined) return;
  sayFinding(context, unkept);
  if (context.exitCode === EXIT_CODES.done) context.exitCode = exitCodeOfClasses([reasonClass(unkept.code)]);
}

/** Why the audit is not in the store. */
async function keep(context: Context, store: string, audit: Audit): Promise<Finding | undefined> {
  try {
    await (await import("./audit-store.ts")).keepAudit(context, store, audit);
    return undefined;
  } catch (thrown) {
    return findingUnlessInterrupted(thrown);
  }
}

/** Only the format that is asked for is loaded. */
async function reportOf(audit: Audit, format: string, { filesUrl: files }: ReportOptions): Promise<Result> {
  const { auditDocument } = await import("../report/audit/json.ts");
  const json = (): string => auditDocument(audit);
  if (format === "json") return { text: json, json };
  const text = await FORMATS[format]?.({ version: VERSION, files });
  if (text === undefined) throw new Error(`no report is called ${format}`);
  return { text: (style) => text(audit, style), json };
}

type Render = (audit: Audit, style: Style) => string;

const FORMATS: Readonly<Record<string, (about: Omit<AuditReportOptions, "style">) => Promise<Render>>> = {
  text: async () => {
    const { auditText } = await import("../report/audit/text.ts");
    return (audit, style) => auditText(audit, { style });
  },
  sarif: async (about) => {
    const { auditSarif } = await import("../report/audit/sarif.ts");
    return (audit) => auditSarif(audit, about);
  },
  junit: async () => (await import("../report/audit/junit.ts")).auditJunit,
  csv: async () => (await import("../report/audit/csv.ts")).auditCsv,
  markdown: async (about) => {
    const { auditMarkdown } = await import("../report/audit/markdown.ts");
    return (audit) => auditMarkdown(audit, about);
  },
  html: async (about) => {
    const { auditHtml } = await import("../report/audit/html.ts");
    return (audit) => auditHtml(audit, about);
  },
};

/** As of every command: a registry that wants credentials is told apart from one that could not be asked. */
function exitCodeOf(audit: Audit, failOn: readonly Failing[]): ExitCode {
  const failed = failingsOf(audit, failOn);
  if (failed.has("refused") || failed.has("unpinned") || failed.has("drift")) return EXIT_CODES.refused;
  if (!failed.has("undetermined")) return EXIT_CODES.done;
  const unseen = audit.images.filter(({ verdict }) => verdict === "undetermined");
  const obstacles = [...unseen.flatMap(({ reasons }) => reasons), ...audit.problems.map(({ finding }) => finding)];
  const lacksLogin = obstacles.some(({ code }) => reasonClass(code) === "credentials");
  return lacksLogin ? EXIT_CODES.credentials : EXIT_CODES.undetermined;
}

// --- standard error ---------------------------------------------------------------------------------------------------

/** Lines of each kind; a fleet's worth of them is in the report. */
const LINES = 5;

function sayTrouble(context: Context, { images, problems }: Audit): void {
  sayProblems(context, problems);
  for (const verdict of ["refused", "undetermined"] as const) {
    const lines = images.filter((image) => image.verdict === verdict).map(explainImage);
    sayFew(context, lines, `${verdict} images`);
  }
}

/** One line for each of the first places in which images could not be looked for. */
export function sayProblems(context: Context, problems: readonly SourceProblem[]): void {
  const lines = problems.map(({ place, finding }) => `${placeName(place)}: ${explainBriefly(finding)}`);
  sayFew(context, lines, "places that could not be read");
}

function sayFew(context: Context, lines: readonly string[], what: string): void {
  const more = lines.length - LINES;
  const said = [...lines.slice(0, LINES), ...(more > 0 ? [`${more} more ${what}: the report has all of them`] : [])];
  for (const line of said) context.stderr.stream.write(`countersign: ${printable(line)}\n`);
}

function explainImage({ verdict, name, reasons }: AuditedImage): string {
  const [first] = reasons;
  return `${verdict}: ${name}${first === undefined ? "" : `: ${explainBriefly(first)}`}`;
}
