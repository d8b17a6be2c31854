import type { Command } from "commander";

export interface Example {
  readonly command: string;
  /** One sentence fragment: what it is for. */
  readonly purpose: string;
}

/** What a command's page says beyond its flags; `--help` and the man page both print it. */
export interface Manual {
  readonly examples: readonly Example[];
  /** Paragraphs. */
  readonly notes?: readonly string[];
  readonly seeAlso?: readonly string[];
  /** What -o takes; `text` and `json` where absent. The first is the default. */
  readonly formats?: readonly string[];
}

const manuals = new WeakMap<Command, Manual>();

/** Gives a command its manual. */
export function withManual(command: Command, manual: Manual): Command {
  manuals.set(command, manual);
  return command;
}

export function manualOf(command: Command): Manual | undefined {
  return manuals.get(command);
}

/** `countersign key generate`: the command's name with its ancestors'. */
export function fullName(command: Command): string {
  return command.parent === null ? command.name() : `${fullName(command.parent)} ${command.name()}`;
}

/** What the command's -o takes. */
export function formatsOf(command: Command): readonly string[] {
  return manualOf(command)?.formats ?? ["text", "json"];
}
