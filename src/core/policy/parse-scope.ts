import { CountersignError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { oneOf, YamlError, type YamlPlace, type YamlSubject, type YamlValue } from "../yaml.ts";
import type { Identity } from "./document.ts";
import { DURATION_FORM, parseDuration } from "./duration.ts";
import type { Persons } from "./persons.ts";

export const POLICY: YamlSubject = { code: "policy-invalid", what: "the policy" };

/** @returns an error at a place of the policy, for what is only found by looking at more than that place. */
export function policyProblem(place: YamlPlace | string, found: string, wanted: string): YamlError {
  return new YamlError(POLICY, place, found, wanted);
}

/** What a policy has names for, as far as it could be read. */
export interface Scope {
  /** undefined for one that could not be read: that is said once. */
  readonly identities: ReadonlyMap<string, Identity | undefined>;
  /** Those of identities and roles. */
  readonly names: ReadonlySet<string>;
  readonly persons: Persons;
  readonly problems: Problems;
}

/** All that is wrong, part by part: one broken rule does not hide the next. */
export class Problems {
  readonly found: YamlError[] = [];

  /** undefined where it cannot be read, which is noted. */
  attempt<Value>(read: () => Value): Value | undefined {
    try {
      return read();
    } catch (thrown) {
      if (!(thrown instanceof YamlError)) throw thrown;
      this.found.push(thrown);
      return undefined;
    }
  }

  /** Those that can be read. Where very many cannot, the rest is not looked at. */
  each<Item, Value extends object>(items: readonly Item[], read: (item: Item) => Value): readonly Value[] {
    const values: Value[] = [];
    for (const item of items) {
      const value = this.attempt(() => read(item));
      if (value !== undefined) values.push(value);
      if (this.found.length >= LIMITS.policyProblems) break;
    }
    return values;
  }
}

/** What identities, roles and trust roots can be called. */
export const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** What a name looks like, for messages. */
export const NAME_FORM = "letters, digits and ._-, at most 63, a letter or digit first";

export function isName(text: string): boolean {
  return NAME.test(text);
}

/** A name that is given to somebody or something. */
export function checkName(name: string, key: YamlValue): string {
  return isName(name) ? name : key.fail(`the name ${name}`, NAME_FORM);
}

/** Names of identities and roles, each once. */
export function readBy(value: YamlValue | undefined, at: YamlValue, scope: Scope, field = "by"): readonly string[] {
  if (value === undefined) return at.fail(`nobody: no ${field}`, `${field}: the name of an identity or role`);
  return readNames(value, scope.names, "the name of an identity or role");
}

/** Names out of those that are known, each once. */
export function readNames(value: YamlValue, known: ReadonlySet<string>, wanted: string): readonly string[] {
  const items = value.oneOrMore(wanted);
  if (items.length > LIMITS.policyMembers) value.fail(`${items.length} names`, `at most ${LIMITS.policyMembers}`);
  const names = new Set<string>();
  for (const item of items) {
    const name = item.text(wanted);
    if (!known.has(name)) item.fail(`the unknown name ${name}`, oneOf(name, [...known]));
    if (names.has(name)) item.fail(`${name} a second time`, "every name once");
    names.add(name);
  }
  return [...names];
}

export function readTexts(value: YamlValue | undefined, wanted: string): readonly YamlValue[] {
  const items = value?.oneOrMore(wanted) ?? [];
  for (const item of items) item.text(wanted);
  return items;
}

export function readDuration(value: YamlValue | undefined): number | undefined {
  if (value === undefined) return undefined;
  const text = value.text(DURATION_FORM);
  return parseDuration(text) ?? value.fail(JSON.stringify(text), DURATION_FORM);
}

/** Turns what another reader of the core says of a text into an error at the place of it. */
export function atPlace<Result>(value: YamlValue, read: () => Result): Result {
  try {
    return read();
  } catch (thrown) {
    if (!(thrown instanceof CountersignError) || thrown instanceof YamlError) throw thrown;
    const { message, found, wanted = "another value" } = thrown;
    return value.fail(found === undefined ? message : `${message}: ${found}`, wanted);
  }
}
