import { type Command, Option } from "commander";
import { DEFAULT_FAIL_ON, FAILINGS, type Failing, parseFailOn } from "../core/audit/fail-on.ts";
import { CountersignError } from "../core/errors.ts";
import { grouped, once, type RawOptions, text } from "./options.ts";

/** What -o takes wherever an audit is the result. */
export const AUDIT_FORMATS = ["text", "json", "sarif", "junit", "csv", "markdown", "html"] as const;

const AUDIT_GROUP = "Audit:";
const REPORT_GROUP = "Report:";

/** What an audit looks at, and how: of `audit` itself. */
export function addAuditOptions(command: Command): Command {
  grouped(command, AUDIT_GROUP, [
    new Option("--plan <file>", "look at what this plan lists, as of its time, instead of sources").argParser(
      once("--plan"),
    ),
    new Option("--shard <i/n>", "look at part i of n only; auto/n takes the part from JOB_COMPLETION_INDEX").argParser(
      once("--shard"),
    ),
    new Option(
      "--journal <file>",
      "keep results so far in this file, and take up again what a killed run left",
    ).argParser(once("--journal")),
    new Option(
      "--scans",
      "look for scans that a wanted signer attested, for their age; a request or two for each image",
    ),
  ]);
  return addReportOptions(command);
}

/** Wherever an audit is the result. */
export function addReportOptions(command: Command): Command {
  return grouped(command, REPORT_GROUP, [
    new Option(
      "--fail-on <list>",
      `any of ${FAILINGS.join(", ")}; or none (default: ${DEFAULT_FAIL_ON.join(",")})`,
    ).argParser(once("--fail-on")),
    new Option("--store <file>", "keep the audit in this SQLite database too").argParser(once("--store")),
    new Option(
      "--files-url <url>",
      "where the sources' files are shown, for links in Markdown and HTML: https://git.example/acme/app/blob/main",
    ).argParser(once("--files-url")),
  ]);
}

/** What becomes of an audit. */
export interface ReportOptions {
  readonly failOn: readonly Failing[];
  /** A file. */
  readonly store: string | undefined;
  readonly filesUrl: string | undefined;
}

export interface AuditOptions extends ReportOptions {
  /** Files. */
  readonly plan: string | undefined;
  readonly journal: string | undefined;
  /** `2/4`, `auto/4`. */
  readonly shard: string | undefined;
}

/** @throws CountersignError `usage`: sources and a plan, or neither; a part that is to be kept as if it were the whole. */
export function readAuditOptions(raw: RawOptions, sources: readonly string[]): AuditOptions {
  const plan = text(raw, "plan");
  if ((plan === undefined) === (sources.length === 0)) {
    throw new CountersignError("usage", "what is audited is named by sources or by a plan", {
      found: plan === undefined ? "neither" : `--plan ${plan}, and ${sources.length} more`,
      wanted: "SOURCE… or --plan FILE",
    });
  }
  const shard = text(raw, "shard");
  if (shard !== undefined && plan === undefined) throw noCommonPlan(shard);
  const report = readReportOptions(raw);
  if (shard !== undefined && report.store !== undefined) {
    throw new CountersignError("usage", "a part of an audit is not kept in a store", {
      found: `--store ${report.store} beside --shard ${shard}`,
      wanted: "audit merge --store, when all parts are there",
    });
  }
  return { plan, journal: text(raw, "journal"), shard, ...report };
}

/** Sources that two machines read are read at two times. */
function noCommonPlan(shard: string): CountersignError {
  return new CountersignError("usage", "a part of an audit is a part of a plan that all parts have", {
    found: `--shard ${shard} without --plan`,
    wanted: "--plan FILE, as countersign audit plan wrote it",
  });
}

/** @throws CountersignError `usage`. */
export function readReportOptions(raw: RawOptions): ReportOptions {
  const failOn = text(raw, "failOn");
  return {
    failOn: failOn === undefined ? DEFAULT_FAIL_ON : parseFailOn(failOn),
    store: text(raw, "store"),
    filesUrl: readFilesUrl(text(raw, "filesUrl")),
  };
}

function readFilesUrl(url: string | undefined): string | undefined {
  if (url === undefined || /^https?:\/\/[\w.~:/%@+-]+$/.test(url)) return url;
  throw new CountersignError("usage", "--files-url takes the address of a folder", {
    found: url,
    wanted: "https://… without a query",
  });
}
