import { CountersignError } from "../errors.ts";
import { formatInstant, type Instant, instant } from "../time.ts";
import type { Ceilings, Role } from "./metadata.ts";

const HOUR = 60 * 60 * 1000;
const DAY = 24 * HOUR;

/** Kinds of roles by how long their metadata lives: a signer's and a bin's are `role`. */
export type LifetimeKind = "root" | "targets" | "role" | "snapshot" | "timestamp";

/** In milliseconds: how long metadata lives from its signing on, and how little of that is left when it is signed again. */
export interface Lifetime {
  readonly lives: number;
  readonly renewed: number;
}

export type Lifetimes = Readonly<Record<LifetimeKind, Lifetime>>;

/** What suits a publisher whose refresh job runs once a day: six runs may fail in a row. */
export const USUAL_LIFETIMES: Lifetimes = {
  root: { lives: 365 * DAY, renewed: 60 * DAY },
  targets: { lives: 365 * DAY, renewed: 60 * DAY },
  role: { lives: 365 * DAY, renewed: 60 * DAY },
  snapshot: { lives: 90 * DAY, renewed: 30 * DAY },
  timestamp: { lives: 7 * DAY, renewed: 6.5 * DAY },
};

/** With a refresh job that runs every hour: a client that was never here before is at most a day behind. */
export const STRICT_LIFETIMES: Lifetimes = {
  ...USUAL_LIFETIMES,
  role: { lives: 90 * DAY, renewed: 30 * DAY },
  timestamp: { lives: 24 * HOUR, renewed: 23.5 * HOUR },
};

/** What no signature can exceed: a stolen online key cannot mint a freeze without an end. */
export const USUAL_CEILINGS: Ceilings = { timestamp: 31 * DAY, snapshot: 366 * DAY, targets: 3 * 366 * DAY };
export const STRICT_CEILINGS: Ceilings = { timestamp: 2 * DAY, snapshot: 183 * DAY, targets: 366 * DAY };

/** The ones to sign with, by what the root allows: what was set up as strict stays strict without a flag. */
export function lifetimesUnder(ceilings: Ceilings): Lifetimes {
  return ceilings.timestamp < USUAL_LIFETIMES.timestamp.lives ? STRICT_LIFETIMES : USUAL_LIFETIMES;
}

/** When metadata that is signed now expires: a whole second, as it is written. */
export function expiryOf(kind: LifetimeKind, now: Instant, lifetimes: Lifetimes = USUAL_LIFETIMES): Instant {
  return wholeSecond(instant(now + lifetimes[kind].lives));
}

/** Whether so little is left that it is time to sign again. */
export function isDue(kind: LifetimeKind, expires: Instant, now: Instant, lifetimes = USUAL_LIFETIMES): boolean {
  return expires - now < lifetimes[kind].renewed;
}

/** An instant as metadata can write it. */
export function wholeSecond(at: Instant): Instant {
  return instant(Math.floor(at / 1000) * 1000);
}

/** How far ahead of our clock a version may be, since versions are made of the time. */
const AHEAD = DAY;

/**
 * The version after `previous`. It never repeats, not even where two publishers start from the same one: two files of one
 * version would fork the clients.
 *
 * @throws CountersignError `version-implausible` where what was before would be refused already.
 */
export function nextVersion(previous: number | undefined, now: Instant): number {
  if (previous !== undefined) checkVersion(previous, now, "the version before");
  return Math.max((previous ?? 0) + 1, now);
}

/** @throws CountersignError `version-implausible`: nothing could ever follow a version near the largest number. */
export function checkVersion(version: number, now: Instant, what: string): void {
  if (version <= now + AHEAD) return;
  throw new CountersignError("version-implausible", `${what} has a version of the future`, {
    found: String(version),
    wanted: `at most ${now + AHEAD}, milliseconds of tomorrow`,
  });
}

/** @throws CountersignError `lifetime-exceeded` for what claims to live longer than the root allows. */
export function checkCeiling(role: Role, ceilings: Ceilings, now: Instant, what: string): void {
  if (role.kind === "root" || role.expires - now <= ceilings[role.kind]) return;
  throw new CountersignError("lifetime-exceeded", `${what} claims to live longer than the root allows`, {
    found: `until ${formatInstant(role.expires)}`,
    wanted: `at most ${formatSpan(ceilings[role.kind])}`,
  });
}

/** @throws CountersignError `root-expired`, `frozen`. */
export function checkExpiry(role: Role, now: Instant, what: string): void {
  if (role.expires > now) return;
  const code = role.kind === "root" ? "root-expired" : "frozen";
  throw new CountersignError(code, code === "frozen" ? `frozen: ${what} has expired` : `${what} has expired`, {
    found: `expired at ${formatInstant(role.expires)}`,
    wanted: `valid at ${formatInstant(now)}, by this machine's clock`,
  });
}

const UNITS: readonly (readonly [string, number])[] = [
  ["d", DAY],
  ["h", HOUR],
  ["m", 60 * 1000],
  ["s", 1000],
];

/** `31d`, `90m`: the largest unit that leaves nothing over. */
export function formatSpan(milliseconds: number): string {
  const [unit, length] = UNITS.find(([, each]) => milliseconds % each === 0) ?? ["s", 1000];
  return `${Math.floor(milliseconds / length)}${unit}`;
}

/** In milliseconds; undefined for anything that `formatSpan` does not write. */
export function parseSpan(text: string): number | undefined {
  const [, count, unit] = /^([1-9][0-9]{0,5})([dhms])$/.exec(text) ?? [];
  const length = UNITS.find(([each]) => each === unit)?.[1];
  return length === undefined ? undefined : Number(count) * length;
}
