import { type Command, CommanderError } from "commander";
import { CountersignError, type Finding, toFinding } from "../core/errors.ts";
import { REASONS, reasonClass } from "../core/reasons.ts";
import { errorDocument } from "../report/json.ts";
import type { Context } from "./context.ts";
import { exitCodeOf } from "./exit-codes.ts";
import { fullName } from "./manual.ts";
import { deliver, type GlobalOptions, sayFinding } from "./output.ts";

/**
 * What went wrong, as one line with its code and the next step on standard error, and as a document on standard output
 * where JSON was asked for. Returns the exit code.
 */
export async function reportFailure(
  argv: readonly string[],
  context: Context,
  error: unknown,
  program?: Command,
): Promise<number> {
  const finding = findingOf(error, context, () => pageToRead(error, argv, program));
  const wishes = wishesOf(argv, context);
  sayFinding(context, finding);
  if (wishes.debug && error instanceof Error) context.stderr.stream.write(`${error.stack}\n`);
  if (wishes.format === "json") await deliverError(argv, context, wishes, finding);
  return exitCodeOf(reasonClass(finding.code));
}

/** The first failure is the one to report: where even its document cannot be written, a line says so. */
async function deliverError(
  argv: readonly string[],
  context: Context,
  wishes: GlobalOptions,
  finding: Finding,
): Promise<void> {
  try {
    await deliver(context, wishes, errorDocument(commandNamed(argv) ?? "", finding));
  } catch (error) {
    const second = toFinding(error);
    if (second.code !== finding.code || second.message !== finding.message) sayFinding(context, second);
  }
}

function findingOf(error: unknown, context: Context, page: () => string): Finding {
  if (error instanceof CommanderError) return { ...usageFinding(error), next: page() };
  if (context.signal.aborted) return toFinding(new CountersignError("interrupted", "interrupted"));
  const finding = toFinding(error);
  return finding.code === "usage" && finding.next === REASONS.usage.next ? { ...finding, next: page() } : finding;
}

const GUESS = /\s*\(Did you mean (?:one of )?(.*?)\?\)\s*$/s;
const UNKNOWN = /^unknown (command|option) '(.*?)'/s;
/** Two sentences of commander's, for a flag and for an argument: the value, what it is for, what it may be. */
const CHOICES =
  /^(?:option '(?<flags>.*?)' argument|command-argument value) '(?<value>.*)' is invalid(?: for (?<argument>argument '.*?'))?\. Allowed choices are (?<choices>.*)\.$/s;

/** Commander's sentence in our form: what was found and, from its guess or its list of choices, what was wanted. */
function usageFinding(error: CommanderError): Finding {
  if (error.code === "commander.help") {
    return { code: "usage", message: "no command was given", wanted: "one of those above" };
  }
  const sentence = error.message.replace(/^error: /, "");
  const guess = GUESS.exec(sentence)?.[1];
  const choice = CHOICES.exec(sentence)?.groups;
  const unknown = UNKNOWN.exec(sentence);
  if (unknown !== null) return { code: "usage", message: `unknown ${unknown[1]}`, found: unknown[2], wanted: guess };
  if (choice === undefined) return { code: "usage", message: sentence.replace(GUESS, "").replace(/\.$/, "") };
  return {
    code: "usage",
    message: `not a value of ${choice["argument"] ?? choice["flags"]}`,
    found: choice["value"],
    wanted: choice["choices"],
  };
}

/** The page with the flags of what was called: of `trust sign`, where that is what the command line names. */
function pageToRead(error: unknown, argv: readonly string[], program: Command | undefined): string {
  const isUnknown = error instanceof CommanderError && error.code === "commander.unknownCommand";
  return `see ${program === undefined ? "countersign" : fullName(commandIn(program, argv, isUnknown))} --help`;
}

/** A command may stand behind flags that are misplaced; one below it stands right behind it, all else may be a flag's value. */
function commandIn(program: Command, argv: readonly string[], isUnknown: boolean): Command {
  const childOf = (parent: Command, word: string | undefined) =>
    parent.commands.find((child) => child.name() === word || child.aliases().includes(word ?? ""));
  const first = isUnknown ? commandNamed(argv) : argv.find((word) => childOf(program, word) !== undefined);
  const words = first === undefined ? [] : argv.slice(argv.indexOf(first));
  let command = program;
  for (const word of words) {
    const child = childOf(command, word);
    if (child === undefined) break;
    command = child;
  }
  return command;
}

const TAKING: ReadonlySet<string> = new Set(["-o", "--output", "--output-file"]);

/** The first word that is neither a flag nor the value of a flag that every command has. */
export function commandNamed(argv: readonly string[]): string | undefined {
  return argv.find((word, at) => !word.startsWith("-") && !TAKING.has(argv[at - 1] ?? ""));
}

/** What the command line asks for as to output, read without a parser: it may be the parsing that failed. */
function wishesOf(argv: readonly string[], { env }: Context): GlobalOptions {
  const end = argv.indexOf("--");
  const words = end === -1 ? argv : argv.slice(0, end);
  return {
    format: wordAfter(words, "--output", "-o") ?? env["COUNTERSIGN_OUTPUT"] ?? "text",
    outputFile: wordAfter(words, "--output-file") ?? env["COUNTERSIGN_OUTPUT_FILE"],
    debug: words.includes("--debug") || env["COUNTERSIGN_DEBUG"] === "1",
    quiet: false,
    progress: false,
  };
}

function wordAfter(words: readonly string[], long: string, short?: string): string | undefined {
  const at = words.findLastIndex(
    (word) =>
      word === long ||
      word.startsWith(`${long}=`) ||
      (short !== undefined && /^-[a-zA-Z]/.test(word) && word.startsWith(short)),
  );
  const word = words[at];
  if (word === undefined) return undefined;
  if (word === long || word === short) return words[at + 1];
  return word.startsWith("--") ? word.slice(long.length + 1) : word.slice(short?.length).replace(/^=/, "");
}
