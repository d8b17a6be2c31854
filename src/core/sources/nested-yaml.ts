import type { SourcePlace, SourceProblem } from "./mention.ts";
import type { Span } from "./slot.ts";
import type { SourceEntry, SourceNode } from "./source-node.ts";
import { readYamlText, type YamlText } from "./yaml-text.ts";

/**
 * YAML inside a text of a file: a patch in a Kustomization. What is found in it stands in the file where the text does, as
 * far as that stands there verbatim.
 */
export function readNestedYaml(outer: SourceNode): YamlText {
  const text = outer.text() ?? "";
  const { documents, problems } = readYamlText({ label: outer.place.source, text });
  return {
    documents: documents.map((document) => new NestedNode(document, outer)),
    problems: problems.map((problem) => moved(problem, text, outer)),
  };
}

function moved({ place, finding }: SourceProblem, text: string, outer: SourceNode): SourceProblem {
  const before = text.split("\n").slice(0, (place.line ?? 1) - 1);
  const at = before.reduce((sum, line) => sum + line.length + 1, (place.column ?? 1) - 1);
  return { place: placeIn(outer, at), finding };
}

function placeIn(outer: SourceNode, at: number): SourcePlace {
  // The end of a line stands nowhere: the character before it does.
  const span = outer.span(at, at + 1) ?? outer.span(at - 1, at);
  return outer.placeOf(span?.start ?? outer.start);
}

class NestedNode implements SourceNode {
  readonly #inner: SourceNode;
  readonly #outer: SourceNode;

  constructor(inner: SourceNode, outer: SourceNode) {
    this.#inner = inner;
    this.#outer = outer;
  }

  get kind(): SourceNode["kind"] {
    return this.#inner.kind;
  }

  /** What stands in the text has offsets of its own there, which say nothing in the file: nothing is put into its maps. */
  get isShared(): boolean {
    return this.kind === "map" || this.#inner.isShared;
  }

  get start(): number {
    return this.#outer.span(this.#inner.start, this.#inner.start + 1)?.start ?? this.#outer.start;
  }

  get end(): number {
    return this.#outer.span(this.#inner.end - 1, this.#inner.end)?.end ?? this.#outer.end;
  }

  get place(): SourcePlace {
    return placeIn(this.#outer, this.#inner.start);
  }

  get tag(): string | undefined {
    return this.#inner.tag;
  }

  get(name: string): SourceNode | undefined {
    const value = this.#inner.get(name);
    return value && new NestedNode(value, this.#outer);
  }

  entries(): readonly SourceEntry[] {
    return this.#inner.entries().map(({ name, value }) => {
      const nested = new NestedNode(value, this.#outer);
      return { name, at: nested.start, colon: undefined, end: nested.end, value: nested };
    });
  }

  items(): readonly SourceNode[] {
    return this.#inner.items().map((item) => new NestedNode(item, this.#outer));
  }

  text(): string | undefined {
    return this.#inner.text();
  }

  span(from: number, to: number): Span | undefined {
    const span = this.#inner.span(from, to);
    return span && this.#outer.span(span.start, span.end);
  }

  placeOf(offset: number): SourcePlace {
    return this.#outer.placeOf(offset);
  }
}
