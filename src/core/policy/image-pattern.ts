import { CountersignError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { parseReference, repositoryName } from "../oci/reference.ts";

/** Stand for any characters: `*` for those within one part of a path, `**` for any, slashes too. */
export const STAR = "*";
export const STARS = "**";

/** An image pattern, taken apart. Hosts are lower case and Docker Hub's is `docker.io`, as in image names. */
export interface ImageGlob {
  /** `registry/repository`, with wildcards. */
  readonly name: string;
  /** What precedes the first wildcard, and what follows the last; without one, `prefix` is the whole name. */
  readonly prefix: string;
  readonly suffix: string;
  /** What stands between wildcards. */
  readonly middle: readonly string[];
  /** In their order: `*`, `**`. None where the name is exact. */
  readonly wildcards: readonly string[];
  /** The host and the parts of the path, where no wildcard crosses slashes. */
  readonly parts: readonly string[] | undefined;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

/**
 * `registry.example/acme/app` (that repository), `registry.example/acme/` (all below), `registry.example/*\/app-*`; behind a
 * repository or a glob an exact `:tag` or `@digest`.
 *
 * @throws CountersignError `reference-invalid`.
 */
export function parseImagePattern(text: string): ImageGlob {
  if (text.length > LIMITS.imagePatternCharacters) {
    throw notOne(`${text.slice(0, SHOWN)}…`, "it is too long", `at most ${LIMITS.imagePatternCharacters} characters`);
  }
  const { name, tag, digest } = split(text);
  const isPrefix = name.endsWith("/");
  if (isPrefix && (tag ?? digest) !== undefined) {
    throw notOne(text, "it has a tag or digest behind a slash", `${name}${STARS} and then the tag or digest`);
  }
  if (!isPrefix && !name.includes(STAR)) {
    const exact = normalName(text, name);
    return { name: exact, prefix: exact, suffix: "", middle: [], wildcards: [], parts: undefined, tag, digest };
  }
  const glob = `${normalGlob(text, name)}${isPrefix ? STARS : ""}`;
  const [prefix = "", ...others] = glob.split(/\*+/);
  return {
    name: glob,
    prefix,
    suffix: others.at(-1) ?? "",
    middle: others.slice(0, -1),
    wildcards: glob.match(/\*+/g) ?? [],
    parts: glob.includes(STARS) ? undefined : glob.split("/"),
    tag,
    digest,
  };
}

const SHOWN = 60;

export function isExact({ wildcards }: Pick<ImageGlob, "wildcards">): boolean {
  return wildcards.length === 0;
}

/** The characters of a glob's name, each for itself, and its wildcards. */
export function tokensOf({ name }: Pick<ImageGlob, "name">): readonly string[] {
  return name.match(/\*\*|./g) ?? [];
}

const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

function split(text: string): { name: string; tag: string | undefined; digest: Digest | undefined } {
  const at = text.indexOf("@");
  const digest = at === -1 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) {
    throw notOne(text, "its digest is not one", "@sha256: and 64 lower-case hexadecimal digits");
  }
  const named = at === -1 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(":");
  if (colon <= named.lastIndexOf("/")) return { name: named, tag: undefined, digest };
  const tag = named.slice(colon + 1);
  if (!TAG.test(tag)) throw notOne(text, "its tag is not an exact one", "a repository, or one exact tag of it");
  if (digest !== undefined) throw notOne(text, "it has a tag and a digest", "one of them");
  return { name: named.slice(0, colon), tag, digest };
}

/** One repository. Short names mean one thing here and another there: the registry has to be written down. */
function normalName(text: string, name: string): string {
  const reference = parseReference(name);
  const [host = ""] = name.split("/", 1);
  if (!name.includes("/") || !isHost(host)) {
    throw notOne(text, "it names no registry", repositoryName(reference));
  }
  return repositoryName(reference);
}

function isHost(part: string): boolean {
  return part === "localhost" || part.includes(".") || part.includes(":") || /[A-Z]/.test(part);
}

const ANY_PATH = "a/a";
const HUB = "docker.io";
const HUB_NAMES: ReadonlySet<string> = new Set([HUB, "index.docker.io", "registry-1.docker.io"]);
const HOST = /^[a-z0-9.:[\]*-]+$/;
const PATH = /^[a-z0-9._/*-]*$/;

/** The same with wildcards. `**` as the host is any; another host with wildcards shows by its dot that it is one. */
function normalGlob(text: string, name: string): string {
  if (name.includes("***")) throw notOne(text, "it has three stars in a row", "* or **");
  const slash = name.indexOf("/");
  const written = slash === -1 ? name : name.slice(0, slash);
  const path = slash === -1 ? "" : name.slice(slash + 1);
  const host = HUB_NAMES.has(written.toLowerCase()) ? HUB : written.toLowerCase();
  if (written === STARS) return checkPath(text, name, path);
  if (!isHost(host)) throw notOne(text, "it names no registry", "registry.example/…; **/… for any registry");
  // Slashes crossed in a host's name: `**.example/app` would be met by evil.test/a.example/app.
  if (slash === -1 || !HOST.test(host) || host.includes(STARS))
    throw notOne(text, "its registry is not a host name", "host/… or host:port/…");
  // One that no image is called would stand there and do nothing.
  if (!host.includes(STAR)) parseReference(`${host}/${ANY_PATH}`);
  if (host === HUB && path !== "" && !path.includes("/") && !path.startsWith(STARS)) {
    throw notOne(text, "it can be read in two ways", `${HUB}/library/${path} or ${HUB}/${path}/${STARS}`);
  }
  return checkPath(text, `${host}/${path}`, path);
}

function checkPath(text: string, normal: string, path: string): string {
  if (PATH.test(path)) return normal;
  const upper = /[A-Z]/.test(path) && PATH.test(path.toLowerCase());
  throw notOne(
    text,
    "its repository is not a path",
    upper ? path.toLowerCase() : "lower-case letters, digits, ._- and *",
  );
}

function notOne(text: string, why: string, wanted: string): CountersignError {
  return new CountersignError("reference-invalid", `not an image pattern: ${why}`, { found: text, wanted });
}

/** Whether the whole of a name, `registry/repository`, matches: in at most as many steps as both have characters, multiplied. */
export function matchesName(glob: ImageGlob, name: string): boolean {
  if (isExact(glob)) return name === glob.prefix;
  if (!couldMatch(glob, name)) return false;
  return glob.name === `${glob.prefix}${STARS}` || run(tokensOf(glob), name);
}

/** Rules out most by looking for what has to be there. */
function couldMatch({ prefix, suffix, middle }: ImageGlob, name: string): boolean {
  if (name.length < prefix.length + suffix.length || !name.startsWith(prefix) || !name.endsWith(suffix)) return false;
  let at = prefix.length;
  for (const part of middle) {
    const found = name.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return at <= name.length - suffix.length;
}

/** Whether the one matches every name that the other matches. Where it says so it is so; of odd pairs it may not find it. */
export function covers(wide: ImageGlob, narrow: ImageGlob): boolean {
  return couldCover(wide, narrow) && run(tokensOf(wide), tokensOf(narrow));
}

/** Rules out most: what has to be in every name of the one has to be written in the other. */
export function couldCover(wide: ImageGlob, narrow: ImageGlob): boolean {
  if (wide.tag !== undefined && wide.tag !== narrow.tag) return false;
  if (wide.digest !== undefined && wide.digest !== narrow.digest) return false;
  return couldMatch(wide, narrow.name);
}

/** All ways at once, character by character: nothing is tried twice. `reached[i]`: the first i tokens match what was read. */
function run(tokens: readonly string[], name: string | readonly string[]): boolean {
  let reached = skipWildcards(tokens, new Uint8Array(tokens.length + 1).fill(1, 0, 1));
  for (const character of name) {
    const next = new Uint8Array(tokens.length + 1);
    for (const [at, token] of tokens.entries()) {
      if (reached[at] !== 1) continue;
      if (takes(token, character)) next[token.startsWith(STAR) ? at : at + 1] = 1;
    }
    reached = skipWildcards(tokens, next);
  }
  return reached[tokens.length] === 1;
}

/** Whether a character, or all that another wildcard stands for, can stand where the token does. */
export function takes(token: string, character: string): boolean {
  return token === STARS || token === character || (token === STAR && character !== "/" && character !== STARS);
}

/** A wildcard may stand for nothing. */
function skipWildcards(tokens: readonly string[], reached: Uint8Array): Uint8Array {
  for (const [at, token] of tokens.entries()) {
    if (reached[at] === 1 && token.startsWith(STAR)) reached[at + 1] = 1;
  }
  return reached;
}

/**
 * How specific a pattern is, most significant first; larger is more specific. A digest before a tag before neither; an exact
 * repository before a glob; then the characters before the first wildcard, all characters that are no wildcards, fewer
 * wildcards, fewer of those that cross slashes.
 */
export function specificityOf({ name, prefix, wildcards, tag, digest }: ImageGlob): readonly number[] {
  const crossing = wildcards.filter((wildcard) => wildcard === STARS).length;
  return [
    digest !== undefined ? 2 : tag !== undefined ? 1 : 0,
    wildcards.length === 0 ? 1 : 0,
    prefix.length,
    name.length - wildcards.length - crossing,
    -wildcards.length,
    -crossing,
  ];
}

/** Below zero where `a` is the more specific. */
export function compareSpecificity(a: readonly number[], b: readonly number[]): number {
  for (const [at, value] of a.entries()) {
    const difference = (b[at] ?? 0) - value;
    if (difference !== 0) return difference;
  }
  return 0;
}
