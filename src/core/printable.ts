/**
 * What a terminal, a log viewer or a reader's eye could take for something else than text: control characters, format
 * characters (the bidirectional controls that reorder what is shown, CVE-2021-42574, among them), line and paragraph
 * separators, halves of surrogate pairs, and everything that is drawn as nothing at all.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu;

const SHORT: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Text from a peer, safe to print on one line: everything that is not plainly visible is written as an escape. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, escapeCharacter);
}

/** As `printable`, with line breaks kept: for text of several lines that we wrote ourselves around a peer's words. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

function escapeCharacter(character: string): string {
  const short = SHORT[character];
  if (short !== undefined) return short;
  const code = character.codePointAt(0) ?? 0;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
}

/** JSON that is safe to print: what JSON.stringify leaves raw and a terminal would act on becomes `\uXXXX`. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2).replace(UNPRINTABLE, (character) =>
    character === "\n" ? character : escapeUnits(character),
  );
}

function escapeUnits(character: string): string {
  return [...Array(character.length).keys()]
    .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`)
    .join("");
}
