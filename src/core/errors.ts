import { REASONS, type ReasonClass, type ReasonCode, reasonClass } from "./reasons.ts";

/** What a finding or an error can say beside its code. All of it may hold text from a peer: print it escaped. */
export interface Particulars {
  /** What was there. */
  readonly found?: string | undefined;
  /** What was expected instead. */
  readonly wanted?: string | undefined;
  /** The next step for the person, where it is more precise than the reason's own. */
  readonly next?: string | undefined;
}

/** A reason with its particulars: the unit of which verdicts and error messages are made. */
export interface Finding extends Particulars {
  readonly code: ReasonCode;
  /** One line: what failed, in plain words, without the code. */
  readonly message: string;
}

/**
 * The one error family. Everything that goes wrong on purpose is thrown as this; anything else that reaches the command
 * line is a defect and is reported as `internal`.
 */
export class CountersignError extends Error implements Finding {
  readonly code: ReasonCode;
  readonly found: string | undefined;
  readonly wanted: string | undefined;
  readonly next: string;

  constructor(code: ReasonCode, message: string, particulars: Particulars & { readonly cause?: unknown } = {}) {
    super(message, particulars.cause === undefined ? undefined : { cause: particulars.cause });
    this.name = "CountersignError";
    this.code = code;
    this.found = particulars.found;
    this.wanted = particulars.wanted;
    this.next = particulars.next ?? REASONS[code].next;
  }

  get class(): ReasonClass {
    return reasonClass(this.code);
  }
}

/** Any thrown value as a finding. What is not a CountersignError is a defect of ours and never counts as a verdict. */
export function toFinding(thrown: unknown): Finding {
  if (thrown instanceof CountersignError) {
    return {
      code: thrown.code,
      message: thrown.message,
      found: thrown.found,
      wanted: thrown.wanted,
      next: thrown.next,
    };
  }
  return { code: "internal", message: thrown instanceof Error ? thrown.message : String(thrown) };
}
