import type { AuditPlan } from "../core/audit/audit.ts";
import { makePlan } from "../core/audit/plan.ts";
import { parsePlan } from "../core/audit/plan-file.ts";
import { decodeUtf8 } from "../core/bytes.ts";
import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { Mention } from "../core/sources/mention.ts";
import type { Context } from "./context.ts";
import { readNamedFile } from "./named-file.ts";

/**
 * What is audited: what a plan lists, or what sources name.
 *
 * @throws CountersignError `usage` where that is nothing; `record-invalid` for a file that is no plan.
 */
export async function readPlan(
  context: Context,
  file: string | undefined,
  sources: readonly string[],
): Promise<AuditPlan> {
  const plan = file === undefined ? await planOfSources(context, sources) : await readPlanFile(context, file);
  requireImages(plan);
  return plan;
}

async function readPlanFile(context: Context, file: string): Promise<AuditPlan> {
  const wish = { flag: "--plan", holds: "what countersign audit plan wrote", maxBytes: LIMITS.auditBytes };
  return parsePlan(await readNamedFile(context, file, wish), file);
}

async function planOfSources(context: Context, sources: readonly string[]): Promise<AuditPlan> {
  const mentions = (await Promise.all(sources.map((source) => readList(context, source)))).flat();
  return makePlan(sources, { mentions, problems: [] }, context.referenceTime);
}

/** Nothing that was looked at is no success. @throws CountersignError `usage`. */
function requireImages({ items, problems, sources }: AuditPlan): void {
  if (items.length > 0 || problems.length > 0) return;
  throw new CountersignError("usage", "no image is named there", { found: sources.join(", ") });
}

async function readList(context: Context, source: string): Promise<readonly Mention[]> {
  const wish = { flag: "SOURCE", holds: "one image a line", maxBytes: LIMITS.auditBytes };
  const lines = decodeUtf8(await readNamedFile(context, source, wish)).split(/\r?\n/);
  return lines.flatMap((line, at): readonly Mention[] => {
    const image = line.trim();
    if (image === "" || image.startsWith("#")) return [];
    return [{ image, kind: "list", place: { source, line: at + 1, column: line.indexOf(image) + 1 } }];
  });
}
