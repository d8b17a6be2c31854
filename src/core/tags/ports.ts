import type { Digest } from "../oci/digest.ts";
import type { Manifest } from "../oci/manifest.ts";
import type { Signer } from "../ports.ts";
import type { Instant } from "../time.ts";
import type { RootRole, SignedRole, SnapshotRole, TargetsRole, TimestampRole } from "./metadata.ts";
import type { RootPin } from "./pin.ts";

/** The private halves of role keys that this machine has, wherever they live. */
export interface RoleKeyring {
  /** undefined: not here. @throws CountersignError `key-password`, `key-unavailable`: here, and it cannot be used. */
  signer(keyId: string): Promise<Signer | undefined>;
}

/** The roots that were chosen, by repository: one file. */
export interface PinBook {
  find(gun: string): Promise<RootPin | undefined>;
  /** Replaces the pin of the same repository; the other pins and their order stay. */
  put(pin: RootPin): Promise<void>;
}

/** All of a repository's trust metadata, verified from the first root on. */
export interface TrustView {
  readonly gun: string;
  /** Every root, oldest first; the last one counts. */
  readonly roots: readonly SignedRole<RootRole>[];
  readonly targets: SignedRole<TargetsRole>;
  /** Signers' roles and bins, by name; as far as they could be verified. */
  readonly roles: ReadonlyMap<string, SignedRole<TargetsRole>>;
  /** undefined where they are missing, damaged, or by keys that count no longer. Expired ones stay: nothing may go below them. */
  readonly snapshot: SignedRole<SnapshotRole> | undefined;
  readonly timestamp: SignedRole<TimestampRole> | undefined;
  /** The head that it was read from. */
  readonly head: Manifest;
  /** The digests of heads before it, newest first: a hint, unsigned. */
  readonly history: readonly Digest[];
}

/** What a publisher takes from the outside world beside the store and the keys. */
export interface PublisherClock {
  now(): Instant;
  /** Ends early with `interrupted`. */
  sleep(milliseconds: number): Promise<void>;
  /** From 0 to 1, for the spread of repeated tries. */
  random(): number;
}
