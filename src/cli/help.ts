import type { Command, Help } from "commander";
import { ANSI, PLAIN } from "../report/style.ts";
import type { Context } from "./context.ts";
import { fullName, type Manual, manualOf } from "./manual.ts";
import { styleFor } from "./output.ts";

const WIDEST_TERM = 30;
const WIDTH = 80;
const WIDEST = 100;

/** How help pages are laid out: terms in a narrow column, what is longer on a line of its own. */
export function helpLayout(context: Context): Partial<Help> {
  return {
    helpWidth: Math.min(context.stdout.stream.columns || WIDTH, WIDEST),
    padWidth: (command, helper) =>
      Math.min(
        WIDEST_TERM,
        Math.max(
          helper.longestOptionTermLength(command, helper),
          helper.longestSubcommandTermLength(command, helper),
          helper.longestArgumentTermLength(command, helper),
        ),
      ),
    subcommandTerm: (command) => command.name(),
    styleTitle: (title) => style(context).heading(title),
    formatItem,
  };
}

function style(context: Context): typeof PLAIN {
  return styleFor(context.stdout, context.env) === ANSI ? ANSI : PLAIN;
}

function formatItem(this: Help, term: string, termWidth: number, description: string, helper: Help): string {
  if (description === "") return `  ${term}`;
  const indent = " ".repeat(termWidth + 4);
  const wrapped = helper.boxWrap(description, Math.max((helper.helpWidth ?? WIDTH) - indent.length, 40));
  const body = wrapped.replaceAll("\n", `\n${indent}`);
  return term.length > termWidth ? `  ${term}\n${indent}${body}` : `  ${term.padEnd(termWidth)}  ${body}`;
}

/** What follows the flags: notes, examples, where to read on. */
export function helpEpilogue(command: Command, context: Context): string {
  const manual = manualOf(command);
  if (manual === undefined) return "";
  const { heading } = style(context);
  const helper = command.createHelp();
  const notes = (manual.notes ?? []).map((note) => `${helper.boxWrap(note, WIDTH)}\n`);
  const examples = [`${heading("Examples:")}\n${manual.examples.map(formatExample).join("\n")}`];
  return ["", ...notes, ...examples, `${heading("See also:")} ${seeAlso(command, manual)}`].join("\n");
}

function formatExample({ command, purpose }: Manual["examples"][number]): string {
  return `  # ${purpose}\n  $ ${command}\n`;
}

function seeAlso(command: Command, manual: Manual): string {
  const topics = ["countersign help exit-codes", "countersign help environment"];
  return [...(manual.seeAlso ?? []), ...topics].filter((name) => name !== fullName(command)).join(", ");
}
