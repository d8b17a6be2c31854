import { isAlias, isMap, isScalar, isSeq, type Pair, type ParsedNode, Scalar, type YAMLMap } from "yaml";
import { LIMITS } from "../limits.ts";
import type { SourcePlace, SourceProblem } from "./mention.ts";
import type { PlaceOf } from "./places.ts";
import { type Run, runsOf, spanIn } from "./scalar-runs.ts";
import { problemAt, type Span } from "./slot.ts";
import type { SourceEntry, SourceNode } from "./source-node.ts";
import { tooDeep, YamlBroken, type YamlBudget } from "./yaml-compose.ts";

/** A document of a file, while its values are made. */
export interface YamlDocument {
  readonly text: string;
  /** Where the document begins in the file. */
  readonly base: number;
  readonly placeOf: PlaceOf;
  readonly budget: YamlBudget;
  /** What is wrong with it and leaves it readable. */
  readonly problems: SourceProblem[];
}

/**
 * The values of a document. An alias stands for the very value of its anchor, so what five workloads share has one place.
 * Work with a document stays bounded all the same: what it would hold with every alias written out is counted.
 *
 * @throws YamlBroken
 */
export function nodesOf(contents: ParsedNode, document: YamlDocument): SourceNode {
  return new Converter(document).convert(contents, 0, 1);
}

class Converter {
  readonly #document: YamlDocument;
  readonly #anchors = new Map<string, ValueNode>();

  constructor(document: YamlDocument) {
    this.#document = document;
  }

  /** `after` is where something would stand that is not there. */
  convert(node: ParsedNode | null, after: number, depth: number): ValueNode {
    if (node === null) return this.#checked(new ScalarNode(this.#document, after, after, undefined, undefined));
    const at = node.range[0];
    if (depth > LIMITS.sourceDepth) throw tooDeep(at);
    if (isAlias(node)) return this.#anchored(node.source, at);
    const value = this.#checked(this.#valueOf(node, after, depth));
    if (node.anchor !== undefined) this.#anchors.set(node.anchor, value);
    return value;
  }

  #anchored(name: string, at: number): ValueNode {
    const value = this.#anchors.get(name);
    if (value === undefined) throw new YamlBroken(at, `the alias *${name} of nothing that stands before it`);
    if (value.kind === "scalar") value.isShared = true;
    return value;
  }

  #checked(value: ValueNode): ValueNode {
    this.#spend(1, value.start - this.#document.base);
    if (value.weight > LIMITS.sourceValues) throw tooMuch(value.start - this.#document.base);
    if (value.height > LIMITS.sourceDepth) throw tooDeep(value.start - this.#document.base);
    return value;
  }

  #spend(values: number, at: number): void {
    this.#document.budget.values -= values;
    if (this.#document.budget.values < 0) throw tooMuch(at);
  }

  #valueOf(node: Exclude<ParsedNode, { source: string; resolve: unknown }>, after: number, depth: number): ValueNode {
    const { base } = this.#document;
    const [start, end] = node.range;
    if (isSeq(node)) {
      const items = node.items.map((item) => this.convert(item as ParsedNode | null, start, depth + 1));
      return new ListNode(this.#document, base + start, base + end, node.tag, items);
    }
    if (isMap(node)) {
      return new MapNode(this.#document, base + start, base + end, node.tag, this.#entriesOf(node, depth));
    }
    if (isEmpty(node)) return new ScalarNode(this.#document, base + after, base + after, node.tag, undefined);
    return new ScalarNode(this.#document, base + start, base + end, node.tag, textOf(node));
  }

  #entriesOf(map: YAMLMap, depth: number): ReadonlyMap<string, SourceEntry> {
    const own = new Map<string, SourceEntry>();
    const merged: ValueNode[] = [];
    let isMerging = false;
    for (const pair of map.items as readonly Pair<ParsedNode, ParsedNode | null>[]) {
      const entry = this.#entryOf(pair, depth);
      const isMerge = isMergeKey(pair.key);
      if (own.has(entry.name) || (isMerge && isMerging)) this.#tellTwice(entry);
      if (!isMerge) own.set(entry.name, entry);
      else merged.push(...this.#mergedBy(entry));
      isMerging ||= isMerge;
    }
    return merged.length === 0 ? own : this.#withMerged(own, merged);
  }

  #entryOf({ key, value }: Pair<ParsedNode, ParsedNode | null>, depth: number): SourceEntry {
    const { base, text } = this.#document;
    const name = isAlias(key)
      ? this.#anchored(key.source, key.range[0]).text()
      : isScalar(key)
        ? textOf(key)
        : undefined;
    if (name === undefined) throw new YamlBroken(key.range[0], "a name that is no text", "names that are texts");
    const nameEnd = base + key.range[1];
    const colon = colonBehind(text, nameEnd);
    const made = this.convert(value, (colon ?? nameEnd) - base, depth + 1);
    const end = value === null || isEmpty(value) ? (colon ?? nameEnd) : base + value.range[1];
    return { name, at: base + key.range[0], colon, end, value: made };
  }

  #tellTwice({ name, at }: SourceEntry): void {
    const { placeOf, problems, base } = this.#document;
    if (problems.length >= LIMITS.sourceProblems)
      throw new YamlBroken(at - base, "names that stand twice, and many of them");
    const about = { found: `${name} a second time`, wanted: "every name once in a mapping" };
    problems.push(problemAt(placeOf(at), "tools differ on what this YAML says", about));
  }

  #mergedBy({ at, value }: SourceEntry): readonly ValueNode[] {
    const sources = value.kind === "list" ? value.items() : [value];
    return sources.map((source) => {
      if (source instanceof MapNode) {
        source.isShared = true;
        return source;
      }
      throw new YamlBroken(
        at - this.#document.base,
        "<< with something that is no mapping",
        "a mapping, or a list of them",
      );
    });
  }

  /** What stands in the mapping itself goes before what is merged, and of that the first (the merge type of YAML 1.1). */
  #withMerged(own: Map<string, SourceEntry>, merged: readonly ValueNode[]): ReadonlyMap<string, SourceEntry> {
    for (const source of merged) {
      const entries = source.entries();
      this.#spend(entries.length, 0);
      for (const entry of entries) if (!own.has(entry.name)) own.set(entry.name, entry);
    }
    return own;
  }
}

