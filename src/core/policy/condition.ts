import type { JsonObject } from "../json.ts";

/** A condition on what a signer said: a CEL expression over the verified statement. */
export interface Condition {
  /** As it was written. */
  readonly text: string;
  /**
   * Whether the statement meets it. What cannot be evaluated (a member that is not there, another type) does not.
   *
   * @throws CountersignError `limit-reached` where that takes too much work to find out.
   */
  check(statement: JsonObject): ConditionResult;
}

export type ConditionResult =
  | { readonly met: true }
  /** `why` where it could not be evaluated; else what the statement says where the condition looks. */
  | { readonly met: false; readonly why?: string | undefined; readonly values?: string | undefined };
