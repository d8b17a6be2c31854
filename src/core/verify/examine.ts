import { bounded, type Finding } from "../errors.ts";
import { SIGNATURE_PREDICATE, type VerifiedClaim } from "../formats/envelope.ts";
import { describeTypes, isOfType } from "../formats/predicates.ts";
import type { ConditionResult } from "../policy/condition.ts";
import type { Subject, UntrustedCandidate } from "./evidence.ts";
import { Exhibit } from "./exhibit.ts";
import { checkName } from "./name-binding.ts";
import { brokenCandidate, proveSigner } from "./prove-signer.ts";
import type { Requirement } from "./requirement.ts";
import type { SignatureReport } from "./verdict.ts";

/** What one candidate is worth, as `examineExhibit` says. */
export function examine(candidate: UntrustedCandidate, subject: Subject, requirement: Requirement): SignatureReport {
  return examineExhibit(new Exhibit(candidate), subject, requirement);
}

/**
 * What one candidate is worth. The order is the order of trust: parse within bounds, verify the signature with a wanted
 * key or prove its certificate, and only then read what was signed and hold it against the subject and the requirement.
 * Never throws: whatever is wrong with a candidate is that candidate's finding.
 */
export function examineExhibit(exhibit: Exhibit, subject: Subject, requirement: Requirement): SignatureReport {
  const { format, origin } = exhibit.candidate;
  try {
    const signer = proveSigner(exhibit.open().provable, requirement);
    const { signedBy, proof } = signer;
    if ("finding" in signer)
      return { format, origin, accepted: false, signedBy, proof, finding: bounded(signer.finding) };
    const claim = examineClaim(exhibit, subject, requirement);
    if ("code" in claim) return { format, origin, accepted: false, signedBy, proof, finding: bounded(claim) };
    const { predicateType, annotations, statement } = claim;
    exhibit.kind = predicateType;
    const attested = requirement.attestation === undefined ? {} : { predicateType, statement };
    return { format, origin, accepted: true, signedBy, proof, annotations, ...attested };
  } catch (error) {
    return { format, origin, accepted: false, finding: brokenCandidate(error) };
  }
}

// --- claims -----------------------------------------------------------------------------------------------------------

/** The checks on a claim whose signature holds: kind, subject, repository, annotations, conditions. */
function examineClaim(exhibit: Exhibit, subject: Subject, requirement: Requirement): Finding | VerifiedClaim {
  const claim = exhibit.claim();
  return (
    checkKind(claim, requirement) ??
    checkSubject(claim, subject) ??
    checkName(claim, subject, requirement) ??
    checkAnnotations(claim, requirement) ??
    checkConditions(claim, requirement) ??
    claim
  );
}

/** An attestation by the same signer is not a signature (CVE-2022-35930's family): the predicate type decides. */
function checkKind(claim: VerifiedClaim, { attestation }: Requirement): Finding | undefined {
  const { predicateType } = claim;
  const found = `a statement of type ${predicateType}`;
  if (attestation === undefined) {
    if (predicateType === SIGNATURE_PREDICATE) return undefined;
    const message = "what was signed is an attestation, not the image";
    return { code: "not-a-signature", message, found, wanted: SIGNATURE_PREDICATE };
  }
  const { predicateTypes } = attestation;
  if (predicateTypes.some((type) => isOfType(predicateType, type))) return undefined;
  const message = "the attestation is of another type";
  return { code: "unattested", message, found, wanted: describeTypes(predicateTypes) };
}

function checkSubject(claim: VerifiedClaim, subject: Subject): Finding | undefined {
  if (claim.subjects.includes(subject.descriptor.digest)) return undefined;
  return {
    code: "wrong-digest",
    message: "the signature is about another image",
    found: claim.subjects.length === 0 ? "no digest" : `a signature of ${claim.subjects.join(", ")}`,
    wanted: subject.descriptor.digest,
  };
}

function checkAnnotations(claim: VerifiedClaim, requirement: Requirement): Finding | undefined {
  for (const [name, wanted] of Object.entries(requirement.annotations)) {
    const found = Object.hasOwn(claim.annotations, name) ? claim.annotations[name] : undefined;
    if (found === wanted) continue;
    return {
      code: "wrong-annotations",
      message: "the signature lacks an annotation that was asked for",
      found: found === undefined ? `no annotation ${name}` : `${name}=${found}`,
      wanted: `${name}=${wanted}`,
    };
  }
  return undefined;
}

/** A legacy payload is no statement: no condition on one can hold. */
function checkConditions(claim: VerifiedClaim, { attestation }: Requirement): Finding | undefined {
  for (const condition of attestation?.conditions ?? []) {
    const result = condition.check(claim.statement ?? {});
    if (result.met) continue;
    return {
      code: "condition-not-met",
      message: "the attestation does not say what was asked for",
      found: describeUnmet(result),
      wanted: condition.text,
    };
  }
  return undefined;
}

function describeUnmet({ why, values }: Exclude<ConditionResult, { met: true }>): string {
  return why === undefined ? (values ?? "a statement for which it is false") : `it cannot be evaluated: ${why}`;
}
