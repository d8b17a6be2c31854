import { createInterface } from "node:readline/promises";
import { CountersignError } from "../core/errors.ts";
import { printable } from "../core/printable.ts";
import type { Context } from "./context.ts";

/**
 * Asks on standard error and waits for yes or no; no is what an empty answer means. `assumeYes` (-y) asks nothing.
 *
 * @throws CountersignError `usage` where nobody is there to answer, `interrupted`.
 */
export async function confirm(context: Context, question: string, assumeYes: boolean): Promise<boolean> {
  if (assumeYes) return true;
  if (context.stdin.isTTY !== true || !context.stderr.isTerminal) {
    throw new CountersignError("usage", "there is nobody to ask", {
      found: "no terminal",
      wanted: "-y to answer yes beforehand",
    });
  }
  const answer = await ask(context, `${printable(question)} [y/N] `);
  return /^\s*y(?:es)?\s*$/i.test(answer);
}

async function ask(context: Context, prompt: string): Promise<string> {
  const lines = createInterface({ input: context.stdin, output: context.stderr.stream });
  try {
    return await lines.question(prompt, { signal: context.signal });
  } catch (cause) {
    throw new CountersignError("interrupted", "interrupted at the question", { cause });
  } finally {
    lines.close();
  }
}
