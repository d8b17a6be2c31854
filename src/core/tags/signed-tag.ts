import type { Finding } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { ContentStore } from "../ports.ts";
import type { Instant } from "../time.ts";
import type { Binding, RequiredIdentity } from "./binding.ts";
import type { RootPin } from "./pin.ts";

/** What a door wants of signed tags, by the flags, the environment or the policy's rule for the image's name. */
export interface TagDemand {
  /** Refuse what no signed tag covers, also where no root of the repository is pinned yet. */
  readonly required: boolean;
  /** The oldest that a binding may be, by its `signedAt`. */
  readonly maxBindingAgeMs?: number | undefined;
  /**
   * Of references by digest, in a repository with signed tags. `listed`: the digest was released and not taken back. `signed`: it
   * was not taken back. `any`: its signed tags are not looked at.
   */
  readonly digestPulls: "listed" | "signed" | "any";
}

export const DEFAULT_TAG_DEMAND: TagDemand = { required: false, digestPulls: "listed" };

/** One reference to resolve. Both: the tag has to be bound to that digest. */
export interface TagQuestion {
  readonly store: ContentStore;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
  readonly demand: TagDemand;
}

/** What the signed metadata says of a reference, proven from the pinned root on, current at the reference time. */
export interface SignedTag {
  /** The repository's name that trust is bound to; another one than was asked where a mirror was. */
  readonly gun: string;
  readonly binding: Binding;
  /** The role that binds it: `targets`, or a signer's. */
  readonly role: string;
  /** Who signed that role's metadata: key ids. */
  readonly keyIds: readonly string[];
  readonly pin: Pick<RootPin, "mode" | "root" | "rootVersion">;
  readonly versions: { readonly root: number; readonly timestamp: number; readonly snapshot: number };
  /** When the timestamp expires: nothing older than its lifetime is believed. */
  readonly freshUntil: Instant;
  /** What the registry's own tag names, where that was asked for: another digest is divergence, and shown. */
  readonly registryDigest?: Digest | undefined;
  /** Why what was kept had to do: the registry could not be asked. */
  readonly unheard?: Finding | undefined;
}

export interface TagAnswer {
  /** undefined: no root of the repository is pinned, and none was demanded. The registry's own tag counts then, unproven. */
  readonly signedTag: SignedTag | undefined;
  /** What the binding demands beside. */
  readonly requires: readonly RequiredIdentity[];
}

/**
 * Resolves references through signed metadata. The one way from a tag to a digest, at every door.
 *
 * @throws CountersignError of class `refused` for what is unlisted, revoked, rolled back, frozen, forked or another repository's;
 * `undetermined` where it could not be looked at; `no-pin` where a root was demanded and none is known.
 */
export interface SignedTags {
  resolve(question: TagQuestion): Promise<TagAnswer>;
  /** Whether a root is pinned for a repository (`registry.example/acme/app`), or for the one that it mirrors. Asks no registry. */
  isPinned(repository: string): Promise<boolean>;
}
