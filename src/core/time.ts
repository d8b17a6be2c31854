/** An instant, milliseconds since the epoch. Core never asks for the time: it is made once at the door and handed in. */
export type Instant = number & { readonly __brand: "Instant" };

/** The first and the last instant of the years 0000 to 9999, the only ones that RFC 3339 can write. */
const FIRST = Date.UTC(-1, 12);
const LAST = Date.UTC(10_000, 0) - 1;

/** Milliseconds since the epoch as an instant. @throws RangeError outside the years 0000 to 9999: check before. */
export function instant(milliseconds: number): Instant {
  if (isInstant(milliseconds)) return milliseconds;
  throw new RangeError(`not an instant: ${milliseconds}`);
}

/** Whether a number, perhaps from a peer or an environment variable, is an instant of the years 0000 to 9999. */
export function isInstant(milliseconds: number): milliseconds is Instant {
  return Number.isInteger(milliseconds) && milliseconds >= FIRST && milliseconds <= LAST;
}

/** RFC 3339 in UTC with whole seconds, as registries' annotations carry it: `2026-08-30T12:00:00Z`. */
export function formatInstant(at: Instant): string {
  return new Date(at).toISOString().replace(/\.\d{3}Z$/, "Z");
}

/** The same without loss: with milliseconds where there are any, `2026-08-30T12:00:00.250Z`. */
export function formatInstantExactly(at: Instant): string {
  return new Date(at).toISOString().replace(".000Z", "Z");
}

/** `from 2026-01-01T00:00:00Z to 2026-12-31T23:59:59Z`; `from … on` without an end. */
export function describeWindow(from: Instant, until: Instant | undefined): string {
  return `from ${formatInstant(from)} ${until === undefined ? "on" : `to ${formatInstant(until)}`}`;
}

const RFC3339 = /^(\d{4}-\d\d-(\d\d))T\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;

/** RFC 3339 with `Z` or an offset; undefined for anything else, and for days that never were. */
export function parseInstant(text: string): Instant | undefined {
  const [, date = "", day] = RFC3339.exec(text) ?? [];
  const time = Date.parse(text);
  // The engine's calendar carries the 31st of February over into March.
  const isReal = date !== "" && new Date(Date.parse(date)).getUTCDate() === Number(day);
  return isReal && isInstant(time) ? time : undefined;
}

const UNITS: readonly (readonly [string, number])[] = [
  ["year", 365 * 86_400_000],
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000],
];

/** "3 days ago", "in 2 hours", "just now": how far `at` is from `now`. */
export function describeAge(at: Instant, now: Instant): string {
  const distance = Math.abs(now - at);
  for (const [unit, length] of UNITS) {
    const count = Math.floor(distance / length);
    if (count >= 1) {
      const amount = `${count} ${unit}${count === 1 ? "" : "s"}`;
      return at <= now ? `${amount} ago` : `in ${amount}`;
    }
  }
  return "just now";
}
