import { join, resolve } from "node:path";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { readNamedFile } from "../disk/named.ts";
import { configFolder } from "../disk/paths.ts";
import { BUILT_IN, DEFAULT_INSTANCE } from "./builtin.ts";
import type { NamedFile, TrustInstance } from "./instances.ts";

/** What the configuration says, and what there is without it. */
export interface Configuration {
  /** The file; undefined where there is none. */
  readonly path: string | undefined;
  /** Those that are built in first. */
  readonly instances: readonly TrustInstance[];
  /** The name of the instance that is used where none is named. */
  readonly defaultInstance: string;
}

export interface ConfigurationSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homeDirectory: string;
  readonly workingDirectory: string;
}

/** Where the configuration is where nothing else is said: in the user's own folder, never in the current one. */
export function configurationFile({ env, homeDirectory }: ConfigurationSurroundings): string {
  return join(configFolder(env, homeDirectory), "config.yaml");
}

/**
 * The configuration: of the file that was named, else of the user's own where there is one.
 *
 * @throws CountersignError `configuration-invalid`, `disk-error`.
 */
export async function loadConfiguration(
  named: string | undefined,
  surroundings: ConfigurationSurroundings,
): Promise<Configuration> {
  const path = named === undefined ? configurationFile(surroundings) : resolve(surroundings.workingDirectory, named);
  const label = named ?? path;
  const bytes = await readConfigurationFile({ path, label });
  if (bytes !== undefined) {
    // The parser is a large library, and most machines have no configuration.
    const { parseConfiguration } = await import("./parse.ts");
    return parseConfiguration(bytes, { path, label });
  }
  if (named === undefined) return { path: undefined, instances: BUILT_IN, defaultInstance: DEFAULT_INSTANCE };
  throw new CountersignError("configuration-invalid", "the configuration file is not there", { found: named });
}

/** undefined where there is none. @throws CountersignError `disk-error`, `limit-reached`. */
export async function readConfigurationFile(file: NamedFile): Promise<Uint8Array | undefined> {
  return await readNamedFile(file, LIMITS.configurationBytes);
}
