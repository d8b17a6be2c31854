import type { AuditPlan } from "../../core/audit/audit.ts";
import { PLAN_COMMAND } from "../../core/audit/plan-file.ts";
import { formatInstantExactly } from "../../core/time.ts";
import { problemMember, recordDocument, useMember } from "./json.ts";

/** docs/schemas/audit-plan.json: the same bytes for the same plan; `parsePlan` reads it back. */
export function planDocument({ digest, at, sources, items, problems }: AuditPlan): string {
  return recordDocument(PLAN_COMMAND, {
    digest,
    at: formatInstantExactly(at),
    sources,
    items: items.map(({ image, uses }) => ({ image, uses: uses.map(useMember) })),
    problems: problems.map(problemMember),
  });
}
