import { decodeUtf8 } from "./bytes.ts";
import { CountersignError } from "./errors.ts";
import { type Instant, parseInstant } from "./time.ts";
import { readTree, type YamlNode, YamlProblem, type YamlScalar } from "./yaml-tree.ts";

/** A YAML document of settings: what is read of it knows where it stands, and what is not known is refused. */
export interface YamlSource {
  /** For messages: the file as the user named it. */
  readonly label: string;
  readonly maxBytes: number;
  /** The line of the file that it begins with, where it is one document of several. */
  readonly firstLine?: number | undefined;
  /** What it is; the configuration where nothing is said. */
  readonly about?: YamlSubject | undefined;
}

export interface YamlSubject {
  readonly code: "configuration-invalid" | "policy-invalid";
  /** "the policy": it cannot be used, says the message. */
  readonly what: string;
}

const CONFIGURATION: YamlSubject = { code: "configuration-invalid", what: "the configuration" };

/** Counted from 1. */
export interface YamlPlace {
  readonly label: string;
  readonly line: number;
  readonly column: number;
}

/**
 * Reads one document of YAML 1.2 (core schema). Duplicate keys, tags, anchors and aliases are refused: settings need
 * none of them, and each makes a file say something else than it seems to.
 *
 * @throws CountersignError with the source's code, and with file, line and column.
 */
export function readYaml(bytes: Uint8Array, source: YamlSource): YamlValue {
  const { maxBytes } = source;
  const file = new YamlFile(source);
  if (bytes.byteLength > maxBytes) throw file.problem(`${bytes.byteLength} bytes`, `at most ${maxBytes} bytes`);
  try {
    return new YamlValue(readTree(file.open(bytes)), file);
  } catch (thrown) {
    if (thrown instanceof YamlProblem) throw file.problemAt(thrown.at, thrown.message, thrown.wanted);
    throw thrown;
  }
}

/** A file that is read: where its lines begin, and how what is wrong with it is said. */
class YamlFile {
  readonly #label: string;
  readonly #about: YamlSubject;
  readonly #firstLine: number;
  #starts: readonly number[] = [0];

  constructor({ label, firstLine = 1, about = CONFIGURATION }: YamlSource) {
    this.#label = label;
    this.#firstLine = firstLine;
    this.#about = about;
  }

  open(bytes: Uint8Array): string {
    const text = this.#decode(bytes);
    this.#starts = lineStarts(text);
    if (text.startsWith(BYTE_ORDER_MARK)) throw new YamlProblem(0, "a byte order mark", "UTF-8 text without one");
    return text;
  }

