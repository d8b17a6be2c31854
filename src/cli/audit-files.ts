import type { Audit } from "../core/audit/audit.ts";
import { parseAudit } from "../core/audit/parse.ts";
import { LIMITS } from "../core/limits.ts";
import type { Context } from "./context.ts";
import { readNamedFile, readStandardInput } from "./named-file.ts";

/** An audit from the file that `-o json` was written to; `-` is standard input. */
export async function readAuditFile(context: Context, file: string, command: string): Promise<Audit> {
  const wish = {
    flag: command,
    holds: "an audit, as countersign audit -o json prints it",
    maxBytes: LIMITS.auditBytes,
  };
  if (file === "-") return parseAudit(await readStandardInput(context, wish), "standard input");
  return parseAudit(await readNamedFile(context, file, wish), file);
}
