import type { JsonValue } from "../json.ts";
import { LIMITS } from "../limits.ts";

/** What CEL calls null, bool, string, int, double, list and map. */
export type CelValue = null | boolean | string | bigint | number | readonly CelValue[] | ReadonlyMap<string, CelValue>;

/** How many values there are in a list or map, at any depth: what it costs to compare two of them. */
export type Weights = WeakMap<object, number>;

/**
 * JSON as CEL's values. Numbers without a fraction are int, as people mean them; CEL compares int and double by value.
 * Objects become maps, which unlike JavaScript's objects have no prototype to reach through a name.
 */
export function toCel(value: JsonValue, weights: Weights): CelValue {
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : value;
  if (typeof value !== "object" || value === null) return value;
  const made = Array.isArray(value) ? toList(value, weights) : toMap(Object.entries(value), weights);
  const inside = Array.isArray(made) ? made : [...made.values()];
  weights.set(
    made,
    inside.reduce((sum, item) => sum + weightOf(item, weights), 1),
  );
  return made;
}

function toList(items: readonly JsonValue[], weights: Weights): readonly CelValue[] {
  return items.map((item) => toCel(item, weights));
}

function toMap(entries: readonly (readonly [string, JsonValue])[], weights: Weights): ReadonlyMap<string, CelValue> {
  return new Map(entries.map(([name, member]) => [name, toCel(member, weights)]));
}

/** Characters that are read in one step. */
const CHARACTERS_A_STEP = 16;

/**
 * The steps that it takes to read all of a value. Lists and maps that the expression made are not among the weights. One
 * that holds another twice takes twice as long, so that a few doublings would keep the counting itself busy for years: it
 * ends where there is more than an evaluation may spend.
 */
export function weightOf(value: unknown, weights: Weights): number {
  if (typeof value === "string") return 1 + value.length / CHARACTERS_A_STEP;
  if (typeof value !== "object" || value === null) return 1;
  const known = weights.get(value);
  if (known !== undefined) return known;
  let sum = 1;
  for (const item of membersOf(value)) {
    sum += weightOf(item, weights);
    if (sum > LIMITS.conditionWork) break;
  }
  return sum;
}

/** The library makes objects of the maps in an expression. */
function membersOf(value: object): Iterable<unknown> {
  if (Array.isArray(value)) return value;
  return value instanceof Map ? value.values() : Object.values(value);
}

/** How often a loop over a value runs. */
export function lengthOf(value: unknown): number {
  if (Array.isArray(value)) return value.length;
  return value instanceof Map ? value.size : 0;
}
