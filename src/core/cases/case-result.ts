import type { Finding } from "../errors.ts";
import type { Verdict } from "../verify/verdict.ts";
import type { Difference } from "./expectation.ts";

/** What became of one case of a policy. */
export interface CaseResult {
  /** The folder, as it is printed. */
  readonly name: string;
  readonly about?: string | undefined;
  /** `unreadable`: the case, or a policy that was to give a verdict, cannot be used; nothing was tested. */
  readonly outcome: "passed" | "failed" | "unreadable";
  /** Empty unless it failed. */
  readonly differences: readonly Difference[];
  /** What the policy said. */
  readonly verdict?: Verdict | undefined;
  /** Why it could not be used. */
  readonly finding?: Finding | undefined;
}
