import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { configFolder } from "../io/disk/paths.ts";
import type { TagSettings } from "../wire.ts";
import type { Context } from "./context.ts";
import { type RawOptions, text } from "./options.ts";

/** The file of pinned roots: the one that is named, else the user's. None is picked up from the current folder. */
export function pinsFile(
  { env, homeDirectory, workingDirectory }: Pick<Context, "env" | "homeDirectory" | "workingDirectory">,
  named: string | undefined,
): TagSettings["pins"] {
  const path =
    named === undefined ? join(configFolder(env, homeDirectory), "pins.json") : resolve(workingDirectory, named);
  return { path, label: named ?? path, isNamed: named !== undefined };
}

/** Whether there can be a pin at all: where not, nothing about signed tags has to be loaded. */
export function hasPins(context: Context, raw: RawOptions): boolean {
  return existsSync(pinsFile(context, text(raw, "pins")).path);
}
