import { type Command, Option } from "commander";
import { once, type RawOptions, text } from "./options.ts";

export function storeOption(purpose: string): Option {
  return new Option("--store <file>", purpose).argParser(once("--store"));
}

/** The store that is asked: one that only the environment names gives way to files on the command line. */
export function askedStore(command: Command, options: RawOptions, files: readonly string[]): string | undefined {
  const isByTheWay = command.getOptionValueSource("store") === "env" && files.length > 0;
  return isByTheWay ? undefined : text(options, "store");
}
