import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from "yaml";
import { decodeUtf8 } from "./bytes.ts";
import { CountersignError } from "./errors.ts";

/** A YAML document of settings: what is read of it knows where it stands, and what is not known is refused. */
export interface YamlSource {
  /** For messages: the file as the user named it. */
  readonly label: string;
  readonly maxBytes: number;
}

/**
 * Reads one document of YAML 1.2 (core schema). Duplicate keys, tags, anchors and aliases are refused: settings need
 * none of them, and each makes a file say something else than it seems to.
 *
 * @throws CountersignError `configuration-invalid` with file, line and column.
 */
export function readYaml(bytes: Uint8Array, source: YamlSource): YamlValue {
  const { label, maxBytes } = source;
  if (bytes.byteLength > maxBytes) throw unusable(label, `${bytes.byteLength} bytes`, `at most ${maxBytes} bytes`);
  const lines = new LineCounter();
  const root = parse(textOf(bytes, label), lines, label);
  return new YamlValue(root ?? undefined, (offset) => placeOf(lines, offset, label), 0);
}

function textOf(bytes: Uint8Array, label: string): string {
  try {
    return decodeUtf8(bytes);
  } catch {
    throw unusable(label, "bytes that are not UTF-8", "UTF-8 text");
  }
}

function parse(text: string, lineCounter: LineCounter, label: string): Node | null {
  try {
    const document = parseDocument(text, { lineCounter, version: "1.2", schema: "core", prettyErrors: false });
    const [problem] = [...document.errors, ...document.warnings];
    if (problem === undefined) return document.contents;
    throw unusable(placeOf(lineCounter, problem.pos[0], label), problem.message.split("\n", 1)[0] ?? "", "YAML 1.2");
  } catch (thrown) {
    // Thousands of brackets inside each other: the parser recurses.
    if (thrown instanceof RangeError) throw unusable(label, "something nested without end", "settings");
    throw thrown;
  }
}

function placeOf(lines: LineCounter, offset: number, label: string): string {
  const { line, col } = lines.linePos(offset);
  return `${label}:${line}:${col}`;
}

function unusable(where: string, found: string, wanted: string): CountersignError {
  return new CountersignError("configuration-invalid", "the configuration cannot be used", {
    found: `${where}: ${found}`,
    wanted,
    next: "correct the file at that place",
  });
}

/** A value in the document, or the place where there is none. */
export class YamlValue {
  readonly #node: Node | undefined;
  readonly #place: (offset: number) => string;
  readonly #offset: number;

  constructor(node: Node | undefined, place: (offset: number) => string, offset: number) {
    this.#node = node;
    this.#place = place;
    this.#offset = node?.range?.[0] ?? offset;
  }

  /** @throws CountersignError `configuration-invalid` that names this place. */
  fail(found: string, wanted: string): never {
    throw unusable(this.#place(this.#offset), found, wanted);
  }

  /** A mapping with these keys and no other. */
  fields<Name extends string>(known: readonly Name[]): Readonly<Partial<Record<Name, YamlValue>>> {
    const fields = this.entries().map(([name, value, key]) => {
      if (!known.some((one) => one === name)) key.fail(`the unknown field ${name}`, known.join(", "));
      return [name, value] as const;
    });
    return Object.fromEntries(fields) as Partial<Record<Name, YamlValue>>;
  }

  /** A mapping with any keys, in the order of the file: name, value, and the key's own place. */
  entries(): readonly (readonly [name: string, value: YamlValue, key: YamlValue])[] {
    const node = this.#plain();
    if (node === undefined) return [];
    if (!isMap(node)) this.fail(describe(node), "a mapping");
    return node.items.map(({ key, value }) => {
      const name = this.#at(key);
      return [name.text("a name"), this.#at(value), name];
    });
  }

  text(wanted: string): string {
    const value = this.#scalar();
    return typeof value === "string" && value !== "" ? value : this.fail(describeScalar(value, this.#node), wanted);
  }

  /** A whole number from 0. */
  count(wanted: string): number {
    const value = this.#scalar();
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    return this.fail(describeScalar(value, this.#node), wanted);
  }

  #at(node: unknown): YamlValue {
    return new YamlValue(isNode(node) ? node : undefined, this.#place, this.#offset);
  }

  #scalar(): unknown {
    const node = this.#plain();
    return isScalar(node) ? node.value : undefined;
  }

  #plain(): Node | undefined {
    const node = this.#node;
    if (node === undefined) return undefined;
    if (isAlias(node)) this.fail("an alias", "the value itself");
    if (node.anchor !== undefined) this.fail("an anchor", "the value alone");
    if (node.tag !== undefined) this.fail(`the tag ${node.tag}`, "the value alone");
    return isScalar(node) && node.value === null ? undefined : node;
  }
}

function isNode(value: unknown): value is Node {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value);
}

function describe(node: Node): string {
  if (isSeq(node)) return "a list";
  return isMap(node) ? "a mapping" : "a single value";
}

function describeScalar(value: unknown, node: Node | undefined): string {
  if (node === undefined || value === null) return "nothing";
  return value === undefined ? describe(node) : JSON.stringify(value);
}
