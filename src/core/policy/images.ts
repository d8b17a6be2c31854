import { LIMITS } from "../limits.ts";
import type { ImageName, ImagePattern, PolicyDocument, Rule } from "./document.ts";
import { overlap } from "./image-overlap.ts";
import { compareSpecificity, type ImageGlob, matchesName, parseImagePattern, specificityOf } from "./image-pattern.ts";

/** A rule, and the pattern of it that an image's name matched. */
export interface RuleMatch {
  readonly rule: Rule;
  readonly pattern: ImagePattern;
}

/**
 * The rule that an image falls under: that of the most specific pattern that its name matches. undefined where none does,
 * and for what has no name.
 */
export function matchRule(document: PolicyDocument, image: ImageName): RuleMatch | undefined {
  return indexOf(document).best(image);
}

/** All that match, the most specific first: the first one decides. */
export function matchingRules(document: PolicyDocument, image: ImageName): readonly RulePattern[] {
  return indexOf(document).all(image);
}

/** The patterns for digests of a repository: which rule an image of it falls under depends on its own. */
export function digestPatterns(document: PolicyDocument, repository: string): readonly RuleMatch[] {
  return patternsOf(document.rules).filter(
    ({ glob }) => glob.digest !== undefined && matches({ ...glob, digest: undefined }, { repository }),
  );
}

/** Whether one of these patterns matches: what an exception is for. */
export function matchesImage(patterns: readonly ImagePattern[], image: ImageName): boolean {
  return patterns.some((pattern) => matches(globOf(pattern), image));
}

const indexes = new WeakMap<PolicyDocument, PatternIndex>();

function indexOf(document: PolicyDocument): PatternIndex {
  const known = indexes.get(document);
  if (known !== undefined) return known;
  const index = new PatternIndex(document.rules);
  indexes.set(document, index);
  return index;
}

const globs = new WeakMap<ImagePattern, ImageGlob>();

/** A pattern, taken apart once. @throws CountersignError `reference-invalid`. */
export function globOf(pattern: ImagePattern): ImageGlob {
  const known = globs.get(pattern);
  if (known !== undefined) return known;
  const glob = parseImagePattern(pattern.text);
  globs.set(pattern, glob);
  return glob;
}

function matches(glob: ImageGlob, { repository, tag, digest }: ImageName): boolean {
  if (repository === undefined) return false;
  if (glob.tag !== undefined && glob.tag !== tag) return false;
  if (glob.digest !== undefined && glob.digest !== digest) return false;
  return matchesName(glob, repository);
}

/** A pattern of a rule, taken apart. */
export interface RulePattern extends RuleMatch {
  readonly glob: ImageGlob;
  readonly specificity: readonly number[];
}

/** The patterns of all rules. */
export function patternsOf(rules: readonly Rule[]): readonly RulePattern[] {
  return rules.flatMap((rule) =>
    rule.images.map((pattern) => {
      const glob = globOf(pattern);
      return { rule, pattern, glob, specificity: specificityOf(glob) };
    }),
  );
}

/**
 * Finds patterns by what precedes their first wildcard and by what follows their last: a name is looked up once for each
 * length of those that occurs, and held against the few that are left.
 */
class PatternIndex {
  readonly #bySuffix = new Map<string, Map<string, RulePattern[]>>();
  readonly #prefixLengths: readonly number[];
  readonly #suffixLengths: readonly number[];

  constructor(rules: readonly Rule[]) {
    const lengths = { prefix: new Set<number>(), suffix: new Set<number>() };
    for (const pattern of patternsOf(rules)) {
      const { prefix, suffix } = pattern.glob;
      lengths.prefix.add(prefix.length);
      lengths.suffix.add(suffix.length);
      const within = this.#bySuffix.get(prefix) ?? new Map<string, RulePattern[]>();
      this.#bySuffix.set(prefix, within);
      const same = within.get(suffix);
      if (same === undefined) within.set(suffix, [pattern]);
      else same.push(pattern);
    }
    this.#prefixLengths = [...lengths.prefix];
    this.#suffixLengths = [...lengths.suffix];
  }

  best(image: ImageName): RuleMatch | undefined {
    let best: RulePattern | undefined;
    for (const pattern of this.#matching(image)) {
      if (best === undefined || compareSpecificity(pattern.specificity, best.specificity) < 0) best = pattern;
    }
    return best;
  }

  all(image: ImageName): readonly RulePattern[] {
    return [...this.#matching(image)].toSorted((a, b) => compareSpecificity(a.specificity, b.specificity));
  }

  *#matching(image: ImageName): Iterable<RulePattern> {
    const { repository: name } = image;
    if (name === undefined) return;
    for (const length of this.#prefixLengths) {
      const within = length > name.length ? undefined : this.#bySuffix.get(name.slice(0, length));
      if (within === undefined) continue;
      for (const end of this.#suffixLengths) {
        const patterns = end > name.length ? undefined : within.get(name.slice(name.length - end));
        for (const pattern of patterns ?? []) if (matches(pattern.glob, image)) yield pattern;
      }
    }
  }
}

/** Two patterns of different rules that are equally specific, and names that both match. */
export interface Ambiguity {
  readonly first: RulePattern;
  readonly second: RulePattern;
}

/**
 * The first pair of patterns between which nothing decides, or undefined. Exact: what it finds is there, and where it finds
 * nothing, every name has one most specific rule. `limit-reached` instead where that takes too much work to find out.
 */
export function findAmbiguity(patterns: readonly RulePattern[]): Ambiguity | "limit-reached" | undefined {
  let steps = 0;
  const exhausted = new Error("too many steps");
  const spend = (more: number): void => {
    steps += more;
    if (steps > LIMITS.patternComparisons) throw exhausted;
  };
  try {
    for (const group of equallySpecific(patterns)) {
      const found = firstOverlap(group, spend);
      if (found !== undefined) return found;
    }
    return undefined;
  } catch (thrown) {
    if (thrown === exhausted) return "limit-reached";
    throw thrown;
  }
}

/** Those that nothing tells apart and that begin alike: no others can be equally specific and match the same name. */
function equallySpecific(patterns: readonly RulePattern[]): Iterable<readonly RulePattern[]> {
  const groups = new Map<string, RulePattern[]>();
  for (const pattern of patterns) {
    const { prefix, tag = "", digest = "" } = pattern.glob;
    const key = `${pattern.specificity.join()} ${prefix} ${tag} ${digest}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [pattern]);
    else group.push(pattern);
  }
  return groups.values();
}

/** Held against those before it alone whose ending is an ending of its own. */
function firstOverlap(group: readonly RulePattern[], spend: (steps: number) => void): Ambiguity | undefined {
  if (group.length === 1) return undefined;
  const bySuffix = new Map<string, RulePattern[]>();
  const byLength = group.toSorted((a, b) => a.glob.suffix.length - b.glob.suffix.length);
  for (const second of byLength) {
    const { suffix } = second.glob;
    for (let at = 0; at <= suffix.length; at += 1) {
      for (const first of bySuffix.get(suffix.slice(at)) ?? []) {
        spend(1);
        if (first.rule !== second.rule && overlap(first.glob, second.glob, spend)) return inOrder(first, second);
      }
    }
    const same = bySuffix.get(suffix);
    if (same === undefined) bySuffix.set(suffix, [second]);
    else same.push(second);
  }
  return undefined;
}

function inOrder(a: RulePattern, b: RulePattern): Ambiguity {
  return a.pattern.place.line <= b.pattern.place.line ? { first: a, second: b } : { first: b, second: a };
}
