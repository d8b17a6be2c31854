import type { Command } from "commander";
import { printable } from "../core/printable.ts";
import { formatDocument } from "../report/json.ts";
import type { Context } from "./context.ts";
import { variableOf } from "./environment.ts";
import type { Result } from "./output.ts";
import { shownValue, VARIABLES, type Variable } from "./variables.ts";

interface Listed extends Variable {
  readonly value: string | undefined;
}

/** Of the tests; and one for each signer. */
const ELSEWHERE = /^COUNTERSIGN_(?:BIN$|KEY_PASSPHRASE_)/;

/** Every variable that is read, and those that look as if they should be. */
export function environmentResult(root: Command, env: Context["env"]): Result {
  const known = [...VARIABLES, ...flagVariables(root)].map(
    (variable): Listed => ({ ...variable, value: shownValue(variable, env[variable.name]) }),
  );
  const names = new Set(known.map((variable) => variable.name));
  const unknown = Object.keys(env)
    .filter((name) => name.startsWith("COUNTERSIGN_") && !names.has(name) && !ELSEWHERE.test(name))
    .toSorted();
  return {
    text: (style) => {
      const lines = known.map(({ name, purpose, value }) =>
        value === undefined ? style.label(`# ${name}=  ${purpose}`) : `${name}=${printable(value)}`,
      );
      return `${[...lines, ...unknown.map((name) => `# ${printable(name)} is set, but no flag has this name`)].join("\n")}\n`;
    },
    json: () =>
      formatDocument("env", {
        variables: known.map(({ name, purpose, secret, value }) => ({ name, purpose, secret, value: value ?? null })),
        unknown,
      }),
  };
}

/** One per flag, whichever commands have it; secret by what it is called. */
function flagVariables(root: Command): readonly Variable[] {
  const flags = new Map<string, Variable>();
  for (const command of everyCommand(root)) {
    for (const option of command.options) {
      const name = variableOf(option);
      if (name === undefined || option.hidden || flags.has(name)) continue;
      flags.set(name, { name, purpose: option.long ?? "", secret: /TOKEN|PASSWORD$/.test(name) });
    }
  }
  const listedAlready = new Set(VARIABLES.map((variable) => variable.name));
  return [...flags.values()]
    .filter(({ name }) => !listedAlready.has(name))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

export function everyCommand(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}
