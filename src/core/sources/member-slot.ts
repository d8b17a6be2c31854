import type { PinSlot } from "./mention.ts";
import type { SourceEntry, SourceNode } from "./source-node.ts";

/**
 * How a member is given a value that has none: `digest:`, `digest: ""`, `digest: ~`. undefined where what is written there
 * is none of these.
 */
export function emptySlot(text: string, { at, colon, end, value }: SourceEntry): PinSlot | undefined {
  if (colon === undefined || value.tag !== undefined) return undefined;
  const written = text.slice(colon, end).trim();
  const quote = quoteOfName(text, at);
  if (written === '""' || written === "''") return { start: end - 1, end: end - 1, before: "", after: "" };
  if (written === "")
    return isFreeBehind(text, end) ? { start: end, end, before: ` ${quote}`, after: quote } : undefined;
  if (!/^(?:~|null|Null|NULL)$/.test(written)) return undefined;
  return { start: end - written.length, end, before: quote, after: quote };
}

/**
 * How a map is given one more member, behind one that it has. undefined where that cannot be said for sure, and where another
 * map takes over what stands in this one: the digest would go with it.
 */
export function memberSlot(text: string, map: SourceNode, behind: SourceEntry, name: string): PinSlot | undefined {
  const isOwn = map.start <= behind.at && behind.end <= map.end;
  if (map.isShared || !isOwn || behind.colon === undefined) return undefined;
  return text[map.start] === "{" ? inBraces(text, behind, name) : onItsLine(text, behind, name);
}

function inBraces(text: string, { at, end }: SourceEntry, name: string): PinSlot {
  const quote = quoteOfName(text, at);
  return { start: end, end, before: `, ${quote}${name}${quote}: ${quote}`, after: quote };
}

function onItsLine(text: string, { at, end }: SourceEntry, name: string): PinSlot | undefined {
  const before = text.slice(text.lastIndexOf("\n", at - 1) + 1, at).replace(/^\u{feff}/u, "");
  // What stands before it on the line may be the dashes of lists and nothing else.
  if (!/^ *(?:- +)*$/.test(before) || text.slice(at, end).includes("\n") || !isFreeBehind(text, end)) return undefined;
  const lineEnd = endOfLine(text, end);
  const lineBreak = text.startsWith("\r\n", lineEnd) || (lineEnd === text.length && /\r\n/.test(text)) ? "\r\n" : "\n";
  const indent = " ".repeat(before.length);
  return { start: lineEnd, end: lineEnd, before: `${lineBreak}${indent}${name}: `, after: "" };
}

/** Nothing follows on the line but a comment, or the next member in braces. */
function isFreeBehind(text: string, at: number): boolean {
  const rest = text.slice(at, endOfLine(text, at));
  return /^[ \t]*$|^[ \t]+#|^[ \t]*[,}]/.test(rest);
}

function endOfLine(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  if (end === -1) return text.length;
  return text[end - 1] === "\r" ? end - 1 : end;
}

function quoteOfName(text: string, at: number): string {
  return text[at] === '"' ? '"' : "";
}
