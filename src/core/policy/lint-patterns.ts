import type { KeylessIdentity, WantedText } from "./document.ts";
import type { Report } from "./lint.ts";

/** What is wrong with a pattern that says who somebody is. Patterns match whole texts, so `^` and `$` are not missed. */
export function lintPattern(
  what: "subject" | "issuer",
  { kind, text }: WantedText,
  { name, place }: Pick<KeylessIdentity, "name" | "place">,
  report: Report,
): void {
  if (kind === "exact") return;
  const shown = `${what}Pattern ${text} of ${name}`;
  if (what === "issuer") report("issuer-pattern", place, shown);
  if (isOpen(text)) {
    report("pattern-open", place, `${shown} is met by everybody`);
    return;
  }
  const loose = looseEnd(text);
  if (loose !== undefined) report("pattern-unanchored", place, `${shown} ${loose}`);
  const dot = /[A-Za-z0-9]\.[A-Za-z0-9]/.exec(withoutClasses(text))?.[0];
  if (dot !== undefined) report("pattern-dot", place, `${shown}: the dot in ${dot} stands for any character`);
}

/** Nothing in it is a character that has to be there. */
function isOpen(text: string): boolean {
  return withoutClasses(text).replaceAll(/\(\?[a-zA-Z]*[:)]?|[().*+?^$|]|\{[0-9,]*\}|\\[A-Za-z]|\[\]/g, "") === "";
}

/** Classes of characters without what is in them: a dot there is one. */
function withoutClasses(text: string): string {
  return text.replaceAll(/(\\.)|\[\^?\]?(?:\\.|[^\]\\])*\]/g, (_, escaped: string | undefined) => escaped ?? "[]");
}

/** What begins where somebody else's name may be. */
function looseEnd(text: string): string | undefined {
  const pattern = text.replace(/^\(\?[a-zA-Z]+\)/, "").replace(/^\^/, "");
  if (/^\(*(?:\.|\\[SsWwDd]|\[[^\]]*\])[*+?{]/.test(pattern) && !/^[^/]*@/.test(pattern)) {
    return "begins with anything";
  }
  const fixed = literalStart(pattern);
  if (fixed.length === pattern.length) return undefined;
  const [, host, path] = /^https?:\/\/([^/]*)(\/.*)?$/.exec(fixed) ?? [];
  if (host === undefined) return undefined;
  if (path === undefined)
    return host === "" ? "leaves open the host" : `leaves open how the host goes on after ${host}`;
  const isBeginning = path === "/" ? FORGES.has(host.toLowerCase()) : /^\/[^/]+$/.test(path);
  return isBeginning ? `leaves open whose it is, after ${fixed}` : undefined;
}

/** Where the first part of a path says whose it is, and anybody can have one. */
const FORGES: ReadonlySet<string> = new Set(["github.com", "gitlab.com", "bitbucket.org", "codeberg.org"]);

/** The characters before the first that may vary: be left out or repeated. A lone dot was meant as one. */
function literalStart(pattern: string): string {
  let literal = "";
  for (const [, escaped, plain, quantifier] of pattern.matchAll(
    /(?:\\([^A-Za-z0-9])|([^\\[\](){}|*+?^$]))([*+?{]?)/gy,
  )) {
    if (quantifier !== "") return literal;
    literal += escaped ?? plain;
  }
  return literal;
}
