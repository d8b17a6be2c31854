import type { SourcePlace, SourceText } from "./mention.ts";

/** Line and column of an offset (UTF-16) in a file; a byte order mark is no character of its line. */
export type PlaceOf = (offset: number) => SourcePlace;

export function placesIn({ label, text }: SourceText): PlaceOf {
  let starts: readonly number[] | undefined;
  return (offset) => {
    starts ??= lineStarts(text);
    const line = lastUpTo(starts, offset);
    return { source: label, line: line + 1, column: Math.max(1, offset - (starts[line] ?? 0) + 1) };
  };
}

function lineStarts(text: string): readonly number[] {
  const starts = [text.startsWith("\u{feff}") ? 1 : 0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

/** The index of the last number in an ascending list that is not above a value; 0 where all are. */
function lastUpTo(ascending: readonly number[], value: number): number {
  let low = 0;
  let high = ascending.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] ?? 0) <= value) low = middle;
    else high = middle;
  }
  return low;
}
