import type { Finding } from "../../core/errors.ts";
import { type Instant, instant } from "../../core/time.ts";
import type { Target } from "./target.ts";
import type { TufUpdater } from "./updater.ts";

/** A target that is looked up, and its content as well where `maxBytes` says how much of it may be read. */
export interface Wish {
  readonly path: string;
  readonly maxBytes?: number | undefined;
}

export interface RoleStatus {
  readonly role: string;
  readonly version: number;
  readonly expires: Instant;
}

export interface FoundTarget {
  readonly target: Target;
  /** Proven by the target's hashes; undefined where it was not wished for. */
  readonly content: Uint8Array | undefined;
}

/** Verified metadata at one time, and what it says of the targets that were wished for. */
export interface Consulted {
  /** Every role whose metadata is trusted. */
  readonly roles: readonly RoleStatus[];
  /** When the first of them expires. */
  readonly expires: Instant;
  /** By path; a target that no role lists is absent. */
  readonly targets: ReadonlyMap<string, FoundTarget>;
  /** When the repository last confirmed it. */
  readonly refreshedAt: Instant;
  /** Why the repository, although it was asked, did not confirm it now. */
  readonly unheard?: Finding | undefined;
  /** Why it could not be kept for the next time. */
  readonly unkept?: Finding | undefined;
}

export function statusOf(updater: TufUpdater): Pick<Consulted, "roles" | "expires"> {
  const roles = updater.roles.flatMap((role): RoleStatus[] => {
    const metadata = updater.read(role);
    return metadata === undefined ? [] : [{ role, version: metadata.version, expires: metadata.expires }];
  });
  return { roles, expires: instant(Math.min(...roles.map(({ expires }) => expires))) };
}

/** Looks the wishes up one after the other, with `contentOf` to get at what a target holds. */
export async function lookUp(
  updater: TufUpdater,
  wishes: readonly Wish[],
  contentOf: (target: Target, maxBytes: number) => Promise<Uint8Array> | Uint8Array,
): Promise<Consulted["targets"]> {
  const found = new Map<string, FoundTarget>();
  for (const { path, maxBytes } of wishes) {
    const target = await updater.find(path);
    if (target === undefined) continue;
    found.set(path, { target, content: maxBytes === undefined ? undefined : await contentOf(target, maxBytes) });
  }
  return found;
}
