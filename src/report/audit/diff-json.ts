import type { AuditedImage } from "../../core/audit/audit.ts";
import { type AuditDiff, type AuditSide, CHANGES, type ImageChange } from "../../core/audit/diff.ts";
import { signerMember } from "../../core/audit/facts.ts";
import { formatInstantExactly } from "../../core/time.ts";
import { findingMember, formatDocument } from "../json.ts";
import { problemMember, standardMember } from "./json.ts";

type Members = Readonly<Record<string, unknown>>;

/** docs/schemas/audit-diff.json. */
export function diffDocument(diff: AuditDiff): string {
  const { old, new: now, sameStandard, sameSources, images, problems } = diff;
  return formatDocument("audit diff", {
    old: sideMember(old),
    new: sideMember(now),
    sameStandard,
    sameSources,
    summary: summaryOf(images),
    images: images.map(changeMember),
    problems: { new: problems.new.map(problemMember), gone: problems.gone.map(problemMember) },
  });
}

function sideMember({ at, sources, plan, standard, images }: AuditSide): Members {
  return { at: formatInstantExactly(at), sources, plan, standard: standardMember(standard), images };
}

/** How many images there are of each change; an image counts for each of its changes. */
function summaryOf(images: readonly ImageChange[]): Members {
  return Object.fromEntries(
    CHANGES.map((change) => [change, images.filter(({ changes }) => changes.includes(change)).length]),
  );
}

function changeMember({ image, changes, before, after, ...rest }: ImageChange): Members {
  const last = after ?? before;
  return {
    image,
    digest: last?.digest ?? null,
    verdict: last?.verdict,
    reasons: last?.reasons.map(findingMember) ?? [],
    changes,
    before: before === undefined ? null : stateMember(before),
    after: after === undefined ? null : stateMember(after),
    signersLost: rest.signersLost.map(signerMember),
    signersNew: rest.signersNew.map(signerMember),
    workloads: rest.workloads,
  };
}

function stateMember({
  image,
  name,
  digest,
  verdict,
  reasons,
  signers,
  pinned,
  drift,
  tagDigest,
}: AuditedImage): Members {
  return {
    image,
    name,
    digest: digest ?? null,
    verdict,
    reasons: reasons.map(findingMember),
    signers: signers.map(signerMember),
    pinned,
    drift,
    tagDigest,
  };
}
