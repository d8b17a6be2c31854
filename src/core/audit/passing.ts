import type { Finding } from "../errors.ts";
import type { ReasonCode } from "../reasons.ts";
import type { ImageFacts } from "./audit.ts";

/** May be otherwise in a moment. */
const PASSING: ReadonlySet<ReasonCode> = new Set(["throttled", "timeout", "server-error", "unreachable"]);

export function isPassing({ code }: Finding): boolean {
  return PASSING.has(code);
}

/** What stood in the way for now, of a verdict or of looking at a tag; undefined where another try would find out no more. */
export function passingReason({ verdict, reasons, tagFinding }: Outlook): Finding | undefined {
  const obstacles = [...(verdict === "undetermined" ? reasons : []), ...(tagFinding === undefined ? [] : [tagFinding])];
  return obstacles.find(isPassing);
}

/** Whether another try may find out more. */
export function mayPass(facts: Outlook): boolean {
  return passingReason(facts) !== undefined;
}

type Outlook = Pick<ImageFacts, "verdict" | "reasons" | "tagFinding">;
