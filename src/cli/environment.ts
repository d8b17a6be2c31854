import type { Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import type { Context } from "./context.ts";
import { displacerOf } from "./displaced.ts";

/** `--registry-cacert` is COUNTERSIGN_REGISTRY_CACERT. */
export function variableOf(option: Pick<Option, "long">): string | undefined {
  const name = option.long?.replace(/^--(?:no-)?/, "");
  if (name === undefined || name === "help" || name === "version") return undefined;
  const prefix = option.long?.startsWith("--no-") === true ? "NO_" : "";
  return `COUNTERSIGN_${prefix}${name.replaceAll("-", "_").toUpperCase()}`;
}

/**
 * Gives every flag that was not on the command line its value from the environment. Commander's own `env` reads the
 * process; ours comes with the context. What the command line says in another way is left out, and `warn` says so.
 *
 * @throws CountersignError `configuration-invalid` for a value that the flag would not take.
 */
export function applyEnvironment(command: Command, env: Context["env"], warn: (line: string) => void): void {
  for (const option of command.options) {
    const variable = variableOf(option);
    const value = variable === undefined ? undefined : env[variable];
    if (variable === undefined || value === undefined || value === "" || isContentTrust(variable, value)) continue;
    const name = option.attributeName();
    const source = command.getOptionValueSource(name);
    if (source !== undefined && source !== "default") continue;
    const displacer = displacerOf(command, option);
    if (displacer !== undefined) {
      warn(`${variable} is not heeded: ${displacer} on the command line takes its place`);
      continue;
    }
    command.setOptionValueWithSource(name, readVariable(option, variable, value), "env");
  }
}

/** `COUNTERSIGN_TRUST=1` asks for signed tags, as DOCKER_CONTENT_TRUST does; an instance for --trust has a name. */
function isContentTrust(variable: string, value: string): boolean {
  return variable === CONTENT_TRUST && isSwitch(value);
}

function readVariable(option: Option, variable: string, value: string): unknown {
  if (!option.required && !option.optional) {
    const on = readSwitch(variable, value);
    return option.negate ? !on : on;
  }
  if (option.parseArg === undefined) return value;
  try {
    if (!isRepeatable(option)) return option.parseArg(value, undefined);
    return value.split(",").reduce<unknown>((values, part) => option.parseArg?.(part, values), undefined);
  } catch (cause) {
    const found = cause instanceof CountersignError ? (cause.found ?? value) : value;
    const wanted = cause instanceof CountersignError ? cause.wanted : option.argChoices?.join(" or ");
    throw new CountersignError("configuration-invalid", `${variable} cannot be used`, { found, wanted, cause });
  }
}

/** Several values are separated by commas in a variable. */
export function isRepeatable(option: Option): boolean {
  return option.description.includes("(repeatable");
}

const ON: ReadonlySet<string> = new Set(["1", "true", "yes", "on"]);
const OFF: ReadonlySet<string> = new Set(["0", "false", "no", "off"]);

export function isOn(value: string): boolean {
  return ON.has(value.toLowerCase());
}

/** Whether a value turns something on or off. */
export function isSwitch(value: string): boolean {
  return ON.has(value.toLowerCase()) || OFF.has(value.toLowerCase());
}

/** The variable that asks for signed tags, where its value is a switch. */
export const CONTENT_TRUST = "COUNTERSIGN_TRUST";

/** @throws CountersignError `configuration-invalid` for what is no word for either. */
function readSwitch(variable: string, value: string): boolean {
  if (isOn(value)) return true;
  if (OFF.has(value.toLowerCase())) return false;
  throw new CountersignError("configuration-invalid", `${variable} cannot be used`, { found: value, wanted: "1 or 0" });
}
