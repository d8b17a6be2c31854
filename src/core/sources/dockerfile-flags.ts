import { Composed } from "./composed.ts";
import type { Escaper } from "./dockerfile-words.ts";

/** An instruction with its flags taken off: `--from=builder`, without their quotes. */
export interface Flagged {
  readonly flags: readonly Composed[];
  /** What follows them. */
  readonly rest: Composed;
}

const SPACE = /\s/;

/** The flags that stand at the beginning of what an instruction is given; `--` alone ends them. */
export function takeFlags(text: Composed, escaper: Escaper): Flagged {
  const flags: Composed[] = [];
  const characters = text.text;
  let at = 0;
  for (;;) {
    while (at < characters.length && SPACE.test(characters.charAt(at))) at += 1;
    if (!characters.startsWith("--", at)) return { flags, rest: text.slice(at) };
    const { word, end } = readFlag(text, at, escaper);
    at = end;
    if (word.text === "--") return { flags, rest: text.slice(at) };
    flags.push(word);
  }
}

function readFlag(text: Composed, from: number, escaper: Escaper): { readonly word: Composed; readonly end: number } {
  const characters = text.text;
  const parts: Composed[] = [];
  let quote = "";
  let begun = from;
  let at = from;
  const close = (): number => parts.push(text.slice(begun, at));
  for (; at < characters.length; at += 1) {
    const character = characters.charAt(at);
    if (quote === "" && SPACE.test(character)) break;
    const isQuote = quote === "" ? character === "'" || character === '"' : character === quote;
    if (!isQuote && character !== escaper) continue;
    close();
    begun = at + 1;
    if (isQuote) quote = quote === "" ? character : "";
    // What is escaped is taken as it is, a quote too.
    else at += 1;
  }
  at = Math.min(at, characters.length);
  close();
  return { word: Composed.join(parts), end: at };
}

/** `--name=value` as name and value; a flag without a value has an empty one. */
export function flagParts(flag: Composed): { readonly name: string; readonly value: Composed } {
  const equals = flag.text.indexOf("=");
  if (equals === -1) return { name: flag.text.slice(2), value: Composed.empty };
  return { name: flag.text.slice(2, equals), value: flag.slice(equals + 1) };
}

/** The fields of a flag's value that is a list of `key=value` (one record of RFC 4180), keys in lower case. */
export function fieldsOf(value: Composed): readonly { readonly key: string; readonly value: Composed }[] {
  return splitRecord(value).map((field) => {
    const equals = field.text.indexOf("=");
    const key = equals === -1 ? field.text : field.text.slice(0, equals);
    return { key: key.toLowerCase(), value: equals === -1 ? Composed.empty : field.slice(equals + 1) };
  });
}

function splitRecord(value: Composed): readonly Composed[] {
  const { text } = value;
  const fields: Composed[] = [];
  let at = 0;
  while (at <= text.length) {
    const isQuoted = text.charAt(at) === '"';
    const close = isQuoted ? text.indexOf('"', at + 1) : -1;
    const comma = text.indexOf(",", close === -1 ? at : close);
    const end = comma === -1 ? text.length : comma;
    fields.push(close === -1 ? value.slice(at, end) : value.slice(at + 1, close));
    at = end + 1;
  }
  return fields;
}