function tooMuch(at: number): YamlBroken {
  return new YamlBroken(
    at,
    "more values than can be read, those counted twice that an alias repeats",
    `at most ${LIMITS.sourceValues} in one file`,
  );
}

function isEmpty(node: ParsedNode): boolean {
  return isScalar(node) && node.type === Scalar.PLAIN && node.range[0] === node.range[1];
}

/** The scalar as a text, undefined for null (YAML 1.2.2, section 10.2.1.1, and as Go and Python read it). */
function textOf(node: ParsedNode): string | undefined {
  if (!isScalar(node)) return undefined;
  const value = String(node.value);
  const isPlain = node.type === Scalar.PLAIN && node.tag === undefined;
  return isPlain && /^(?:~|null|Null|NULL|)$/.test(value) ? undefined : value;
}

function isMergeKey(key: ParsedNode): boolean {
  return isScalar(key) && key.type === Scalar.PLAIN && key.value === "<<";
}

/** Behind the colon that follows a name, on its line. */
function colonBehind(text: string, end: number): number | undefined {
  let at = end;
  while (text[at] === " " || text[at] === "\t") at += 1;
  return text[at] === ":" ? at + 1 : undefined;
}

// --- the three kinds -----------------------------------------------------------------------------------------------------------

const NO_ENTRIES: readonly SourceEntry[] = [];
const NO_ITEMS: readonly SourceNode[] = [];

abstract class ValueNode implements SourceNode {
  abstract readonly kind: SourceNode["kind"];
  isShared = false;
  readonly start: number;
  readonly end: number;
  readonly tag: string | undefined;
  /** Values in it with every alias written out, itself included; and how many are inside each other. */
  abstract readonly weight: number;
  abstract readonly height: number;
  protected readonly document: YamlDocument;

  constructor(document: YamlDocument, start: number, end: number, tag: string | undefined) {
    this.document = document;
    this.start = start;
    this.end = end;
    this.tag = tag;
  }

  get place(): SourcePlace {
    return this.placeOf(this.start);
  }

  placeOf(offset: number): SourcePlace {
    return this.document.placeOf(offset);
  }

  get(_name: string): SourceNode | undefined {
    return undefined;
  }

  entries(): readonly SourceEntry[] {
    return NO_ENTRIES;
  }

  items(): readonly SourceNode[] {
    return NO_ITEMS;
  }

  text(): string | undefined {
    return undefined;
  }

  span(_from: number, _to: number): Span | undefined {
    return undefined;
  }
}

class ScalarNode extends ValueNode {
  readonly kind = "scalar";
  readonly weight = 1;
  readonly height = 1;
  readonly #text: string | undefined;
  #runs: readonly Run[] | undefined;

  constructor(document: YamlDocument, start: number, end: number, tag: string | undefined, text: string | undefined) {
    super(document, start, end, tag);
    this.#text = text;
  }

  override text(): string | undefined {
    return this.#text;
  }

  override span(from: number, to: number): Span | undefined {
    if (this.#text === undefined) return undefined;
    this.#runs ??= runsOf(this.document.text.slice(this.start, this.end), this.#text);
    const span = spanIn(this.#runs, from, to);
    return span && { start: this.start + span.start, end: this.start + span.end };
  }
}

class ListNode extends ValueNode {
  readonly kind = "list";
  readonly weight: number;
  readonly height: number;
  readonly #items: readonly ValueNode[];

  constructor(
    document: YamlDocument,
    start: number,
    end: number,
    tag: string | undefined,
    items: readonly ValueNode[],
  ) {
    super(document, start, end, tag);
    this.#items = items;
    this.weight = items.reduce((sum, { weight }) => sum + weight, 1);
    this.height = 1 + items.reduce((most, { height }) => Math.max(most, height), 0);
  }

  override items(): readonly SourceNode[] {
    return this.#items;
  }
}

class MapNode extends ValueNode {
  readonly kind = "map";
  readonly weight: number;
  readonly height: number;
  readonly #entries: ReadonlyMap<string, SourceEntry>;

  constructor(
    document: YamlDocument,
    start: number,
    end: number,
    tag: string | undefined,
    entries: ReadonlyMap<string, SourceEntry>,
  ) {
    super(document, start, end, tag);
    this.#entries = entries;
    const values = [...entries.values()].map(({ value }) => value as ValueNode);
    this.weight = values.reduce((sum, { weight }) => sum + weight, 1);
    this.height = 1 + values.reduce((most, { height }) => Math.max(most, height), 0);
  }

  override get(name: string): SourceNode | undefined {
    return this.#entries.get(name)?.value;
  }

  override entries(): readonly SourceEntry[] {
    return [...this.#entries.values()];
  }
}
