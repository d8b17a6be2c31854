import { Composed } from "./composed.ts";
import { takeFlags } from "./dockerfile-flags.ts";
import { type Heredoc, heredocsIn } from "./dockerfile-heredocs.ts";
import type { Escaper } from "./dockerfile-words.ts";

/** One instruction, its continuation lines joined, comments between them left out. */
export interface Instruction {
  /** Lower case. */
  readonly keyword: string;
  readonly flags: readonly Composed[];
  /** What follows the flags, without white space around it. */
  readonly rest: Composed;
  /** Where it begins in the file. */
  readonly at: number;
}

/** What is wrong at a place of the file. */
export interface LineProblem {
  readonly at: number;
  readonly message: string;
  readonly found: string;
  readonly wanted: string;
}

export interface DockerfileLines {
  readonly escaper: Escaper;
  /** The image that reads the file: `# syntax=docker/dockerfile:1`. */
  readonly syntax: Composed | undefined;
  readonly instructions: readonly Instruction[];
  readonly problems: readonly LineProblem[];
}

/** Takes a Dockerfile apart as BuildKit's parser does. Documents in it (heredocs) are passed over. */
export function readDockerfileLines(source: Composed): DockerfileLines {
  return new LineReader(source).read();
}

/** A line as it stands there, without its break. */
interface Line {
  readonly at: number;
  readonly text: string;
}

class LineReader {
  readonly #source: Composed;
  readonly #lines: readonly Line[];
  readonly #instructions: Instruction[] = [];
  readonly #problems: LineProblem[] = [];
  readonly #directives = new Map<string, Composed>();
  #escaper: Escaper = "\\";
  #next = 0;

  constructor(source: Composed) {
    this.#source = source;
    this.#lines = linesOf(source.text);
  }

  read(): DockerfileLines {
    this.#readDirectives();
    for (let line = this.#take(); line !== undefined; line = this.#take()) {
      const start = skipSpace(line.text, 0);
      if (start === line.text.length || line.text.charAt(start) === "#") continue;
      this.#readInstruction(line, start);
    }
    const syntax = this.#directives.get("syntax");
    return {
      escaper: this.#escaper,
      syntax: syntax?.slice(0, endOfWord(syntax.text)),
      instructions: this.#instructions,
      problems: this.#problems,
    };
  }

  /** They stand before everything else: the first line that is none, be it a comment or empty, ends them. */
  #readDirectives(): void {
    const hasShebang = this.#lines[0]?.text.startsWith("#!") === true;
    for (let index = hasShebang ? 1 : 0; index < this.#lines.length; index += 1) {
      const line = this.#lines[index];
      const found = line && directiveIn(line);
      if (line === undefined || found === undefined) return;
      const { name, from, to } = found;
      const value = this.#source.slice(line.at + from, line.at + to);
      if (this.#directives.has(name))
        this.#problem(line.at, `the directive ${name} stands there twice`, line.text, "one of each");
      else this.#directives.set(name, value);
      if (name === "escape") this.#readEscape(line, value.text);
    }
  }

