import { join } from "node:path";
import { encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { isObject, parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { writeFileAtomic } from "../disk/atomic.ts";
import { withLock } from "../disk/lock.ts";
import { makePrivateFolder, readWhole } from "../disk/whole.ts";
import { hashOf } from "../tuf/hashes.ts";

/**
 * The highest versions that were seen when something was published here, by role. Who publishes on top of a head that was rolled
 * back would sign away what came after it, and sign it well: so it is remembered apart from what clients remember, which a
 * publisher may never be.
 */
export class PublisherMemory {
  readonly #folder: string;
  readonly #signal: AbortSignal | undefined;

  /** @param folder The user's folder for what must survive every cache. */
  constructor(folder: string, signal?: AbortSignal) {
    this.#folder = join(folder, "tags", "published");
    this.#signal = signal;
  }

  /** @throws CountersignError `disk-error`, also for what is damaged: without it, a rollback would pass. */
  async recall(gun: string): Promise<ReadonlyMap<string, number>> {
    const path = this.#path(gun);
    try {
      const bytes = await readWhole(path, LIMITS.publisherMemoryBytes);
      return bytes === undefined ? new Map() : parse(bytes, gun);
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown;
      throw new CountersignError("disk-error", `what was published of the signed tags of ${gun} cannot be read`, {
        found: `${path}: ${thrown.found ?? thrown.message}`,
        next: "find out what became of the file; once it is removed, a head that was rolled back is no longer told apart",
        cause: thrown,
      });
    }
  }

  /** Takes the place of what was noted: a new online key may begin with lower versions, which was verified by then. */
  async note(gun: string, versions: ReadonlyMap<string, number>): Promise<void> {
    await makePrivateFolder(this.#folder);
    const path = this.#path(gun);
    await withLock(`${path}.lock`, { signal: this.#signal }, async () => {
      const text = JSON.stringify({ schemaVersion: 1, gun, versions: Object.fromEntries(versions) });
      await writeFileAtomic(path, encodeUtf8(`${text}\n`), { mode: 0o600 });
    });
  }

  #path(gun: string): string {
    return join(this.#folder, `${hashOf(encodeUtf8(gun), "sha256")}.json`);
  }
}

function parse(bytes: Uint8Array, gun: string): ReadonlyMap<string, number> {
  const what = "the record of what was published";
  const options = { what, code: "disk-error", maxBytes: LIMITS.publisherMemoryBytes } as const;
  const { schemaVersion, gun: named, versions } = parseJsonObject(bytes, options);
  if (schemaVersion !== 1 || named !== gun || !isObject(versions)) throw damaged(what);
  const entries = Object.entries(versions).map(([role, version]) => {
    if (typeof version !== "number" || !Number.isSafeInteger(version) || version < 1) throw damaged(what);
    return [role, version] as const;
  });
  return new Map(entries);
}

function damaged(what: string): CountersignError {
  return new CountersignError("disk-error", `${what} is damaged`, { found: "something else than versions of roles" });
}
