import type { Finding } from "../errors.ts";
import type { Place, PolicyDocument } from "./document.ts";
import type { LintFinding } from "./lint.ts";

/** Why a policy cannot be used: what it says, or what it names. */
export interface PolicyProblem {
  readonly finding: Finding;
  /** Absent where it is the file as a whole. */
  readonly place?: Place | undefined;
}

/** What becomes of one policy when it is looked at by itself. */
export interface PolicyCheck {
  /** As the user named it. */
  readonly label: string;
  /** undefined where it cannot even be read. */
  readonly document: PolicyDocument | undefined;
  /** Empty exactly when it can be used. */
  readonly problems: readonly PolicyProblem[];
  readonly findings: readonly LintFinding[];
}
