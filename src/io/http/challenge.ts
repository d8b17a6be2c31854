/** One challenge of a `WWW-Authenticate` header; the scheme and the parameters' names are in lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const TOKEN = /[!#$%&'*+.^_`|~0-9A-Za-z-]+/y;
const TOKEN68 = /[0-9A-Za-z._~+/-]+=*(?=[ \t]*(?:,|$))/y;
const QUOTED = /"((?:[^"\\]|\\.)*)"/y;
const BLANK = /[ \t]*/y;
const SEPARATOR = /[ \t]*(?:,[ \t]*)*/y;
const EQUALS = /[ \t]*=[ \t]*/y;

/**
 * RFC 9110 §11.6.1: several headers, several challenges in one, quoted strings with commas and escapes, token68. What
 * cannot be read ends the reading of that header; what came before it counts.
 */
export function parseChallenges(headers: readonly string[]): readonly Challenge[] {
  return headers.flatMap((header) => [...new Reader(header).challenges()]);
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  *challenges(): Generator<Challenge, void, undefined> {
    for (;;) {
      this.#take(SEPARATOR);
      const scheme = this.#take(TOKEN);
      if (scheme === undefined) return;
      this.#take(BLANK);
      if (this.#take(TOKEN68) !== undefined) yield { scheme: scheme.toLowerCase(), parameters: {} };
      else yield { scheme: scheme.toLowerCase(), parameters: this.#parameters() };
    }
  }

  /** Parameters until one is no parameter: then it is the next challenge's scheme. */
  #parameters(): Record<string, string> {
    const found: Record<string, string> = Object.create(null);
    for (;;) {
      const start = this.#at;
      this.#take(SEPARATOR);
      const name = this.#take(TOKEN);
      const value = name === undefined || this.#take(EQUALS) === undefined ? undefined : this.#value();
      if (name === undefined || value === undefined) {
        this.#at = start;
        return found;
      }
      found[name.toLowerCase()] ??= value;
    }
  }

  #value(): string | undefined {
    const quoted = this.#take(QUOTED);
    return quoted === undefined ? this.#take(TOKEN) : quoted.slice(1, -1).replace(/\\(.)/g, "$1");
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }
}
