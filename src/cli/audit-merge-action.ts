import { mergeShards } from "../core/audit/merge.ts";
import { readAuditFile } from "./audit-files.ts";
import { readReportOptions } from "./audit-options.ts";
import { concludeAudit } from "./audit-report.ts";
import type { Context } from "./context.ts";
import type { RawOptions } from "./options.ts";
import type { Output } from "./output.ts";

/** `countersign audit merge SHARD…`: what the whole audit would have said and ended with, or the one that is whole already has. */
export async function mergeAudits(
  context: Context,
  output: Output,
  files: readonly string[],
  raw: RawOptions,
): Promise<void> {
  const options = readReportOptions(raw);
  const shards = [];
  for (const label of files) shards.push({ label, audit: await readAuditFile(context, label, "audit merge") });
  const [only] = shards;
  const isWhole = only !== undefined && shards.length === 1 && only.audit.shard === undefined;
  await concludeAudit(context, output, isWhole ? only.audit : mergeShards(shards), options);
}
