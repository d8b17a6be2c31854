import type { Environment } from "@marcbachmann/cel-js";
import type { RE2JS } from "re2js";
import { LIMITS } from "../limits.ts";
import { isInstant, parseInstant } from "../time.ts";
import type { Meter } from "./cel-meter.ts";
import type { CelNode } from "./cel-tree.ts";

/**
 * The functions that a condition may call: CEL's own, and two of its string extensions. The library has more, which read
 * this machine's time zone, parse JSON leniently, or take time that is not bounded.
 */
const FUNCTIONS: ReadonlySet<string> = new Set([
  ...["has", "all", "exists", "exists_one", "map", "filter", "bind"],
  ...["bool", "double", "dyn", "duration", "int", "size", "string", "timestamp", "type", "uint"],
  ...["contains", "endsWith", "matches", "startsWith", "lowerAscii", "upperAscii"],
]);

/** Of a timestamp in UTC, or of a duration. With a time zone as an argument they would depend on this machine. */
const PARTS: ReadonlySet<string> = new Set([
  ...["getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek"],
  ...["getHours", "getMinutes", "getSeconds", "getMilliseconds"],
]);

/** In place of the library's: theirs use JavaScript's patterns, read times in local time, or take quadratic time. */
const REPLACED: ReadonlySet<string> = new Set([
  ...["contains", "duration", "lowerAscii", "matches", "timestamp", "upperAscii"],
]);
const PREFIX = "bounded_";

/** A call in an expression: `name(…)` or `receiver.name(…)`. */
interface Call {
  readonly name: string;
  readonly hasArguments: boolean;
}

function callOf({ op, args }: CelNode): Call | undefined {
  if (!Array.isArray(args) || (op !== "call" && op !== "rcall")) return undefined;
  const given: unknown = op === "call" ? args[1] : args[2];
  return { name: String(args[0]), hasArguments: Array.isArray(given) && given.length > 0 };
}

/** The function that a node calls and that is none of a condition's. */
export function unknownFunction(node: CelNode): string | undefined {
  const call = callOf(node);
  if (call === undefined || FUNCTIONS.has(call.name)) return undefined;
  return PARTS.has(call.name) && !call.hasArguments ? undefined : call.name;
}

export const KNOWN_FUNCTIONS: readonly string[] = [...FUNCTIONS, ...PARTS];

/** Makes a call of a replaced function one of ours. The library finds a function by its name when it checks types. */
export function redirectCall({ op, args }: CelNode): void {
  if (!Array.isArray(args) || (op !== "call" && op !== "rcall") || !REPLACED.has(String(args[0]))) return;
  args[0] = `${PREFIX}${args[0]}`;
}

/** The library's message with the names as they were written. */
export function asWritten(message: string): string {
  return message.replaceAll(PREFIX, "");
}

/** A pattern in the expression itself is compiled with it. @throws what RE2 says of it. */
export function checkPattern({ op, args }: CelNode, engine: typeof RE2JS): void {
  if (op !== "rcall" || !Array.isArray(args) || args[0] !== "matches") return;
  const [pattern]: readonly CelNode[] = Array.isArray(args[2]) ? args[2] : [];
  if (pattern?.op === "value" && typeof pattern.args === "string") engine.compile(pattern.args);
}

/** The library makes maps without these, and so two that differ in them equal. */
const LOST_KEYS: ReadonlySet<unknown> = new Set(["__proto__", "constructor", "prototype"]);

/** The keys of a map in the expression are written out: one from a statement could be lost. @throws Error. */
export function checkKeys({ op, args }: CelNode): void {
  if (op !== "map" || !Array.isArray(args)) return;
  for (const [key] of args as readonly (readonly [CelNode, CelNode])[]) {
    if (key.op !== "value") throw new Error("a map's keys have to be written out");
    if (LOST_KEYS.has(key.args)) throw new Error(`a map cannot have the key ${key.args}`);
  }
}

/** What the functions need that is loaded when there is a condition at all. */
export interface Libraries {
  readonly RE2JS: typeof RE2JS;
  readonly Duration: new (seconds: bigint, nanos: number) => object;
}

const NOW = { async: false } as const;

