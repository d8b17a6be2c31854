import { isAlias, isMap, isScalar, isSeq, type Node, type ParsedNode, parseDocument } from "yaml";
import { LIMITS } from "./limits.ts";
import { readUsual } from "./yaml-usual.ts";

/** A value of a YAML document and where it stands, in characters from the beginning. Scalars are those of the core schema. */
export type YamlNode =
  | { readonly kind: "scalar"; readonly at: number; readonly value: YamlScalar }
  | { readonly kind: "list"; readonly at: number; readonly items: readonly YamlNode[] }
  | { readonly kind: "map"; readonly at: number; readonly entries: readonly YamlEntry[] };

export type YamlScalar = string | number | boolean | null;

export interface YamlEntry {
  readonly key: YamlNode;
  readonly value: YamlNode;
}

/** What a text is that is none of the YAML that is read here. */
export class YamlProblem extends Error {
  /** Characters from the beginning. */
  readonly at: number;
  readonly wanted: string;

  constructor(at: number, found: string, wanted: string) {
    super(found);
    this.at = at;
    this.wanted = wanted;
  }
}

/**
 * One document of YAML 1.2, core schema, without what makes a file say something else than it seems to: anchors, aliases,
 * tags, and keys that are there twice. `<<` and `__proto__` are keys like others.
 *
 * @throws YamlProblem
 */
export function readTree(text: string): YamlNode {
  return readUsual(text) ?? readAny(text);
}

/** All of YAML, and every error. @throws YamlProblem */
export function readAny(text: string): YamlNode {
  return convert(compose(text), 0, 1);
}

function compose(text: string): Node | null {
  // The library's own search for keys that are there twice takes quadratic time.
  const options = {
    version: "1.2",
    schema: "core",
    prettyErrors: false,
    uniqueKeys: false,
  } as const;
  try {
    const document = parseDocument<ParsedNode>(text, options);
    const [problem] = [...document.errors, ...document.warnings].toSorted((a, b) => a.pos[0] - b.pos[0]);
    if (problem === undefined) return document.contents;
    throw new YamlProblem(problem.pos[0], sentenceOf(problem.message), "YAML 1.2");
  } catch (thrown) {
    // Thousands of brackets inside each other: the parser recurses.
    if (thrown instanceof RangeError) throw tooDeep(0);
    throw thrown;
  }
}

function sentenceOf(message: string): string {
  const [line = ""] = message.split("\n", 1);
  if (line.startsWith("Maximum call stack")) return "something nested without end";
  return line.startsWith("Source contains multiple documents") ? "several documents" : line;
}

function tooDeep(at: number): YamlProblem {
  return new YamlProblem(at, "something nested without end", `at most ${LIMITS.yamlDepth} levels`);
}

/** `after` is where something would stand that is not there. */
function convert(node: unknown, after: number, depth: number): YamlNode {
  if (!isNode(node)) return { kind: "scalar", at: after, value: null };
  const [start, end] = node.range ?? [after, after];
  const at = start === end ? after : start;
  if (depth > LIMITS.yamlDepth) throw tooDeep(at);
  if (isAlias(node)) throw new YamlProblem(at, "an alias", "the value itself");
  if (node.anchor !== undefined) throw new YamlProblem(at, "an anchor", "the value alone");
  if (node.tag !== undefined) throw new YamlProblem(at, `the tag ${node.tag}`, "the value alone");
  if (isSeq(node)) return { kind: "list", at, items: node.items.map((item) => convert(item, at, depth + 1)) };
  if (!isMap(node)) return { kind: "scalar", at, value: isScalar(node) ? (node.value as YamlScalar) : null };
  const entries = node.items.map(({ key, value }) => {
    const name = convert(key, at, depth + 1);
    return { key: name, value: convert(value, name.at, depth + 1) };
  });
  refuseTwice(entries);
  return { kind: "map", at, entries };
}

function refuseTwice(entries: readonly YamlEntry[]): void {
  const seen = new Set<YamlScalar>();
  for (const { key } of entries) {
    if (key.kind !== "scalar") continue;
    if (seen.has(key.value)) throw new YamlProblem(key.at, `${String(key.value)} a second time`, "every key once");
    seen.add(key.value);
  }
}

function isNode(value: unknown): value is Node {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value);
}
