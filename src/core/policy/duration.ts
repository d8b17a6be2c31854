const UNITS: readonly (readonly [unit: string, milliseconds: number])[] = [
  ["w", 7 * 86_400_000],
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
];

const DURATION = /^([1-9][0-9]{0,5})([wdhms])$/;

/** Of any unit. */
const MOST = 999_999;

/** What a duration looks like, for messages. */
export const DURATION_FORM = "a number and one of s, m, h, d, w: 36h, 90d";

/** Milliseconds of `90m`, `36h`, `7d`, `2w`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const [, count, unit] = DURATION.exec(text) ?? [];
  const length = UNITS.find(([name]) => name === unit)?.[1];
  return length === undefined ? undefined : Number(count) * length;
}

/** As it would be written, a week as `7d`. Of whole seconds. */
export function formatDuration(milliseconds: number): string {
  const fitting = UNITS.find(
    ([unit, length]) => milliseconds % length === 0 && (unit !== "w" || milliseconds > MOST * 86_400_000),
  );
  const [unit, length] = fitting ?? ["s", 1000];
  return `${Math.round(milliseconds / length)}${unit}`;
}
