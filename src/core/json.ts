import { decodeUtf8 } from "./bytes.ts";
import { CountersignError } from "./errors.ts";
import { LIMITS } from "./limits.ts";
import type { ReasonCode } from "./reasons.ts";

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export type JsonObject = { readonly [name: string]: JsonValue };

export interface JsonOptions {
  /** What is being read, for the error: "the manifest", "the bundle". */
  readonly what: string;
  /** The reason given when it is not strict JSON. */
  readonly code: ReasonCode;
  /** Bytes. */
  readonly maxBytes: number;
  readonly maxDepth?: number;
}

/**
 * Strict JSON: valid UTF-8 without a byte order mark, no duplicate member names, no `__proto__`, no lone surrogates,
 * bounded size and depth, nothing after the value. The bytes stay what is hashed; this value is a copy to read.
 *
 * @throws CountersignError with `options.code`, or `limit-reached` for size and depth.
 */
export function parseJson(bytes: Uint8Array, options: JsonOptions): JsonValue {
  if (bytes.byteLength > options.maxBytes) {
    throw new CountersignError("limit-reached", `${options.what} is too large to read`, {
      found: `${bytes.byteLength} bytes`,
      wanted: `at most ${options.maxBytes} bytes`,
    });
  }
  return new Parser(textOf(bytes, options), options).document();
}

/** `parseJson`, and the value must be an object. */
export function parseJsonObject(bytes: Uint8Array, options: JsonOptions): JsonObject {
  const value = parseJson(bytes, options);
  if (isObject(value)) return value;
  throw new CountersignError(options.code, `${options.what} is not a JSON object`, { found: kindOf(value) });
}

/**
 * Refuses members whose name differs from a known one only in case: Go would read them as that member and see another
 * document than we do (the family of CVE-2021-41190).
 */
export function refuseCaseVariants(json: JsonObject, known: ReadonlySet<string>, options: JsonOptions): void {
  const folded = new Map([...known].map((name) => [fold(name), name]));
  for (const name of Object.keys(json)) {
    const meant = folded.get(fold(name));
    if (meant === undefined || meant === name) continue;
    throw new CountersignError(options.code, `${options.what} has a member that tools read differently`, {
      found: name,
      wanted: meant,
    });
  }
}

/** Go folds by Unicode: to it the long s of `layerſ` and the Kelvin sign are the letters s and k. */
function fold(name: string): string {
  return name.toUpperCase().toLowerCase();
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether two values are the same, whatever the order of their members. */
export function sameJson(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, at) => sameJson(item, b[at]));
  }
  if (!isObject(a) || !isObject(b)) return a === b;
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && sameJson(a[name], b[name]))
  );
}

/** What a value is, in words for `found`: any value from a peer is safe here, where `String(value)` is not. */
export function kindOf(value: JsonValue | undefined): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** The same, with the value itself where it is short: `"abc"`, `17`, `an object`. */
export function describeJson(value: JsonValue | undefined): string {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? JSON.stringify(value)
    : kindOf(value);
}

function textOf(bytes: Uint8Array, options: JsonOptions): string {
  try {
    return decodeUtf8(bytes);
  } catch (cause) {
    throw new CountersignError(options.code, `${options.what} is not valid UTF-8`, { cause });
  }
}

/** What stands for itself in a string, be it nothing; fails behind the end of the text alone. */
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const LITERALS: readonly (readonly [string, null | boolean])[] = [
  ["true", true],
  ["false", false],
  ["null", null],
];

/** RFC 8259, with the I-JSON restrictions of RFC 7493. Every character is looked at once; strings need no stack. */
class Parser {
  readonly #text: string;
  readonly #options: JsonOptions;
  readonly #maxDepth: number;
  #at = 0;

  constructor(text: string, options: JsonOptions) {
    this.#text = text;
    this.#options = options;
    this.#maxDepth = options.maxDepth ?? LIMITS.jsonDepth;
  }

