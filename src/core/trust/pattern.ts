import { CountersignError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { TextCondition } from "./identity.ts";

/**
 * A condition that a whole text matches a pattern: RE2's syntax, in time linear in the text whatever the pattern is
 * (github.com/google/re2/wiki/Syntax). A part that matches is not enough: `acme/app` would be met by `evil/acme/app-x`.
 * `.*` is met by everything and has to be spelled out.
 *
 * @throws CountersignError `usage` for a pattern that is empty, too long or none.
 */
export async function pattern(text: string): Promise<TextCondition> {
  if (text === "") throw notOne(text, "it is empty");
  if (text.length > LIMITS.patternCharacters) throw notOne(text, `it is longer than ${LIMITS.patternCharacters}`);
  if (!text.isWellFormed()) throw notOne(text, "it has half a character");
  const { RE2JS } = await import("re2js");
  const compile = () => {
    try {
      return RE2JS.compile(text);
    } catch (cause) {
      throw notOne(text, cause instanceof Error ? cause.message : String(cause));
    }
  };
  const compiled = compile();
  // Counted repetitions multiply: a short text can be a program of millions.
  if (compiled.programSize() > LIMITS.patternInstructions) throw notOne(text, "it repeats too much");
  const matches = (value: string) => compiled.testExact(value);
  // Elsewhere a part may do, and patterns are carried over: that has to be seen at once.
  const nearMiss = (value: string) =>
    compiled.test(value) ? "the pattern matches a part of it, and has to match the whole" : undefined;
  return { kind: "pattern", text, matches, nearMiss };
}

function notOne(text: string, why: string): CountersignError {
  return new CountersignError("usage", "not a pattern", {
    found: `${JSON.stringify(text)}: ${why}`,
    wanted: "a regular expression in RE2's syntax that the whole text has to match",
  });
}
