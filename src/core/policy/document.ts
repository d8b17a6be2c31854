import type { Severity } from "../formats/scans/severity.ts";
import type { Digest } from "../oci/digest.ts";
import type { Instant } from "../time.ts";
import type { ClaimName } from "../trust/identity.ts";

/**
 * A policy as it is written: parsed and checked by itself, with nothing read that it names. `core/policy/parse.ts` makes it,
 * `docs/schemas/policy.json` describes it to editors, `docs/policy.md` to people.
 */
export interface PolicyDocument {
  /** The file as the user named it, or the reference that it was fetched by. */
  readonly label: string;
  /** Of its bytes. */
  readonly digest: Digest;
  /** Who is spoken of, by name. Identities and roles share their names: `by` may name either. */
  readonly identities: ReadonlyMap<string, Identity>;
  readonly roles: ReadonlyMap<string, Role>;
  /** Trust roots of the policy's own, by name. Other names are instances of the configuration or built in. */
  readonly trust: ReadonlyMap<string, TrustReference>;
  readonly withdrawn: readonly WithdrawnList[];
  /** In the order of the file, which decides nothing. */
  readonly rules: readonly Rule[];
}

/** Where something stands in a policy: `policy.yaml:14`, counted from 1. */
export interface Place {
  readonly label: string;
  readonly line: number;
  readonly column: number;
}

/** `policy.yaml:14`. */
export function placeName({ label, line }: Place): string {
  return `${label}:${line}`;
}

// --- who --------------------------------------------------------------------------------------------------------------

/** Believed from `from` on and no more since `until`: both about when something was signed. */
export interface Window {
  /** `trustedFrom`. */
  readonly from?: Instant | undefined;
  /** `distrustedSince`. */
  readonly until?: Instant | undefined;
}

export type Identity = KeyIdentity | KeylessIdentity | GithubIdentity;

/** Somebody with keys: the same one, whichever of them signs. */
export interface KeyIdentity {
  readonly kind: "keys";
  readonly name: string;
  readonly keys: readonly KeyReference[];
  /** The trust root by which logs and times beside signatures are proven; without one they prove nothing. */
  readonly trust?: string | undefined;
  readonly proof: ProofDemands;
  readonly place: Place;
}

export interface KeyReference {
  /** PEM in the policy itself, or a file beside it. */
  readonly source: { readonly kind: "pem"; readonly pem: string } | { readonly kind: "file"; readonly path: string };
  readonly window: Window;
  readonly place: Place;
}

/** Somebody for whom an authority vouches. */
export interface KeylessIdentity {
  readonly kind: "keyless";
  readonly name: string;
  readonly subject: WantedText;
  readonly issuer: WantedText;
  readonly claims: readonly WantedClaim[];
  /** Where absent, the one that the command line or the configuration chooses. */
  readonly trust?: string | undefined;
  readonly proof: ProofDemands;
  readonly window: Window;
  readonly place: Place;
}

/** A workflow of GitHub Actions: of a repository, or of all of an owner's. */
export interface GithubIdentity {
  readonly kind: "github";
  readonly name: string;
  readonly owner: string;
  readonly repository?: string | undefined;
  /** The file below `.github/workflows`. */
  readonly workflow?: string | undefined;
  /** A ref, `*` for a part between slashes, `**` for any: `refs/tags/*`. */
  readonly ref?: string | undefined;
  readonly claims: readonly WantedClaim[];
  /** Where absent, Sigstore's public instance and GitHub's own. */
  readonly trust?: string | undefined;
  readonly proof: ProofDemands;
  readonly window: Window;
  readonly place: Place;
}

/** A text that is wanted exactly, or an RE2 pattern that the whole of it has to match. */
export interface WantedText {
  readonly kind: "exact" | "pattern";
  readonly text: string;
}

export interface WantedClaim {
  readonly name: ClaimName;
  readonly wanted: WantedText;
}

/** What has to lie beside a signature, where it is not what the trust root's signatures usually bring. Counts; 0 is none. */
export interface ProofDemands {
  readonly logs?: number | undefined;
  readonly certificateLogs?: number | undefined;
  readonly timestamps?: number | undefined;
}

/** Several identities under one name. */
export interface Role {
  readonly name: string;
  /** Names of identities. */
  readonly members: readonly string[];
  readonly place: Place;
}

export interface TrustReference {
  readonly name: string;
  /** A `trusted_root.json` beside the policy, or an instance of the configuration or built in. */
  readonly source:
    | { readonly kind: "file"; readonly path: string }
    | { readonly kind: "instance"; readonly instance: string };
  readonly proof: ProofDemands;
  readonly place: Place;
}

// --- what -------------------------------------------------------------------------------------------------------------

/** Which images, and what is required of them. */
export interface Rule {
  readonly name?: string | undefined;
  /** At least one: `registry.example/acme/app`, `registry.example/acme/`, `registry.example/*\/app`, with `:tag` or `@digest`. */
  readonly images: readonly ImagePattern[];
  readonly require: PolicyRequirement;
  /** `required`: refuse what no signed tag of a pinned root covers. Where a root is pinned, its tags count in any case. */
  readonly signedTag?: "required" | undefined;
  /** Milliseconds since the publisher bound the tag. */
  readonly maxBindingAge?: number | undefined;
  /** Of references by digest, where signed tags are; `listed` where nothing is said. */
  readonly digestPulls?: DigestPulls | undefined;
  readonly mode: RuleMode;
  /** `index`: what is said of an index covers the platforms it lists. `each`: every one of them needs its own. */
  readonly platforms: "index" | "each";
  /** Names that a payload may carry instead of the repository that the image is in. */
  readonly signedAs: readonly SignedAs[];
  readonly exceptions: readonly Exception[];
  readonly place: Place;
}