  document(): JsonValue {
    const value = this.#value(1);
    this.#skip();
    if (this.#at !== this.#text.length) this.#fail("something follows the value");
    return value;
  }

  /** `depth` counts the objects and arrays around what is read, itself included. */
  #value(depth: number): JsonValue {
    this.#skip();
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object(depth);
      case "[":
        return this.#array(depth);
      case '"':
        return this.#string();
      case "t":
      case "f":
      case "n":
        return this.#literal();
      default:
        return this.#number();
    }
  }

  #object(depth: number): JsonObject {
    this.#checkDepth(depth);
    const members: Record<string, JsonValue> = {};
    this.#at++;
    if (this.#take("}")) return members;
    do {
      this.#skip();
      const name = this.#string();
      if (Object.hasOwn(members, name)) this.#fail(`duplicate member ${JSON.stringify(name)}`);
      if (name === "__proto__") this.#fail('member "__proto__"');
      if (!this.#take(":")) this.#fail("a colon is missing");
      members[name] = this.#value(depth + 1);
    } while (this.#take(","));
    if (!this.#take("}")) this.#fail("an object is not closed");
    return members;
  }

  #array(depth: number): readonly JsonValue[] {
    this.#checkDepth(depth);
    const items: JsonValue[] = [];
    this.#at++;
    if (this.#take("]")) return items;
    do items.push(this.#value(depth + 1));
    while (this.#take(","));
    if (!this.#take("]")) this.#fail("an array is not closed");
    return items;
  }

  #string(): string {
    const start = this.#at;
    if (this.#text[start] !== '"') this.#fail("not a JSON string");
    const hasEscapes = this.#passString();
    if (!hasEscapes) return this.#text.slice(start + 1, this.#at - 1);
    const value = this.#unescape(this.#text.slice(start, this.#at));
    // Valid UTF-8 cannot hold half of a pair: only an escape can.
    if (!value.isWellFormed()) this.#fail("a string holds half of a surrogate pair");
    return value;
  }

  /** Moves behind the closing quote; true where there is an escape on the way. */
  #passString(): boolean {
    let hasEscapes = false;
    let at = this.#at + 1;
    for (;;) {
      PLAIN.lastIndex = at;
      at = PLAIN.test(this.#text) ? PLAIN.lastIndex : this.#text.length;
      if (this.#text[at] === '"') break;
      if (this.#text[at] !== "\\") this.#fail("a string is not closed or holds a control character");
      hasEscapes = true;
      at += 2;
    }
    this.#at = at + 1;
    return hasEscapes;
  }

  #unescape(quoted: string): string {
    try {
      return JSON.parse(quoted) as string;
    } catch {
      return this.#fail("not a JSON string");
    }
  }

  #number(): number {
    NUMBER.lastIndex = this.#at;
    const digits = NUMBER.exec(this.#text)?.[0] ?? this.#noValue();
    this.#at += digits.length;
    const value = Number(digits);
    if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) {
      this.#fail("a number is out of range");
    }
    return value;
  }

  #literal(): null | boolean {
    for (const [word, value] of LITERALS) {
      if (!this.#text.startsWith(word, this.#at)) continue;
      this.#at += word.length;
      return value;
    }
    return this.#noValue();
  }

  /** Empty files and byte order marks are what people meet, and neither is to be seen in an editor. */
  #noValue(): never {
    if (this.#text.trim() === "") return this.#fail("nothing");
    return this.#fail(this.#text.startsWith("\u{feff}") ? "a byte order mark" : "not a JSON value");
  }

  #checkDepth(depth: number): void {
    if (depth <= this.#maxDepth) return;
    throw new CountersignError("limit-reached", `${this.#options.what} is nested too deeply`, {
      wanted: `at most ${this.#maxDepth} levels`,
    });
  }

  #skip(): void {
    for (; ; this.#at++) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
    }
  }

  #take(token: string): boolean {
    this.#skip();
    if (this.#text[this.#at] !== token) return false;
    this.#at++;
    return true;
  }

  #fail(why: string): never {
    throw new CountersignError(this.#options.code, `${this.#options.what} is not strict JSON`, {
      found: `${why}, at character ${this.#at}`,
    });
  }
}

/** A value on one line that strict JSON reads back: half a surrogate pair, which YAML can write, becomes U+FFFD. */
export function wellFormedJson(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) =>
    typeof member === "string" ? member.toWellFormed() : member,
  );
}
