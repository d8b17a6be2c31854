import { compareTexts } from "../bytes.ts";
import type { Finding } from "../errors.ts";
import { type EvidenceFormat, type Origin, SIGNATURE_PREDICATE } from "../formats/envelope.ts";
import { isOfType } from "../formats/predicates.ts";
import { type Identity, placeName } from "../policy/document.ts";
import type { RuleMatch } from "../policy/images.ts";
import type { Instant } from "../time.ts";
import { type ClaimedMaterial, readClaimedMaterial } from "../trust/claimed-material.ts";
import type { SignatureProof } from "../trust/material.ts";
import { type Criterion, isLeaf, type Leaf, type Outcome, type Ruling, requirementsOf } from "../verify/criterion.ts";
import type { Evidence, Subject } from "../verify/evidence.ts";
import { Exhibit } from "../verify/exhibit.ts";
import { rankOf } from "../verify/findings.ts";
import { hearLeaf } from "../verify/heard-leaf.ts";
import { Hearing } from "../verify/hearing.ts";
import type { Requirement } from "../verify/requirement.ts";
import { describeSignedBy, type SignatureReport, type Verdict, type VerdictStatus } from "../verify/verdict.ts";
import { type Carried, carriedBy, type Everybody } from "./carried.ts";
import { differenceOf, type FieldDifference } from "./difference.ts";

/** Why a policy says of an image what it says. */
export interface Explanation {
  /** As `verify` gives it. */
  readonly verdict: Verdict;
  /** The rules that match the image's name, the one that decides first. */
  readonly rules: readonly RuleMatch[];
  /** The image; where every platform needs its own, each of them. */
  readonly subjects: readonly SubjectExplanation[];
  /** What of the policy could not be read, and is not needed by the rule. */
  readonly problems: readonly Finding[];
}

/** What a rule makes of one subject, with all that was found about it. */
export interface SubjectExplanation {
  readonly subject: Subject;
  readonly status: VerdictStatus;
  readonly reasons: readonly Finding[];
  readonly warnings: readonly Finding[];
  /** Numbered from 1 in this order. */
  readonly evidence: readonly ExplainedEvidence[];
  /** What could not be looked at. */
  readonly obstacles: readonly Finding[];
  readonly requirement: ExplainedRequirement;
}

/** A piece of evidence, and whom it carries. */
export interface ExplainedEvidence {
  readonly number: number;
  readonly format: EvidenceFormat;
  readonly origin: Origin;
  readonly carried: Carried;
  /** What it says is about this very subject. Nothing where its maker is not proven. */
  readonly isAboutSubject?: boolean | undefined;
  /** Of one whose maker is not proven: what lies beside it says so of itself. */
  readonly claims?: ClaimedMaterial | undefined;
  /** Some part of the requirement accepts it. */
  readonly counts: boolean;
}

/** A part of a requirement, and what became of it. */
export interface ExplainedRequirement extends Omit<Outcome, "of"> {
  readonly of: readonly ExplainedRequirement[];
  /** Of a part that evidence meets and that is not met: what came nearest. */
  readonly nearest?: NearestEvidence | undefined;
}

/** The one field in which a piece of evidence differs from what is wanted. */
export interface NearestEvidence extends FieldDifference {
  readonly evidence: number;
  readonly finding: Finding;
  readonly place?: string | undefined;
  /** When it was proven to be signed. */
  readonly proof?: SignatureProof | undefined;
}

/** Looks at all of the evidence, whatever accepts first. Pure. */
export function explainSubject(
  ruling: Ruling,
  subject: Subject,
  { candidates, obstacles }: Pick<Evidence, "candidates" | "obstacles">,
  everybody: Everybody,
  /** As the policy has them. */
  named: ReadonlyMap<string, Identity>,
): SubjectExplanation {
  const { now } = everybody;
  const hearing = new Hearing(ruling, subject, now);
  hearing.add({ candidates, obstacles });
  const { status, reasons, warnings = [], signatures } = hearing.judgement();
  const looked = candidates
    .map((candidate, at): Looked => {
      const exhibit = new Exhibit(candidate);
      return { exhibit, carried: carriedBy(exhibit, everybody), counts: signatures[at]?.accepted === true };
    })
    .toSorted(inOrder);
  return {
    subject,
    status,
    reasons,
    warnings,
    evidence: looked.map(({ exhibit, carried, counts }, at) => ({
      number: at + 1,
      format: exhibit.candidate.format,
      origin: exhibit.candidate.origin,
      ...describeCarried(carried, subject),
      counts,
    })),
    obstacles,
    requirement: explainPart(ruling.criterion, hearing.outcome(), { looked, subject, now, named }),
  };
}