/** Registers our functions. Each charges what it does beyond reading its operands once. */
export function registerFunctions(
  environment: Environment,
  { RE2JS: engine, Duration }: Libraries,
  meter: Meter,
): void {
  const register = (signature: string, handler: (...operands: never[]) => unknown): void => {
    environment.registerFunction(
      signature.replace(/\w+\(/, (name) => `${PREFIX}${name}`),
      handler,
      NOW,
    );
  };
  const patterns = new Patterns(engine, meter);
  register("string.matches(string): bool", (text: string, pattern: string) => patterns.match(text, pattern));
  register("string.contains(string): bool", (text: string, part: string) => {
    meter.spend((text.length * part.length) / COMPARED_A_STEP);
    return text.includes(part);
  });
  register("string.lowerAscii(): string", (text: string) => {
    meter.spend(text.length);
    return text.replace(/[A-Z]+/g, (part) => part.toLowerCase());
  });
  register("string.upperAscii(): string", (text: string) => {
    meter.spend(text.length);
    return text.replace(/[a-z]+/g, (part) => part.toUpperCase());
  });
  register("timestamp(string): google.protobuf.Timestamp", readTimestamp);
  register("timestamp(int): google.protobuf.Timestamp", (seconds: bigint) => toDate(Number(seconds) * 1000));
  register("duration(string): google.protobuf.Duration", (text: string) => {
    const nanos = readDuration(text);
    return new Duration(nanos / 1_000_000_000n, Number(nanos % 1_000_000_000n));
  });
}

/** Characters that are compared in one step: the search for a part is quadratic at its worst. */
const COMPARED_A_STEP = 4096;
/** Steps of RE2's automaton that take about as long as one of ours; building one state of it takes many. */
const STATES_A_STEP = 32;
const STEPS_A_STATE = 16;

/** RE2's patterns, which need time linear in the text; CEL's `matches` is met by a part of it. */
class Patterns {
  readonly #engine: typeof RE2JS;
  readonly #meter: Meter;
  readonly #compiled = new Map<string, RE2JS>();

  constructor(engine: typeof RE2JS, meter: Meter) {
    this.#engine = engine;
    this.#meter = meter;
  }

  match(text: string, pattern: string): boolean {
    if (text.length > LIMITS.matchedCharacters) throw new Error("the text is too long to be held against a pattern");
    const compiled = this.#compiled.get(pattern) ?? this.#compile(pattern);
    this.#meter.spend((text.length * compiled.programSize()) / STATES_A_STEP);
    return compiled.test(text);
  }

  #compile(pattern: string): RE2JS {
    if (pattern.length > LIMITS.patternCharacters) throw new Error("the pattern is too long");
    const compiled = this.#engine.compile(pattern);
    this.#meter.spend(compiled.programSize() * STEPS_A_STATE);
    if (this.#compiled.size >= LIMITS.matchedPatterns) this.#compiled.clear();
    this.#compiled.set(pattern, compiled);
    return compiled;
  }
}

/** RFC 3339, its letters in either case. JavaScript takes other forms, and times without a zone as local ones. */
function readTimestamp(text: string): Date {
  const at = text.length > LIMITS.timeCharacters ? undefined : parseInstant(text.toUpperCase());
  if (at !== undefined) return new Date(at);
  throw new Error("not a time as RFC 3339 writes it");
}

function toDate(milliseconds: number): Date {
  if (isInstant(milliseconds)) return new Date(milliseconds);
  throw new Error("not a time of the years 0000 to 9999");
}

const NANOS: ReadonlyMap<string, bigint> = new Map([
  ["h", 3_600_000_000_000n],
  ["m", 60_000_000_000n],
  ["s", 1_000_000_000n],
  ["ms", 1_000_000n],
  ["us", 1_000n],
  ["ns", 1n],
]);

const DURATION = /^([+-]?)((?:\d{1,12}(?:\.\d{1,9})?(?:h|ms|m|s|us|ns))+)$/;
const DURATION_PART = /(\d+)(?:\.(\d+))?(h|ms|m|s|us|ns)/g;
const FRACTION_DIGITS = 9;

/** Nanoseconds of `1h30m`, `-1.5s` (Go's time.ParseDuration, which CEL refers to). */
function readDuration(text: string): bigint {
  const [, sign, parts] = text.length > LIMITS.timeCharacters ? [] : (DURATION.exec(text) ?? []);
  if (parts === undefined) throw new Error("not a duration, such as 720h or 1h30m");
  let nanos = 0n;
  for (const [, whole = "0", fraction = "", unit = ""] of parts.matchAll(DURATION_PART)) {
    const scaled = BigInt(whole + fraction.padEnd(FRACTION_DIGITS, "0")) * (NANOS.get(unit) ?? 0n);
    nanos += scaled / 10n ** BigInt(FRACTION_DIGITS);
  }
  return sign === "-" ? -nanos : nanos;
}
