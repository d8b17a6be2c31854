import type { Finding } from "../errors.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import { isIndexType } from "../oci/media-types.ts";
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

/**
 * What applies to a manifest that is reached by way of an index. A rule for its own digest does; where none is there, a rule
 * for the index's digest is about all that the index lists, as one for its name is.
 */
export function rulingWithin(own: Ruling, ofIndex: Ruling): Ruling {
  return isForDigest(own) || !isForDigest(ofIndex) ? own : ofIndex;
}

/** Whether the image falls under a rule by its digest, and not by what it is called. */
export function isForDigest({ policy }: Ruling): boolean {
  return policy?.rule?.pattern.includes("@") === true;
}

/** An index of which every manifest has to meet the rule by itself. One that lists none has nothing that does. */
export function judgeEach(children: readonly Judged[], ruling: Ruling, subject: Subject, now: Instant): Judgement {
  const alsoRuns = children.map(({ descriptor }) => descriptor.digest);
  const judged = children.length === 0 ? NOTHING_LISTED : combine(children.map(withoutWhatIsNested));
  return decide(judged, ruling, { ...subject, alsoRuns }, now);
}

/** What an index in the index lists is not looked at, so that it cannot be said of each. */
function withoutWhatIsNested(child: Judged): Judged {
  const { descriptor, judgement } = child;
  if (!isIndexType(descriptor.mediaType)) return child;
  const finding: Finding = {
    code: "forbidden",
    message: "what an index in an index lists cannot be judged each by itself",
    found: `the index ${descriptor.digest}`,
    wanted: "an index that lists its platforms itself",
  };
  return { descriptor, judgement: { ...judgement, status: "refused", reasons: [finding], met: undefined } };
}

/** An index that covers what it lists, but for those manifests whose digests have rules of their own: they have to meet those. */
export function judgeBeside(index: Judgement, withOwnRules: readonly Judged[]): Judgement {
  const unmet = withOwnRules.filter(({ judgement }) => judgement.status !== "accepted");
  if (unmet.length === 0 || index.status === "refused") return index;
  const { status, reasons } = combine(unmet);
  if (index.status === "undetermined" && status === "undetermined") return index;
  return { ...index, status, reasons, because: undefined, met: undefined, warnings: undefined };
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
