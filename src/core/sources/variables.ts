import { LIMITS } from "../limits.ts";
import { Composed } from "./composed.ts";

/** Why a text with variables cannot be told, and where in it. */
export class VariableProblem extends Error {
  readonly at: number;
  readonly wanted: string;

  /** @param message As in "the image cannot be told: …". */
  constructor(at: number, message: string, wanted: string) {
    super(message);
    this.at = at;
    this.wanted = wanted;
  }
}

const NAME = /[A-Za-z_][A-Za-z0-9_]*/y;

/** The name of a variable at a place in a text; empty where there is none. */
export function nameAt(text: string, at: number): string {
  NAME.lastIndex = at;
  return NAME.exec(text)?.[0] ?? "";
}

/**
 * Interpolation as Compose does it (Compose Specification, "Interpolation") where nothing is set: by defaults alone. What
 * has no default is not taken for empty: whoever wrote it expects it to be set.
 *
 * @throws VariableProblem, ComposedTooLong.
 */
export function interpolate(source: Composed): Composed {
  return new Interpolation(source).read(0, source.text.length, 0);
}

const MODIFIER = /:?[-?+]/y;

class Interpolation {
  readonly #source: Composed;
  readonly #text: string;

  constructor(source: Composed) {
    this.#source = source;
    this.#text = source.text;
  }

  read(from: number, to: number, depth: number): Composed {
    const parts: Composed[] = [];
    let at = from;
    while (at < to) {
      const dollar = this.#text.indexOf("$", at);
      const end = dollar === -1 || dollar >= to ? to : dollar;
      parts.push(this.#source.slice(at, end));
      if (end === to) break;
      const [value, next] = this.#dollar(dollar, to, depth);
      parts.push(value);
      at = next;
    }
    return Composed.join(parts);
  }

  /** What a `$` begins, and where it ends. */
  #dollar(at: number, to: number, depth: number): readonly [Composed, number] {
    const follows = this.#text.charAt(at + 1);
    if (follows === "$" && at + 1 < to) return [this.#source.slice(at + 1, at + 2), at + 2];
    if (follows === "{" && at + 1 < to) return this.#braced(at, to, depth);
    const name = nameAt(this.#text, at + 1);
    if (name !== "") throw notSet(at, name);
    return [this.#source.slice(at, at + 1), at + 1];
  }

  #braced(at: number, to: number, depth: number): readonly [Composed, number] {
    const close = closingBrace(this.#text, at + 1, to);
    const name = nameAt(this.#text, at + 2);
    if (close === -1 || name === "" || depth > LIMITS.variableDepth) throw malformed(at);
    const behind = at + 2 + name.length;
    if (behind === close) throw notSet(at, name);
    MODIFIER.lastIndex = behind;
    const modifier = MODIFIER.exec(this.#text)?.[0];
    if (modifier === undefined || behind + modifier.length > close) throw malformed(at);
    if (modifier.endsWith("?")) throw notSet(at, name);
    const isDefault = modifier.endsWith("-");
    const value = isDefault ? this.read(behind + modifier.length, close, depth + 1) : Composed.empty;
    return [value.usedBy({ variable: name }), close + 1];
  }
}

/** The brace that closes the one at `open`, or -1. */
function closingBrace(text: string, open: number, to: number): number {
  let depth = 0;
  for (let at = open; at < to; at += 1) {
    const character = text.charAt(at);
    if (character === "{") depth += 1;
    else if (character === "}") depth -= 1;
    if (depth === 0) return at;
  }
  return -1;
}

function notSet(at: number, name: string): VariableProblem {
  return new VariableProblem(at, `the variable ${name} has no value here`, `a default: $\{${name}:-value}`);
}

function malformed(at: number): VariableProblem {
  return new VariableProblem(
    at,
    "it has a variable that is not written as one",
    "$NAME, $" + "{NAME} or $" + "{NAME:-default}",
  );
}
