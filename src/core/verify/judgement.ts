import type { Finding } from "../errors.ts";
import type { Leaf, Outcome, PolicyStamp } from "./criterion.ts";
import type { SignatureReport, VerdictStatus } from "./verdict.ts";

/** The judge's answer on one subject; the door adds the names. */
export interface Judgement {
  readonly status: VerdictStatus;
  /** Nearest to acceptance first; empty exactly when accepted. */
  readonly reasons: readonly Finding[];
  readonly signatures: readonly SignatureReport[];
  readonly because?: string | undefined;
  /** Labels of the trust roots: those that proved what was accepted, else all whose word would have been taken. */
  readonly trust?: readonly string[] | undefined;
  /** The policy and the rule by which it was judged; absent where flags decide. */
  readonly policy?: PolicyStamp | undefined;
  /** What would have refused it but for an exception or a rule that only warns, and what to look at before it does. */
  readonly warnings?: readonly Finding[] | undefined;
  /** What the acceptance rests on; nothing where an exception or a rule that only warns let it through. */
  readonly met?: readonly Leaf[] | undefined;
  /** What became of the requirements one by one. */
  readonly outcome?: Outcome | undefined;
}
