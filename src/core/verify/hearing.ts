import { describeSignedTag } from "../tags/signed-tag-words.ts";
import type { Instant } from "../time.ts";
import { describeSuccess, provenBy, trustedBy } from "./conclude.ts";
import { isLeaf, type Leaf, leavesOf, type Outcome, type Ruling, requirementsOf } from "./criterion.ts";
import { decide } from "./decide.ts";
import { evaluate, type Result } from "./evaluate.ts";
import type { Evidence, Subject } from "./evidence.ts";
import { Exhibit } from "./exhibit.ts";
import { rankOf } from "./findings.ts";
import { type HeardLeaf, hearLeaf, type LeafResult } from "./heard-leaf.ts";
import type { Judgement } from "./judgement.ts";
import { describeOutcome } from "./outcome.ts";
import type { SignatureReport } from "./verdict.ts";

/**
 * One subject before the judge: evidence comes in as it is found, and the judgement so far can be asked for at any time.
 * Pure: the same evidence gives the same judgement, in whatever order and parts it comes. Each candidate is parsed once and
 * each proof made once, however many requirements there are.
 */
export class Hearing {
  readonly #ruling: Ruling;
  readonly #subject: Subject;
  readonly #now: Instant;
  readonly #leaves: readonly HeardLeaf[];
  readonly #exhibits: Exhibit[] = [];
  readonly #obstacles: Evidence["obstacles"][number][] = [];

  constructor(ruling: Ruling, subject: Subject, now: Instant) {
    this.#ruling = ruling;
    this.#subject = subject;
    this.#now = now;
    this.#leaves = leavesOf(ruling.criterion).map((leaf) => hearLeaf(leaf, subject, now));
  }

  add({ candidates, obstacles }: Pick<Evidence, "candidates" | "obstacles">): void {
    this.#obstacles.push(...obstacles);
    for (const candidate of candidates) {
      const exhibit = new Exhibit(candidate);
      this.#exhibits.push(exhibit);
      for (const leaf of this.#leaves) leaf.examine(exhibit);
    }
  }

  /** Whether what there is so far is enough: more evidence changes nothing any more. */
  isMet(): boolean {
    return this.#evaluate().status === "accepted";
  }

  judgement(): Judgement {
    return decide(this.#weighed(), this.#ruling, this.#subject, this.#now, this.#obstacles);
  }

  /** What became of the requirements one by one. */
  outcome(): Outcome {
    return describeOutcome(this.#evaluate());
  }

  #weighed(): Judgement {
    const result = this.#evaluate();
    const { status, reasons, warnings } = result;
    const signatures = this.#signatures();
    const told = warnings.length === 0 ? {} : { warnings };
    if (status !== "accepted") {
      return {
        status,
        reasons,
        signatures,
        trust: trustedBy(this.#leaves.flatMap(({ leaf }) => requirementsOf(leaf))),
      };
    }
    const met = metLeaves(result);
    const because = describeResult(result, this.#subject, signatures);
    return { status, reasons, signatures, because, trust: provenBy(signatures), met, ...told };
  }

  #evaluate(): Result {
    const results = new Map<Leaf, LeafResult>(
      this.#leaves.map((heard) => [heard.leaf, heard.weigh(this.#exhibits, this.#obstacles)]),
    );
    return evaluate(this.#ruling.criterion, (leaf) => results.get(leaf) ?? unheard());
  }

  /** One report for each candidate: as what it counts, else where it came nearest. */
  #signatures(): readonly SignatureReport[] {
    const [first, ...others] = this.#leaves.flatMap((leaf) => {
      const reports = leaf.reports();
      return reports === undefined ? [] : [reports];
    });
    if (first === undefined) return this.#exhibits.map(unasked);
    return first.map((report, at) => others.reduce((best, reports) => better(best, reports[at]), report));
  }
}

function unheard(): never {
  throw new Error("a criterion has a leaf that was not heard");
}

function unasked({ candidate: { format, origin } }: Exhibit): SignatureReport {
  return { format, origin, accepted: false };
}

function better(a: SignatureReport, b: SignatureReport | undefined): SignatureReport {
  if (b === undefined || a.accepted || a.finding === undefined) return a;
  if (b.accepted || b.finding === undefined) return b;
  return rankOf(b.finding) < rankOf(a.finding) ? b : a;
}

/** Those parts that an acceptance rests on. */
function metLeaves({ criterion, status, of }: Result): readonly Leaf[] {
  if (status !== "accepted") return [];
  if (isLeaf(criterion)) return [criterion];
  return [...new Set(of.flatMap(metLeaves))];
}

function describeResult(
  { criterion, signers, of }: Result,
  subject: Subject,
  signatures: readonly SignatureReport[],
): string | undefined {
  const { signedTag } = subject;
  if (criterion.kind === "all") return of.flatMap((part) => describeResult(part, subject, signatures) ?? []).join("; ");
  if (criterion.kind === "binding" && typeof signedTag === "object") return describeSignedTag(signedTag);
  if (criterion.kind !== "evidence") return undefined;
  return describeSuccess(signatures, signers.size, criterion.requirement);
}
