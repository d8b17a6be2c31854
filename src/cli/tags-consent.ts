import { CountersignError } from "../core/errors.ts";
import { printable } from "../core/printable.ts";
import { ask } from "./consent.ts";
import type { Context } from "./context.ts";

/** What is asked before signed tags are changed in a way that cannot be taken back. */
export interface Question {
  /** What would happen, a line each. */
  readonly lines: readonly string[];
  /** Ends in a question mark. */
  readonly question: string;
}

/**
 * Goes on where `yes` was given or somebody says so.
 *
 * @throws CountersignError `consent-missing` where the answer is no or there is nobody to ask; `interrupted`.
 */
export async function requireYes(context: Context, { lines, question }: Question, yes: boolean): Promise<void> {
  if (yes) return;
  context.stderr.stream.write(`${lines.map(printable).join("\n")}\n`);
  if (context.stdin.isTTY !== true) {
    throw new CountersignError("consent-missing", "somebody has to agree to this, and there is nobody to ask", {
      found: "no terminal",
      wanted: "-y, which agrees to what is said above",
      next: "give -y where it is what you want",
    });
  }
  if (/^y(?:es)?$/i.test((await ask(context, `${question} [y/N] `)).trim())) return;
  throw new CountersignError("consent-missing", "the answer was no; nothing was changed", {
    next: "run the command again where it is what you want",
  });
}
