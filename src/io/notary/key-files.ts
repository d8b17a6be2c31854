import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { ifPresent, onDisk } from "../disk/errors.ts";

/**
 * Docker's private keys by their ids: `private/ID.key`, in early versions `private/root_keys/ID_root.key` and
 * `private/tuf_keys/…/ID.key`. Links are not followed.
 *
 * @returns paths; empty where there is no such folder.
 * @throws CountersignError `disk-error`, `limit-reached`.
 */
export async function findDockerKeys(trustFolder: string): Promise<ReadonlyMap<string, string>> {
  const folder = join(trustFolder, "private");
  const found = await onDisk(`read ${folder}`, () =>
    ifPresent(() => readdir(folder, { recursive: true, withFileTypes: true })),
  );
  const keys = new Map<string, string>();
  for (const entry of found ?? []) {
    const [, id] = KEY_FILE.exec(entry.name) ?? [];
    if (id === undefined || !entry.isFile()) continue;
    if (keys.size === LIMITS.dctKeyFiles) throw tooMany(folder);
    keys.set(id, join(entry.parentPath, entry.name));
  }
  return keys;
}

/** The id of the plain key, and what it was for in files of early versions. */
const KEY_FILE = /^([0-9a-f]{64})(?:_[a-z0-9_/-]{1,64})?\.key$/;

function tooMany(folder: string): CountersignError {
  return new CountersignError("limit-reached", "there are more key files than are looked through", {
    found: folder,
    wanted: `at most ${LIMITS.dctKeyFiles}`,
  });
}
