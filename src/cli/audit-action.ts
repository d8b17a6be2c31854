import { assembleAudit } from "../core/audit/assemble.ts";
import type { AuditStandard } from "../core/audit/audit.ts";
import { openAuditor, runAudit } from "../ops/audit.ts";
import { readAuditOptions } from "./audit-options.ts";
import { concludeAudit } from "./audit-report.ts";
import { planOfSources } from "./audit-sources.ts";
import type { Context } from "./context.ts";
import { openWiring } from "./images.ts";
import { readJudging } from "./judging.ts";
import { type RawOptions, readRegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { readVerifyOptions } from "./verify-options.ts";

/** Images looked at at a time, where nobody says how many. */
const WORKERS = 64;

/** `countersign audit SOURCE…`. */
export async function audit(
  context: Context,
  output: Output,
  sources: readonly string[],
  raw: RawOptions,
): Promise<void> {
  const registry = readRegistryOptions(raw);
  const flags = readVerifyOptions(raw);
  const options = readAuditOptions(raw, sources);
  const plan = await planOfSources(context, sources);
  const images = plan.items.map(({ image }) => image);
  const wiring = await openWiring(context, output, registry, images);
  try {
    const judging = await readJudging({ context, output, wiring, images }, { ...registry, ...flags });
    const auditor = openAuditor({ open: (reference) => wiring.registry(reference), cache: wiring.cache }, judging);
    const facts = await runAudit(plan.items, auditor, { workers: registry.maxWorkers ?? WORKERS });
    const standard: AuditStandard = { wanted: "", digest: plan.digest, weakened: flags.weakened };
    await concludeAudit(context, output, assembleAudit({ plan, items: plan.items, facts, standard }), options.failOn);
  } finally {
    await wiring.close();
  }
}
