import { rulingFor } from "./criterion.ts";
import type { Evidence } from "./evidence.ts";
import { Hearing } from "./hearing.ts";
import type { Judgement } from "./judgement.ts";
import type { Requirement } from "./requirement.ts";

export { conclude } from "./conclude.ts";
export type { Judgement } from "./judgement.ts";

/**
 * The whole sequence at once: examine every candidate, count the distinct keys that signed, and say why where they do not
 * do. Pure: the same evidence and requirement give the same judgement, in whatever order the candidates come.
 */
export function judge(evidence: Evidence, requirement: Requirement): Judgement {
  const hearing = new Hearing(rulingFor(requirement), evidence.subject, requirement.now);
  hearing.add(evidence);
  return hearing.judgement();
}
