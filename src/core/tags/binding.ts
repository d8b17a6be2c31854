import type { Digest } from "../oci/digest.ts";
import type { Instant } from "../time.ts";

/** What a publisher signed of one tag, or of one digest that was released. */
export interface Binding {
  /** The tag, or undefined for "this digest was released". */
  readonly tag: string | undefined;
  readonly digest: Digest;
  /** Bytes of the manifest. */
  readonly length: number;
  readonly mediaType: string | undefined;
  /** When the publisher said so: a claim of the signer, proven to be the signer's. */
  readonly signedAt: Instant | undefined;
  /** Where it was built from, in the publisher's words. */
  readonly source?: string | undefined;
  /** What the tag meant before. */
  readonly supersedes?: Digest | undefined;
  readonly note?: string | undefined;
  /** An ordinary signature by one of these identities is asked for as well. Empty: none is. */
  readonly requires: readonly RequiredIdentity[];
  /** Taken back: refused with this reason, which is more than "unlisted". */
  readonly revoked?: Revocation | undefined;
}

export interface RequiredIdentity {
  readonly identity: string;
  readonly issuer: string;
}

export interface Revocation {
  readonly at: Instant;
  readonly reason: string;
}
