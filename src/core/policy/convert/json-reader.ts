import { decodeBase64, decodeUtf8 } from "../../bytes.ts";
import { CountersignError } from "../../errors.ts";
import { isObject, type JsonValue, kindOf, parseJson } from "../../json.ts";
import { LIMITS } from "../../limits.ts";

/** A value of somebody else's JSON, and the way to it: nothing in it is passed over. */
export class JsonReader {
  readonly #value: JsonValue;
  readonly #label: string;
  readonly #path: string;

  private constructor(value: JsonValue, label: string, path: string) {
    this.#value = value;
    this.#label = label;
    this.#path = path;
  }

  /** @throws CountersignError `policy-invalid`, or `limit-reached`. */
  static open(bytes: Uint8Array, label: string): JsonReader {
    const options = { what: label, code: "policy-invalid", maxBytes: LIMITS.foreignPolicyBytes } as const;
    try {
      return new JsonReader(parseJson(bytes, options), label, "");
    } catch (thrown) {
      if (!(thrown instanceof CountersignError) || thrown.code !== options.code) throw thrown;
      const { message, found, wanted } = thrown;
      throw new CountersignError(options.code, message, { found, wanted, next: NEXT });
    }
  }

  /** `policy.json: transports.docker."registry.example"[0]`. */
  get place(): string {
    return this.#path === "" ? this.#label : `${this.#label}: ${this.#path}`;
  }

  /** @throws CountersignError `policy-invalid`. */
  fail(found: string, wanted: string): never {
    const message = `${this.#label} cannot be used`;
    throw new CountersignError("policy-invalid", message, { found: `${this.place}: ${found}`, wanted, next: NEXT });
  }

  /** An object with these members and no other. */
  fields<Name extends string>(known: readonly Name[]): Readonly<Partial<Record<Name, JsonReader>>> {
    for (const [name, member] of this.entries()) {
      if (!known.some((one) => one === name)) member.fail("an unknown member", known.join(", "));
    }
    return Object.fromEntries(this.entries()) as Partial<Record<Name, JsonReader>>;
  }

  entries(): readonly (readonly [name: string, value: JsonReader])[] {
    if (!isObject(this.#value)) this.fail(kindOf(this.#value), "an object");
    return Object.entries(this.#value).map(([name, value]) => [name, this.#at(value, member(this.#path, name))]);
  }

  items(): readonly JsonReader[] {
    if (!isList(this.#value)) this.fail(kindOf(this.#value), "a list");
    return this.#value.map((item, at) => this.#at(item, `${this.#path}[${at}]`));
  }

  /** A list with something in it. */
  someItems(): readonly JsonReader[] {
    const items = this.items();
    return items.length === 0 ? this.fail("an empty list", "at least one") : items;
  }

  text(): string {
    return typeof this.#value === "string" && this.#value !== ""
      ? this.#value
      : this.fail(this.#value === "" ? "an empty text" : kindOf(this.#value), "a text");
  }

  oneOf<Word extends string>(words: readonly Word[]): Word {
    const text = this.text();
    return words.find((word) => word === text) ?? this.fail(JSON.stringify(text), words.join(", "));
  }

  /** Text in base64. */
  base64Text(): string {
    const bytes = decodeBase64(this.text());
    if (bytes === undefined) this.fail("something that is not base64", "standard base64 with padding");
    try {
      return decodeUtf8(bytes);
    } catch {
      return this.fail("base64 of what is no text", "base64 of PEM");
    }
  }

  #at(value: JsonValue, path: string): JsonReader {
    return new JsonReader(value, this.#label, path);
  }
}

const NEXT = "correct the file; the tool that it is for would not take it either";

function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function member(path: string, name: string): string {
  const written = /^[A-Za-z_][A-Za-z0-9_-]*$/.test(name) ? name : JSON.stringify(name);
  return path === "" ? written : `${path}.${written}`;
}
