import { LIMITS } from "../../limits.ts";
import { type ImageGlob, parseImagePattern, STARS, tokensOf } from "../image-pattern.ts";
import { textOf } from "./plain-rules.ts";
import type { StackedPattern, StackedPolicy } from "./stacked.ts";

const HOST_CHARACTER = "[a-z0-9.:\\[\\]-]";
const PATH_CHARACTER = "[a-z0-9._-]";
const ANY_TAG = "(:[a-zA-Z0-9_][a-zA-Z0-9._-]*)?";
const ANY_DIGEST = "(@[a-z0-9]+:[0-9a-f]+)?";

/** CEL that says whether `ref`, an image as it is written in an object, matches. */
function imageExpression(glob: ImageGlob): string {
  return matches(`^${nameExpression(glob)}${versionExpression(glob)}$`);
}

/**
 * CEL that says whether an image is written so that it can be read in one way: with its registry, and Docker Hub's by its one
 * name and with `library/`.
 */
const WRITTEN_IN_FULL = [
  matches(`^${HOST_CHARACTER}+(/${PATH_CHARACTER}+)+${ANY_TAG}${ANY_DIGEST}$`),
  `(${matches("^[^/]*[.:]")} || ${matches("^localhost/")})`,
  `!${matches("^(index|registry-1)[.]docker[.]io/")}`,
  `!${matches("^docker[.]io/[^/]*$")}`,
].join(" && ");

function matches(expression: string): string {
  return `ref.matches('${expression.replaceAll("\\", "\\\\")}')`;
}

function nameExpression(glob: ImageGlob): string {
  const tokens = tokensOf(glob);
  const slash = tokens.indexOf("/");
  return tokens.map((token, at) => (at === 0 && token === STARS ? ANY_HOST : expressionOf(token, at < slash))).join("");
}

/** Any registry, and any folders in it. */
const ANY_HOST = `${HOST_CHARACTER}+(/${PATH_CHARACTER}+)*`;

function expressionOf(token: string, isHost: boolean): string {
  if (token === STARS) return `(${PATH_CHARACTER}|/)*`;
  if (token === "*") return `${isHost ? HOST_CHARACTER : PATH_CHARACTER}*`;
  return /[a-z0-9/_:-]/.test(token) ? token : `[${token === "]" || token === "[" ? `\\${token}` : token}]`;
}

/** What is written without a tag and without a digest has the tag `latest`. */
function versionExpression({ tag, digest }: ImageGlob): string {
  if (digest !== undefined) return `${ANY_TAG}@${digest}`;
  if (tag === undefined) return `${ANY_TAG}${ANY_DIGEST}`;
  const exact = `:${tag.replaceAll(".", "[.]")}${ANY_DIGEST}`;
  return tag === "latest" ? `(${exact})?` : exact;
}

/** CEL that says whether an image matches one of these and none of those. */
export function anyBut(glob: ImageGlob, others: readonly ImageGlob[]): string {
  if (others.length === 0) return imageExpression(glob);
  return `(${imageExpression(glob)} && !(${others.map(imageExpression).join(" || ")}))`;
}

/** CEL for what none of these match, and for what is written so that it could be read as something else. */
export function noneOf(globs: readonly ImageGlob[]): string {
  return `!(${[...globs.map(imageExpression), "false"].join(" || ")})${ALSO_UNCLEAR}`;
}

const ALSO_UNCLEAR = ` || !(${WRITTEN_IN_FULL})`;

/** Reads what is written here, and nothing else: undefined for any other expression. */
export function readImages(expression: string): Pick<StackedPolicy, "patterns" | "isAboutAllBut"> | undefined {
  if (expression.startsWith(NONE) && expression.endsWith(NOT_CLEAR)) {
    const known = readMatches(expression.slice(NONE.length, -NOT_CLEAR.length));
    return known === undefined ? undefined : { patterns: [], isAboutAllBut: new Set(known) };
  }
  const terms = expression.match(TERM) ?? [];
  const patterns = terms.map(readTerm);
  if (terms.join(" || ") !== expression || patterns.includes(undefined)) return undefined;
  return { patterns: patterns.flatMap((pattern) => pattern ?? []) };
}

const NONE = "!(";
const NOT_CLEAR = ` || false)${ALSO_UNCLEAR}`;
const MATCH = "ref\\.matches\\('(?:[^'\\\\]|\\\\\\\\.)*'\\)";
const MATCHES = `${MATCH}(?: \\|\\| ${MATCH})*`;
const TERM = new RegExp(`${MATCH}|\\(${MATCH} && !\\(${MATCHES}\\)\\)`, "g");

function readTerm(term: string): StackedPattern | undefined {
  const [, first = term, others] = /^\((.*?) && !\((.*)\)\)$/.exec(term) ?? [];
  const [text] = readMatches(first) ?? [];
  const but = others === undefined ? [] : readMatches(others);
  return text === undefined || but === undefined ? undefined : { text, but: new Set(but) };
}

function readMatches(text: string): readonly string[] | undefined {
  const found = text.match(new RegExp(MATCH, "g")) ?? [];
  const patterns = found.map(readMatch);
  if (found.join(" || ") !== text || patterns.includes(undefined)) return undefined;
  return patterns.flatMap((pattern) => pattern ?? []);
}

/** The pattern of which this is the expression: guessed, and held against what would be written for it. */
function readMatch(match: string): string | undefined {
  if (match.length > EXPANSION * LIMITS.imagePatternCharacters) return undefined;
  const inner = match.slice("ref.matches('^".length, -"$')".length).replaceAll("\\\\", "\\");
  const version = VERSION.exec(inner)?.[0] ?? "";
  const tag = /:([\w.[\]-]+)\(@/.exec(version)?.[1]?.replaceAll("[.]", ".");
  const digest = /@([a-z0-9]+:[0-9a-f]+)$/.exec(version)?.[1];
  const name = inner
    .slice(0, inner.length - version.length)
    .replaceAll(ANY_HOST, "**")
    .replaceAll(`(${PATH_CHARACTER}|/)*`, "**")
    .replaceAll(`${PATH_CHARACTER}*`, "*")
    .replaceAll(`${HOST_CHARACTER}*`, "*")
    .replace(/\[\\?([^\]]|\])\]/g, "$1");
  const pattern = `${name}${tag === undefined ? "" : `:${tag}`}${digest === undefined ? "" : `@${digest}`}`;
  const glob = parsed(pattern);
  return glob !== undefined && imageExpression(glob) === match ? textOf(glob) : undefined;
}

/** How much longer an expression gets than its pattern: a dot is `[.]`, and few of its characters are wildcards. */
const EXPANSION = 4;
const VERSION =
  /(?:\(:[^)]*\)\?(?:\(@[^)]*\)\?|@[a-z0-9]+:[0-9a-f]+)|\(?:[\w.[\]-]+\(@[^)]*\)\?\)?\??|\(:latest\(@[^)]*\)\?\)\?)$/;

function parsed(pattern: string): ImageGlob | undefined {
  try {
    return parseImagePattern(pattern);
  } catch {
    return undefined;
  }
}
