import type { Digest } from "../../core/oci/digest.ts";
import type { DiffResult } from "../../core/tags/admin-results.ts";
import { changesBetween } from "../../core/tags/changes.ts";
import type { TrustView } from "../../core/tags/ports.ts";
import type { TrustReading } from "../../core/tags/trust-view.ts";
import type { Instant } from "../../core/time.ts";
import { lookAround } from "./look.ts";
import { MetadataReader } from "./reader.ts";
import { onlooker, readWholeTrust, type TrustPlace } from "./whole.ts";

/** A state of the signed tags: now, before the last publish, an older head by its digest, or with all that is staged. */
export type TrustState = "head" | "previous" | "staged" | Digest;

/**
 * What two states of a repository's signed tags differ in. Both are verified; what has expired since is said by `inspect`.
 *
 * @throws CountersignError `not-found` for an older head that the registry does not have any more; as `readWholeTrust`.
 */
export async function diffTrust(
  place: TrustPlace,
  now: Instant,
  { from, to }: { readonly from: TrustState; readonly to: TrustState },
): Promise<DiffResult> {
  const head = await readWholeTrust(place, now);
  const before = await stateOf(place, now, head, from);
  const after = await stateOf(place, now, head, to);
  return {
    gun: head.gun,
    from,
    to,
    changes: before === undefined || after === undefined ? [] : changesBetween(before, after),
  };
}

async function stateOf(
  place: TrustPlace,
  now: Instant,
  head: TrustReading,
  state: TrustState,
): Promise<TrustView | undefined> {
  if (state === "head") return head;
  if (state === "staged") return await stagedView(place, now, head);
  const digest = state === "previous" ? head.history[0] : state;
  // Before the first publish there was nothing to differ from.
  return digest === undefined ? head : await readWholeTrust(place, now, digest);
}

/** Bins that nobody changed are those of the head. */
async function stagedView(place: TrustPlace, now: Instant, head: TrustReading): Promise<TrustView> {
  const { view } = await lookAround(onlooker(place, head, now), new MetadataReader(place.store));
  return { ...view, roles: new Map([...head.roles, ...view.roles]) };
}
