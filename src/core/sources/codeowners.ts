import { LIMITS } from "../limits.ts";
import { ANY_FOLDERS, matchesPath } from "./wildcards.ts";

/** Where GitHub and GitLab look for the file, from the root of a repository; the first that is there. */
export const CODEOWNERS_PATHS = [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"] as const;

/** Who answers for a path (slashes, from the root of the repository), as it is written: `@acme/platform mia@example.com`. */
export type OwnersOf = (path: string) => string | undefined;

interface Rule {
  readonly segments: readonly string[];
  readonly owners: readonly string[];
  /** GitLab's `!pattern`: what it matches has no owner in this section, whatever follows. */
  readonly isExclusion: boolean;
}

interface Section {
  readonly defaults: readonly string[];
  readonly rules: Rule[];
}

/**
 * Reads a CODEOWNERS file as GitHub does, or as GitLab does where it has sections or lies where only GitLab looks. The last
 * rule that matches counts, in each of GitLab's sections; a rule without owners takes them away. Lines that neither
 * understands are passed over, as they do it.
 */
export function readCodeowners(text: string, isGitlab: boolean): OwnersOf {
  // GitHub does not load a larger one either.
  if (text.length > LIMITS.codeownersCharacters) return () => undefined;
  const lines = text.split("\n").map((line) => line.trim());
  const hasSections = isGitlab || lines.some((line) => SECTION.test(line));
  const sections = hasSections ? gitlabSections(lines) : [{ defaults: [], rules: lines.flatMap(githubRule) }];
  return (path) => {
    const segments = path.split("/");
    const owners = sections.flatMap((section) => ownersIn(section, segments));
    return owners.length === 0 ? undefined : [...new Set(owners)].join(" ");
  };
}

function ownersIn({ rules }: Section, path: readonly string[]): readonly string[] {
  if (rules.some((rule) => rule.isExclusion && matches(rule.segments, path))) return [];
  return rules.findLast((rule) => matches(rule.segments, path))?.owners ?? [];
}

/** A pattern up to white space that is not escaped, and what follows it. */
const RULE = /^(?<pattern>(?:\\.|[^\\\s])+)(?<rest>.*)$/;

interface Line {
  readonly pattern: string;
  readonly owners: readonly string[];
}

function ruleIn(line: string): Line | undefined {
  const { pattern, rest = "" } = RULE.exec(line)?.groups ?? {};
  if (pattern === undefined || pattern.startsWith("#")) return undefined;
  if (pattern.length > LIMITS.codeownersPatternCharacters) return undefined;
  const words = rest.split(/\s+/).filter((word) => word !== "");
  const comment = words.findIndex((word) => word.startsWith("#"));
  return { pattern, owners: comment === -1 ? words : words.slice(0, comment) };
}

// --- GitHub: gitignore's rules without "!", "[ ]" and "\#" (GitHub Docs, "About code owners", "Syntax exceptions") ------------

function githubRule(line: string): readonly Rule[] {
  const rule = ruleIn(line);
  if (rule === undefined || /^!|^\\#|[[\]]|\*{3}/.test(rule.pattern)) return [];
  return [{ segments: githubSegments(rule.pattern), owners: rule.owners, isExclusion: false }];
}

function githubSegments(pattern: string): readonly string[] {
  const body = pattern.replace(/\/$/, "");
  if (body === "") return [NOWHERE];
  const segments = body.split("/");
  // A slash at the beginning or in the middle ties the pattern to the root.
  if (segments[0] === "") segments.shift();
  else if (segments.length === 1) segments.unshift(ANY_FOLDERS);
  if (body !== pattern) return [...segments, EVERYTHING_BELOW];
  if (segments.length > 1 && segments.at(-1) === ANY_FOLDERS) return [...segments.slice(0, -1), EVERYTHING_BELOW];
  // A name is a file, or a folder with all that is in it; `*` at the end is files alone.
  return segments.at(-1) === "*" ? segments : [...segments, ALSO_BELOW];
}

// --- GitLab (its documentation, "Advanced CODEOWNERS configuration", "Pattern matching") -----------------------------------------

const SECTION = /^\^?\[(?<name>[^\]]+)\](?:\[\d+\])?(?<owners>(?:\s.*)?)$/;

function gitlabSections(lines: readonly string[]): readonly Section[] {
  let current: Section = { defaults: [], rules: [] };
  const named = new Map([["", current]]);
  for (const line of lines) {
    const { name, owners } = SECTION.exec(line)?.groups ?? {};
    if (name === undefined) current.rules.push(...gitlabRule(line, current.defaults));
    else {
      const known = named.get(name.toLowerCase());
      const defaults = (owners ?? "").split(/\s+/).filter((owner) => /^@|.@/.test(owner));
      // Sections of one name are one; each heading has the defaults of the rules below it.
      current = { defaults, rules: known?.rules ?? [] };
      if (known === undefined) named.set(name.toLowerCase(), current);
    }
  }
  return [...named.values()];
}

function gitlabRule(line: string, defaults: readonly string[]): readonly Rule[] {
  const rule = ruleIn(line);
  if (rule === undefined) return [];
  const isExclusion = rule.pattern.startsWith("!");
  const pattern = rule.pattern.slice(isExclusion ? 1 : 0);
  const segments = pattern.replace(/^\//, "").split("/");
  const below = segments.at(-1) === "" ? [...segments.slice(0, -1), EVERYTHING_BELOW] : segments;
  const owners = rule.owners.length === 0 ? defaults : rule.owners;
  return [{ segments: pattern.startsWith("/") ? below : [ANY_FOLDERS, ...below], owners, isExclusion }];
}

// --- what a pattern ends with --------------------------------------------------------------

/** No segment of a path has a slash. */
const NOWHERE = "/";
/** At the end: at least one thing below. */
const EVERYTHING_BELOW = "/+";
/** At the end: the thing itself, and what is below. */
const ALSO_BELOW = "/*";

function matches(pattern: readonly string[], path: readonly string[]): boolean {
  const last = pattern.at(-1);
  const isOpen = last === EVERYTHING_BELOW || last === ALSO_BELOW;
  const fixed = isOpen ? pattern.slice(0, -1) : pattern;
  if (last === EVERYTHING_BELOW) return matchesPath([...fixed, "*", ANY_FOLDERS], path);
  return matchesPath(isOpen ? [...fixed, ANY_FOLDERS] : fixed, path);
}
