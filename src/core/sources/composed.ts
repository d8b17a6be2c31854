import { LIMITS } from "../limits.ts";
import type { Locate, Span } from "./slot.ts";

/** One place where a variable's value is put in: whoever sets the variable replaces what came from there. */
export interface Use {
  readonly variable: string;
}

/** Characters that stand in the file one behind the other, or that do not stand there at all. */
interface Piece {
  readonly text: string;
  /** In the file. */
  readonly offset: number | undefined;
  /** The uses that put it there, outermost first: the default of a variable may hold another variable. */
  readonly uses: readonly Use[];
}

/** What grew beyond any reference while variables were put in: values can double with every step. */
export class ComposedTooLong extends Error {}

/** Text that is put together from a file, and remembers where each part of it stands there, and on whose word. */
export class Composed {
  static readonly empty: Composed = new Composed([]);
  readonly text: string;
  /** What had a part in it, in the order of the text; those that have put in nothing included. */
  readonly uses: readonly Use[];
  readonly #pieces: readonly Piece[];
  /** Where each piece begins in the text. */
  readonly #starts: readonly number[];

  private constructor(pieces: readonly Piece[]) {
    const starts: number[] = [];
    let length = 0;
    for (const { text } of pieces) {
      starts.push(length);
      length += text.length;
    }
    this.text = pieces.map(({ text }) => text).join("");
    this.uses = [...new Set(pieces.flatMap(({ uses }) => uses))];
    this.#pieces = pieces;
    this.#starts = starts;
  }

  /** Text that stands in the file at `offset`. */
  static verbatim(text: string, offset: number): Composed {
    return new Composed(text === "" ? [] : [{ text, offset, uses: [] }]);
  }

  /** Text that stands nowhere. */
  static foreign(text: string): Composed {
    return new Composed(text === "" ? [] : [{ text, offset: undefined, uses: [] }]);
  }

  /** A value whose parts are found one by one: a line as a whole where that can be, else character by character. */
  static located(text: string, locate: Locate): Composed {
    const whole = text === "" ? undefined : locate(0, text.length);
    if (whole !== undefined) return Composed.verbatim(text, whole.start);
    const pieces: Piece[] = [];
    let from = 0;
    for (const line of text.split(/(?<=\n)/)) {
      pieces.push(...locatedLine(line, (start, end) => locate(from + start, from + end)));
      from += line.length;
    }
    return new Composed(pieces);
  }

  /** @throws ComposedTooLong. */
  static join(parts: readonly Composed[]): Composed {
    const pieces = parts.flatMap((part) => part.#pieces);
    const joined = new Composed(pieces);
    const used = joined.uses.length;
    // Pieces without text can double with every step too.
    const size = Math.max(joined.text.length, pieces.length);
    if (used > LIMITS.variableUses || (used > 0 && size > LIMITS.expandedCharacters)) throw new ComposedTooLong();
    return joined;
  }

  /** A variable that has put in nothing belongs to what it stands in or beside. */
  slice(from: number, to: number = this.text.length): Composed {
    const cut: Piece[] = [];
    for (let index = this.#pieceAt(from); index < this.#pieces.length; index += 1) {
      const piece = this.#pieces[index];
      const at = this.#starts[index] ?? 0;
      if (piece === undefined || at > to) break;
      const start = Math.max(from - at, 0);
      const end = Math.min(to - at, piece.text.length);
      if (start < end || (piece.text === "" && from <= at)) cut.push(partOf(piece, start, end));
    }
    return new Composed(cut);
  }

  /** The first piece that a slice from `at` on can begin with: a file in a file has as many as it has lines. */
  #pieceAt(at: number): number {
    let low = 0;
    let high = this.#pieces.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.#starts[middle] ?? 0) < at) low = middle;
      else high = middle;
    }
    return low;
  }

  /** The same as what a variable stands for. */
  usedBy(use: Use): Composed {
    const pieces = this.#pieces.length === 0 ? [NOTHING] : this.#pieces;
    return new Composed(pieces.map((piece) => ({ ...piece, uses: [use, ...piece.uses] })));
  }

  /** None of its text, all of what had a part in it. */
  get withoutText(): Composed {
    return new Composed(this.#pieces.map(({ uses }) => ({ ...NOTHING, uses })));
  }

  /** Where the first character stands that stands in the file. */
  get start(): number | undefined {
    return this.offsetAt(0);
  }

  /** The same from a character on. */
  offsetAt(from: number): number | undefined {
    for (let index = this.#pieceAt(from); index < this.#pieces.length; index += 1) {
      const { text = "", offset } = this.#pieces[index] ?? {};
      const at = this.#starts[index] ?? 0;
      if (offset !== undefined && from < at + text.length) return offset + Math.max(from - at, 0);
    }
    return undefined;
  }

  /**
   * Where a part stands as a whole, and where a digest can stand as well: whoever sets any of the variables must replace
   * the digest too, or an image would be asked for by the digest of another.
   */
  readonly locate: Locate = (from, to): Span | undefined => {
    const [first, ...others] = this.slice(from, to).#pieces.filter(hasText);
    if (first?.offset === undefined || this.#left(first).length > 0) return undefined;
    let end = first.offset + first.text.length;
    for (const { text, offset, uses } of others) {
      if (offset !== end || !isSame(uses, first.uses)) return undefined;
      end += text.length;
    }
    return { start: first.offset, end };
  };

  /** Why `locate` finds no place for a digest at the end. */
  get fixed(): string {
    const last = this.#pieces.findLast(hasText);
    const [left] = last === undefined ? [] : this.#left(last);
    return left === undefined
      ? "the end of the reference does not stand in the file as it is read"
      : `the digest would stay when ${left.variable} is set to something else`;
  }

  /** The uses that could change without what this piece says. */
  #left({ uses }: Piece): readonly Use[] {
    return this.uses.filter((use) => !uses.includes(use));
  }
}

const NOTHING: Piece = { text: "", offset: undefined, uses: [] };

function hasText({ text }: Piece): boolean {
  return text !== "";
}

function locatedLine(line: string, locate: Locate): readonly Piece[] {
  const body = line.replace(/\n$/, "");
  const span = body === "" ? undefined : locate(0, body.length);
  const end = { text: line.slice(body.length), offset: undefined, uses: [] };
  if (span !== undefined) return [{ text: body, offset: span.start, uses: [] }, end];
  if (body.length > LIMITS.locatedCharacters) return [{ text: line, offset: undefined, uses: [] }];
  const characters = [...Array(body.length).keys()].map((at) => ({
    text: body.charAt(at),
    offset: locate(at, at + 1)?.start,
    uses: [],
  }));
  return [...characters, end];
}

function partOf({ text, offset, uses }: Piece, start: number, end: number): Piece {
  return { text: text.slice(start, end), offset: offset === undefined ? undefined : offset + start, uses };
}

function isSame(a: readonly Use[], b: readonly Use[]): boolean {
  return a.length === b.length && a.every((use, at) => use === b[at]);
}
