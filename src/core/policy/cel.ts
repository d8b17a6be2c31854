import type { Environment, EvaluationError, ParseError, TypeError as TypingError } from "@marcbachmann/cel-js";
import { CountersignError } from "../errors.ts";
import type { JsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import type { Instant } from "../time.ts";
import {
  asWritten,
  checkKeys,
  checkPattern,
  KNOWN_FUNCTIONS,
  type Libraries,
  redirectCall,
  registerFunctions,
  unknownFunction,
} from "./cel-functions.ts";
import { Meter } from "./cel-meter.ts";
import { describeParts, type NamedPart, namedParts } from "./cel-parts.ts";
import { type CelNode, collectNodes, meterNodes } from "./cel-tree.ts";
import { toCel, type Weights } from "./cel-values.ts";
import type { Condition, ConditionResult } from "./condition.ts";

/**
 * A condition on a statement, in CEL (github.com/google/cel-spec). What it may name: `statement`, its members `_type`,
 * `subject`, `predicateType` and `predicate`, and `now` where a time is given. It has to come to `true`: any other value,
 * a member that is not there, or two values that cannot be compared do not meet it.
 *
 * @throws CountersignError `usage`: not an expression, a name or function that there is not, or one that is never true.
 */
export async function compileCondition(text: string, now?: Instant): Promise<Condition> {
  if (text.trim() === "") throw notOne(text, "it is empty");
  if (text.length > LIMITS.conditionCharacters) throw notOne(text, `it is longer than ${LIMITS.conditionCharacters}`);
  const meter = new Meter(excerpt(text));
  const weights: Weights = new WeakMap();
  const { expression, parts } = compile(text, await openDialect(meter, now), meter, weights);
  return { text, check: (statement) => check(statement) };

  function check(statement: JsonObject): ConditionResult {
    meter.start();
    const whole = toCel(statement, weights);
    if (!(whole instanceof Map)) return { met: false, why: "there is no statement" };
    const context = new Map<string, unknown>(MEMBERS.map((name) => [name, whole.get(name)]));
    context.set("statement", whole).set("now", now === undefined ? undefined : new Date(now));
    const result = settle(() => expression(context));
    meter.check();
    if (meter.isIdle) throw new CountersignError("internal", "the work of a condition is not counted");
    return result.met || result.why !== undefined ? result : { met: false, values: describeParts(parts, statement) };
  }
}

const MEMBERS = ["_type", "subject", "predicateType", "predicate"] as const;

function settle(evaluate: () => unknown): ConditionResult {
  try {
    const value = evaluate();
    if (value === true) return { met: true };
    return value === false ? { met: false } : { met: false, why: "it comes to something else than true or false" };
  } catch (error) {
    return { met: false, why: reasonOf(error) };
  }
}

/** The library with our variables and functions, and RE2. */
interface Dialect {
  readonly environment: Environment;
  readonly engine: Libraries["RE2JS"];
}

async function openDialect(meter: Meter, now: Instant | undefined): Promise<Dialect> {
  const [{ Environment }, { Duration }, { RE2JS: engine }] = await Promise.all([
    import("@marcbachmann/cel-js"),
    import("@marcbachmann/cel-js/evaluator"),
    import("re2js"),
  ]);
  const environment = new Environment({
    homogeneousAggregateLiterals: false,
    limits: {
      maxDepth: LIMITS.conditionDepth,
      maxAstNodes: LIMITS.conditionCharacters,
      maxListElements: LIMITS.conditionCharacters,
      maxMapEntries: LIMITS.conditionCharacters,
    },
  });
  for (const name of ["statement", ...MEMBERS]) environment.registerVariable(name, "dyn");
  if (now !== undefined) environment.registerVariable("now", "google.protobuf.Timestamp");
  registerFunctions(environment, { RE2JS: engine, Duration }, meter);
  return { environment, engine };
}

interface Compiled {
  readonly expression: (context: ReadonlyMap<string, unknown>) => unknown;
  readonly parts: readonly NamedPart[];
}

function compile(text: string, { environment, engine }: Dialect, meter: Meter, weights: Weights): Compiled {
  try {
    const parsed = environment.parse(text);
    // The library's types leave out what its own walk over the tree uses.
    const nodes = collectNodes(parsed.ast as unknown as CelNode);
    for (const node of nodes.keys()) {
      const unknown = unknownFunction(node);
      if (unknown !== undefined) throw unknownCall(text, unknown, node.start);
      checkPattern(node, engine);
      checkKeys(node);
    }
    const parts = namedParts(nodes.keys(), MEMBERS);
    for (const node of nodes.keys()) redirectCall(node);
    const { valid, type, error } = parsed.check();
    if (!valid) throw error ?? new Error("it does not hold together");
    if (type !== "bool" && type !== "dyn") throw notOne(text, `it is of type ${type} and never true`);
    meterNodes(nodes, meter, weights);
    return { expression: (context) => parsed(context), parts };
  } catch (error) {
    if (error instanceof CountersignError) throw error;
    throw notOne(text, `${reasonOf(error)}${placeOf(error)}`);
  }
}

type LibraryError = Pick<ParseError | EvaluationError | TypingError, "summary" | "range">;

function isOfLibrary(error: unknown): error is Error & LibraryError {
  return error instanceof Error && "summary" in error;
}

/** Of the library's errors the sentence without the excerpt below it. */
function reasonOf(error: unknown): string {
  if (error instanceof RangeError) return "it is nested too deeply";
  const message = isOfLibrary(error) ? error.summary : error instanceof Error ? error.message : String(error);
  const [line = ""] = asWritten(message).split("\n", 1);
  return excerpt(line.charAt(0).toLowerCase() + line.slice(1));
}

const SHOWN = 200;

function excerpt(text: string): string {
  return text.length > SHOWN ? `${text.slice(0, SHOWN).toWellFormed()}…` : text;
}

function placeOf(error: unknown): string {
  const at = isOfLibrary(error) ? error.range?.start : undefined;
  return at === undefined ? "" : `, at character ${at + 1}`;
}

function notOne(text: string, why: string): CountersignError {
  return new CountersignError("usage", "not a condition", {
    found: `${why}, in ${JSON.stringify(excerpt(text))}`,
    wanted: 'a CEL expression on the statement, such as predicate.verificationResult == "PASSED"',
  });
}

function unknownCall(text: string, name: string, start: number): CountersignError {
  return new CountersignError("usage", "a condition calls a function that there is not", {
    found: `${name}, at character ${start + 1} in ${JSON.stringify(excerpt(text))}`,
    wanted: KNOWN_FUNCTIONS.join(", "),
  });
}
