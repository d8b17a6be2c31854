import type { Command, Option } from "commander";

/**
 * Flags of which one takes the place of others. Both on the command line contradict each other, and whoever reads them says
 * so; a value from the environment only gives way.
 */
interface Displacement {
  /** Long names: `--policy`. */
  readonly given: readonly string[];
  readonly displaced: readonly string[];
}

const displacements = new WeakMap<Command, readonly Displacement[]>();

/** On this command's line, any of `given` keeps the environment from giving any of `displaced` a value. */
export function displace(command: Command, given: readonly string[], displaced: readonly string[]): Command {
  displacements.set(command, [...(displacements.get(command) ?? []), { given, displaced }]);
  return command;
}

/** The flag on the command line that takes this one's place; undefined where there is none. */
export function displacerOf(command: Command, { long }: Pick<Option, "long">): string | undefined {
  if (long === null || long === undefined) return undefined;
  const rivals = (displacements.get(command) ?? []).flatMap(({ given, displaced }) =>
    displaced.includes(long) ? given : [],
  );
  return rivals.find((name) => isOnLine(command, name));
}

function isOnLine(command: Command, name: string): boolean {
  const option = command.options.find(({ long }) => long === name);
  return option !== undefined && command.getOptionValueSource(option.attributeName()) === "cli";
}
