import { LIMITS } from "../limits.ts";
import type { SourceProblem, SourceText } from "./mention.ts";
import { type PlaceOf, placesIn } from "./places.ts";
import { problemAt } from "./slot.ts";
import type { SourceNode } from "./source-node.ts";
import { composeYaml, newYamlBudget, YamlBroken, type YamlBudget } from "./yaml-compose.ts";
import { nodesOf } from "./yaml-nodes.ts";

export type { SourceEntry, SourceNode } from "./source-node.ts";

export interface YamlText {
  /** The documents that say something and can be read, in order. */
  readonly documents: readonly SourceNode[];
  readonly problems: readonly SourceProblem[];
}

/**
 * All documents of a file of YAML or JSON that somebody else wrote: anchors, aliases and merge keys are followed, tags are
 * passed over, texts stay as they are written. A document that cannot be read is a problem, and the others are read; a name
 * that stands twice is one, and its last value counts. Nothing is thrown.
 */
export function readYamlText(file: SourceText): YamlText {
  const placeOf = placesIn(file);
  const problems: SourceProblem[] = [];
  const documents: SourceNode[] = [];
  if (file.text.length > LIMITS.sourceCharacters) {
    const found = `${file.text.length} characters`;
    const wanted = `at most ${LIMITS.sourceCharacters} characters`;
    return { documents, problems: [problemAt(placeOf(0), "the file is too large to read", { found, wanted })] };
  }
  const reader = new Reader(file, placeOf, problems);
  for (const part of documentsIn(file.text)) {
    const document = reader.read(part);
    if (document !== undefined) documents.push(document);
    if (reader.gaveUp) break;
  }
  return { documents, problems };
}

/** Reads one document after the other, until that is no use any more. */
class Reader {
  readonly #file: SourceText;
  readonly #placeOf: PlaceOf;
  readonly #problems: SourceProblem[];
  readonly #budget: YamlBudget = newYamlBudget();
  #documents = 0;
  #isTemplate = false;
  gaveUp = false;

  constructor(file: SourceText, placeOf: PlaceOf, problems: SourceProblem[]) {
    this.#file = file;
    this.#placeOf = placeOf;
    this.#problems = problems;
  }

  read(part: Part): SourceNode | undefined {
    this.#documents += 1;
    if (this.#documents > LIMITS.sourceDocuments)
      return this.#giveUp(part, `at most ${LIMITS.sourceDocuments} documents`);
    const document = this.#tryDocument(part);
    if (this.#problems.length >= LIMITS.sourceProblems) this.#giveUp(part, `at most ${LIMITS.sourceProblems} problems`);
    return document;
  }

  #tryDocument(part: Part): SourceNode | undefined {
    try {
      return this.#documentIn(part);
    } catch (thrown) {
      if (!(thrown instanceof YamlBroken)) throw thrown;
      this.#tell(part, thrown);
      return undefined;
    }
  }

  #documentIn({ start, end }: Part): SourceNode | undefined {
    const { text } = this.#file;
    const contents = composeYaml(text.slice(start, end), this.#budget);
    if (contents === null) return undefined;
    const budget = this.#budget;
    const document = nodesOf(contents, { text, base: start, placeOf: this.#placeOf, budget, problems: this.#problems });
    return document.kind === "scalar" && document.text() === undefined ? undefined : document;
  }

  #giveUp({ end }: Part, wanted: string): undefined {
    this.gaveUp = true;
    this.#problems.push(problemAt(this.#placeOf(end), "the rest of the file was not read", { wanted }));
  }

  /** A template is told of once: every document of it is broken in its own way. */
  #tell({ start, end }: Part, broken: YamlBroken): void {
    const template = TEMPLATE.exec(this.#file.text.slice(start, end));
    if (template === null) {
      const wanted = broken.wanted ?? "YAML";
      const place = this.#placeOf(Math.min(start + broken.at, end - 1));
      this.#problems.push(problemAt(place, "a document cannot be read", { found: broken.message, wanted }));
    } else if (!this.#isTemplate) {
      this.#isTemplate = true;
      this.#problems.push(
        problemAt(
          this.#placeOf(start + template.index + template[0].length - 2),
          "this is a template, not YAML",
          ABOUT_TEMPLATE,
        ),
      );
    }
  }
}

/** Where a value or a line begins: behind other characters it would be part of a text. */
const TEMPLATE = /^[ \t]*(?:- +){0,16}(?:[\w./"'-]+: +)?(?:\{\{|\{%)/m;
const ABOUT_TEMPLATE = {
  found: "{{ … }} where YAML would begin a mapping",
  wanted: "what the template makes",
  next: "render it first and name what comes out: helm template … | countersign audit -",
};

// --- where documents begin ---------------------------------------------------------------------------------------------------

/** From `start` to `end` of a file's text. */
interface Part {
  readonly start: number;
  readonly end: number;
}

/** At the beginning of a line these are nothing else, wherever they stand (YAML 1.2.2, section 9.1.2). */
const MARKER = /(?:^|(?<=\n))\u{feff}?(?:---|\.\.\.)(?=[ \t\r\n]|$)/gu;

/** Documents apart, so that what is wrong with one is not read into the next; those that say nothing are left out. */
function* documentsIn(text: string): Generator<Part> {
  let start = 0;
  for (const { end, isMarked } of endsIn(text)) {
    const said = whatIsSaid(text, start, end);
    // Directives belong to the document that is marked behind them.
    if (end <= start || (said === "directives" && isMarked)) continue;
    if (said !== "nothing") yield { start: behindMark(text, start, end), end };
    start = end;
  }
}

/** Files that are joined bring their byte order marks along, also where somebody put a `---` between them. */
function behindMark(text: string, start: number, end: number): number {
  MARK.lastIndex = start;
  const mark = MARK.exec(text)?.[0] ?? "";
  return Math.min(start + mark.length, end);
}

const MARK = /(?:---[ \t]*\r?\n)?\u{feff}/uy;

/** Before each `---`, behind the line of each `...`, and at the end. */
function* endsIn(text: string): Generator<{ readonly end: number; readonly isMarked: boolean }> {
  for (const { 0: marker, index } of text.matchAll(MARKER)) {
    const isMarked = marker.endsWith("-");
    yield { end: isMarked ? index : lineEnd(text, index), isMarked };
  }
  yield { end: text.length, isMarked: false };
}

function lineEnd(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  return end === -1 ? text.length : end + 1;
}

function whatIsSaid(text: string, start: number, end: number): "something" | "directives" | "nothing" {
  let said: "directives" | "nothing" = "nothing";
  for (let at = start; at < end; at = lineEnd(text, at)) {
    BEGINNING.lastIndex = at;
    const [, marker, first = ""] = BEGINNING.exec(text) ?? [];
    if (marker === "%") said = "directives";
    else if (first !== "" && first !== "#") return "something";
  }
  return said;
}

/** What a line begins with: a directive, a comment, the end of a document, or something else. */
const BEGINNING = /\u{feff}?(?:(%|\.\.\.(?=[ \t\r\n]|$))|[ \t\r]*([^ \t\r\n]?))/uy;
