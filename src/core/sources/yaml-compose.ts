import { Composer, Lexer, type ParsedNode, Parser } from "yaml";
import { LIMITS } from "../limits.ts";

/** Why a text is no YAML that can be read, and where: characters from the beginning of that text. */
export class YamlBroken extends Error {
  readonly at: number;
  readonly wanted: string | undefined;

  constructor(at: number, found: string, wanted?: string) {
    super(found);
    this.at = at;
    this.wanted = wanted;
  }
}

/** What may still be spent on a file. */
export interface YamlBudget {
  tokens: number;
  values: number;
}

export function newYamlBudget(): YamlBudget {
  return { tokens: LIMITS.sourceTokens, values: LIMITS.sourceValues };
}

/**
 * Scalars stay as they are written: a tag `1.30` is no number. Names that stand twice are found by us, for the library's own
 * search takes quadratic time. What the specification refuses though it can only mean one thing is taken: the tools that use
 * these files take it.
 */
const OPTIONS = {
  version: "1.2",
  schema: "failsafe",
  prettyErrors: false,
  uniqueKeys: false,
  strict: false,
} as const;

/**
 * One document, parsed by the library in as much time and memory as the budget and the text's length allow.
 *
 * @throws YamlBroken
 */
export function composeYaml(text: string, budget: YamlBudget): ParsedNode | null {
  const errors: YamlBroken[] = [];
  try {
    const composer = composerThatStops(errors);
    let contents: ParsedNode | null = null;
    for (const document of documentsOf(text, composer, budget)) {
      const [problem] = document.errors;
      if (problem !== undefined) throw new YamlBroken(problem.pos[0], sentenceOf(problem.message));
      contents ??= document.contents;
    }
    return contents;
  } catch (thrown) {
    // The library catches what is thrown inside a collection, and says it again of the outermost one.
    const [first] = errors;
    if (first !== undefined) throw first;
    // Thousands of brackets inside each other: the parser recurses.
    if (thrown instanceof RangeError) throw tooDeep(0);
    throw thrown;
  }
}

/** The library collects every error, a kilobyte each, perhaps one for every character; the first tells enough. */
function composerThatStops(errors: YamlBroken[]): Composer {
  const composer = new Composer(OPTIONS);
  const onError = (at: ErrorPlace, _code: string, message: string, isWarning?: boolean) => {
    if (isWarning === true) return;
    errors.push(new YamlBroken(offsetOf(at), sentenceOf(message)));
    throw errors[0];
  };
  Object.assign(composer, { onError });
  return composer;
}

type ErrorPlace = number | readonly [number, number] | { readonly offset: number };

function offsetOf(at: ErrorPlace): number {
  if (typeof at === "number") return at;
  return "offset" in at ? at.offset : at[0];
}

function* documentsOf(text: string, composer: Composer, budget: YamlBudget): ReturnType<Composer["compose"]> {
  const parser = new Parser();
  for (const lexeme of new Lexer().lex(text)) {
    budget.tokens -= 1;
    if (budget.tokens < 0) {
      throw new YamlBroken(parser.offset, "more than can be read", `at most ${LIMITS.sourceTokens} tokens in one file`);
    }
    for (const token of parser.next(lexeme)) yield* taken(composer, token);
  }
  for (const token of parser.end()) yield* taken(composer, token);
  yield* composer.end();
}

function taken(composer: Composer, token: Parameters<Composer["next"]>[0]): ReturnType<Composer["next"]> {
  if (token.type === "error") throw new YamlBroken(token.offset, sentenceOf(token.message));
  return composer.next(token);
}

function sentenceOf(message: string): string {
  const [line = ""] = message.split("\n", 1);
  return line.startsWith("Maximum call stack") ? tooDeep(0).message : line;
}

export function tooDeep(at: number): YamlBroken {
  return new YamlBroken(at, "something nested without end", `at most ${LIMITS.sourceDepth} levels`);
}
