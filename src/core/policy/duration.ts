const UNITS: readonly (readonly [unit: string, milliseconds: number])[] = [
  ["w", 7 * 86_400_000],
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
];

const DURATION = /^([1-9][0-9]{0,5})([wdhms])$/;

/** What a duration looks like, for messages. */
export const DURATION_FORM = "a number and one of s, m, h, d, w: 36h, 90d";

/** Milliseconds of `90m`, `36h`, `7d`, `2w`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const [, count, unit] = DURATION.exec(text) ?? [];
  const length = UNITS.find(([name]) => name === unit)?.[1];
  return length === undefined ? undefined : Number(count) * length;
}

/** As it would be written: whole days as days, `36h`. Whole seconds alone can be. */
export function formatDuration(milliseconds: number): string {
  const fitting = UNITS.find(([unit, length]) => unit !== "w" && milliseconds >= length && milliseconds % length === 0);
  const [unit, length] = fitting ?? ["s", 1000];
  return `${Math.round(milliseconds / length)}${unit}`;
}
