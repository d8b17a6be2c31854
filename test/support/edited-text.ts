import * as fc from "fast-check";

/** Up to six changes of a text: at a place so many characters are taken out, and a piece is put there. */
export function textEdits(pieces: readonly string[]) {
  const edit = fc.tuple(fc.nat(), fc.nat(12), fc.constantFrom(...pieces, ""));
  return fc.array(edit, { minLength: 1, maxLength: 6 });
}

export function edited(text: string, changes: readonly (readonly [number, number, string])[]): string {
  return changes.reduce((before, [at, removed, put]) => {
    const start = at % (before.length + 1);
    return before.slice(0, start) + put + before.slice(start + removed);
  }, text);
}
