import type { Digest } from "../oci/digest.ts";
import type { Instant } from "../time.ts";

/** One image that was pinned: by which digest, on whose word, and by what it was judged. */
export interface LockedImage {
  /** Normalised, with its tag and without a digest: `docker.io/library/nginx:1.27`. The key of the lock. */
  readonly name: string;
  readonly digest: Digest;
  /** Of an index: each platform's manifest, by `linux/amd64`. */
  readonly platforms: Readonly<Record<string, Digest>>;
  /** `AuditedSigner.id`-like: key fingerprints, or issuer and subject. Empty where `--no-verify` pinned it. */
  readonly signers: readonly string[];
  /** Of the policy, or of what the flags required; absent where `--no-verify` pinned it. */
  readonly standard?: Digest | undefined;
  /** When it was pinned. */
  readonly at: Instant;
}
