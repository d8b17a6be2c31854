import { describeTypes } from "../formats/predicates.ts";
import { formatDuration } from "../policy/duration.ts";
import { describeAge, type Instant } from "../time.ts";
import type { BindingLeaf, Criterion, EvidenceLeaf, Outcome, VulnerabilitiesLeaf } from "./criterion.ts";
import type { Result } from "./evaluate.ts";
import { describeWanted } from "./prove-signer.ts";
import type { Requirement } from "./requirement.ts";

/** What became of a criterion and its parts, in words. */
export function describeOutcome({ criterion, status, reasons, of, signers }: Result): Outcome {
  return {
    kind: criterion.kind,
    status,
    reasons,
    wanted: describeCriterion(criterion),
    metBy: status === "accepted" ? [...new Set(signers.values())].toSorted() : [],
    of: of.map(describeOutcome),
    place: criterion.place,
  };
}

function describeCriterion(criterion: Criterion): string {
  switch (criterion.kind) {
    case "all":
      return "all of these";
    case "any":
      return "any of these";
    case "threshold":
      return `${criterion.count} of these, each by somebody else`;
    case "never":
      return "nothing is accepted";
    case "evidence":
      return describeEvidence(criterion);
    case "vulnerabilities":
      return describeScan(criterion);
    case "binding":
      return describeBinding(criterion);
  }
}

function describeEvidence({ requirement }: EvidenceLeaf): string {
  const { attestation, annotations, maxAge, nameBinding, now } = requirement;
  const what = attestation === undefined ? "signature" : `attestation ${describeTypes(attestation.predicateTypes)}`;
  return [
    `${what} by ${describeSigners(requirement)}`,
    ...Object.entries(annotations).map(([name, value]) => `annotation ${name}=${value}`),
    ...(attestation?.conditions ?? []).map(({ text }) => `where ${text}`),
    ...(nameBinding === true ? ["it names the repository"] : []),
    ...aged("signed", maxAge, now),
  ].join(", ");
}

function describeSigners(requirement: Requirement): string {
  const { threshold } = requirement;
  const who = describeWanted(requirement);
  return threshold === 1 ? who : `${threshold} of ${who}`;
}

function aged(what: string, maxAge: number | undefined, now: Instant): readonly string[] {
  return maxAge === undefined ? [] : [`${what} at most ${describeAge((now - maxAge) as Instant, now)}`];
}

function describeBinding({ maxAge }: BindingLeaf): string {
  return `a signed tag of a pinned root${maxAge === undefined ? "" : `, bound at most ${formatDuration(maxAge)} ago`}`;
}

function describeScan({ scan, vex, demands }: VulnerabilitiesLeaf): string {
  const { severityAtMost, fixableOnly, maxAge } = demands;
  const worse = severityAtMost === "none" ? "no vulnerability" : `nothing worse than ${severityAtMost}`;
  return [
    `a scan by ${describeWanted(scan)}`,
    `${worse}${fixableOnly ? " that can be fixed" : ""}`,
    ...aged("finished", maxAge, scan.now),
    ...(vex === undefined ? [] : [`VEX by ${describeWanted(vex)}`]),
  ].join(", ");
}
