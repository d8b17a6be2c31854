import { type Digest, digestAlgorithm } from "../oci/digest.ts";
import { parseReference } from "../oci/reference.ts";
import type { Audit, AuditedImage, AuditPlan, AuditShard, AuditStandard, ImageFacts, PlanItem } from "./audit.ts";

/** A part of a plan, or all of it. */
export interface Assembled {
  readonly plan: AuditPlan;
  /** Those items of the plan that were looked at, in its order. */
  readonly items: readonly PlanItem[];
  readonly facts: readonly ImageFacts[];
  readonly standard: AuditStandard;
  readonly shard?: AuditShard | undefined;
}

/** The audit: what was planned and what was found out, side by side. @throws Error where something is missing. */
export function assembleAudit({ plan, items, facts, standard, shard }: Assembled): Audit {
  const found = new Map(facts.map((each) => [each.image, each]));
  return {
    at: plan.at,
    sources: plan.sources,
    plan: plan.digest,
    standard,
    images: items.map((item) => auditedImage(item, found.get(item.image))),
    problems: plan.problems,
    ...(shard !== undefined && { shard }),
  };
}

function auditedImage({ image, uses }: PlanItem, facts: ImageFacts | undefined): AuditedImage {
  if (facts === undefined) throw new Error(`nothing was found out about ${image}`);
  return { ...facts, ...pinOf(facts), uses };
}

/** Whether an image is named by a digest, and whether its tag, or what the registry calls so, is another one now. */
export function pinOf({
  image,
  tagDigest,
  signedTag,
}: Pick<ImageFacts, "image" | "tagDigest" | "signedTag">): Pick<AuditedImage, "pinned" | "drift"> {
  const { digest } = parseReference(image);
  return { pinned: digest !== undefined, drift: hasDrifted(digest ?? signedTag?.digest, tagDigest) };
}

/** Digests by two algorithms cannot be compared: whoever looks at the tag asks by that of the pin. */
function hasDrifted(pinned: Digest | undefined, now: Digest | undefined): boolean {
  if (pinned === undefined || now === undefined) return false;
  return digestAlgorithm(pinned) === digestAlgorithm(now) && pinned !== now;
}
