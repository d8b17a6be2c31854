import { CountersignError } from "../errors.ts";
import { describeJson, isObject, type JsonObject, type JsonValue } from "../json.ts";
import { LIMITS } from "../limits.ts";
import type { ReasonCode } from "../reasons.ts";
import { type Instant, parseInstant } from "../time.ts";

/** Reads members of trust metadata strictly: what is not as it should be is refused, and said where. */
export class Members {
  /** For messages: "the timestamp", "the metadata of releases". */
  readonly #what: string;

  constructor(what: string) {
    this.#what = what;
  }

  /** @throws CountersignError `code`, always. */
  refuse(where: string, found: string, wanted: string, code: ReasonCode = "metadata-malformed"): never {
    throw new CountersignError(code, `${this.#what} cannot be used: ${where}`, { found, wanted });
  }

  object(value: JsonValue | undefined, where: string): JsonObject {
    return isObject(value) ? value : this.refuse(where, describeJson(value), "an object");
  }

  /** An object without any other members: a second reader might give them a meaning. */
  exactly(value: JsonValue | undefined, where: string, names: readonly string[]): JsonObject {
    const json = this.object(value, where);
    const odd = Object.keys(json).find((name) => !names.includes(name));
    return odd === undefined ? json : this.refuse(where, `a member ${odd}`, names.join(", "));
  }

  entries(value: JsonValue | undefined, where: string, most: number): readonly (readonly [string, JsonValue])[] {
    const entries = Object.entries(this.object(value, where));
    this.#bound(entries.length, where, most);
    return entries;
  }

  list(value: JsonValue | undefined, where: string, most: number): readonly JsonValue[] {
    if (!Array.isArray(value)) return this.refuse(where, describeJson(value), "a list");
    this.#bound(value.length, where, most);
    return value;
  }

  texts(value: JsonValue | undefined, where: string, most: number): readonly string[] {
    return this.list(value, where, most).map((item) => this.text(item, where));
  }

  /** At most `most` UTF-16 units. */
  text(value: JsonValue | undefined, where: string, most: number = LIMITS.tagTextCharacters): string {
    if (typeof value !== "string") return this.refuse(where, describeJson(value), "a string");
    return value.length <= most
      ? value
      : this.refuse(where, `${value.length} characters`, `at most ${most}`, "limit-reached");
  }

  optional<Value>(value: JsonValue | undefined, read: (value: JsonValue) => Value): Value | undefined {
    return value === undefined ? undefined : read(value);
  }

  truth(value: JsonValue | undefined, where: string): boolean {
    return typeof value === "boolean" ? value : this.refuse(where, describeJson(value), "true or false");
  }

  count(value: JsonValue | undefined, where: string, least = 1, most = Number.MAX_SAFE_INTEGER): number {
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= least && value <= most) return value;
    const wanted = most === Number.MAX_SAFE_INTEGER ? `a whole number from ${least}` : `${least} to ${most}`;
    return this.refuse(where, describeJson(value), wanted);
  }

  /** UTC with whole seconds and nothing else: clients read other forms differently. */
  time(value: JsonValue | undefined, where: string): Instant {
    const text = this.text(value, where);
    const at = /^[0-9]{4}-[0-9-]{5}T[0-9:]{8}Z$/.test(text) ? parseInstant(text) : undefined;
    return at ?? this.refuse(where, text, "a time such as 2030-01-31T12:00:00Z");
  }

  sha256(value: JsonValue | undefined, where: string): string {
    const { sha256 } = this.exactly(value, where, ["sha256"]);
    const text = this.text(sha256, where);
    return /^[0-9a-f]{64}$/.test(text) ? text : this.refuse(where, text, "sha256 with 64 hexadecimal digits");
  }

  #bound(count: number, where: string, most: number): void {
    if (count > most) this.refuse(where, `${count} entries`, `at most ${most}`, "limit-reached");
  }
}
