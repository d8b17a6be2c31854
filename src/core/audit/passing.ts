import type { ReasonCode } from "../reasons.ts";
import type { ImageFacts } from "./audit.ts";

/** May be otherwise in a moment. */
const PASSING: ReadonlySet<ReasonCode> = new Set(["throttled", "timeout", "server-error", "unreachable"]);

/** What stood in the way for now; undefined where another try would find out nothing more. */
export function passingReason({
  verdict,
  reasons,
}: Pick<ImageFacts, "verdict" | "reasons">): ImageFacts["reasons"][number] | undefined {
  return verdict === "undetermined" ? reasons.find(({ code }) => PASSING.has(code)) : undefined;
}

/** Whether another try may find out more. */
export function mayPass(facts: Pick<ImageFacts, "verdict" | "reasons">): boolean {
  return passingReason(facts) !== undefined;
}
