import { newestOf, scanTimeOf } from "../core/audit/scan-time.ts";
import { SCAN_TYPES } from "../core/formats/scans/read.ts";
import type { Instant } from "../core/time.ts";
import { leavesOf, type Ruling, requirementsOf, rulingFor } from "../core/verify/criterion.ts";
import { Hearing } from "../core/verify/hearing.ts";
import type { Requirement } from "../core/verify/requirement.ts";
import { gather } from "./gather.ts";
import { type Court, subjectOf, type Target } from "./judging.ts";
import type { VerifiedImage } from "./verify.ts";

/**
 * When the newest scan of an image was made that was attested by somebody whom the ruling wants, for whatever it wants them.
 * What cannot be read is no scan: it tells the age of one and decides nothing.
 */
export async function newestScan(
  target: Target,
  { descriptor }: NonNullable<VerifiedImage["root"]>,
  ruling: Ruling,
  { options, rulebook }: Court,
): Promise<Instant | undefined> {
  const subject = subjectOf(target, descriptor);
  const requirements = leavesOf(ruling.criterion).flatMap(requirementsOf).map(askingForScans);
  const hearings = requirements.map((each) => new Hearing(rulingFor(each), subject, rulebook.now));
  if (hearings.length === 0) return undefined;
  const { cache, sources } = options;
  for await (const part of gather(target.store, descriptor.digest, { types: SCAN_TYPES, cache, sources })) {
    for (const hearing of hearings) hearing.add(part);
  }
  const reports = hearings.flatMap((hearing) => hearing.judgement().signatures);
  return newestOf(reports.map((report) => scanTimeOf(report, rulebook.now)));
}

/** The same people; what they say of the image otherwise is asked for elsewhere. */
function askingForScans(requirement: Requirement): Requirement {
  const attestation = { predicateTypes: SCAN_TYPES, conditions: [] };
  const none = { annotations: {}, maxAge: undefined, nameBinding: undefined };
  return { ...requirement, ...none, threshold: 1, attestation };
}
