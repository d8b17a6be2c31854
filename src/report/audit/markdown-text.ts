import { printable } from "../../core/printable.ts";
import { cut } from "./view.ts";

/**
 * Foreign text in GitHub's Markdown. Only code keeps it inert: elsewhere names become mentions that notify people, numbers
 * become links to issues, and addresses become links.
 */

const SPAN_CHARACTERS = 240;

/**
 * A code span. A pipe would end a table's cell even in code, and behind a backslash there is no way to write it: it is
 * written as the escape that it would have if it were a control character.
 */
export function codeSpan(text: string): string {
  const safe = cut(printable(text), SPAN_CHARACTERS).replaceAll("|", "\\x7c");
  if (safe.trim() === "") return "`(nothing)`";
  const fence = "`".repeat(longestRun(safe) + 1);
  const pad = /^[` ]|[` ]$/.test(safe) ? " " : "";
  return `${fence}${pad}${safe}${pad}${fence}`;
}

/** A fenced block: lines of text, none of which can end it. */
export function codeBlock(lines: readonly string[]): string {
  const safe = lines.map(printable);
  const fence = "`".repeat(Math.max(3, ...safe.map((line) => longestRun(line) + 1)));
  return `${fence}text\n${safe.join("\n")}\n${fence}`;
}

/** A link whose text is code. The address is one of ours, made of unreserved characters and escapes. */
export function codeLink(text: string, address: string | undefined): string {
  return address === undefined ? codeSpan(text) : `[${codeSpan(text)}](${address})`;
}

/** What is folded. GitHub reads Markdown inside of it only behind an empty line. */
export function folded(summary: string, body: string): string {
  return `<details><summary>${summary}</summary>\n\n${body}\n\n</details>\n\n`;
}

export function tableHead(columns: readonly string[]): string {
  return `| ${columns.join(" | ")} |\n|${columns.map(() => "---|").join("")}\n`;
}

export function tableRow(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |\n`;
}

function longestRun(text: string): number {
  return Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
}
