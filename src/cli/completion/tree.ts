import type { Argument, Command, Option } from "commander";
import { isRepeatable } from "../environment.ts";
import { formatsOf, fullName } from "../manual.ts";

/** What can follow a flag or stand as an argument. */
export type Completable =
  | { readonly kind: "choice"; readonly choices: readonly string[] }
  | { readonly kind: "file" }
  | { readonly kind: "text"; readonly name: string };

export interface CompletableFlag {
  /** `-o`, `--output`. */
  readonly names: readonly string[];
  readonly description: string;
  readonly value: Completable | undefined;
  readonly repeatable: boolean;
}

/** A command as the scripts need it. */
export interface CompletableCommand {
  readonly name: string;
  /** `countersign key generate`. */
  readonly path: string;
  readonly summary: string;
  readonly flags: readonly CompletableFlag[];
  readonly arguments: readonly (Completable & { readonly variadic: boolean })[];
  readonly children: readonly CompletableCommand[];
}

/** A command tree as the scripts need it. */
export function describeCommand(command: Command): CompletableCommand {
  const helper = command.createHelp();
  return {
    name: command.name(),
    path: fullName(command),
    summary: command.summary(),
    flags: helper.visibleOptions(command).map((option) => describeFlag(command, option)),
    arguments: command.registeredArguments.map(describeArgument),
    children: helper.visibleCommands(command).map(describeCommand),
  };
}

function describeFlag(command: Command, option: Option): CompletableFlag {
  return {
    names: [option.short, option.long].filter((name) => name !== undefined && name !== null),
    description: option.description,
    value: option.required || option.optional ? valueNamed(command, option) : undefined,
    repeatable: isRepeatable(option),
  };
}

function valueNamed(command: Command, option: Option): Completable {
  if (option.argChoices !== undefined) return { kind: "choice", choices: option.argChoices };
  if (option.long === "--output") return { kind: "choice", choices: formatsOf(command) };
  return namedValue(/<([^>]*)>/.exec(option.flags)?.[1] ?? "value");
}

/** What a placeholder is called says what it is. */
function namedValue(name: string): Completable {
  return name === "file" || name === "key" || name === "dir" ? { kind: "file" } : { kind: "text", name };
}

/** Images can be folders and archives too, so that files are offered for them. */
function describeArgument(argument: Argument): CompletableCommand["arguments"][number] {
  const { variadic } = argument;
  if (argument.argChoices !== undefined) return { kind: "choice", choices: argument.argChoices, variadic };
  return { ...(argument.name() === "image" ? { kind: "file" as const } : namedValue(argument.name())), variadic };
}

/** The command and everything below it. */
export function everyCompletable(command: CompletableCommand): readonly CompletableCommand[] {
  return [command, ...command.children.flatMap(everyCompletable)];
}

/** One word of a POSIX shell or fish, whatever is in it. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
