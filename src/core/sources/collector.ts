import type { Finding } from "../errors.ts";
import type { Mention, Reading, SourceKind, SourcePlace, SourceProblem } from "./mention.ts";
import { problemAt, readReferenceText } from "./slot.ts";
import type { SourceNode } from "./source-node.ts";

/** What is known of a mention before its reference is read. */
export type About = Pick<Mention, "workload" | "platform">;

/** Gathers what a source says. */
export class Collector {
  readonly #kind: SourceKind;
  readonly #mentions: Mention[] = [];
  readonly #problems: SourceProblem[];

  constructor(kind: SourceKind, problems: readonly SourceProblem[] = []) {
    this.#kind = kind;
    this.#problems = [...problems];
  }

  /** A text that is a whole reference. Nothing where there is no value: then none is named. */
  reference(node: SourceNode | undefined, about: About): void {
    if (node === undefined || isNull(node)) return;
    const text = node.text();
    if (text === undefined) {
      this.problem(node.place, "not an image reference", { found: aOrAn(node.kind), wanted: "a text" });
      return;
    }
    const fixed = this.#kind === "cluster" ? ["it is read from a cluster: its manifest is what can be pinned"] : [];
    const read = readReferenceText(text, (from, to) => node.span(from, to), ...fixed);
    const place = node.placeOf(node.span(0, 1)?.start ?? node.start);
    if ("finding" in read) this.finding(place, read.finding);
    else this.mention({ ...read, ...about, place });
  }

  mention(mention: Omit<Mention, "kind">): void {
    this.#mentions.push({ ...mention, kind: this.#kind });
  }

  problem(place: SourcePlace, message: string, about: Pick<Finding, "found" | "wanted" | "next">): void {
    this.#problems.push(problemAt(place, message, about));
  }

  finding(place: SourcePlace, finding: Finding): void {
    this.#problems.push({ place, finding });
  }

  reading(): Reading {
    const mentions = withoutContested(this.#mentions).toSorted((a, b) => order(a.place, b.place));
    return { mentions, problems: this.#problems.toSorted((a, b) => order(a.place, b.place)) };
  }
}

/** As they stand in the file; what stands in none stays as it was found. */
function order(a: SourcePlace, b: SourcePlace): number {
  return (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}

const CONTESTED = "its version stands in a place that other images take theirs from as well";

/** One place cannot hold the digests of two images: anchors and merges can make it part of both. */
function withoutContested(mentions: readonly Mention[]): readonly Mention[] {
  const images = new Map<number, Set<string>>();
  for (const { slot, image } of mentions) {
    if (slot === undefined) continue;
    images.set(slot.start, (images.get(slot.start) ?? new Set()).add(image));
  }
  return mentions.map((mention) => {
    const { slot, ...rest } = mention;
    const isContested = slot !== undefined && (images.get(slot.start)?.size ?? 0) > 1;
    return isContested ? { ...rest, fixed: CONTESTED } : mention;
  });
}

/** Nothing, `~` or `null`. */
export function isNull(node: SourceNode): boolean {
  return node.kind === "scalar" && node.text() === undefined;
}

export function aOrAn(kind: SourceNode["kind"]): string {
  return kind === "map" ? "a mapping" : `a ${kind}`;
}
