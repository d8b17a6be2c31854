import { isAbsolute, join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** Where what can be fetched again is kept: `$XDG_CACHE_HOME/countersign`, else `~/.cache/countersign`. */
export function cacheFolder(env: Environment, homeDirectory: string): string {
  return join(baseFolder(env["XDG_CACHE_HOME"], homeDirectory, ".cache"), "countersign");
}

/** Where what the user wrote is kept: `$XDG_CONFIG_HOME/countersign`, else `~/.config/countersign`. */
export function configFolder(env: Environment, homeDirectory: string): string {
  return join(baseFolder(env["XDG_CONFIG_HOME"], homeDirectory, ".config"), "countersign");
}

/** Where what must survive the cache is remembered: `$XDG_STATE_HOME/countersign`, else `~/.local/state/countersign`. */
export function stateFolder(env: Environment, homeDirectory: string): string {
  return join(baseFolder(env["XDG_STATE_HOME"], homeDirectory, ".local/state"), "countersign");
}

/** Where what cannot be made again is kept, keys among it: `$XDG_DATA_HOME/countersign`, else `~/.local/share/countersign`. */
export function dataFolder(env: Environment, homeDirectory: string): string {
  return join(baseFolder(env["XDG_DATA_HOME"], homeDirectory, ".local/share"), "countersign");
}

/** XDG Base Directory Specification, "Environment variables": a path that is not absolute is ignored. */
function baseFolder(value: string | undefined, homeDirectory: string, fallback: string): string {
  return value !== undefined && isAbsolute(value) ? value : join(homeDirectory, fallback);
}
