/** What is written as YAML: no more than JSON has. */
export type Plain = string | number | boolean | readonly Plain[] | { readonly [name: string]: Plain };

/** One document of YAML, in blocks; texts of several lines as blocks, all others quoted where they could be anything else. */
export function formatYaml(value: Plain): string {
  return `${lines(value, "").join("\n")}\n`;
}

/** Several documents in one file. */
export function formatDocuments(documents: readonly Plain[]): string {
  return documents.map(formatYaml).join("---\n");
}

function lines(value: Plain, indent: string): readonly string[] {
  if (isList(value)) return value.length === 0 ? [`${indent}[]`] : value.flatMap((item) => listItem(item, indent));
  if (typeof value !== "object") return [`${indent}${scalar(value, indent)}`];
  const members = Object.entries(value);
  return members.length === 0
    ? [`${indent}{}`]
    : members.flatMap(([name, member]) => memberLines(name, member, indent));
}

function isList(value: Plain): value is readonly Plain[] {
  return Array.isArray(value);
}

function listItem(item: Plain, indent: string): readonly string[] {
  const [first = "", ...rest] = lines(item, `${indent}  `);
  return [`${indent}- ${first.slice(indent.length + 2)}`, ...rest];
}

function memberLines(name: string, member: Plain, indent: string): readonly string[] {
  const key = `${indent}${quoted(name)}:`;
  if (typeof member !== "object") return [`${key} ${scalar(member, indent)}`];
  if (Object.keys(member).length === 0) return [`${key} ${isList(member) ? "[]" : "{}"}`];
  return [key, ...lines(member, `${indent}  `)];
}

function scalar(value: string | number | boolean, indent: string): string {
  if (typeof value !== "string") return String(value);
  if (!isBlock(value)) return quoted(value);
  const text = value.endsWith("\n") ? value.slice(0, -1) : value;
  return `|${value.endsWith("\n") ? "" : "-"}\n${text.replace(/^(?=.)/gm, `${indent}  `)}`;
}

/** PEM and the like. */
function isBlock(text: string): boolean {
  return /^[!-~][ -~]*(?:\n[!-~][ -~]*)+\n?$/.test(text);
}

/** As it is where nobody could take it for a number, a date, a word with a meaning or a piece of syntax; else as JSON has it. */
function quoted(text: string): string {
  const isPlain =
    /^[A-Za-z/][A-Za-z0-9_./@+-]*(?::[A-Za-z0-9_./@+-]+)*$/.test(text) &&
    !/^(?:true|false|null|yes|no|on|off|y|n)$/i.test(text);
  return isPlain ? text : JSON.stringify(text);
}
