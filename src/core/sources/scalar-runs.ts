import type { Span } from "./slot.ts";

/** Characters of a value that stand in the file one behind the other as they are. */
export interface Run {
  /** Offset in the value. */
  readonly value: number;
  /** Offset in what is written. */
  readonly written: number;
  readonly length: number;
}

/** Where a part of a value stands as a whole; undefined where it does not. */
export function spanIn(runs: readonly Run[], from: number, to: number): Span | undefined {
  const run = runAt(runs, from);
  if (run === undefined || from >= to || from < run.value || to > run.value + run.length) return undefined;
  const start = run.written + (from - run.value);
  return { start, end: start + (to - from) };
}

/** The last run that begins before a character of the value or with it: they are in order. */
function runAt(runs: readonly Run[], at: number): Run | undefined {
  let low = 0;
  let high = runs.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((runs[middle]?.value ?? 0) <= at) low = middle;
    else high = middle;
  }
  return runs[low];
}

/**
 * The parts of a scalar's value that stand verbatim in what is written: all but escapes and line breaks. What is found is
 * proved: put together with those it has to make the value, else there are none.
 *
 * @param written The scalar as it stands in the file, from its quote or its `|` to its end.
 */
export function runsOf(written: string, value: string): readonly Run[] {
  const pieces = new Pieces();
  if (/^[|>]/.test(written)) readBlock(written, value, pieces);
  else readFlow(written, pieces);
  // Line breaks at the end of a block are kept or not as its header says: nothing stands there that is asked for.
  return withoutEnd(pieces.text, "\n") === withoutEnd(value, "\n") ? pieces.runs : [];
}

/** A value as it is put together from what is written. */
class Pieces {
  readonly runs: Run[] = [];
  readonly #parts: string[] = [];
  #length = 0;

  get text(): string {
    return this.#parts.join("");
  }

  /** What stands there as it is. */
  verbatim(part: string, written: number): void {
    if (part === "") return;
    this.runs.push({ value: this.#length, written, length: part.length });
    this.add(part);
  }

  add(part: string): void {
    this.#parts.push(part);
    this.#length += part.length;
  }
}

// --- plain and quoted: lines are folded, white space around breaks is dropped (YAML 1.2.2, section 6.5) -----------------------

function readFlow(written: string, pieces: Pieces): void {
  const quote = /^["']/.exec(written)?.[0] ?? "";
  const inner = written.slice(quote.length, quote === "" ? undefined : -1);
  const lines = inner.split("\n");
  let at = quote.length;
  let empty = 0;
  let isEscapedBreak = false;
  for (const [index, line] of lines.entries()) {
    const isFirst = index === 0;
    const isLast = index === lines.length - 1;
    const { text, skipped } = trimmed(line, !isFirst, !isLast, quote === '"');
    if (text === "" && !isFirst && !isLast) empty += 1;
    else {
      if (!isFirst) pieces.add(empty === 0 ? (isEscapedBreak ? "" : " ") : "\n".repeat(empty));
      empty = 0;
      isEscapedBreak = quote === '"' && !isLast && endsEscaped(text);
      readLine(isEscapedBreak ? text.slice(0, -1) : text, at + skipped, quote, pieces);
    }
    at += line.length + 1;
  }
}

function trimmed(line: string, atStart: boolean, atEnd: boolean, escapes: boolean): { text: string; skipped: number } {
  const skipped = atStart ? (/^[ \t]*/.exec(line)?.[0].length ?? 0) : 0;
  const rest = line.slice(skipped);
  if (!atEnd) return { text: rest, skipped };
  const unbroken = rest.endsWith("\r") ? rest.slice(0, -1) : rest;
  const text = withoutEnd(unbroken, " \t");
  // A blank behind a backslash is meant.
  return { text: escapes && endsEscaped(text) && unbroken.length > text.length ? unbroken : text, skipped };
}

function endsEscaped(text: string): boolean {
  return (text.length - withoutEnd(text, "\\").length) % 2 === 1;
}

/** A regular expression would try again from each of these characters: quadratic time. */
function withoutEnd(text: string, characters: string): string {
  let end = text.length;
  while (end > 0 && characters.includes(text[end - 1] ?? "")) end -= 1;
  return text.slice(0, end);
}

function readLine(text: string, at: number, quote: string, pieces: Pieces): void {
  const escapes = quote === '"' ? DOUBLE_ESCAPE : SINGLE_ESCAPE;
  let from = 0;
  for (const match of quote === "" ? [] : text.matchAll(escapes)) {
    pieces.verbatim(text.slice(from, match.index), at + from);
    pieces.add(unescaped(match[0]));
    from = match.index + match[0].length;
  }
  pieces.verbatim(text.slice(from), at + from);
}

const SINGLE_ESCAPE = /''/g;
const DOUBLE_ESCAPE = /\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)/gs;

/** The escapes whose character matters to what is compared; all others make a value that differs, and no runs. */
function unescaped(written: string): string {
  if (written === "''") return "'";
  const code = /^\\[xuU]([0-9a-fA-F]+)$/.exec(written)?.[1];
  if (code === undefined) return SHORT_ESCAPES.get(written[1] ?? "") ?? written.slice(1);
  const point = Number.parseInt(code, 16);
  return point > 0x10ffff ? written : String.fromCodePoint(point);
}

const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["t", "\t"],
  ["r", "\r"],
  ["0", "\0"],
  ["a", "\x07"],
  ["b", "\b"],
  ["e", "\x1b"],
  ["f", "\f"],
  ["v", "\v"],
  ["N", "\x85"],
  ["_", "\xa0"],
  ["L", "\u2028"],
  ["P", "\u2029"],
]);

// --- blocks: line by line, behind the indentation (section 8.1) ----------------------------------------------------------------

function readBlock(written: string, value: string, pieces: Pieces): void {
  const isFolded = written.startsWith(">");
  const [header = "", ...lines] = written.split("\n");
  const indent = indentOf(lines, value);
  let at = header.length + 1;
  let before: string | undefined;
  let empty = 0;
  for (const line of lines) {
    const text = line.slice(indent).replace(/\r$/, "");
    if (text === "") empty += 1;
    else {
      pieces.add(isFolded ? foldedBreak(before, text, empty) : literalBreak(before, empty));
      pieces.verbatim(text, at + indent);
      before = text;
      empty = 0;
    }
    at += line.length + 1;
  }
}

/** What the lines are indented by: as much as the first that says something is further in there than in the value. */
function indentOf(lines: readonly string[], value: string): number {
  const written = lines.find((line) => line.trim() !== "") ?? "";
  const read = value.split("\n").find((line) => line.trim() !== "") ?? "";
  return Math.max(0, spacesBefore(written) - spacesBefore(read));
}

function spacesBefore(line: string): number {
  return /^ */.exec(line)?.[0].length ?? 0;
}

function literalBreak(before: string | undefined, empty: number): string {
  return "\n".repeat(before === undefined ? empty : empty + 1);
}

function foldedBreak(before: string | undefined, text: string, empty: number): string {
  if (before === undefined) return "\n".repeat(empty);
  if (/^[ \t]/.test(before) || /^[ \t]/.test(text)) return "\n".repeat(empty + 1);
  return empty === 0 ? " " : "\n".repeat(empty);
}
