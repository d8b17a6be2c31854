import type { Finding } from "../errors.ts";
import type { EvidenceFormat } from "../formats/envelope.ts";
import type { Digest } from "../oci/digest.ts";
import type { SourceKind, SourcePlace, SourceProblem, Workload } from "../sources/mention.ts";
import type { Instant } from "../time.ts";
import type { VerdictStatus } from "../verify/verdict.ts";

/**
 * An audit is plain data: what one process finds out, what shards and workers send back, and what is read from a file
 * again are the same. Everything in it follows from the plan, the requirement, the reference time and what registries hold.
 */

/** A place that names an image of the plan. */
export interface Use {
  /** As it is written there. */
  readonly as: string;
  readonly kind: SourceKind;
  readonly place: SourcePlace;
  readonly workload?: Workload | undefined;
}

/** What is looked at once, however often it is mentioned. */
export interface PlanItem {
  /** Normalised, `docker.io/library/nginx:1.27`: the item's key. */
  readonly image: string;
  /** Sorted by place. */
  readonly uses: readonly Use[];
}

/** What an audit looks at, and as of when. */
export interface AuditPlan {
  readonly at: Instant;
  /** As the user named them. */
  readonly sources: readonly string[];
  /** Sorted by registry, repository, tag and digest, so that one registry's images stand together. */
  readonly items: readonly PlanItem[];
  readonly problems: readonly SourceProblem[];
  /** SHA-256 of the plan's canonical bytes. */
  readonly digest: Digest;
}

/** Whose signature was accepted. */
export interface AuditedSigner {
  readonly kind: "key" | "identity";
  /** In words: `release.yml of acme/app at refs/tags/v1 (GitHub Actions)`, `release.pub (SHA256:…)`. */
  readonly name: string;
  /** The same in every audit: the key's fingerprint, or the identity's issuer and subject with a space between. */
  readonly id: string;
  /** What the policy calls it. */
  readonly as?: string | undefined;
  readonly format: EvidenceFormat;
  /** Proven by a timestamp or a log. */
  readonly signedAt?: Instant | undefined;
}

/** What was found out about one image, whoever mentions it. */
export interface ImageFacts {
  /** The key of its plan item. */
  readonly image: string;
  /** With tag and digest; as written where it could not be resolved. */
  readonly name: string;
  readonly digest?: Digest | undefined;
  readonly verdict: VerdictStatus;
  /** Empty exactly when accepted. */
  readonly reasons: readonly Finding[];
  readonly warnings: readonly Finding[];
  readonly because?: string | undefined;
  /** The policy's rule: its name and `policy.yaml:12`. */
  readonly rule?: { readonly name?: string | undefined; readonly place: string } | undefined;
  /** Accepted ones, each once, in a stable order. */
  readonly signers: readonly AuditedSigner[];
  /** The publisher's word that it was reached by; absent where no root of the repository is pinned. */
  readonly signedTag?: AuditedTag | undefined;
  /**
   * What the tag of a reference with tag and digest means now, and of a signed tag what the registry calls so; absent where there is
   * no tag, or it could not be looked at.
   */
  readonly tagDigest?: Digest | undefined;
  /** Why the tag could not be looked at. */
  readonly tagFinding?: Finding | undefined;
  /** When the newest scan that a wanted signer attested was made. */
  readonly scannedAt?: Instant | undefined;
  readonly checked: readonly string[];
  readonly notChecked: readonly string[];
}

/** A binding of a pinned root: what of it is the same in every audit until the publisher signs again. */
export interface AuditedTag {
  /** The name that trust is bound to. */
  readonly repository: string;
  /** What is bound, or was released. */
  readonly digest: Digest;
  /** Whose word it is: `targets`, or a signer's role. */
  readonly role: string;
  readonly root: Digest;
  readonly signedAt?: Instant | undefined;
}

export interface AuditedImage extends ImageFacts {
  /** The reference names a digest. */
  readonly pinned: boolean;
  /** The tag names another digest now. */
  readonly drift: boolean;
  readonly uses: readonly Use[];
}

/** What was required of every image: the same words and digest on every machine that was given the same. */
export interface AuditStandard {
  readonly policy?: { readonly name: string; readonly digest: Digest } | undefined;
  /** "a signature by cosign.pub (SHA256:…)": for people. */
  readonly wanted: string;
  /** SHA-256 over everything that decides a verdict: keys, identities, trust roots, flags, or the policy and what it names. */
  readonly digest: Digest;
  /** Every weakening flag. */
  readonly weakened: readonly string[];
}

export interface Audit {
  readonly at: Instant;
  readonly sources: readonly string[];
  /** The digest of the plan. */
  readonly plan: Digest;
  readonly standard: AuditStandard;
  /** In the order of the plan. */
  readonly images: readonly AuditedImage[];
  readonly problems: readonly SourceProblem[];
  /** Which part of the plan this is, from 1; absent where it is the whole. */
  readonly shard?: AuditShard | undefined;
}

export interface AuditShard {
  readonly index: number;
  readonly count: number;
}
