import { LIMITS } from "./limits.ts";
import { REASONS, type ReasonClass, type ReasonCode, reasonClass } from "./reasons.ts";

/** What a finding or an error can say beside its code. All of it may hold text from a peer: print it escaped. */
export interface Particulars {
  /** What was there. */
  readonly found?: string | undefined;
  /** What was expected instead. */
  readonly wanted?: string | undefined;
  /** The next step for the person, where it is more precise than the reason's own. */
  readonly next?: string | undefined;
  /** Where what was wanted stands: `policy.yaml:14`. */
  readonly place?: string | undefined;
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
    super(shorten(message), particulars.cause === undefined ? undefined : { cause: particulars.cause });
    this.name = "CountersignError";
    this.code = code;
    this.found = particulars.found === undefined ? undefined : shorten(particulars.found);
    this.wanted = particulars.wanted === undefined ? undefined : shorten(particulars.wanted);
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
  const message =
    thrown instanceof Error ? thrown.message : `something that is not an error was thrown: ${typeof thrown}`;
  return { code: "internal", message: shorten(message), next: REASONS.internal.next };
}

/** A finding that was made without an error, its words as short as an error's are. */
export function bounded(finding: Finding): Finding {
  const { message, found, wanted } = finding;
  return {
    ...finding,
    message: shorten(message),
    ...(found !== undefined && { found: shorten(found) }),
    ...(wanted !== undefined && { wanted: shorten(wanted) }),
  };
}

/** What a peer sent may be megabytes long; a message says its beginning and how much was left out. */
function shorten(text: string): string {
  if (text.length <= LIMITS.messageCharacters) return text;
  const kept = text.slice(0, LIMITS.messageCharacters).toWellFormed();
  return `${kept}… (${text.length - LIMITS.messageCharacters} more characters)`;
}

/** The same where work goes on in spite of it: an interruption is no finding, and is thrown on. */
export function findingUnlessInterrupted(thrown: unknown): Finding {
  if (thrown instanceof CountersignError && thrown.class === "interrupted") throw thrown;
  return toFinding(thrown);
}
