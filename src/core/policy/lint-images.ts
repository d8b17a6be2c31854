import { LIMITS } from "../limits.ts";
import { type ImagePattern, type PolicyDocument, placeName, type Rule } from "./document.ts";
import { overlap } from "./image-overlap.ts";
import { compareSpecificity, couldCover, covers, STAR, STARS, specificityOf } from "./image-pattern.ts";
import { globOf, patternsOf, type RulePattern } from "./images.ts";
import type { Report } from "./lint.ts";

/** What is odd about which images rules are for. */
export function lintImages(document: PolicyDocument, report: Report): void {
  const patterns = patternsOf(document.rules);
  for (const one of patterns) lintHost(one, report);
  const comparison = new Comparison();
  try {
    for (const one of patterns) {
      lintTag(one, patterns, comparison, report);
      lintShadow(one, patterns, comparison, report);
    }
    lintDenials(patterns, comparison, report);
    for (const rule of document.rules) lintExceptions(rule, comparison, report);
  } catch (thrown) {
    if (!(thrown instanceof TooMany)) throw thrown;
    const place = { label: document.label, line: 1, column: 1 };
    report("patterns-uncompared", place, `${patterns.length} image patterns are too many to compare them all`);
  }
}

type Glob = RulePattern["glob"];

class TooMany extends Error {}

/** What it costs to see that a pattern has nothing of another, in characters held against others. */
const STEPS_A_PAIR = 4;

/** Holds patterns against each other, as long as that takes no more work than it may. */
class Comparison {
  #left: number = LIMITS.patternComparisons;

  /** Whether the one has all of the other. */
  covers(wide: Glob, narrow: Glob): boolean {
    const isCandidate = couldCover(wide, narrow);
    this.#spend(isCandidate ? wide.name.length * narrow.name.length : STEPS_A_PAIR);
    return isCandidate && covers(wide, narrow);
  }

  /** Whether there is an image that both are for; a pattern without a tag is for every tag. */
  meet(a: Glob, b: Glob): boolean {
    if (a.tag !== undefined && b.tag !== undefined && a.tag !== b.tag) return false;
    if (a.digest !== undefined && b.digest !== undefined && a.digest !== b.digest) return false;
    const untied = { tag: undefined, digest: undefined };
    return overlap({ ...a, ...untied }, { ...b, ...untied }, (steps) => this.#spend(steps));
  }

  #spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw new TooMany();
  }
}

function lintExceptions({ images, exceptions }: Rule, comparison: Comparison, report: Report): void {
  const own = images.map(globOf);
  for (const exception of exceptions) {
    const foreign = exception.images.filter((image) => !own.some((glob) => comparison.meet(globOf(image), glob)));
    for (const { text } of foreign) {
      report("exception-elsewhere", exception.place, `the exception for ${text} is never asked`);
    }
  }
}

/** `registry.example*` is registry.example.evil.test too; a wildcard before a domain that is written out is its owner's. */
function lintHost({ glob, pattern, rule }: RulePattern, report: Report): void {
  if (rule.require.kind === "never") return;
  const [host = ""] = glob.name.split("/", 1);
  const [name = ""] = host.split(":", 1);
  const end = name.slice(name.lastIndexOf(STAR) + 1);
  if (name.includes(STAR) && !/^\.[^.]+\../.test(end) && !/^\.[^.]+$/.test(end)) {
    report("host-open", pattern.place, `${pattern.text} is for registries of others too`);
  }
}

function lintTag(
  { glob, pattern, rule }: RulePattern,
  patterns: readonly RulePattern[],
  comparison: Comparison,
  report: Report,
): void {
  if (glob.tag === undefined) return;
  const untagged = { ...glob, tag: undefined };
  const [other] = patterns
    .filter(
      (one) => one.glob.tag === undefined && one.glob.digest === undefined && comparison.covers(one.glob, untagged),
    )
    .toSorted((a, b) => compareSpecificity(a.specificity, b.specificity));
  if (other === undefined || other.rule === rule) return;
  const place = placeName(other.pattern.place);
  report(
    "tag-escaped",
    pattern.place,
    `${pattern.text}: by its digest it falls under ${other.pattern.text} at ${place}`,
  );
}

/** A pattern of the same rule is for all of it, and no other rule's comes between them. */
function lintShadow(one: RulePattern, patterns: readonly RulePattern[], comparison: Comparison, report: Report): void {
  const widest = one.rule.images.find(
    (image) => image !== one.pattern && comparison.covers(globOf(image), one.glob) && !isTwin(one, image),
  );
  if (widest === undefined) return;
  const specificity = specificityOf(globOf(widest));
  const isBetween = patterns.some(
    (other) =>
      other.rule !== one.rule &&
      compareSpecificity(other.specificity, one.specificity) > 0 &&
      compareSpecificity(other.specificity, specificity) < 0 &&
      comparison.meet(other.glob, one.glob),
  );
  if (!isBetween) {
    report("pattern-shadowed", one.pattern.place, `${one.pattern.text} adds nothing to ${widest.text}`);
  }
}

/** Of two that are the same, the second is the one too many. */
function isTwin({ glob, pattern, rule: { images } }: RulePattern, other: ImagePattern): boolean {
  return covers(glob, globOf(other)) && images.indexOf(pattern) < images.indexOf(other);
}

/** Closed places and what is open in them. That nothing is open but what rules open is no place: it needs no rule. */
function lintDenials(patterns: readonly RulePattern[], comparison: Comparison, report: Report): void {
  const [closed, open] = [true, false].map((isClosed) =>
    patterns.filter(({ rule }) => (rule.require.kind === "never") === isClosed),
  );
  for (const { glob, pattern } of closed ?? []) {
    const opened = glob.name === STARS ? [] : (open ?? []).filter((other) => comparison.covers(glob, other.glob));
    const [first, ...more] = opened.map((other) => `${other.pattern.text} at ${placeName(other.pattern.place)}`);
    if (first === undefined) continue;
    const others = more.length === 0 ? "" : ` and ${more.length} more`;
    report("deny-overruled", pattern.place, `${pattern.text} is closed, but for ${first}${others}`);
  }
}