  #readEscape({ at, text }: Line, value: string): void {
    if (value === "\\" || value === "`") this.#escaper = value;
    else this.#problem(at, "the directive escape names no character that escapes", text, "\\ or `");
  }

  #readInstruction(first: Line, start: number): void {
    const parts: Composed[] = [];
    let line: Line | undefined = first;
    let from = start;
    while (line !== undefined) {
      const end = this.#continuesAt(line.text, from);
      parts.push(this.#source.slice(line.at + from, line.at + (end ?? line.text.length)));
      if (end === undefined) break;
      from = 0;
      line = this.#takeContinuation();
    }
    const at = first.at + start;
    const instruction = this.#split(Composed.join(parts), this.#offset(at));
    this.#instructions.push(instruction);
    for (const heredoc of documentsOf(instruction, this.#escaper)) this.#passOver(heredoc, at);
  }

  /** Where a line that goes on ends: before an escape that is the last character but for blanks, and is not escaped. */
  #continuesAt(text: string, from: number): number | undefined {
    let last = text.length - 1;
    while (last >= from && (text.charAt(last) === " " || text.charAt(last) === "\t")) last -= 1;
    if (last < from || text.charAt(last) !== this.#escaper) return undefined;
    return last > from && text.charAt(last - 1) === this.#escaper ? undefined : last;
  }

  /** The next line that belongs to an instruction: comments do not, and empty ones are passed over too. */
  #takeContinuation(): Line | undefined {
    for (let line = this.#take(); line !== undefined; line = this.#take()) {
      const start = skipSpace(line.text, 0);
      if (start < line.text.length && line.text.charAt(start) !== "#") return line;
    }
    return undefined;
  }

  #split(line: Composed, at: number): Instruction {
    const { text } = line;
    const end = endOfWord(text);
    const { flags, rest } = takeFlags(line.slice(skipSpace(text, end)), this.#escaper);
    return { keyword: text.slice(0, end).toLowerCase(), flags, rest: trimmed(rest), at };
  }

  #passOver({ name, cutsTabs }: Heredoc, at: number): void {
    for (let line = this.#take(); line !== undefined; line = this.#take()) {
      const text = cutsTabs ? line.text.replace(/^\t+/, "") : line.text;
      if (text === name) return;
    }
    this.#problem(at, "a document in the file does not end", `<<${name}`, `a line that is ${name} and nothing else`);
  }

  #take(): Line | undefined {
    const line = this.#lines[this.#next];
    this.#next += 1;
    return line;
  }

  #problem(at: number, message: string, found: string, wanted: string): void {
    this.#problems.push({ at: this.#offset(at), message, found, wanted });
  }

  /** In the file, of a place in the text. */
  #offset(at: number): number {
    return this.#source.offsetAt(at) ?? at;
  }
}

const BYTE_ORDER_MARK = "\u{feff}";

function linesOf(text: string): readonly Line[] {
  const lines: Line[] = [];
  for (let at = text.startsWith(BYTE_ORDER_MARK) ? 1 : 0; at < text.length; ) {
    const feed = text.indexOf("\n", at);
    const next = feed === -1 ? text.length : feed + 1;
    let end = feed === -1 ? text.length : feed;
    while (end > at && text.charAt(end - 1) === "\r") end -= 1;
    lines.push({ at, text: text.slice(at, end) });
    at = next;
  }
  return lines;
}

const DIRECTIVE = /^#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(?=\S)/;
const DIRECTIVES: ReadonlySet<string> = new Set(["syntax", "escape", "check"]);

function directiveIn({
  text,
}: Line): { readonly name: string; readonly from: number; readonly to: number } | undefined {
  const match = DIRECTIVE.exec(text);
  const name = match?.[1]?.toLowerCase() ?? "";
  if (match === null || !DIRECTIVES.has(name)) return undefined;
  return { name, from: match[0].length, to: text.trimEnd().length };
}

/** ADD, COPY and RUN may hold documents, unless what they are given is a list in JSON; behind ONBUILD too. */
function documentsOf({ keyword, rest }: Instruction, escaper: Escaper): readonly Heredoc[] {
  if (!rest.text.includes("<<")) return [];
  if (keyword === "onbuild") return documentsOf(triggerOf(rest, escaper), escaper);
  if (!/^(?:add|copy|run)$/.test(keyword) || isJsonList(rest.text)) return [];
  return heredocsIn(rest.text);
}

/** The instruction that ONBUILD keeps for whoever builds on the image. */
export function triggerOf(rest: Composed, escaper: Escaper): Instruction {
  const end = endOfWord(rest.text);
  const flagged = takeFlags(rest.slice(skipSpace(rest.text, end)), escaper);
  return { keyword: rest.text.slice(0, end).toLowerCase(), flags: flagged.flags, rest: trimmed(flagged.rest), at: 0 };
}

function isJsonList(text: string): boolean {
  if (!text.startsWith("[")) return false;
  try {
    return Array.isArray(JSON.parse(text));
  } catch {
    return false;
  }
}

/** The words of a text, cut at white space and nothing else. */
export function wordsOf(text: Composed): readonly Composed[] {
  return [...text.text.matchAll(/[^\t\v\f\r\n ]+/g)].map(({ index, 0: word }) =>
    text.slice(index, index + word.length),
  );
}

function trimmed(text: Composed): Composed {
  return text.slice(skipSpace(text.text, 0), text.text.trimEnd().length);
}

function endOfWord(text: string): number {
  const space = text.search(/[\t\v\f\r\n ]/);
  return space === -1 ? text.length : space;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (at < text.length && /\s/.test(text.charAt(at))) at += 1;
  return at;
}
