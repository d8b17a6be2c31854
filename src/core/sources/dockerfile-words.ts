import { LIMITS } from "../limits.ts";
import { Composed } from "./composed.ts";
import { VariableProblem } from "./variables.ts";

/** The character that escapes in words and continues lines: `\`, or what the directive `escape` says. */
export type Escaper = "\\" | "`";

/** What a variable stands for; undefined where it is not set. @throws VariableProblem where that cannot be known. */
export type Lookup = (name: string, at: number) => Composed | undefined;

/**
 * A word with its quotes and escapes removed and its variables put in, as BuildKit's shell lexer does it. Patterns
 * (`${NAME#…}`, `${NAME/…}`) are not followed.
 *
 * @throws VariableProblem, ComposedTooLong.
 */
export function expandWord(word: Composed, escaper: Escaper, lookup: Lookup): Composed {
  return new WordLexer(word, escaper, lookup).read(undefined, 0);
}

/** A name, or one of the parameters of a shell, which are not set in a build. */
const NAME = /[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?\-$!]/y;
const MODIFIER = /:?[-+?]|[#%/]/y;

class WordLexer {
  readonly #word: Composed;
  readonly #text: string;
  readonly #escaper: Escaper;
  readonly #lookup: Lookup;
  #at = 0;

  constructor(word: Composed, escaper: Escaper, lookup: Lookup) {
    this.#word = word;
    this.#text = word.text;
    this.#escaper = escaper;
    this.#lookup = lookup;
  }

  /** Up to `stop`, which is taken too, or to the end. */
  read(stop: string | undefined, depth: number): Composed {
    const begun = this.#at;
    const parts: Composed[] = [];
    while (this.#at < this.#text.length) {
      const character = this.#text.charAt(this.#at);
      if (character === stop) {
        this.#at += 1;
        return Composed.join(parts);
      }
      if (character === "'") parts.push(this.#singleQuoted());
      else if (character === '"') parts.push(this.#doubleQuoted(depth));
      else if (character === "$") parts.push(this.#dollar(depth));
      else if (character === this.#escaper) parts.push(this.#take(1, 2));
      else parts.push(this.#plain(stop));
    }
    if (stop !== undefined) throw malformed(begun, `it lacks a ${stop}`);
    return Composed.join(parts);
  }

  /** The characters from `skip` to `length`, counted from here. */
  #take(skip: number, length: number): Composed {
    const from = this.#at + skip;
    this.#at = Math.min(this.#at + length, this.#text.length);
    return this.#word.slice(from, this.#at);
  }

  #plain(stop: string | undefined): Composed {
    let length = 1;
    while (this.#at + length < this.#text.length) {
      const character = this.#text.charAt(this.#at + length);
      if (character === stop || character === this.#escaper || `'"$`.includes(character)) break;
      length += 1;
    }
    return this.#take(0, length);
  }

  #singleQuoted(): Composed {
    const close = this.#text.indexOf("'", this.#at + 1);
    if (close === -1) throw malformed(this.#at, "a quote is not closed");
    const quoted = this.#word.slice(this.#at + 1, close);
    this.#at = close + 1;
    return quoted;
  }

  #doubleQuoted(depth: number): Composed {
    const begun = this.#at;
    const parts: Composed[] = [];
    this.#at += 1;
    while (this.#at < this.#text.length) {
      const character = this.#text.charAt(this.#at);
      if (character === '"') {
        this.#at += 1;
        return Composed.join(parts);
      }
      const follows = this.#text.charAt(this.#at + 1);
      if (character === "$") parts.push(this.#dollar(depth));
      else if (character === this.#escaper && `"$${this.#escaper}`.includes(follows)) parts.push(this.#take(1, 2));
      else parts.push(this.#take(0, 1));
    }
    throw malformed(begun, "a quote is not closed");
  }

  #dollar(depth: number): Composed {
    const begun = this.#at;
    if (depth > LIMITS.variableDepth) throw malformed(begun, "it nests too deeply");
    if (this.#text.charAt(begun + 1) === "{") return this.#braced(begun, depth);
    const name = this.#match(NAME, begun + 1);
    if (name === "") return this.#take(0, 1);
    this.#at = begun + 1 + name.length;
    return this.#valueOf(name, begun);
  }

  #braced(begun: number, depth: number): Composed {
    const name = this.#match(NAME, begun + 2);
    this.#at = begun + 2 + name.length;
    if (name === "") throw malformed(begun, "it has no name");
    if (this.#text.charAt(this.#at) === "}") {
      this.#at += 1;
      return this.#valueOf(name, begun);
    }
    const modifier = this.#match(MODIFIER, this.#at);
    if (modifier === "") throw malformed(begun, "its braces are not closed");
    if (/[#%/]/.test(modifier)) {
      // What the builder sets is said to be that.
      this.#lookup(name, begun);
      throw new VariableProblem(
        begun,
        `the pattern in $\{${name}${modifier}…} is not followed`,
        "a build argument with the value itself",
      );
    }
    this.#at += modifier.length;
    const word = this.read("}", depth + 1);
    return this.#modified(name, modifier, word, begun);
  }

  #modified(name: string, modifier: string, word: Composed, begun: number): Composed {
    const value = this.#lookup(name, begun);
    const isSet = value !== undefined && !(modifier.startsWith(":") && value.text === "");
    if (modifier.endsWith("?") && !isSet) throw notSet(begun, name);
    if (modifier.endsWith("+")) return used(name, isSet ? word : Composed.empty, value);
    return isSet ? value : used(name, word, value);
  }

  #valueOf(name: string, begun: number): Composed {
    const value = this.#lookup(name, begun);
    if (value === undefined) throw notSet(begun, name);
    return value;
  }

  #match(pattern: RegExp, at: number): string {
    pattern.lastIndex = at;
    return pattern.exec(this.#text)?.[0] ?? "";
  }
}

/** Put in because of a variable's value, without it being that value: whoever sets the variable may undo it. */
function used(variable: string, word: Composed, value: Composed | undefined): Composed {
  return Composed.join([value?.withoutText ?? Composed.empty, word.usedBy({ variable })]);
}

function notSet(at: number, name: string): VariableProblem {
  return new VariableProblem(
    at,
    `the build argument ${name} has no value here`,
    `a default before the first FROM: ARG ${name}=value`,
  );
}

function malformed(at: number, why: string): VariableProblem {
  return new VariableProblem(
    at,
    `a variable or a quote in it is not written as one: ${why}`,
    "$NAME, $" + "{NAME} or $" + "{NAME:-default}",
  );
}
