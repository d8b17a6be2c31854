import type { Finding } from "../errors.ts";
import { placeName } from "../policy/document.ts";
import type { ReasonCode } from "../reasons.ts";
import { describeAge, formatInstant, type Instant } from "../time.ts";
import type { PolicyStamp, RuledException, Ruling } from "./criterion.ts";
import type { Subject } from "./evidence.ts";
import { distinctFindings } from "./findings.ts";
import type { Judgement } from "./judgement.ts";

/**
 * What a rule makes of what its requirement came to: digests that were taken back, exceptions while they last, rules that
 * only warn. An acceptance is stamped with the rule that it is by.
 *
 * @param obstacles all that stood in the way of looking: what is never lifted stays so beside what could not be seen.
 */
export function decide(
  judgement: Judgement,
  ruling: Ruling,
  subject: Subject,
  now: Instant,
  obstacles: readonly Finding[] = [],
): Judgement {
  const stamped = stamp(judgement, ruling.policy);
  const withdrawn = withdrawal(ruling, subject);
  if (withdrawn !== undefined) return refuse(stamped, [withdrawn, ...refusals(judgement)]);
  if (judgement.status === "accepted" || !judgement.reasons.every(mayPass)) return stamped;
  const stuck = obstacles.filter((each) => !mayPass(each));
  if (stuck.length > 0) return { ...stamped, reasons: distinctFindings([...stamped.reasons, ...stuck]) };
  const exceptions = ruling.exceptions.filter((each) => covers(each, subject));
  const current = exceptions.find(({ expires }) => now < expires);
  if (current !== undefined) return letThrough(stamped, exceptedBy(current), (each) => excepted(each, current));
  const expired = judgement.status === "refused" ? exceptions.map((each) => expiry(each, now)).filter(isNews) : [];
  const unmet = expired.length === 0 ? stamped : { ...stamped, reasons: [...expired, ...stamped.reasons] };
  return ruling.policy?.rule?.mode === "warn" ? letThrough(unmet, onlyWarns(ruling.policy), (each) => each) : unmet;

  /** What a platform was refused for need not be said of its index again. */
  function isNews({ code, place }: Finding): boolean {
    return !judgement.reasons.some((reason) => reason.code === code && reason.place === place);
  }
}

function stamp(judgement: Judgement, policy: PolicyStamp | undefined): Judgement {
  if (policy === undefined) return judgement;
  const because = judgement.status === "accepted" ? describeRule(policy) : undefined;
  return { ...judgement, because, policy };
}

/** `policy.yaml:12 "acme images come from their release workflow"`. */
export function describeRule({ label, rule }: PolicyStamp): string {
  if (rule === undefined) return label;
  return rule.name === undefined ? placeName(rule.place) : `${placeName(rule.place)} ${JSON.stringify(rule.name)}`;
}

// --- digests that were taken back -------------------------------------------------------------------------------------

function withdrawal({ withdrawn }: Ruling, { descriptor, alsoRuns = [] }: Subject): Finding | undefined {
  for (const digest of [descriptor.digest, ...alsoRuns]) {
    const finding = withdrawn.get(digest);
    if (finding === undefined) continue;
    return digest === descriptor.digest ? finding : { ...finding, message: `${finding.message}: ${digest}` };
  }
  return undefined;
}

function refusals({ status, reasons }: Judgement): readonly Finding[] {
  return status === "refused" ? reasons : [];
}

function refuse(judgement: Judgement, reasons: readonly Finding[]): Judgement {
  return { ...judgement, status: "refused", reasons, because: undefined, met: undefined, warnings: undefined };
}

// --- what is let through all the same ---------------------------------------------------------------------------------

const NEVER_LIFTED: ReadonlySet<ReasonCode> = new Set(["withdrawn", "no-policy", "digest-mismatch", "size-mismatch"]);

function mayPass({ code }: Finding): boolean {
  return !NEVER_LIFTED.has(code);
}

function letThrough(judgement: Judgement, because: string, warn: (reason: Finding) => Finding): Judgement {
  return {
    ...judgement,
    status: "accepted",
    reasons: [],
    because,
    met: [],
    warnings: [...judgement.reasons.map(warn), ...(judgement.warnings ?? [])],
  };
}

function onlyWarns(policy: PolicyStamp): string {
  return `${describeRule(policy)}, which only warns`;
}

function covers({ digests, coversName }: RuledException, { descriptor }: Subject): boolean {
  return coversName || digests.includes(descriptor.digest);
}

function exceptedBy({ owner, expires, place }: RuledException): string {
  return `${placeName(place)} excepts it until ${formatInstant(expires)}, on the account of ${owner}`;
}

function excepted(reason: Finding, { owner, reason: why, expires }: RuledException): Finding {
  const account = `let through until ${formatInstant(expires)} on the account of ${owner} (${why})`;
  return { ...reason, message: `${account}: ${reason.message}` };
}

function expiry({ owner, reason, expires, place }: RuledException, now: Instant): Finding {
  return {
    code: "exception-expired",
    message: "an exception for this image has ended",
    found: `${formatInstant(expires)} (${describeAge(expires, now)}), on the account of ${owner}: ${reason}`,
    wanted: "what the rule requires",
    place: placeName(place),
  };
}
