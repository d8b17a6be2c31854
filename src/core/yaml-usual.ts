import { LIMITS } from "./limits.ts";
import type { YamlEntry, YamlNode, YamlScalar } from "./yaml-tree.ts";

/**
 * Reads the YAML that settings are usually written in: mappings and lists by indentation or in brackets, texts on one line,
 * `|` and `>`. undefined for all else, right or wrong, which is the library's to read: of a policy with thousands of lines it
 * takes many times as long. Whatever is read here, the library reads the same (test/properties/yaml.test.ts).
 */
export function readUsual(text: string): YamlNode | undefined {
  if (UNUSUAL.test(text) || !text.endsWith("\n")) return undefined;
  try {
    return new Reader(text).document();
  } catch (thrown) {
    if (thrown === unusual) return undefined;
    throw thrown;
  }
}

/** Tabs, other line breaks and control characters, halves of characters. */
const UNUSUAL = /[^\n\x20-\x7e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]/;

/** Thrown where something else begins. Nobody sees it. */
const unusual = new Error("unusual");

function leave(): never {
  throw unusual;
}

/** The breaks of a line, and of those that say nothing; then what can be said in one go. All are matched where reading stands. */
const BLANK_LINES = /(?: *(?:#[^\n]*)?\n)*/y;
const INDENTATION = / */y;
const LINE_END = /(?: +#[^\n]*| *)\n/y;
const DASH = /- +(?=[^ \n])|-(?= *\n)/y;
const KEY = /(?:[A-Za-z0-9_./$(][A-Za-z0-9_./$()@+-]{0,255}|"[^"\\\n]{0,255}"|'[^'\n]{0,255}')(?=:[ \n])/y;
const PLAIN = /[A-Za-z0-9_./$^~(+][^\n]*/y;
const PLAIN_IN_BRACKETS = /[A-Za-z0-9_./$^~(+][^\n,[\]{}]*/y;
const DOUBLE_QUOTED = /"(?:[^"\\\n]|\\["\\/nt])*"/y;
const SINGLE_QUOTED = /'(?:[^'\n]|'')*'/y;
const BLOCK_HEADER = /([|>])(-?)(?: +#[^\n]*| *)\n/y;
const LINE = /[^\n]*/y;

class Reader {
  readonly #text: string;
  #at = 0;
  #lineStart = 0;
  /** Of the line that reading stands at the beginning of; -1 at the end. */
  #indent = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): YamlNode {
    if (this.#text.startsWith("---\n")) this.#at = 4;
    this.#nextLine();
    const root = this.#block();
    return this.#indent === -1 ? root : leave();
  }

  /** What stands at the beginning of a line and may go on below. */
  #block(): YamlNode {
    this.#depth += 1;
    if (this.#depth > LIMITS.yamlDepth) leave();
    const node = this.#looksLike(DASH) ? this.#list(this.#indent) : this.#mapping(this.#indent);
    this.#depth -= 1;
    return node;
  }

  #list(indent: number): YamlNode {
    const at = this.#at;
    const items: YamlNode[] = [];
    while (this.#indent === indent && this.#looksLike(DASH)) {
      this.#pass(DASH);
      items.push(this.#looksLike(KEY) ? this.#compactMapping() : this.#value(indent, at, false));
    }
    return this.#indent > indent ? leave() : { kind: "list", at, items };
  }

  /** Behind a dash: it is as if the line began here. */
  #compactMapping(): YamlNode {
    this.#indent = this.#at - this.#lineStart;
    return this.#block();
  }

  #mapping(indent: number): YamlNode {
    const at = this.#at;
    const entries: YamlEntry[] = [];
    while (this.#indent === indent && !this.#looksLike(DASH)) {
      const key = this.#key();
      this.#at += 1;
      entries.push({ key, value: this.#value(indent, key.at, true) });
    }
    if (entries.length === 0 || this.#indent > indent) leave();
    return mappingOf(at, entries);
  }

  #key(): YamlNode {
    const at = this.#at;
    const text = this.#take(KEY) ?? leave();
    return { kind: "scalar", at, value: /^["']/.test(text) ? text.slice(1, -1) : resolve(text) };
  }

  /** Behind a colon or a dash, up to the line that follows it. */
  #value(indent: number, after: number, isOfMapping: boolean): YamlNode {
    if (this.#pass(LINE_END)) return this.#below(indent, after, isOfMapping);
    this.#pass(INDENTATION);
    const first = this.#text[this.#at];
    if (first === "|" || first === ">") return this.#blockScalar(indent);
    const value = first === "{" || first === "[" ? this.#brackets(indent) : this.#oneLine(PLAIN);
    if (!this.#pass(LINE_END)) leave();
    this.#nextLine();
    return this.#indent > indent ? leave() : value;
  }

  #below(indent: number, after: number, isOfMapping: boolean): YamlNode {
    this.#nextLine();
    if (this.#indent > indent) return this.#block();
    const isList = isOfMapping && this.#indent === indent && this.#looksLike(DASH);
    return isList ? this.#block() : { kind: "scalar", at: after, value: null };
  }

  #oneLine(plain: RegExp): YamlNode {
    const at = this.#at;
    const double = this.#take(DOUBLE_QUOTED);
    // What escapes are taken mean the same in JSON.
    if (double !== undefined) return { kind: "scalar", at, value: JSON.parse(double) as string };
    const single = this.#take(SINGLE_QUOTED);
    if (single !== undefined) return { kind: "scalar", at, value: single.slice(1, -1).replaceAll("''", "'") };
    return { kind: "scalar", at, value: resolve(this.#plain(plain)) };
  }

  /** Up to a comment. A colon in it that a space follows is none of a text's. */
  #plain(form: RegExp): string {
    const at = this.#at;
    const line = this.#take(form) ?? leave();
    const comment = line.indexOf(" #");
    const text = (comment === -1 ? line : line.slice(0, comment)).trimEnd();
    if (text.includes(": ") || text.endsWith(":")) leave();
    this.#at = at + text.length;
    return text;
  }

  // --- in brackets ------------------------------------------------------------------------------------------------------

  #brackets(indent: number): YamlNode {
    this.#depth += 1;
    if (this.#depth > LIMITS.yamlDepth) leave();
    const at = this.#at;
    const isList = this.#text[at] === "[";
    const items: YamlNode[] = [];
    const entries: YamlEntry[] = [];
    do {
      this.#at += 1;
      this.#skip(indent);
      if (this.#text[this.#at] === (isList ? "]" : "}")) break;
      if (isList) items.push(this.#inBrackets(indent));
      else entries.push(this.#entry(indent));
      this.#skip(indent);
    } while (this.#text[this.#at] === ",");
    if (this.#text[this.#at] !== (isList ? "]" : "}")) leave();
    this.#at += 1;
    this.#depth -= 1;
    return isList ? { kind: "list", at, items } : mappingOf(at, entries);
  }

  #entry(indent: number): YamlEntry {
    const key = this.#key();
    this.#at += 1;
    this.#skip(indent);
    return { key, value: this.#inBrackets(indent) };
  }

  #inBrackets(indent: number): YamlNode {
    const first = this.#text[this.#at];
    return first === "{" || first === "[" ? this.#brackets(indent) : this.#oneLine(PLAIN_IN_BRACKETS);
  }

  /** To what comes next, be it on another line, which has to be indented further than what the brackets belong to. */
  #skip(indent: number): void {
    this.#pass(INDENTATION);
    if (this.#text[this.#at] === "#" && this.#text[this.#at - 1] !== " ") leave();
    if (!this.#pass(LINE_END_HERE)) return;
    const below = this.#at;
    this.#nextLine();
    // The library has an error for some comments that begin a line in here.
    if (this.#indent <= indent || /^#/m.test(this.#text.slice(below, this.#at))) leave();
  }

  // --- | and > ----------------------------------------------------------------------------------------------------------

  #blockScalar(indent: number): YamlNode {
    const at = this.#at;
    const header = this.#take(BLOCK_HEADER) ?? leave();
    const width = this.#spacesAhead();
    if (width <= indent) leave();
    const lines: string[] = [];
    for (let spaces = width; spaces >= width; spaces = this.#spacesAhead()) {
      const line = this.#take(LINE) ?? "";
      if (line.trim() === "" || (spaces > width && header.startsWith(">"))) leave();
      lines.push(line.slice(width));
      this.#at += 1;
      while (header.startsWith("|") && this.#text[this.#at] === "\n") {
        lines.push("");
        this.#at += 1;
      }
    }
    this.#nextLine();
    if (this.#indent > indent) leave();
    const text = lines.join(header.startsWith("|") ? "\n" : " ").replace(/\n+$/, "");
    return { kind: "scalar", at, value: /^.-/.test(header) ? text : `${text}\n` };
  }

  /** -1 at the end. */
  #spacesAhead(): number {
    if (this.#at >= this.#text.length) return -1;
    return this.#looksLike(INDENTATION) ? INDENTATION.lastIndex - this.#at : 0;
  }

  // --- where reading stands -----------------------------------------------------------------------------------------------

  /** Behind the lines that say nothing, at the first character of the next. */
  #nextLine(): void {
    this.#pass(BLANK_LINES);
    this.#lineStart = this.#at;
    this.#pass(INDENTATION);
    this.#indent = this.#at >= this.#text.length ? -1 : this.#at - this.#lineStart;
  }

  #looksLike(form: RegExp): boolean {
    form.lastIndex = this.#at;
    return form.test(this.#text);
  }

  #take(form: RegExp): string | undefined {
    const at = this.#at;
    return this.#pass(form) ? this.#text.slice(at, this.#at) : undefined;
  }

  #pass(form: RegExp): boolean {
    if (!this.#looksLike(form)) return false;
    this.#at = form.lastIndex;
    return true;
  }
}

/** Spaces before it are behind us. */
const LINE_END_HERE = /(?:#[^\n]*)?\n/y;

function mappingOf(at: number, entries: readonly YamlEntry[]): YamlNode {
  const names = new Set(entries.map(({ key }) => (key.kind === "scalar" ? key.value : undefined)));
  return names.size === entries.length ? { kind: "map", at, entries } : leave();
}

/** The core schema (YAML 1.2.2, section 10.3.2); of numbers those that are written with digits alone. */
function resolve(text: string): YamlScalar {
  const word = WORDS.get(text);
  if (word !== undefined) return word;
  if (!/^[0-9.+]/.test(text)) return text;
  if (/^\+?[0-9]{1,15}$/.test(text)) return Number(text);
  return OTHER_NUMBERS.test(text) ? leave() : text;
}

const WORDS: ReadonlyMap<string, boolean | null> = new Map<string, boolean | null>([
  ...["~", "null", "Null", "NULL"].map((word) => [word, null] as const),
  ...["true", "True", "TRUE"].map((word) => [word, true] as const),
  ...["false", "False", "FALSE"].map((word) => [word, false] as const),
]);
const OTHER_NUMBERS =
  /^(?:0o[0-7]+|0x[0-9a-fA-F]+|[+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
