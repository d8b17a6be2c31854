import { type Command, Option } from "commander";
import { grouped } from "./options.ts";

/** What -o takes wherever an audit is the result. */
export const AUDIT_FORMATS = ["text", "json"] as const;

const AUDIT_GROUP = "Audit:";

/** What an audit looks at and how it ends: of `audit` itself. */
export function addAuditOptions(command: Command): Command {
  return grouped(command, AUDIT_GROUP, [
    new Option("--plan <file>", "look at what this plan lists, as of its time, instead of sources"),
  ]);
}
