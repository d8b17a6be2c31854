import { platformName } from "../core/oci/platform.ts";
import { placeName } from "../core/policy/document.ts";
import type {
  ExplainedEvidence,
  ExplainedRequirement,
  Explanation,
  NearestEvidence,
  SubjectExplanation,
} from "../core/review/explanation.ts";
import { findingMember, formatDocument, proofMember, signedByMember, verdictMember } from "./json.ts";

/** docs/schemas/explanation.json. */
export function explanationDocument({ verdict, rules, subjects, problems }: Explanation): string {
  return formatDocument("policy explain", {
    image: verdictMember(verdict),
    rules: rules.map(({ rule: { name, place, mode }, pattern }) => ({
      name,
      place: placeName(place),
      pattern: pattern.text,
      mode,
    })),
    subjects: subjects.map(subjectMember),
    problems: problems.map(findingMember),
  });
}

function subjectMember(explained: SubjectExplanation): Readonly<Record<string, unknown>> {
  const { subject, status, reasons, warnings, evidence, obstacles, requirement } = explained;
  return {
    digest: subject.descriptor.digest,
    platform: subject.descriptor.platform && platformName(subject.descriptor.platform),
    verdict: status,
    reasons: reasons.map(findingMember),
    warnings: warnings.map(findingMember),
    evidence: evidence.map(evidenceMember),
    obstacles: obstacles.map(findingMember),
    requirement: requirementMember(requirement),
  };
}

function evidenceMember(evidence: ExplainedEvidence): Readonly<Record<string, unknown>> {
  const { number, format, origin, carried, isAboutSubject, claims, counts } = evidence;
  const common = { number, format, origin, counts };
  if (!("claim" in carried)) {
    const { keyHint } = carried.envelope ?? {};
    return { ...common, finding: findingMember(carried.finding), claims: { identity: claims?.identity, keyHint } };
  }
  const { signedBy, proof, claim, unproven } = carried;
  return {
    ...common,
    signedBy: signedByMember(signedBy),
    proof: proof && proofMember(proof),
    predicateType: claim.predicateType,
    subjects: claim.subjects,
    isAboutSubject,
    annotations: claim.annotations,
    unproven: unproven && findingMember(unproven),
  };
}

function requirementMember(part: ExplainedRequirement): Readonly<Record<string, unknown>> {
  const { kind, status, wanted, place, metBy, reasons, nearest, of } = part;
  return {
    kind,
    verdict: status,
    wanted,
    place: place && placeName(place),
    metBy,
    reasons: reasons.map(findingMember),
    nearest: nearest && nearestMember(nearest),
    of: of.map(requirementMember),
  };
}

function nearestMember({
  evidence,
  field,
  found,
  wanted,
  place,
  finding,
}: NearestEvidence): Readonly<Record<string, unknown>> {
  return { evidence, field, found, wanted, place, code: finding.code };
}
