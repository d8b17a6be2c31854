import type { Finding } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { platformName } from "../oci/platform.ts";
import type { Instant } from "../time.ts";
import type { Leaf, Ruling } from "./criterion.ts";
import { decide } from "./decide.ts";
import type { Subject } from "./evidence.ts";
import { nearestFirst } from "./findings.ts";
import type { Judgement } from "./judgement.ts";
import type { VerdictStatus } from "./verdict.ts";

/** What an index lists, and what became of it. */
export interface Judged {
  readonly descriptor: Descriptor;
  readonly judgement: Judgement;
}

/** An index of which every manifest has to meet the rule by itself. One that lists none has nothing that does. */
export function judgeEach(children: readonly Judged[], ruling: Ruling, subject: Subject, now: Instant): Judgement {
  const alsoRuns = children.map(({ descriptor }) => descriptor.digest);
  return decide(children.length === 0 ? NOTHING_LISTED : combine(children), ruling, { ...subject, alsoRuns }, now);
}

const NOTHING_LISTED: Judgement = {
  status: "refused",
  reasons: [
    {
      code: "platform-missing",
      message: "the index lists no platform, and each has to meet the rule",
      found: "no manifest",
      wanted: "at least one",
      next: "deploy an image that has a platform",
    },
  ],
  signatures: [],
};

function combine(children: readonly Judged[]): Judgement {
  const judgements = children.map(({ judgement }) => judgement);
  const status = worst(judgements);
  const alike = children.filter(({ judgement }) => judgement.status === status);
  const warnings = children.flatMap((child) => about(child, child.judgement.warnings ?? []));
  return {
    status,
    reasons: nearestFirst(alike.flatMap((child) => about(child, child.judgement.reasons))),
    signatures: judgements.flatMap(({ signatures }) => signatures),
    trust: [...new Set(judgements.flatMap(({ trust = [] }) => trust))],
    ...(warnings.length > 0 && { warnings }),
    ...(status === "accepted" && { met: metByAll(judgements) }),
  };
}

/** Nothing, where one of them was let through unmet. */
function metByAll(judgements: readonly Judgement[]): readonly Leaf[] {
  const met = judgements.map((each) => each.met ?? []);
  return met.some((leaves) => leaves.length === 0) ? [] : [...new Set(met.flat())];
}

function worst(judgements: readonly Judgement[]): VerdictStatus {
  const is = (wanted: VerdictStatus): boolean => judgements.some(({ status }) => status === wanted);
  return is("refused") ? "refused" : is("undetermined") ? "undetermined" : "accepted";
}

/** `linux/arm64: the image is not signed`. */
function about({ descriptor }: Judged, findings: readonly Finding[]): readonly Finding[] {
  const name = descriptor.platform === undefined ? descriptor.digest : platformName(descriptor.platform);
  return findings.map((finding) => ({ ...finding, message: `${name}: ${finding.message}` }));
}
