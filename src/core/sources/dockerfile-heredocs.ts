import { Composed, ComposedTooLong } from "./composed.ts";
import { expandWord } from "./dockerfile-words.ts";
import { VariableProblem } from "./variables.ts";

/** A document in a Dockerfile: it ends at the line that is its name, without leading tabs where they are cut. */
export interface Heredoc {
  readonly name: string;
  readonly cutsTabs: boolean;
}

/**
 * The documents that a line opens (`RUN <<EOF`, `COPY <<-'a' <<b /`), in order. Their words are found with `\` as the
 * escape whatever the directive says, as BuildKit does; a line whose quotes or braces do not close opens none.
 */
export function heredocsIn(line: string): readonly Heredoc[] {
  if (!line.includes("<<")) return [];
  return (rawWords(line) ?? []).flatMap(heredocOf);
}

/** `<<` with a file descriptor before it, a word behind it. */
const OPENING = /^[0-9]*<<(-?)\s*([^<]*)$/;

function heredocOf(word: string): readonly Heredoc[] {
  const [, cut, quoted = ""] = OPENING.exec(word) ?? [];
  const words = quoted === "" ? [] : (rawWords(quoted) ?? []);
  const [only] = words;
  if (cut === undefined || only === undefined || words.length > 1) return [];
  const name = unquoted(only);
  return name === "" ? [] : [{ name, cutsTabs: cut === "-" }];
}

function unquoted(word: string): string {
  try {
    // What is not set stays as it is written.
    return expandWord(Composed.foreign(word), "\\", (name) => Composed.foreign(`$${name}`)).text;
  } catch (thrown) {
    if (thrown instanceof VariableProblem || thrown instanceof ComposedTooLong) return word;
    throw thrown;
  }
}

/** One word of a line with its quotes and escapes, and what white space may follow `<<`. */
const PART = /'[^']*'|"(?:[^"\\]|\\[\s\S])*"|\\[\s\S]?|<<[\t\r ]*|\$\{|[^'"\\<$\s]+|[<$]/y;
/** What may follow the name in `${…}`. */
const BRACED = /[A-Za-z_][A-Za-z0-9_]*(?:\}|:?[-+?]|[:#%/])|[0-9]+[}:\-+?#%/]|[@*#?\-$!][}:\-+?#%/]/y;

/** The words of a line, quotes and escapes kept; undefined where it cannot be taken apart. */
function rawWords(line: string): readonly string[] | undefined {
  const words: string[] = [];
  let word = "";
  for (let at = 0; at < line.length; ) {
    if (/\s/.test(line.charAt(at))) {
      if (word !== "") words.push(word);
      word = "";
      at += 1;
      continue;
    }
    PART.lastIndex = at;
    const part = PART.exec(line)?.[0];
    if (part === undefined) return undefined;
    const braced = part === "$" + "{" ? bracedLength(line, at) : part.length;
    if (braced === undefined) return undefined;
    word += line.slice(at, at + braced);
    at += braced;
  }
  return word === "" ? words : [...words, word];
}

function bracedLength(line: string, at: number): number | undefined {
  BRACED.lastIndex = at + 2;
  const head = BRACED.exec(line)?.[0];
  if (head === undefined) return undefined;
  if (head.endsWith("}")) return 2 + head.length;
  const close = line.indexOf("}", at + 2 + head.length);
  return close === -1 ? undefined : close + 1 - at;
}
