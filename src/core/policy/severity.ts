import { type Rating, rankOf, type Severity } from "../formats/scans/severity.ts";

/** Whether a policy that allows `most` refuses it. One that is unknown counts as critical. */
export function isTooSevere(rating: Rating, most: Severity): boolean {
  return rankOf(rating) > rankOf(most);
}

/** Worst first, for sorting. */
export function bySeverity(a: Rating, b: Rating): number {
  return rankOf(b) - rankOf(a);
}
