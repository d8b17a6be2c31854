import { CountersignError } from "../../errors.ts";
import { LIMITS } from "../../limits.ts";
import type { PolicyRequirement } from "../document.ts";
import { overlap } from "../image-overlap.ts";
import {
  compareSpecificity,
  type ImageGlob,
  isExact,
  matchesName,
  parseImagePattern,
  specificityOf,
} from "../image-pattern.ts";
import type { Losses } from "./conversion.ts";
import { allOf, type Draft, never } from "./draft.ts";
import { isMoreSpecific, shareRepositories, textOf } from "./plain-rules.ts";

/** A policy of a cluster: where several are about an image, all of them have to be met. */
export interface StackedPolicy {
  readonly name: string;
  /** Where it stands. */
  readonly place: string;
  readonly patterns: readonly StackedPattern[];
  /** It is about more than the patterns say, and nobody can tell of which images: of all but those that these match. */
  readonly isAboutAllBut?: ReadonlySet<string> | undefined;
  /** What it asks; `open` where it asks nothing. */
  readonly requirement: PolicyRequirement | "open";
  /** It warns, and keeps nothing out. */
  readonly warns: boolean;
}

export interface StackedPattern {
  /** As we write it. */
  readonly text: string;
  /** More specific patterns that it leaves out, as `textOf` writes them. */
  readonly but?: ReadonlySet<string> | undefined;
}

/** Patterns, and the policies that are asked for what they match. */
interface Layer {
  readonly patterns: readonly ImageGlob[];
  readonly policies: ReadonlySet<StackedPolicy>;
}

/**
 * Rules of which the most specific decides, from policies that all have to be met: every rule asks what all the policies ask
 * that could be about some of its images.
 *
 * @throws CountersignError `limit-reached` where it takes too much work to find out which those are.
 */
export function layRules(policies: readonly StackedPolicy[], draft: Draft, losses: Losses): void {
  for (const layer of new Layering(policies).layers()) layRule(layer, draft, losses);
}

class Layering {
  readonly #policies: readonly StackedPolicy[];
  readonly #globs: ReadonlyMap<string, ImageGlob>;
  #steps = 0;

  constructor(policies: readonly StackedPolicy[]) {
    this.#policies = policies;
    const texts = policies.flatMap(({ patterns }) => patterns.map(({ text }) => text));
    this.#globs = new Map(texts.map((text) => [text, parseImagePattern(text)]));
  }

  layers(): readonly Layer[] {
    const layers = new Map<string, Layer>();
    for (const glob of this.#globs.values()) {
      const about = [...this.#policies.entries()].filter(([, policy]) => this.#isAbout(policy, glob));
      const mark = about.map(([at]) => at).join();
      const known = layers.get(mark);
      const patterns = [...(known?.patterns ?? []), glob];
      layers.set(mark, { patterns, policies: new Set(about.map(([, policy]) => policy)) });
    }
    return this.#apart([...layers.values()]);
  }

  #isAbout({ patterns, isAboutAllBut }: StackedPolicy, glob: ImageGlob): boolean {
    const written = textOf(glob);
    if (isAboutAllBut !== undefined && !isAmong(glob, written, isAboutAllBut)) return true;
    return patterns.some(({ text, but }) => {
      if (but?.has(written) === true) return false;
      const other = this.#globs.get(text) ?? parseImagePattern(text);
      // What is more specific decides itself about what it matches.
      return !isMoreSpecific(other, glob) && shareRepositories(other, glob, this.#spend);
    });
  }

  /** Two layers with patterns between which nothing decides become one. */
  #apart(layers: readonly Layer[]): readonly Layer[] {
    let apart: readonly Layer[] = [];
    for (const layer of layers) {
      const same = apart.filter((other) => this.#areAlike(other, layer));
      const together = [...same, layer];
      const merged = {
        patterns: together.flatMap(({ patterns }) => patterns),
        policies: new Set(together.flatMap((other) => [...other.policies])),
      };
      apart = [...apart.filter((other) => !same.includes(other)), merged];
    }
    return apart;
  }

  #areAlike(a: Layer, b: Layer): boolean {
    return a.patterns.some((one) => b.patterns.some((other) => this.#isTie(one, other)));
  }

  #isTie(a: ImageGlob, b: ImageGlob): boolean {
    this.#spend(1);
    return compareSpecificity(specificityOf(a), specificityOf(b)) === 0 && overlap(a, b, this.#spend);
  }

  readonly #spend = (steps: number): void => {
    this.#steps += steps;
    if (this.#steps <= LIMITS.patternComparisons) return;
    throw new CountersignError("limit-reached", "the policies have too many image patterns that are alike", {
      wanted: `patterns that are compared in ${LIMITS.patternComparisons} steps: such as begin differently`,
    });
  };
}

/** Whether all that it matches is matched by one of these. */
function isAmong(glob: ImageGlob, written: string, patterns: ReadonlySet<string>): boolean {
  if (patterns.has(written)) return true;
  if (!isExact(glob)) return false;
  return [...patterns]
    .map(parseImagePattern)
    .some((one) => (one.tag ?? one.digest) === undefined && matchesName(one, glob.name));
}

function layRule({ patterns, policies }: Layer, draft: Draft, losses: Losses): void {
  const enforced = [...policies].filter(({ warns }) => !warns);
  const asked = enforced.length > 0 ? enforced : [...policies];
  const requirements = asked.flatMap(({ requirement }) => (requirement === "open" ? [] : [requirement]));
  const said = { name: asked.map(({ name }) => name).join(" and "), patterns: patterns.map(patternText) };
  for (const { place, name, warns } of policies) {
    if (warns && enforced.length > 0)
      losses.add(place, `${name}: warnings`, "other policies are enforced for the same images", "dropped");
  }
  if (requirements.length === 0) draft.rule({ ...said, mode: "warn", require: never("nobody has to sign it") });
  else if (enforced.length === 0) draft.rule({ ...said, mode: "warn", require: allOf(requirements) });
  else draft.rule({ ...said, require: allOf(requirements) });
}

function patternText(glob: ImageGlob): string {
  return textOf(glob).replace(/\/\*\*$/, "/");
}
