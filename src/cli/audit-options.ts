import { type Command, Option } from "commander";
import { DEFAULT_FAIL_ON, type Failing, parseFailOn } from "../core/audit/fail-on.ts";
import { CountersignError } from "../core/errors.ts";
import { grouped, once, type RawOptions, text } from "./options.ts";

/** What -o takes wherever an audit is the result. */
export const AUDIT_FORMATS = ["text", "json"] as const;

const AUDIT_GROUP = "Audit:";

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
  ]);
  return addFailOnOption(command);
}

/** Wherever an audit is the result. */
export function addFailOnOption(command: Command): Command {
  return grouped(command, AUDIT_GROUP, [
    new Option(
      "--fail-on <list>",
      `any of refused, undetermined, unpinned, drift; or none (default: ${DEFAULT_FAIL_ON})`,
    ),
  ]);
}

export interface AuditOptions {
  /** Files. */
  readonly plan: string | undefined;
  readonly journal: string | undefined;
  /** `2/4`, `auto/4`. */
  readonly shard: string | undefined;
  readonly failOn: readonly Failing[];
}

/** @throws CountersignError `usage`: sources and a plan, or neither. */
export function readAuditOptions(raw: RawOptions, sources: readonly string[]): AuditOptions {
  const plan = text(raw, "plan");
  if ((plan === undefined) === (sources.length === 0)) {
    throw new CountersignError("usage", "what is audited is named by sources or by a plan", {
      found: plan === undefined ? "neither" : `--plan ${plan}, and ${sources.length} more`,
      wanted: "SOURCE… or --plan FILE",
    });
  }
  return { plan, journal: text(raw, "journal"), shard: text(raw, "shard"), failOn: readFailOn(raw) };
}

/** @throws CountersignError `usage`. */
export function readFailOn(raw: RawOptions): readonly Failing[] {
  const list = text(raw, "failOn");
  return list === undefined ? DEFAULT_FAIL_ON : parseFailOn(list);
}
