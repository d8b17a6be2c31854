import type { Mention, PinSlot } from "../../src/core/sources/mention.ts";

/** What slots are filled with in the tests. */
export const PINNED = `sha256:${"d".repeat(64)}`;

/** Every place once: mentions that share one want the same there. */
export function slotsOf(mentions: readonly Mention[]): readonly PinSlot[] {
  const slots = new Map(mentions.flatMap(({ slot }) => (slot === undefined ? [] : [[slot.start, slot] as const])));
  return [...slots.values()].toSorted((a, b) => a.start - b.start);
}

/** The text with all slots filled. */
export function applySlots(text: string, mentions: readonly Mention[]): string {
  let at = 0;
  const parts: string[] = [];
  for (const { start, end, before, after } of slotsOf(mentions)) {
    parts.push(text.slice(at, start), before, PINNED, after);
    at = end;
  }
  return [...parts, text.slice(at)].join("");
}