  #decode(bytes: Uint8Array): string {
    try {
      return decodeUtf8(bytes);
    } catch {
      throw this.problem("bytes that are not UTF-8", "UTF-8 text");
    }
  }

  placeOf(at: number): YamlPlace {
    let low = 0;
    let high = this.#starts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.#starts[middle] ?? 0) <= at) low = middle;
      else high = middle;
    }
    return { label: this.#label, line: low + this.#firstLine, column: at - (this.#starts[low] ?? 0) + 1 };
  }

  problemAt(at: number, found: string, wanted: string): YamlError {
    return new YamlError(this.#about, this.placeOf(at), found, wanted);
  }

  problem(found: string, wanted: string): YamlError {
    return new YamlError(this.#about, this.#label, found, wanted);
  }
}

/** What is wrong with a file, and where in it. */
export class YamlError extends CountersignError {
  /** Absent where it is the file as a whole. */
  readonly at: YamlPlace | undefined;

  constructor({ code, what }: YamlSubject, where: YamlPlace | string, found: string, wanted: string) {
    const name = typeof where === "string" ? where : `${where.label}:${where.line}:${where.column}`;
    super(code, `${what} cannot be used`, {
      found: `${name}: ${found}`,
      wanted,
      next: "correct the file at that place",
    });
    this.at = typeof where === "string" ? undefined : where;
  }
}

const BYTE_ORDER_MARK = "\u{feff}";

function lineStarts(text: string): readonly number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

/** A value in the document, or the place where there is none. */
export class YamlValue {
  readonly #node: YamlNode;
  readonly #file: YamlFile;

  constructor(node: YamlNode, file: YamlFile) {
    this.#node = node;
    this.#file = file;
  }

  get place(): YamlPlace {
    return this.#file.placeOf(this.#node.at);
  }

  get kind(): YamlNode["kind"] {
    return this.#node.kind;
  }

  /** @throws CountersignError with the file's code, which names this place. */
  fail(found: string, wanted: string): never {
    throw this.#file.problemAt(this.#node.at, found, wanted);
  }

  /** A mapping with these keys and no other. */
  fields<Name extends string>(known: readonly Name[]): Readonly<Partial<Record<Name, YamlValue>>> {
    const fields: Partial<Record<Name, YamlValue>> = {};
    for (const [name, value, key] of this.entries()) {
      const field = known.find((one) => one === name);
      if (field === undefined) key.fail(`the unknown field ${name}`, oneOf(name, known));
      else fields[field] = value;
    }
    return fields;
  }

  /** A mapping with any keys, in the order of the file: name, value, and the key's own place. None where there is nothing. */
  entries(): readonly (readonly [name: string, value: YamlValue, key: YamlValue])[] {
    if (this.#isNothing()) return [];
    if (this.#node.kind !== "map") this.fail(describe(this.#node), "a mapping");
    return this.#node.entries.map(({ key, value }) => {
      const name = new YamlValue(key, this.#file);
      return [name.text("a name"), new YamlValue(value, this.#file), name];
    });
  }

  /** A list, which may be empty. */
  items(wanted: string): readonly YamlValue[] {
    if (this.#node.kind !== "list") this.fail(describe(this.#node), wanted);
    return this.#node.items.map((item) => new YamlValue(item, this.#file));
  }

  /** One value, or a list of at least one. */
  oneOrMore(wanted: string): readonly YamlValue[] {
    if (this.#node.kind !== "list") return [this];
    return this.#node.items.length === 0 ? this.fail("an empty list", wanted) : this.items(wanted);
  }

  text(wanted: string): string {
    const value = this.#scalar();
    return typeof value === "string" && value !== "" ? value : this.fail(describe(this.#node), wanted);
  }

  /** A whole number from 0. */
  count(wanted: string): number {
    const value = this.#scalar();
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    return this.fail(describe(this.#node), wanted);
  }

  truth(): boolean {
    const value = this.#scalar();
    return typeof value === "boolean" ? value : this.fail(describe(this.#node), "true or false");
  }

  /** RFC 3339; a date alone is its midnight in UTC. */
  instant(): Instant {
    const text = this.text(INSTANT);
    const at = parseInstant(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text);
    return at ?? this.fail(JSON.stringify(text), INSTANT);
  }

  #isNothing(): boolean {
    return this.#node.kind === "scalar" && this.#node.value === null;
  }

  #scalar(): YamlScalar | undefined {
    return this.#node.kind === "scalar" ? this.#node.value : undefined;
  }
}

const INSTANT = "a day, 2027-01-31, or a time, 2027-01-31T12:00:00Z";

function describe(node: YamlNode): string {
  if (node.kind === "list") return "a list";
  if (node.kind === "map") return "a mapping";
  return node.value === null ? "nothing" : JSON.stringify(node.value);
}

/** The known names for a message, the one that was probably meant first. */
export function oneOf(name: string, known: readonly string[]): string {
  const meant = nearest(name, known);
  if (known.length === 0) return "none: nothing is known by a name here";
  const all = known.length > NAMES_SHOWN ? [...known.slice(0, NAMES_SHOWN), "…"] : known;
  return meant === undefined ? all.join(", ") : `${meant} (known: ${all.join(", ")})`;
}

const NAMES_SHOWN = 24;
const NAMES_COMPARED = 1_000;

/** The name that differs in the fewest letters, where that is but a few. */
function nearest(name: string, known: readonly string[]): string | undefined {
  if (known.length > NAMES_COMPARED) return undefined;
  const most = Math.min(3, Math.floor(name.length / 2));
  const near = known
    .map((one) => ({ one, distance: distanceOf(name.toLowerCase(), one.toLowerCase()) }))
    .filter(({ distance }) => distance <= most)
    .toSorted((a, b) => a.distance - b.distance);
  return near[0]?.one;
}

/** Letters to add, leave out or replace (Levenshtein); names that are far apart in length are not compared. */
function distanceOf(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 3) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (const [at, letter] of [...a].entries()) {
    const next = [at + 1];
    for (let to = 1; to <= b.length; to += 1) {
      const replaced = (row[to - 1] ?? 0) + (b[to - 1] === letter ? 0 : 1);
      next.push(Math.min(replaced, (row[to] ?? 0) + 1, (next[to - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
