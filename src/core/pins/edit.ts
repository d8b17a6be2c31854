import { CountersignError } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { PinSlot } from "../sources/mention.ts";

/** A digest, and where it goes. */
export interface Pin {
  readonly slot: PinSlot;
  readonly digest: Digest;
}

/**
 * The text with its digests in their places, and nothing else changed. Several mentions may stand in one place (an alias of
 * YAML): what they say of it has to be the same.
 *
 * @throws CountersignError `internal`: places that overlap or lie outside of the text are a defect of who found them.
 */
export function applyPins(text: string, pins: readonly Pin[]): string {
  const parts: string[] = [];
  let at = 0;
  for (const { start, end, written } of distinct(pins.map(toEdit))) {
    if (start < at || end < start || end > text.length) throw misplaced(start, end);
    parts.push(text.slice(at, start), written);
    at = end;
  }
  return [...parts, text.slice(at)].join("");
}

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly written: string;
}

function toEdit({ slot: { start, end, before, after }, digest }: Pin): Edit {
  return { start, end, written: `${before}${digest}${after}` };
}

/** In the order of the text. */
function distinct(edits: readonly Edit[]): readonly Edit[] {
  const sorted = edits.toSorted((a, b) => a.start - b.start || a.end - b.end);
  return sorted.filter((edit, at) => {
    const before = sorted[at - 1];
    if (before === undefined || before.start !== edit.start) return true;
    if (before.end === edit.end && before.written === edit.written) return false;
    throw misplaced(edit.start, edit.end);
  });
}

function misplaced(start: number, end: number): CountersignError {
  return new CountersignError("internal", "two digests would be written over each other", {
    found: `characters ${start} to ${end}`,
  });
}