/**
 * `listed`: the digest was released and not taken back. `signed`: it was not taken back. `any`: signed tags are not looked at
 * (`TagDemand` in core/tags).
 */
export type DigestPulls = "listed" | "signed" | "any";

/** What an image is called, for finding the rule that it falls under. */
export interface ImageName {
  /** `registry/repository`; undefined for files that nobody gave a name. */
  readonly repository: string | undefined;
  readonly tag?: string | undefined;
  readonly digest?: Digest | undefined;
}

/** `warn`: the door opens, and says what would have kept it shut. */
export type RuleMode = "enforce" | "warn";

export interface ImagePattern {
  readonly text: string;
  readonly place: Place;
}

/** A name as it is, or the beginning of a repository's name and what it was called when it was signed. */
export type SignedAs =
  | { readonly kind: "name"; readonly repository: string }
  | { readonly kind: "prefix"; readonly prefix: string; readonly signedPrefix: string };

/** Lets images through that a rule refuses: named ones, for a while, on somebody's account. */
export interface Exception {
  /** At least one of either. */
  readonly digests: readonly Digest[];
  readonly images: readonly ImagePattern[];
  readonly owner: string;
  readonly reason: string;
  readonly expires: Instant;
  readonly place: Place;
}

export type PolicyRequirement =
  | { readonly kind: "all" | "any"; readonly of: readonly PolicyRequirement[]; readonly place: Place }
  /** So many of these, each met by somebody else. */
  | {
      readonly kind: "threshold";
      readonly count: number;
      readonly of: readonly EvidenceRequirement[];
      readonly place: Place;
    }
  /** Refuses, and says why. */
  | { readonly kind: "never"; readonly why: string; readonly place: Place }
  /** Nothing but the signed tag, which the rule requires. */
  | { readonly kind: "signedTag"; readonly place: Place }
  | EvidenceRequirement;

export type EvidenceRequirement = SignatureRequirement | AttestationRequirement | VulnerabilitiesRequirement;

interface BySomebody {
  /** Names of identities and roles: any of them. */
  readonly by: readonly string[];
  /** How many distinct ones of them; 1 where nothing is said. */
  readonly threshold: number;
  /** Milliseconds since it was proven to have been signed. What proves no time is too old. */
  readonly maxAge?: number | undefined;
  readonly place: Place;
}

/** The image's own signature. */
export interface SignatureRequirement extends BySomebody {
  readonly kind: "signature";
  readonly annotations: Readonly<Record<string, string>>;
  /** What was signed has to name the repository. */
  readonly nameBinding: boolean;
}

/** A statement of a type about the image. */
export interface AttestationRequirement extends BySomebody {
  readonly kind: "attestation";
  /** As `--type` takes them: any of these. */
  readonly types: readonly string[];
  /** CEL over the verified statement: all of them. */
  readonly where: readonly { readonly text: string; readonly place: Place }[];
}

export { SEVERITIES, type Severity } from "../formats/scans/severity.ts";

/** What a signed scan says of the image's vulnerabilities. One of unknown severity counts as critical. */
export interface VulnerabilitiesRequirement {
  readonly kind: "vulnerabilities";
  /** Names of identities and roles. */
  readonly scannedBy: readonly string[];
  /** Milliseconds since the scan was finished, by its own word, and since it was signed where that is proven. */
  readonly maxAge: number;
  /** Worse ones refuse. */
  readonly severityAtMost: Severity;
  /** Only those count for which a fixed version is known. */
  readonly fixableOnly: boolean;
  /** Whose OpenVEX statements that the image is not affected, or that it is fixed, are believed. */
  readonly vex?: { readonly by: readonly string[]; readonly maxAge?: number | undefined } | undefined;
  /** Vulnerabilities that somebody answers for until a day. */
  readonly except: readonly VulnerabilityException[];
  readonly place: Place;
}

export interface VulnerabilityException {
  /** As the scanner calls it, or an alias: `CVE-2024-3094`. */
  readonly id: string;
  readonly owner: string;
  readonly reason: string;
  readonly expires: Instant;
  readonly place: Place;
}

// --- what was taken back ----------------------------------------------------------------------------------------------

/** A signed list of digests that are not to be run any more. One that cannot be read or is too old accepts nothing. */
export interface WithdrawnList {
  /** A file beside the policy, with its bundle in `<path>.sigstore.json`; or an artifact in a registry. */
  readonly source:
    | { readonly kind: "file"; readonly path: string }
    | { readonly kind: "artifact"; readonly reference: string };
  /** What the list has to call itself: one signer may keep several. */
  readonly name?: string | undefined;
  readonly by: readonly string[];
  /** Milliseconds since the list says that it was issued. */
  readonly maxAge?: number | undefined;
  readonly place: Place;
}
