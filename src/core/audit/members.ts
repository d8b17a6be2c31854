import { describeValue, malformed, optionalList, requireClosed, requireString } from "../formats/members.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { type Instant, parseInstant } from "../time.ts";

/** Reads a value that stands at `where`. */
export type Read<Result> = (value: JsonValue, where: string) => Result;

/** The members of one object of a record that we wrote: none but the known ones, each of the type that is asked for. */
export class Members {
  readonly #json: JsonObject;
  readonly #where: string;

  /** `where` names the object in errors: `images[3] of the audit`. */
  constructor(value: JsonValue | undefined, where: string, known: readonly string[]) {
    this.#json = requireClosed(value, where, known);
    this.#where = where;
  }

  text(name: string): string {
    return requireString(this.#json, name, this.#where);
  }

  flag(name: string): boolean {
    const value = this.#json[name];
    if (typeof value === "boolean") return value;
    throw malformed(`${this.#where} has no "${name}"`, describeValue(value), "true or false");
  }

  count(name: string): number {
    const value = this.#json[name];
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    throw malformed(`"${name}" of ${this.#where} is no number`, describeValue(value), "a whole number");
  }

  digest(name: string): Digest {
    return this.required(name, readDigest);
  }

  time(name: string): Instant {
    return this.required(name, readTime);
  }

  oneOf<Name extends string>(name: string, names: readonly Name[]): Name {
    const text = this.text(name);
    const known = names.find((one) => one === text);
    if (known !== undefined) return known;
    throw malformed(`"${name}" of ${this.#where} is unknown`, text, "what this version of countersign writes");
  }

  texts(name: string): readonly string[] {
    return this.list(name, readText);
  }

  /** A list that has to be there. */
  list<Item>(name: string, read: Read<Item>): readonly Item[] {
    if (this.#json[name] === undefined) throw malformed(`${this.#where} has no "${name}"`, "nothing", "a list");
    const values = optionalList(this.#json, name, this.#where, LIMITS.auditEntries);
    return values.map((value, at) => read(value, `${name}[${at}] of ${this.#where}`));
  }

  required<Result>(name: string, read: Read<Result>): Result {
    const value = this.#json[name];
    if (value !== undefined) return read(value, `"${name}" of ${this.#where}`);
    throw malformed(`${this.#where} has no "${name}"`, "nothing", "a value");
  }

  /** To be spread: no member at all where there is none. */
  optional<Name extends string, Result>(name: Name, read: Read<Result>): { readonly [Key in Name]?: Result } {
    const value = this.#json[name];
    if (value === undefined) return {};
    const members: { [Key in Name]?: Result } = {};
    members[name] = read(value, `"${name}" of ${this.#where}`);
    return members;
  }
}

export function readText(value: JsonValue, where: string): string {
  if (typeof value === "string") return value;
  throw malformed(`${where} is not a text`, describeValue(value), "a text");
}

export function readDigest(value: JsonValue, where: string): Digest {
  const text = readText(value, where);
  if (isDigest(text)) return text;
  throw malformed(`${where} is not a digest`, text, "sha256:…");
}

export function readTime(value: JsonValue, where: string): Instant {
  const text = readText(value, where);
  const time = parseInstant(text);
  if (time !== undefined) return time;
  throw malformed(`${where} is not a time`, text, "2026-01-01T00:00:00Z");
}
