import { decodeUtf8, encodeUtf8 } from "../bytes.ts";
import type { PolicyDocument } from "./document.ts";
import { formatPolicy } from "./format.ts";
import { parsePolicy } from "./parse.ts";

/** What is added; names that the policy has already are not in it. */
export type Addition = Pick<PolicyDocument, "identities" | "trust" | "rules">;

export interface Extended {
  readonly text: string;
  /** It could not be added to as it was written: all of it is written anew, and comments are lost. */
  readonly isRewritten: boolean;
}

/**
 * A policy with identities, trust roots and rules added to it, everything else left as it stands, comments too.
 *
 * @param bytes the policy as it is; nothing where there is none yet.
 * @throws CountersignError `policy-invalid` where what results is no policy, as where a rule is there already.
 */
export function extendPolicy(bytes: Uint8Array | undefined, document: PolicyDocument, addition: Addition): Extended {
  const merged = merge(document, addition);
  const wanted = formatPolicy(merged);
  if (bytes === undefined) return { text: checked(wanted, wanted, document.label), isRewritten: false };
  const added = formatPolicy({ ...emptyOf(document), ...addition });
  const text = SECTIONS.reduce(
    (before, section) => insert(before, section, blockOf(added, section)),
    decodeUtf8(bytes),
  );
  if (readsAs(text, wanted, document.label)) return { text, isRewritten: false };
  return { text: checked(wanted, wanted, document.label), isRewritten: true };
}

const SECTIONS = ["identities", "trust", "rules"] as const;

function emptyOf(document: PolicyDocument): PolicyDocument {
  return { ...document, identities: new Map(), roles: new Map(), trust: new Map(), withdrawn: [], rules: [] };
}

function merge(document: PolicyDocument, { identities, trust, rules }: Addition): PolicyDocument {
  return {
    ...document,
    identities: new Map([...document.identities, ...identities]),
    trust: new Map([...document.trust, ...trust]),
    rules: [...document.rules, ...rules],
  };
}

/** Placed text was put together line by line: it counts only where it means what it should. */
function readsAs(text: string, wanted: string, label: string): boolean {
  try {
    return formatPolicy(parsePolicy(encodeUtf8(text), label)) === wanted;
  } catch {
    return false;
  }
}

function checked(text: string, wanted: string, label: string): string {
  const read = formatPolicy(parsePolicy(encodeUtf8(text), label));
  if (read !== wanted) throw new Error("a policy does not read back as it was written");
  return text;
}

// --- lines ------------------------------------------------------------------------------------------------------------

/** The lines below a member of the outermost mapping. */
function blockOf(text: string, section: string): readonly string[] {
  const lines = text.split("\n");
  const start = lines.indexOf(`${section}:`);
  if (start === -1) return [];
  const end = endOf(lines, start);
  return lines.slice(start + 1, end);
}

/** Behind the last line that belongs to the member that begins at `start`; comments and blanks behind it do not. */
function endOf(lines: readonly string[], start: number): number {
  let end = start + 1;
  for (let at = start + 1; at < lines.length; at++) {
    const line = lines[at] ?? "";
    if (/^\s*(?:#.*)?$/.test(line)) continue;
    if (!/^(?:\s|- |-$)/.test(line)) break;
    end = at + 1;
  }
  return end;
}

const STEP = 2;

function insert(text: string, section: (typeof SECTIONS)[number], block: readonly string[]): string {
  if (block.length === 0) return text;
  const lines = text.replace(/\n*$/, "\n").split("\n").slice(0, -1);
  const pattern = new RegExp(`^${section}:\\s*(?:\\[\\s*\\]|\\{\\s*\\})?\\s*(#.*)?$`);
  const start = lines.findIndex((line) => pattern.test(line));
  if (start === -1) return addSection(lines, section, block);
  const end = endOf(lines, start);
  const [first = " ".repeat(STEP)] = lines.slice(start + 1, end).filter((line) => !/^\s*(?:#.*)?$/.test(line));
  const indent = /^ */.exec(first)?.[0] ?? "";
  const moved = block.map((line) => (line === "" ? "" : `${indent}${line.slice(STEP)}`));
  const head = `${section}:${pattern.exec(lines[start] ?? "")?.[1] === undefined ? "" : ` ${pattern.exec(lines[start] ?? "")?.[1]}`}`;
  const isApart = section === "rules" && end > start + 1;
  return joined([
    ...lines.slice(0, start),
    head,
    ...lines.slice(start + 1, end),
    ...(isApart ? [""] : []),
    ...moved,
    ...lines.slice(end),
  ]);
}

/** A member that is not there yet: identities and trust roots before the rules, rules at the end. */
function addSection(lines: readonly string[], section: string, block: readonly string[]): string {
  const rules = lines.findIndex((line) => line.startsWith("rules:"));
  const at = section === "rules" || rules === -1 ? lines.length : rules;
  return joined([
    ...lines.slice(0, at),
    ...(at === lines.length ? [""] : []),
    `${section}:`,
    ...block,
    "",
    ...lines.slice(at),
  ]);
}

function joined(lines: readonly string[]): string {
  return `${lines.join("\n").replace(/\n*$/, "")}\n`;
}
