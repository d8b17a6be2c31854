import type { Finding } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { Instant } from "../time.ts";
import type { Publication } from "./admin-results.ts";

/** What the commands that sign tags come to: plain data, to be printed. */

/** One tag that was bound. */
export interface BoundTag {
  readonly tag: string;
  readonly digest: Digest;
  /** What it meant before; undefined where nobody bound it. */
  readonly was: Digest | undefined;
  /** The roles that bind it now, of those whose keys are here. */
  readonly roles: readonly string[];
}

export interface SignTagsResult {
  readonly gun: string;
  readonly tags: readonly BoundTag[];
  /** False where all of it was signed already. */
  readonly isChanged: boolean;
  readonly publication: Publication;
  /** Why consumers get something else than was signed: another role comes first. */
  readonly warnings: readonly Finding[];
}

export interface RevokedEntry {
  /** undefined: the digest itself, as one that was released. */
  readonly tag: string | undefined;
  readonly digest: Digest;
  readonly role: string;
}

export interface RevokeTagsResult {
  readonly gun: string;
  readonly reason: string;
  readonly revoked: readonly RevokedEntry[];
  readonly isChanged: boolean;
  readonly publication: Publication;
  /** Why consumers get it still: another role, whose key is not here, binds it too. */
  readonly warnings: readonly Finding[];
}

export interface RefreshResult {
  readonly gun: string;
  /** Roles that were staged, or lost with an overwritten head, and are in the head again. */
  readonly merged: readonly string[];
  /** Roles that were signed again since they would have expired soon. */
  readonly renewed: readonly string[];
  readonly timestamp: { readonly version: number; readonly expires: Instant } | undefined;
  readonly snapshot: { readonly version: number; readonly expires: Instant } | undefined;
  readonly publication: Publication;
  /** What needs a person soon: roles that expire and whose keys are not here; metadata that waits for signatures. */
  readonly notices: readonly Finding[];
}
