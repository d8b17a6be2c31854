import type { Finding } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { Instant } from "../time.ts";
import type { Binding, RequiredIdentity } from "./binding.ts";
import type { RootPin } from "./pin.ts";

/** What the commands that look after signed tags come to: plain data, to be printed. */

/** One role as it stands. */
export interface RoleSummary {
  /** `root`, `targets`, `snapshot`, `timestamp`, or a signer's name. */
  readonly name: string;
  readonly keyIds: readonly string[];
  readonly threshold: number;
  /** undefined: it has no metadata that counts yet. */
  readonly version: number | undefined;
  readonly expires: Instant | undefined;
}

/** A signer: a role below `targets`. */
export interface SignerSummary extends RoleSummary {
  /** Patterns of tags. */
  readonly tags: readonly string[];
  /** Whether nobody after it is asked for these tags. */
  readonly isTerminating: boolean;
  /** What it binds now, revoked ones included; of tags alone. */
  readonly bindings: number;
}

/** What became of a change: readable by everybody now, waiting for the online key, or for more signatures. */
export type Publication =
  | { readonly state: "published"; readonly head: Digest; readonly warnings: readonly Finding[] }
  | { readonly state: "staged"; readonly roles: readonly string[]; readonly finding: Finding }
  | { readonly state: "pending"; readonly waiting: PendingRole };

/** Metadata that has been signed by some and not yet by enough. */
export interface PendingRole {
  readonly role: string;
  readonly version: number;
  readonly signedBy: readonly string[];
  /** Whose signatures would count and are missing. */
  readonly open: readonly string[];
  /** How many of `open` are wanted yet; of a root that changes its keys, by the old keys and by the new. */
  readonly missing: number;
  /** The tag that it waits under. */
  readonly tag: string;
}

export interface InitResult {
  readonly gun: string;
  /** Where the metadata lies: the repository itself, or the one that was chosen instead. */
  readonly location: string;
  readonly head: Digest;
  /** Of the root that was made: what consumers pin. */
  readonly pin: RootPin;
  readonly roles: readonly RoleSummary[];
}

export interface SignerResult {
  readonly gun: string;
  readonly change: "added" | "changed" | "removed";
  readonly signer: SignerSummary;
  /** Tags that nobody binds any more, now that the signer is gone. */
  readonly orphaned: readonly Pick<Binding, "tag" | "digest">[];
  /** Tags of a removed signer that were bound again in the same step. */
  readonly rebound: readonly Pick<Binding, "tag" | "digest">[];
  readonly publication: Publication;
}

export interface RotateResult {
  readonly gun: string;
  readonly role: string;
  readonly removedKeyIds: readonly string[];
  readonly addedKeyIds: readonly string[];
  readonly threshold: number;
  /** Of the root, where there is a new one. */
  readonly root: { readonly version: number; readonly digest: Digest } | undefined;
  readonly publication: Publication;
}

export interface ApproveResult {
  readonly gun: string;
  readonly role: string;
  readonly version: number;
  /** What the approval is about, in words: `binds 1.4 to sha256:…`. */
  readonly changes: readonly TrustChange[];
  readonly publication: Publication;
}

export interface GcResult {
  readonly gun: string;
  /** Old heads that were removed, or would be. */
  readonly removed: readonly Digest[];
  readonly kept: readonly Digest[];
  /** Staging and pending tags whose content is in the head already. */
  readonly tags: readonly string[];
  readonly isDryRun: boolean;
  /** Why nothing could be removed. */
  readonly unsupported: Finding | undefined;
}

/** What is looked at besides the metadata itself. */
export interface TagInspection {
  readonly binding: Binding;
  /** The role that binds it, and those whose binding of the same tag does not count. */
  readonly role: string;
  readonly keyIds: readonly string[];
  readonly shadowed: readonly { readonly role: string; readonly digest: Digest }[];
  /** What the registry's own tag names; undefined where it was not asked for, null where there is no such tag. */
  readonly registryDigest: Digest | null | undefined;
}

export interface InspectResult {
  readonly gun: string;
  readonly location: string;
  readonly aliases: readonly string[];
  readonly head: Digest;
  readonly pin: Pick<RootPin, "mode" | "root" | "rootVersion"> | undefined;
  readonly rootDigest: Digest;
  readonly roles: readonly RoleSummary[];
  readonly signers: readonly SignerSummary[];
  readonly tags: readonly TagInspection[];
  /** Digests that were released and are named by no tag. */
  readonly releasedDigests: number;
  /** Tags of the registry that nobody binds; undefined where it was not asked. */
  readonly unsignedTags: readonly string[] | undefined;
  /** What should be done soon: expiries, lost writes, roles that count no longer. */
  readonly notices: readonly Finding[];
  /** Staging and pending metadata that the head does not have yet. */
  readonly waiting: readonly PendingRole[];
}

/** One difference between two states of a repository's signed tags. */
export type TrustChange =
  | {
      readonly kind: "bound";
      readonly role: string;
      readonly tag: string;
      readonly digest: Digest;
      readonly was: Digest | undefined;
      /** Whose signatures are demanded as well. */
      readonly requires: readonly RequiredIdentity[];
    }
  | { readonly kind: "unbound"; readonly role: string; readonly tag: string; readonly was: Digest }
  | { readonly kind: "revoked"; readonly role: string; readonly what: string; readonly reason: string }
  | {
      readonly kind: "released";
      readonly role: string;
      readonly digest: Digest;
      readonly requires: readonly RequiredIdentity[];
    }
  | { readonly kind: "withdrawn"; readonly role: string; readonly digest: Digest }
  | {
      readonly kind: "signer-added" | "signer-removed" | "signer-changed";
      readonly signer: string;
      readonly keyIds: readonly string[];
      readonly tags: readonly string[];
      /** How many of its keys have to sign. */
      readonly threshold: number;
      /** Nobody after it is asked for its tags. */
      readonly terminating: boolean;
    }
  | {
      readonly kind: "keys";
      readonly role: string;
      readonly added: readonly string[];
      readonly removed: readonly string[];
      readonly threshold: number;
    }
  | {
      readonly kind: "version";
      readonly role: string;
      readonly from: number | undefined;
      readonly to: number;
      /** As it is written: 2030-01-31T12:00:00Z. */
      readonly expires: string;
    };

export interface DiffResult {
  readonly gun: string;
  /** `head`, `staged`, or the digest of an older head. */
  readonly from: string;
  readonly to: string;
  readonly changes: readonly TrustChange[];
}

export interface TrustAudit {
  readonly gun: string;
  readonly location: string;
  readonly head: Digest | undefined;
  readonly roots: number;
  readonly bindings: number;
  /** What is wrong, refused first; the audit passes where nothing in it is of class `refused` or `undetermined`. */
  readonly findings: readonly Finding[];
  /** What should be done soon. */
  readonly notices: readonly Finding[];
}
