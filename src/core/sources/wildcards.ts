/** In a pattern, as one of its segments: any number of folders. */
export const ANY_FOLDERS = "**";

/**
 * Whether a path matches a pattern, both cut at their slashes: `**` is any number of segments; in a segment `*` is any
 * number of characters, `?` is one, and what stands behind a backslash is itself.
 */
export function matchesPath(pattern: readonly string[], path: readonly string[]): boolean {
  return matchesWild(pattern, path, ANY_FOLDERS, matchesSegment);
}

function matchesSegment(pattern: string, segment: string): boolean {
  if (!/[*?\\]/.test(pattern)) return pattern === segment;
  return matchesWild(charactersOf(pattern), [...segment], "*", isCharacter);
}

/** Escaped characters with their escape: then they are no wildcards. */
function charactersOf(pattern: string): readonly string[] {
  return [...pattern.matchAll(/\\[\s\S]|[\s\S]/gu)].map(([character]) => character);
}

function isCharacter(wanted: string, found: string): boolean {
  return wanted === "?" || wanted === found || wanted === `\\${found}`;
}

/**
 * A later wildcard never needs an earlier one to take more than it had to, so only the last one is ever tried again: time
 * grows with pattern times text, never faster.
 */
function matchesWild(
  pattern: readonly string[],
  text: readonly string[],
  wildcard: string,
  isSame: (wanted: string, found: string) => boolean,
): boolean {
  let at = 0;
  let to = 0;
  let last = -1;
  let taken = 0;
  while (to < text.length) {
    const wanted = pattern[at];
    if (wanted === wildcard) {
      last = at;
      taken = to;
      at += 1;
    } else if (wanted !== undefined && isSame(wanted, text[to] ?? "")) {
      at += 1;
      to += 1;
    } else if (last === -1) return false;
    else {
      at = last + 1;
      taken += 1;
      to = taken;
    }
  }
  while (pattern[at] === wildcard) at += 1;
  return at === pattern.length;
}
