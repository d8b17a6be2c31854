import { type Instant, instant } from "../../../src/core/time.ts";

/** The moment in which everything here happens unless a test says otherwise: 2026-06-01T12:00:00Z. */
export const NOW: Instant = instant(Date.UTC(2026, 5, 1, 12));

/** What authorities and logs are good for by default: 2024 to the end of 2043. */
export const FROM: Instant = instant(Date.UTC(2024, 0, 1));
export const UNTIL: Instant = instant(Date.UTC(2044, 0, 1));

export const MINUTE = 60_000;
export const DAY = 86_400_000;

/** First and last moment in which something is good, milliseconds since 1970. */
export interface Window {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** As logs and tokens tell the time. */
export function seconds(at: number): bigint {
  return BigInt(Math.floor(at / 1000));
}
