import { CountersignError } from "../errors.ts";
import type { Audit } from "./audit.ts";

/** What makes an audit fail. */
export const FAILINGS = ["refused", "undetermined", "unpinned", "drift"] as const;

export type Failing = (typeof FAILINGS)[number];

export const DEFAULT_FAIL_ON: readonly Failing[] = ["refused", "undetermined"];

/** `refused,unpinned`, or `none`. @throws CountersignError `usage`. */
export function parseFailOn(value: string): readonly Failing[] {
  if (value === "none") return [];
  return value.split(",").map((word) => {
    const failing = FAILINGS.find((known) => known === word.trim());
    if (failing !== undefined) return failing;
    throw new CountersignError("usage", "--fail-on takes what an audit can fail on", {
      found: word,
      wanted: `any of ${FAILINGS.join(", ")}, separated by commas, or none`,
    });
  });
}

/**
 * What of it is in the audit. A source that could not be read may name anything, so it counts as undetermined; so does a tag
 * that could not be looked at, where drift is asked for.
 */
export function failingsOf({ images, problems }: Audit, failOn: readonly Failing[]): ReadonlySet<Failing> {
  const found: Readonly<Record<Failing, boolean>> = {
    refused: images.some(({ verdict }) => verdict === "refused"),
    undetermined: problems.length > 0 || images.some(({ verdict }) => verdict === "undetermined"),
    unpinned: images.some(({ pinned }) => !pinned),
    drift: images.some(({ drift }) => drift),
  };
  const failing = failOn.filter((each) => found[each]);
  const isDriftUnknown = failOn.includes("drift") && images.some(({ tagFinding }) => tagFinding !== undefined);
  return new Set([...failing, ...(isDriftUnknown ? (["undetermined"] as const) : [])]);
}