interface Looked {
  readonly exhibit: Exhibit;
  readonly carried: Carried;
  readonly counts: boolean;
}

/** What counts first, then what is proven; of those by whom it is. A registry lists in any order. */
function inOrder(a: Looked, b: Looked): number {
  const [one, other] = [a, b].map(({ carried, counts, exhibit }) => [
    counts ? "0" : "1",
    "claim" in carried ? "0" : "1",
    "claim" in carried ? `${describeSignedBy(carried.signedBy)} ${carried.claim.predicateType}` : carried.finding.code,
    exhibit.candidate.origin.manifest ?? "",
  ]);
  return compareTexts(one?.join("\n"), other?.join("\n"));
}

function describeCarried(
  carried: Carried,
  { descriptor }: Subject,
): Pick<ExplainedEvidence, "carried" | "isAboutSubject" | "claims"> {
  if ("claim" in carried) return { carried, isAboutSubject: carried.claim.subjects.includes(descriptor.digest) };
  const { envelope } = carried;
  return { carried, ...(envelope && { claims: readClaimedMaterial(envelope) }) };
}

interface Seen {
  readonly looked: readonly Looked[];
  readonly subject: Subject;
  readonly now: Instant;
  readonly named: ReadonlyMap<string, Identity>;
}

function explainPart(criterion: Criterion, outcome: Outcome, seen: Seen): ExplainedRequirement {
  const parts: readonly Criterion[] = "of" in criterion ? criterion.of : [];
  const of = outcome.of.map((part, at) => {
    const own = parts[at];
    return own === undefined ? { ...part, of: [] } : explainPart(own, part, seen);
  });
  const nearest = isLeaf(criterion) && outcome.status !== "accepted" ? nearestTo(criterion, outcome, seen) : undefined;
  return { ...outcome, of, ...(nearest && { nearest }) };
}

/** Of the evidence that a leaf's reasons are about, that which the first of them is about. */
function nearestTo(
  leaf: Leaf,
  { reasons }: Outcome,
  { looked, subject, now, named }: Seen,
): NearestEvidence | undefined {
  const heard = hearLeaf(leaf, subject, now);
  for (const { exhibit } of looked) heard.examine(exhibit);
  const [requirement] = requirementsOf(leaf);
  // Of those that come equally near, what is of another kind altogether is the farther one.
  const strangeness = ({ at }: Attempt): number => Number(isOtherKind(looked[at]?.carried, requirement));
  const attempts = (heard.reports() ?? [])
    .flatMap((report, at) => attemptOf(report, at))
    .filter(({ finding }) => reasons.some((reason) => isSame(reason, finding)))
    .toSorted((a, b) => rankOf(a.finding) - rankOf(b.finding) || strangeness(a) - strangeness(b));
  const [first] = attempts;
  if (first === undefined) return undefined;
  const { finding, report, at } = first;
  return {
    evidence: at + 1,
    finding,
    ...differenceOf(finding, report, requirement?.identities ?? [], named),
    ...(leaf.place && { place: placeName(leaf.place) }),
    ...(report.proof && { proof: report.proof }),
  };
}

function isOtherKind(carried: Carried | undefined, requirement: Requirement | undefined): boolean {
  if (carried === undefined || !("claim" in carried)) return false;
  const { predicateType } = carried.claim;
  const types = requirement?.attestation?.predicateTypes;
  if (types === undefined) return predicateType !== SIGNATURE_PREDICATE;
  return !types.some((type) => isOfType(predicateType, type));
}

interface Attempt {
  readonly report: SignatureReport;
  readonly at: number;
  readonly finding: Finding;
}

function attemptOf(report: SignatureReport, at: number): readonly Attempt[] {
  return report.accepted || report.finding === undefined ? [] : [{ report, at, finding: report.finding }];
}

function isSame(a: Finding, b: Finding): boolean {
  return a.code === b.code && a.found === b.found && a.wanted === b.wanted;
}
