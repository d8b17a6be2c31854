import { type ImageGlob, isExact, STAR, STARS, takes, tokensOf } from "./image-pattern.ts";

/**
 * Whether there is an image name that both patterns match, found exactly: the automata of the two patterns and of well-formed
 * repository names (distribution-spec, "Pulling manifests") are run against each other. `spend` is told of every step.
 */
export function overlap(a: ImageGlob, b: ImageGlob, spend: (steps: number) => void): boolean {
  if (a.tag !== b.tag || a.digest !== b.digest) return false;
  if (!a.prefix.startsWith(b.prefix) && !b.prefix.startsWith(a.prefix)) return false;
  if (!isExact(a) && !isExact(b) && !a.suffix.endsWith(b.suffix) && !b.suffix.endsWith(a.suffix)) return false;
  if (a.parts !== undefined && b.parts !== undefined && haveDifferentParts(a.parts, b.parts)) return false;
  return new Product(tokensOf(a), tokensOf(b), spend).isReachable();
}

/** Spares most pairs the search: as many parts, and none that is written out in both and differs. */
function haveDifferentParts(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return true;
  return a.some((part, at) => part !== b[at] && !part.includes(STAR) && b[at]?.includes(STAR) === false);
}

/** What a step costs beside comparing the parts of two patterns. */
const STEP = 4;

/** States of a well-formed name: what may come next depends on no more than this. */
const NAME = { begin: 0, host: 1, start: 2, inside: 3, dot: 4, score: 5, twoScores: 6, dash: 7, none: 8 } as const;
const NAME_STATES = 9;

/** The state after one more character; a host may be any that is written in its characters. */
function step(state: number, character: string): number {
  if (state === NAME.host && character === "/") return NAME.start;
  if (state === NAME.begin || state === NAME.host) return /[a-z0-9.:[\]-]/.test(character) ? NAME.host : NAME.none;
  if (/[a-z0-9]/.test(character)) return NAME.inside;
  if (state === NAME.inside) return AFTER_INSIDE[character] ?? NAME.none;
  if (state === NAME.score && character === "_") return NAME.twoScores;
  return state === NAME.dash && character === "-" ? NAME.dash : NAME.none;
}

const AFTER_INSIDE: Readonly<Record<string, number>> = {
  "/": NAME.start,
  ".": NAME.dot,
  _: NAME.score,
  "-": NAME.dash,
};

/** Where both patterns take any character, one of each kind stands for all of them. */
const KINDS = ["a", "/", ".", "_", "-"] as const;

class Product {
  readonly #a: readonly string[];
  readonly #b: readonly string[];
  readonly #spend: (steps: number) => void;
  readonly #seen: Set<number> = new Set();
  readonly #open: number[] = [];

  constructor(a: readonly string[], b: readonly string[], spend: (steps: number) => void) {
    this.#a = a;
    this.#b = b;
    this.#spend = spend;
  }

  isReachable(): boolean {
    this.#reach(0, 0, NAME.begin);
    for (let state = this.#open.pop(); state !== undefined; state = this.#open.pop()) {
      this.#spend(STEP);
      const name = state % NAME_STATES;
      const rest = (state - name) / NAME_STATES;
      const inB = rest % (this.#b.length + 1);
      const inA = (rest - inB) / (this.#b.length + 1);
      if (inA === this.#a.length && inB === this.#b.length && name === NAME.inside) return true;
      this.#follow(inA, inB, name);
    }
    return false;
  }

  #follow(inA: number, inB: number, name: number): void {
    const [a, b] = [this.#a[inA], this.#b[inB]];
    if (a?.startsWith(STAR) === true) this.#reach(inA + 1, inB, name);
    if (b?.startsWith(STAR) === true) this.#reach(inA, inB + 1, name);
    if (a === undefined || b === undefined) return;
    const literal = [a, b].find((token) => !token.startsWith(STAR));
    for (const character of literal === undefined ? KINDS : [literal]) {
      if (takes(a, character) && takes(b, character)) {
        this.#reach(a.startsWith(STAR) ? inA : inA + 1, b.startsWith(STAR) ? inB : inB + 1, step(name, character));
      }
    }
  }

  #reach(inA: number, inB: number, name: number): void {
    if (name === NAME.none) return;
    const state = (inA * (this.#b.length + 1) + inB) * NAME_STATES + name;
    if (this.#seen.has(state)) return;
    this.#seen.add(state);
    this.#open.push(state);
  }
}

/** Whether there is any image name that the pattern matches. */
export function isMatchable(glob: ImageGlob): boolean {
  const isPrefix = glob.name === `${glob.prefix}${STARS}`;
  return (isPrefix && WELL_FORMED.test(glob.prefix)) || overlap(glob, glob, () => undefined);
}

/** A host and whole parts of a path: spares most patterns the search. */
const WELL_FORMED = /^[a-z0-9.:[\]-]+\/(?:[a-z0-9]+(?:[._-][a-z0-9]+)*\/)*$/;
