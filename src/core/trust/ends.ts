import { type Instant, instant } from "../time.ts";
import type { TrustRoot, ValidFor } from "./root.ts";

/** When a trust root believes nobody of a kind any longer: what is signed after that is not proven by it. */
export interface TrustEnd {
  readonly kind: "authorities" | "logs" | "certificate logs" | "timestamp authorities";
  readonly until: Instant;
}

/** The ends of those kinds that have one, the first of them first. */
export function endsOf(root: TrustRoot): readonly TrustEnd[] {
  const kinds: readonly (readonly [TrustEnd["kind"], readonly ValidFor[]])[] = [
    ["authorities", root.authorities],
    ["logs", root.logs],
    ["certificate logs", root.certificateLogs],
    ["timestamp authorities", root.timestampAuthorities],
  ];
  return kinds
    .flatMap(([kind, windows]): TrustEnd[] => {
      const until = lastOf(windows);
      return until === undefined ? [] : [{ kind, until }];
    })
    .toSorted((a, b) => a.until - b.until);
}

/** undefined where there is none at all, or one without an end. */
function lastOf(windows: readonly ValidFor[]): Instant | undefined {
  const ends = windows.flatMap(({ until }) => (until === undefined ? [] : [until]));
  return ends.length === 0 || ends.length < windows.length ? undefined : instant(Math.max(...ends));
}
