import { compareTexts } from "../bytes.ts";
import type { Finding } from "../errors.ts";
import { nextStep } from "../explain.ts";
import { type ReasonCode, reasonClass } from "../reasons.ts";
import type { Audit, AuditedImage, Use } from "./audit.ts";
import { type AffectedWorkload, type Owner, ownerOf, workloadKey, workloadOf } from "./workloads.ts";

export { type AffectedWorkload, describeOwner, describeWorkload, type Owner, ownerOf } from "./workloads.ts";

/** What a finding lacks: one cause, whichever images it hits. */
export interface BreakCause {
  readonly code: ReasonCode;
  readonly message: string;
  /** Which signer, which scan: "one by release.pub (SHA256:…)". */
  readonly wanted?: string | undefined;
  /** Where that stands: `policy.yaml:14`. */
  readonly place?: string | undefined;
  readonly next: string;
}

/** What would be stopped if the standard were enforced: one cause, the workloads of one owner. */
export interface Break extends BreakCause {
  /** `undetermined`: it could not be looked at, and nobody may call it unsigned. */
  readonly verdict: "refused" | "undetermined";
  readonly owner: Owner;
  /** Keys of plan items, in the order of the plan. */
  readonly images: readonly string[];
  /** In the order of the plan, each once. */
  readonly workloads: readonly AffectedWorkload[];
}

/**
 * What would stop if every image had to be accepted, by cause and owner: what is refused before what could not be looked
 * at, and of each the cause that stops most workloads first. An image that nothing uses stops nothing, and is in no break.
 */
export function whatBreaks(audit: Audit): readonly Break[] {
  const groups = new Map<string, Group>();
  for (const image of audit.images) {
    const cause = causeOf(image);
    if (cause === undefined) continue;
    for (const use of image.uses) groupOf(groups, image, cause, ownerOf(use)).add(image, use);
  }
  return [...groups.values()].map((group) => group.finish()).toSorted(worstFirst);
}

/** What stands for an image that is not accepted: of the class that decided, the reason that is nearest to acceptance. */
export function decidingReason({ verdict, reasons }: AuditedImage): Finding | undefined {
  if (verdict === "accepted") return undefined;
  const deciding = reasons.find(({ code }) => (reasonClass(code) === "refused") === (verdict === "refused"));
  return deciding ?? reasons[0] ?? UNEXPLAINED;
}

/** The same without what is the image's own. */
export function causeOf(image: AuditedImage): BreakCause | undefined {
  const finding = decidingReason(image);
  return finding && { ...lackOf(finding), message: finding.message, next: nextStep(finding) };
}

const UNEXPLAINED: Finding = { code: "internal", message: "no reason was given" };

function lackOf({ code, wanted, place }: Finding): Pick<BreakCause, "code" | "wanted" | "place"> {
  return { code, ...(wanted !== undefined && { wanted }), ...(place !== undefined && { place }) };
}

/** Two findings are the same cause where code, what was wanted, and where that stands are the same. */
export function causeKey({ code, wanted, place }: BreakCause): string {
  return JSON.stringify([code, wanted ?? null, place ?? null]);
}

/** What one cause does to one owner, while it is collected. */
class Group {
  readonly #about: Omit<Break, "images" | "workloads">;
  readonly #images = new Set<string>();
  readonly #workloads = new Map<string, AffectedWorkload>();

  constructor(about: Omit<Break, "images" | "workloads">) {
    this.#about = about;
  }

  add(image: AuditedImage, use: Use): void {
    this.#images.add(image.image);
    const workload = workloadOf(image, use);
    this.#workloads.set(workloadKey(workload), workload);
  }

  finish(): Break {
    return { ...this.#about, images: [...this.#images], workloads: [...this.#workloads.values()] };
  }
}

function groupOf(groups: Map<string, Group>, image: AuditedImage, cause: BreakCause, owner: Owner): Group {
  const verdict = image.verdict === "refused" ? "refused" : "undetermined";
  const key = JSON.stringify([verdict, causeKey(cause), owner.from, owner.name]);
  const known = groups.get(key);
  if (known !== undefined) return known;
  const made = new Group({ verdict, ...cause, owner });
  groups.set(key, made);
  return made;
}

function worstFirst(a: Break, b: Break): number {
  return (
    compareTexts(a.verdict, b.verdict) ||
    b.workloads.length - a.workloads.length ||
    b.images.length - a.images.length ||
    compareTexts(a.owner.name, b.owner.name) ||
    compareTexts(a.owner.from, b.owner.from) ||
    compareTexts(causeKey(a), causeKey(b))
  );
}
