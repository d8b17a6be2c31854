import { CountersignError } from "../errors.ts";
import { type AuditDiff, CHANGES, type Change } from "./diff.ts";

/**
 * What got worse, where nobody says what counts. A tag that moved to what is accepted by the same signers is a release, and a pin
 * that moved was moved by somebody: neither is among them.
 */
export const DEFAULT_DIFF_FAIL_ON: readonly Change[] = [
  ...(["refused", "undetermined", "signer-lost", "signer-changed", "unpinned"] as const),
];

/** `refused,signer-lost`, or `none`. @throws CountersignError `usage`. */
export function parseDiffFailOn(value: string): readonly Change[] {
  if (value === "none") return [];
  return value.split(",").map((word) => {
    const change = CHANGES.find((known) => known === word.trim());
    if (change !== undefined) return change;
    throw new CountersignError("usage", "--fail-on takes what can be different between two audits", {
      found: word,
      wanted: `any of ${CHANGES.join(", ")}, separated by commas, or none`,
    });
  });
}

/** Which of them happened. What newly cannot be read may name anything, so it counts as undetermined. */
export function failingChanges({ images, problems }: AuditDiff, failOn: readonly Change[]): ReadonlySet<Change> {
  const found = new Set(images.flatMap(({ changes }) => changes));
  if (problems.new.length > 0) found.add("undetermined");
  return new Set(failOn.filter((change) => found.has(change)));
}
