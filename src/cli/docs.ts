import type { Command, Option } from "commander";
import { VERSION } from "../version.ts";
import { EXIT_CODE_MEANINGS, EXIT_CODES } from "./exit-codes.ts";
import { fullName, manualOf } from "./manual.ts";
import { VARIABLES } from "./variables.ts";

/** The manual: one roff page a command, by file name, made from the same definitions as `--help`. */
export function manPages(root: Command): ReadonlyMap<string, string> {
  return new Map(documented(root).map((command) => [`${pageName(command)}.1`, manPage(command)]));
}

/** The commands that have a page, depth first: all that are not hidden. */
export function documented(command: Command): readonly Command[] {
  return [command, ...command.createHelp().visibleCommands(command).flatMap(documented)];
}

function pageName(command: Command): string {
  return fullName(command).replaceAll(" ", "-");
}

/** One page as roff. */
export function manPage(command: Command): string {
  const sections = [
    section("NAME", [`${pageName(command)} \\- ${roff(command.summary() || command.description())}`]),
    section("SYNOPSIS", [`.B ${roff(fullName(command))}`, roff(command.usage())]),
    section("DESCRIPTION", paragraphs([command.description(), ...(manualOf(command)?.notes ?? [])])),
    section(
      "COMMANDS",
      command
        .createHelp()
        .visibleCommands(command)
        .flatMap((child) => item(fullName(child), child.summary())),
    ),
    section(
      "ARGUMENTS",
      command.registeredArguments.flatMap((argument) => item(argument.name(), argument.description)),
    ),
    section("OPTIONS", optionGroups(command)),
    section("EXAMPLES", examples(command)),
    ...(command.parent === null ? rootSections() : []),
    section("SEE ALSO", seeAlso(command)),
  ];
  const heading = `.TH "${pageName(command).toUpperCase()}" 1 "" "countersign ${VERSION}" "Countersign manual"`;
  return `${[heading, ...sections.filter((text) => text !== "")].join("\n")}\n`;
}

function section(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : [`.SH ${title}`, ...lines].join("\n");
}

function paragraphs(texts: readonly string[]): readonly string[] {
  return texts.flatMap((text, at) => (at === 0 ? [roff(text)] : [".PP", roff(text)]));
}

function item(term: string, description: string): readonly string[] {
  return [".TP", `.B ${roff(term)}`, roff(description)];
}

function optionGroups(command: Command): readonly string[] {
  const groups = new Map<string, Option[]>();
  const helper = command.createHelp();
  for (const option of helper.visibleOptions(command)) {
    const name = (option.helpGroupHeading ?? "Options:").replace(/:$/, "");
    groups.set(name, [...(groups.get(name) ?? []), option]);
  }
  return [...groups].flatMap(([name, options]) => [
    `.SS ${roff(name)}`,
    ...options.flatMap((option) => item(option.flags, helper.optionDescription(option))),
  ]);
}

function examples(command: Command): readonly string[] {
  return (manualOf(command)?.examples ?? []).flatMap((example) => [
    ".PP",
    `${roff(example.purpose)}:`,
    ".PP",
    ".RS 4",
    ".nf",
    `$ ${roff(example.command)}`,
    ".fi",
    ".RE",
  ]);
}

/** What all commands share is on the first page. */
function rootSections(): readonly string[] {
  const names = Object.keys(EXIT_CODES) as readonly (keyof typeof EXIT_CODES)[];
  return [
    section(
      "EXIT STATUS",
      names.flatMap((name) => item(String(EXIT_CODES[name]), EXIT_CODE_MEANINGS[name])),
    ),
    section("ENVIRONMENT", [
      "Every flag can be set as a variable: \\-\\-registry\\-cacert is COUNTERSIGN_REGISTRY_CACERT. Read as they are:",
      ...VARIABLES.flatMap(({ name, purpose }) => item(name, purpose)),
    ]),
  ];
}

function seeAlso(command: Command): readonly string[] {
  const named = (manualOf(command)?.seeAlso ?? []).filter((name) => !name.startsWith("countersign help"));
  const pages = [...(command.parent === null ? [] : ["countersign"]), ...named].map((name) =>
    name.replaceAll(" ", "-"),
  );
  return pages.length === 0 ? [] : [[...new Set(pages)].map((name) => `.BR ${roff(name)} (1)`).join(" ,\n")];
}

/** roff reads backslashes, and lines that begin with a dot or a quote; a plain hyphen may become a typographic one. */
function roff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^(?=[.'])/gm, "\\&");
}
