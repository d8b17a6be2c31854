/** A value to be written. Members that are undefined are left out. */
export type YamlOutput =
  | string
  | number
  | boolean
  | readonly YamlOutput[]
  | { readonly [name: string]: YamlOutput | undefined }
  | ReadonlyMap<string, YamlOutput | undefined>;

/** A line is read at a glance up to here; what is longer goes below. */
const LINE = 110;
const STEP = "  ";

/**
 * A mapping as YAML that reads back to the same: small things in brackets on one line, texts of several lines as they are,
 * whatever could be taken for something else in quotes. A blank line precedes every member that holds others, and the items
 * of those that are named in `apart`, which are never put on one line.
 */
export function writeYaml(value: YamlOutput, apart: ReadonlySet<string> = new Set()): string {
  const parts = membersOf(value).map(([name, member]) => {
    if (typeof member !== "object" || sizeOf(member) === 0) return writeMember(name, member, "");
    return `\n${name}:\n${writePart(member, apart.has(name))}`;
  });
  return parts.join("");
}

function sizeOf(value: YamlOutput): number {
  return Array.isArray(value) ? value.length : membersOf(value).length;
}

function writePart(value: YamlOutput, isApart: boolean): string {
  if (!Array.isArray(value)) {
    return membersOf(value)
      .map(([name, member]) => writeMember(name, member, STEP))
      .join("");
  }
  return value.map((item) => (isApart ? spreadItem(item, STEP) : writeItem(item, STEP))).join(isApart ? "\n" : "");
}

type Member = readonly [name: string, value: YamlOutput];

function membersOf(value: YamlOutput): readonly Member[] {
  const entries = value instanceof Map ? [...value] : Object.entries(value as object);
  return entries.flatMap(([name, member]: readonly [string, YamlOutput | undefined]) =>
    member === undefined ? [] : [[name, member] as const],
  );
}

/** With everything below it, and the line break. */
function writeMember(name: string, value: YamlOutput, indent: string): string {
  return `${indent}${writeText(name)}:${writeValue(value, indent, name.length)}`;
}

/** Behind a colon. */
function writeValue(value: YamlOutput, indent: string, width: number): string {
  const literal = typeof value === "string" ? writeLiteral(value, `${indent}${STEP}`) : undefined;
  if (literal !== undefined) return ` ${literal}`;
  const short = inBrackets(value);
  if (short !== undefined && indent.length + width + short.length <= LINE) return ` ${short}\n`;
  if (Array.isArray(value)) return `\n${value.map((item) => writeItem(item, `${indent}${STEP}`)).join("")}`;
  if (typeof value !== "object" || sizeOf(value) === 0) return ` ${short ?? writeScalar(value as string)}\n`;
  return `\n${membersOf(value)
    .map(([name, member]) => writeMember(name, member, `${indent}${STEP}`))
    .join("")}`;
}

function writeItem(value: YamlOutput, indent: string): string {
  const isOne = typeof value === "object" && !Array.isArray(value) && sizeOf(value) === 1;
  const short = isOne ? undefined : inBrackets(value);
  if (short !== undefined && indent.length + short.length <= LINE) return `${indent}- ${short}\n`;
  return spreadItem(value, indent);
}

function spreadItem(value: YamlOutput, indent: string): string {
  if (Array.isArray(value) || typeof value !== "object" || sizeOf(value) === 0) {
    return `${indent}-${writeValue(value, indent, 0)}`;
  }
  const members = membersOf(value).map(([name, member]) => writeMember(name, member, `${indent}${STEP}`));
  return `${indent}- ${members.join("").trimStart()}`;
}

/** On one line: a scalar, or a mapping or list that is small enough. undefined where it is better spread out. */
function inBrackets(value: YamlOutput, depth = 0): string | undefined {
  if (typeof value !== "object") {
    return typeof value === "string" && isSpread(value) ? undefined : writeScalar(value);
  }
  if (depth > 2) return undefined;
  const parts = Array.isArray(value)
    ? value.map((item: YamlOutput) => inBrackets(item, depth + 1))
    : membersOf(value).map(([name, member]) => {
        const text = inBrackets(member, depth + 1);
        return text === undefined ? undefined : `${writeText(name)}: ${text}`;
      });
  if (parts.includes(undefined)) return undefined;
  return Array.isArray(value) ? `[${parts.join(", ")}]` : `{${parts.join(", ")}}`;
}

function writeScalar(value: string | number | boolean): string {
  return typeof value === "string" ? writeText(value) : String(value);
}

const PLAIN =
  /^(?:[A-Za-z/]|\.{1,2}\/)[A-Za-z0-9_./@*+-]*(?::[A-Za-z0-9_./@*+-]+)*(?: [A-Za-z0-9_./@*+-]+(?::[A-Za-z0-9_./@*+-]+)*)*$/;
const WORD = /^(?:null|true|false|y|yes|n|no|on|off)$/i;
/** `7d`: no number, and no time. */
const DURATION = /^[0-9]{1,6}[smhdw]$/;
const UNPRINTABLE = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g;

/** In quotes unless nobody, and no other version of YAML, could take it for anything but this text. */
function writeText(text: string): string {
  if ((PLAIN.test(text) && !WORD.test(text)) || DURATION.test(text)) return text;
  if (/^[^'\\\u0000-\u001f\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]+$/.test(text) && text.includes('"'))
    return `'${text}'`;
  const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(text).replace(UNPRINTABLE, escaped);
}

/** A text of several lines. */
function isSpread(text: string): boolean {
  return text.includes("\n");
}

/** Behind `|`, where every line can stand there as it is. */
function writeLiteral(text: string, indent: string): string | undefined {
  if (!isSpread(text)) return undefined;
  const lines = text.replace(/\n$/, "").split("\n");
  const isPlain = lines.every((line) => /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(line));
  if (!isPlain) return `${writeText(text)}\n`;
  const chomping = text.endsWith("\n") ? "" : "-";
  return `|${chomping}\n${lines.map((line) => `${indent}${line}\n`).join("")}`;
}
