import type { AuditPlan, AuditStandard } from "../core/audit/audit.ts";
import type { Reference } from "../core/oci/reference.ts";
import { type ImageAuditor, openAuditor } from "../ops/audit.ts";
import type { Wiring } from "../wire.ts";
import { standardOf } from "./audit-standard.ts";
import type { Context } from "./context.ts";
import { openWiring } from "./images.ts";
import { readJudging } from "./judging.ts";
import { type RawOptions, readRegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { readTaggedOptions } from "./verify-options.ts";

/** Everything by which the images of a plan are judged. */
export interface OpenAudit {
  readonly standard: AuditStandard;
  readonly auditor: ImageAuditor;
  readonly wiring: Wiring;
  /** `--max-workers`. */
  readonly workers: number;
  close(): Promise<void>;
}

/** Images looked at at a time, where nobody says how many. */
const WORKERS = 64;

/** What is judged, by which flags. */
export interface AuditWish {
  readonly plan: Pick<AuditPlan, "items" | "at">;
  readonly raw: RawOptions;
  /** Where one is open already; it is closed with the rest. */
  readonly wiring?: Wiring | undefined;
}

/**
 * Reads what the flags name and opens what judges by it, as of the plan's time. Every process that is given the same plan and
 * the same flags gets the same standard.
 *
 * @throws CountersignError as `readJudging`.
 */
export async function openAudit(
  context: Context,
  output: Output,
  { plan, raw, wiring: open }: AuditWish,
): Promise<OpenAudit> {
  const registry = readRegistryOptions(raw);
  const flags = readTaggedOptions(raw);
  const images = plan.items.map(({ image }) => image);
  const wiring = open ?? (await openWiring(context, output, registry, images));
  try {
    const then = { ...context, referenceTime: plan.at };
    // What registries call by a signed tag is worth an audit's request.
    const tags = { ...flags.tags, checkTag: true };
    const judging = await readJudging({ context: then, output, wiring, images }, { ...registry, ...flags, tags });
    const lookForScans = raw["scans"] === true;
    const standard = await standardOf(judging, { ...flags, lookForScans }, images);
    const ports = { open: (reference: Reference) => wiring.registry(reference), cache: wiring.cache };
    const auditor = openAuditor(ports, { ...judging, lookForScans });
    return { standard, auditor, wiring, workers: registry.maxWorkers ?? WORKERS, close: () => wiring.close() };
  } catch (thrown) {
    await wiring.close();
    throw thrown;
  }
}
