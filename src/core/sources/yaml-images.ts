import { LIMITS } from "../limits.ts";
import { Composed, ComposedTooLong } from "./composed.ts";
import type { Mention, Reading, SourceKind, SourcePlace, SourceProblem, Workload } from "./mention.ts";
import { problemAt, readReferenceText } from "./slot.ts";
import { VariableProblem } from "./variables.ts";
import type { SourceNode } from "./yaml-text.ts";

/** What a file names, while it is read; in the order of the file at the end. */
export class Collected {
  readonly #mentions: Mention[] = [];
  readonly #problems: SourceProblem[];
  readonly #kind: SourceKind;
  #isFull = false;

  constructor(kind: SourceKind, problems: readonly SourceProblem[]) {
    this.#kind = kind;
    this.#problems = [...problems];
  }

  /** @param about `fixed`: why it cannot be pinned although it stands there. */
  image(
    image: Composed,
    place: SourcePlace,
    workload: Workload,
    about: { readonly platform?: string | undefined; readonly fixed?: string | undefined } = {},
  ): void {
    const locate = about.fixed === undefined ? image.locate : () => undefined;
    const read = readReferenceText(image.text, locate, about.fixed ?? image.fixed);
    if (this.#mentions.length >= LIMITS.fileImages) this.#tooMany(place);
    else if ("finding" in read) this.#problems.push({ place, finding: read.finding });
    else this.#mentions.push({ ...read, kind: this.#kind, place, workload, platform: about.platform });
  }

  /** Said once: matrices multiply. */
  #tooMany(place: SourcePlace): void {
    if (!this.#isFull)
      this.problem(place, "the file names more images than are read", "one more", `at most ${LIMITS.fileImages}`);
    this.#isFull = true;
  }

  /** What `text` makes of a value, undefined where it cannot be told. */
  expanded(node: SourceNode, expand: (text: Composed) => Composed): Composed | undefined {
    const text = composedOf(node);
    if (text === undefined) {
      const found = node.kind === "scalar" ? "nothing" : `a ${node.kind === "list" ? "list" : "mapping"}`;
      this.problem(node.place, "an image is not named", found, "a reference");
      return undefined;
    }
    try {
      if (text.text.length > LIMITS.expandedCharacters) throw new ComposedTooLong();
      return expand(text);
    } catch (thrown) {
      this.caught(thrown, node.place, text.text);
      return undefined;
    }
  }

  /** @throws What is no problem of the file. */
  caught(thrown: unknown, place: SourcePlace, found: string): void {
    if (thrown instanceof ComposedTooLong) {
      this.problem(place, "a text is too long to be an image", found, "a reference");
    } else if (thrown instanceof VariableProblem) {
      this.problem(place, `it cannot be told which image is meant: ${thrown.message}`, found, thrown.wanted);
    } else throw thrown;
  }

  problem(place: SourcePlace, message: string, found: string, wanted: string): void {
    this.#problems.push(problemAt(place, message, { found, wanted }));
  }

  add({ mentions, problems }: Reading): void {
    this.#mentions.push(...mentions);
    this.#problems.push(...problems);
  }

  get reading(): Reading {
    return { mentions: this.#mentions.toSorted(byPlace), problems: this.#problems.toSorted(byPlace) };
  }
}

function byPlace(a: { readonly place: SourcePlace }, b: { readonly place: SourcePlace }): number {
  return (a.place.line ?? 0) - (b.place.line ?? 0) || (a.place.column ?? 0) - (b.place.column ?? 0);
}

/** A scalar's text with where it stands; undefined of what is none, and of null. */
export function composedOf(node: SourceNode): Composed | undefined {
  const text = node.text();
  return text === undefined ? undefined : Composed.located(text, (from, to) => node.span(from, to));
}
