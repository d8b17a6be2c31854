import type { Finding } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import type { Exception, ImageName, Place, RuleMode } from "../policy/document.ts";
import type { Assessment, SignedStatement, VulnerabilityDemands } from "../policy/vulnerabilities.ts";
import type { TagDemand } from "../tags/signed-tag.ts";
import type { Instant } from "../time.ts";
import type { Requirement } from "./requirement.ts";

/**
 * What must hold for an image, as a tree of requirements on its evidence. Nothing in it can be met by what is absent: more
 * evidence only ever meets more of it.
 */
export type Criterion =
  | { readonly kind: "all" | "any"; readonly of: readonly Criterion[]; readonly place?: Place | undefined }
  /** So many of these, each met by somebody else. */
  | {
      readonly kind: "threshold";
      readonly count: number;
      readonly of: readonly Leaf[];
      readonly place?: Place | undefined;
    }
  /** Met by nothing. */
  | { readonly kind: "never"; readonly finding: Finding; readonly place?: Place | undefined }
  | Leaf;

/** What evidence itself has to meet, or the signed tag that the image was reached by. */
export type Leaf = EvidenceLeaf | VulnerabilitiesLeaf | BindingLeaf;

/** A signature, or an attestation: as the requirement says. */
export interface EvidenceLeaf {
  readonly kind: "evidence";
  readonly requirement: Requirement;
  readonly place?: Place | undefined;
}

/** A scan by somebody who is believed, and what it may say. */
export interface VulnerabilitiesLeaf {
  readonly kind: "vulnerabilities";
  /** Whose scans, of which types. */
  readonly scan: Requirement;
  /** Whose statements about exploitability, where any are believed. */
  readonly vex?: Requirement | undefined;
  readonly demands: VulnerabilityDemands;
  /** Reads them: `assessScan`, which only those load who need it. */
  readonly assess: AssessScan;
  readonly place?: Place | undefined;
}

/** The image is what its publisher bound the tag to, or released: by a root that is pinned. */
export interface BindingLeaf {
  readonly kind: "binding";
  /** Milliseconds since the publisher said so. */
  readonly maxAge?: number | undefined;
  readonly place?: Place | undefined;
}

/** What a scan comes to, beside the VEX statements that are believed. */
export type AssessScan = (
  scan: SignedStatement,
  vex: readonly SignedStatement[],
  demands: VulnerabilityDemands,
  subject: Digest,
  now: Instant,
) => Assessment;

/** What applies to an image: of the flags, or of the rule of a policy that its name falls under. */
export interface Ruling {
  readonly criterion: Criterion;
  /** `index`: what is said of an index covers the platforms it lists. `each`: every one of them needs its own. */
  readonly platforms: "index" | "each";
  readonly exceptions: readonly RuledException[];
  /** Digests that were taken back, and whose word that is. */
  readonly withdrawn: ReadonlyMap<Digest, Finding>;
  /** Absent where flags say what is required. */
  readonly policy?: PolicyStamp | undefined;
}

/** An exception that covers the image's name, or some digests of it. */
export interface RuledException extends Pick<Exception, "digests" | "owner" | "reason" | "expires" | "place"> {
  /** By the name: whatever the digest is. */
  readonly coversName: boolean;
}

/** Which policy decided, and by what in it: part of the verdict. */
export interface PolicyStamp {
  /** As the user named it. */
  readonly label: string;
  readonly digest: Digest;
  /** Absent where no rule matches. */
  readonly rule?:
    | {
        readonly name?: string | undefined;
        readonly place: Place;
        /** The pattern of the rule that the image's name matched. */
        readonly pattern: string;
        readonly mode: RuleMode;
      }
    | undefined;
}

export type { ImageName } from "../policy/document.ts";

/** Says what applies to an image. */
export interface Rulebook {
  /** The present, read once at the door. */
  readonly now: Instant;
  /** Absent where flags say what is required. */
  readonly policy?: PolicyStamp | undefined;
  /**
   * Where no rule matches, a ruling that refuses with `no-policy`.
   *
   * @throws CountersignError where what a rule names (a key, a trust root, a list) cannot be had.
   */
  rulingOf(image: ImageName): Promise<Ruling>;
  /** How references under a name are resolved: nothing that a rule names is read for it. Absent where no rule says. */
  digestPulls?(image: ImageName): TagDemand["digestPulls"] | undefined;
}

/** The same ruling for every image: what flags ask for. */
export function requiring(requirement: Requirement): Rulebook {
  const ruling = rulingFor(requirement);
  return { now: requirement.now, rulingOf: async () => ruling };
}

/** The signed tag decides alone. */
export function requiringBinding(now: Instant): Rulebook {
  const ruling: Ruling = { ...NOTHING_BESIDE, criterion: { kind: "binding" } };
  return { now, rulingOf: async () => ruling };
}

const NOTHING_BESIDE: Omit<Ruling, "criterion"> = { platforms: "index", exceptions: [], withdrawn: new Map() };

export function rulingFor(requirement: Requirement): Ruling {
  return { ...NOTHING_BESIDE, criterion: { kind: "evidence", requirement } };
}

export function isLeaf(criterion: Criterion): criterion is Leaf {
  return criterion.kind === "evidence" || criterion.kind === "vulnerabilities" || criterion.kind === "binding";
}

/** All that is met or not by itself, each once. */
export function leavesOf(criterion: Criterion): readonly Leaf[] {
  switch (criterion.kind) {
    case "all":
    case "any":
      return [...new Set(criterion.of.flatMap(leavesOf))];
    case "threshold":
      return [...new Set(criterion.of)];
    case "never":
      return [];
    default:
      return [criterion];
  }
}

/** What the evidence for a leaf is examined by: a scan and what is said of it are two. */
export function requirementsOf(leaf: Leaf): readonly Requirement[] {
  if (leaf.kind === "binding") return [];
  if (leaf.kind === "evidence") return [leaf.requirement];
  return leaf.vex === undefined ? [leaf.scan] : [leaf.scan, leaf.vex];
}

/** What became of a criterion, part by part: what `policy explain` shows. */
export interface Outcome {
  readonly kind: Criterion["kind"];
  readonly status: "accepted" | "refused" | "undetermined";
  /** Why not, nearest to acceptance first; empty exactly when accepted. */
  readonly reasons: readonly Finding[];
  /** What was wanted, in words. */
  readonly wanted: string;
  /** Who met it, in words. */
  readonly metBy: readonly string[];
  readonly of: readonly Outcome[];
  readonly place?: Place | undefined;
}
