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
  const folded = new Map([...known].map((name) => [name.toLowerCase(), name]));
  for (const name of Object.keys(json)) {
    const meant = folded.get(name.toLowerCase());
    if (meant === undefined || meant === name) continue;
    throw new CountersignError(options.code, `${options.what} has a member that tools read differently`, {
      found: name,
      wanted: meant,
    });
  }
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function kindOf(value: JsonValue): string {
  return value === null ? "null" : Array.isArray(value) ? "an array" : `a ${typeof value}`;
}

function textOf(bytes: Uint8Array, options: JsonOptions): string {
  try {
    return decodeUtf8(bytes);
  } catch (cause) {
    throw new CountersignError(options.code, `${options.what} is not valid UTF-8`, { cause });
  }
}

const WHITESPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const LITERAL = /true|false|null/y;
const LITERALS: Readonly<Record<string, null | boolean>> = { true: true, false: false, null: null };

/** RFC 8259, with the I-JSON restrictions of RFC 7493. */
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
    const value = this.#value(0);
    this.#skip();
    if (this.#at !== this.#text.length) this.#fail("something follows the value");
    return value;
  }

  #value(depth: number): JsonValue {
    if (depth > this.#maxDepth) {
      throw new CountersignError("limit-reached", `${this.#options.what} is nested too deeply`, {
        wanted: `at most ${this.#maxDepth} levels`,
      });
    }
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
        return LITERALS[this.#match(LITERAL) ?? this.#fail("not a JSON value")] ?? null;
      default:
        return this.#number();
    }
  }

  #object(depth: number): JsonObject {
    const members: Record<string, JsonValue> = {};
    const names = new Set<string>();
    this.#at++;
    if (this.#take("}")) return members;
    do {
      this.#skip();
      const name = this.#string();
      if (names.has(name)) this.#fail(`duplicate member ${JSON.stringify(name)}`);
      if (name === "__proto__") this.#fail('member "__proto__"');
      names.add(name);
      if (!this.#take(":")) this.#fail("a colon is missing");
      members[name] = this.#value(depth + 1);
    } while (this.#take(","));
    if (!this.#take("}")) this.#fail("an object is not closed");
    return members;
  }

  #array(depth: number): readonly JsonValue[] {
    const items: JsonValue[] = [];
    this.#at++;
    if (this.#take("]")) return items;
    do items.push(this.#value(depth + 1));
    while (this.#take(","));
    if (!this.#take("]")) this.#fail("an array is not closed");
    return items;
  }

  #string(): string {
    const raw = this.#match(STRING) ?? this.#fail("not a JSON string");
    const value = JSON.parse(raw) as string;
    if (!value.isWellFormed()) this.#fail("a string holds half of a surrogate pair");
    return value;
  }

  #number(): number {
    const value = Number(this.#match(NUMBER) ?? this.#fail("not a JSON value"));
    if (!Number.isFinite(value) || (Number.isInteger(value) && !Number.isSafeInteger(value))) {
      this.#fail("a number is out of range");
    }
    return value;
  }

  #skip(): void {
    this.#match(WHITESPACE);
  }

  #take(token: string): boolean {
    this.#skip();
    if (this.#text[this.#at] !== token) return false;
    this.#at++;
    return true;
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #fail(why: string): never {
    throw new CountersignError(this.#options.code, `${this.#options.what} is not strict JSON`, {
      found: `${why}, at character ${this.#at}`,
    });
  }
}
