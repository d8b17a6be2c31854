import { LIMITS } from "../limits.ts";

/**
 * Patterns of target paths. Only what every client reads alike: literals, `*` for any number of characters and `?` for one,
 * neither beyond a slash (TUF 1.0.34, 4.5). Other TUF clients hand patterns to their language's globs, which know braces,
 * classes and negation, and take time with the power of the number of asterisks.
 */
export function isSupportedPattern(pattern: string): boolean {
  const parts = pattern.split("/");
  return pattern.length <= LIMITS.tagPatternCharacters && parts.length <= 2 && parts.every(isSupportedPart);
}

function isSupportedPart(part: string): boolean {
  return /^[A-Za-z0-9_.*?-]+$/.test(part) && part.split("*").length - 1 <= LIMITS.tagPatternStars;
}

/** Whether a pattern covers a path. Time in proportion to the product of their lengths at worst. */
export function matchesPattern(pattern: string, path: string): boolean {
  const patterns = pattern.split("/");
  const parts = path.split("/");
  return patterns.length === parts.length && parts.every((part, at) => matchesPart(patterns[at] ?? "", part));
}

/** Goes back to the last asterisk alone, and lets it take one character more: an earlier one never needs to. */
function matchesPart(pattern: string, text: string): boolean {
  let at = 0;
  let star = -1;
  let taken = 0;
  for (let i = 0; i < text.length; ) {
    if (pattern[at] === "*") {
      star = at++;
      taken = i;
    } else if (pattern[at] === "?" || pattern[at] === text[i]) {
      at++;
      i++;
    } else if (star >= 0) {
      at = star + 1;
      i = ++taken;
    } else return false;
  }
  while (pattern[at] === "*") at++;
  return at === pattern.length;
}
