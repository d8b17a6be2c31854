import { join } from "node:path";
import { encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { isObject, type JsonValue, parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { type Digest, isDigest } from "../../core/oci/digest.ts";
import { NOTHING_REMEMBERED, type Remembered, type StagedVersion } from "../../core/tags/remembered.ts";
import { writeFileAtomic } from "../disk/atomic.ts";
import { withLock } from "../disk/lock.ts";
import { makePrivateFolder, readWhole } from "../disk/whole.ts";
import { hashOf } from "../tuf/hashes.ts";

/**
 * How far a repository was seen when something was signed here. Who publishes on top of a head that was rolled back would sign away
 * what came after it, and sign it well: so it is remembered apart from what clients remember, which a publisher may never be.
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
  async recall(gun: string): Promise<Remembered> {
    const path = this.placeOf(gun);
    try {
      const bytes = await readWhole(path, LIMITS.publisherMemoryBytes);
      return bytes === undefined ? NOTHING_REMEMBERED : parse(bytes, gun);
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown;
      throw new CountersignError("disk-error", `what was published of the signed tags of ${gun} cannot be read`, {
        found: `${path}: ${thrown.found ?? thrown.message}`,
        next: "find out what became of the file; once it is removed, a head that was rolled back is no longer told apart",
        cause: thrown,
      });
    }
  }

  /**
   * Takes the place of what was noted under an older root, since a new online key may begin with lower versions, which was verified by
   * then. Under one root nothing goes back: another job on this machine may have seen more meanwhile.
   */
  async note(gun: string, seen: Remembered): Promise<void> {
    await makePrivateFolder(this.#folder);
    const path = this.placeOf(gun);
    await withLock(`${path}.lock`, { signal: this.#signal }, async () => {
      const { versions, staged, roots } = furthest(await this.recall(gun), seen);
      const [known, waiting, chain] = [versions, staged, roots].map((each) => Object.fromEntries(each));
      const text = JSON.stringify({ schemaVersion: 1, gun, versions: known, staged: waiting, roots: chain });
      await writeFileAtomic(path, encodeUtf8(`${text}\n`), { mode: 0o600 });
    });
  }

  placeOf(gun: string): string {
    return join(this.#folder, `${hashOf(encodeUtf8(gun), "sha256")}.json`);
  }
}

function furthest(present: Remembered, seen: Remembered): Remembered {
  const [before, now] = [present, seen].map(({ roots }) => Math.max(0, ...roots.keys()));
  if (now === undefined || now === 0 || present.roots.get(now) !== seen.roots.get(now)) return seen;
  if (now !== before) return present;
  const versions = highest(present.versions, seen.versions, (version) => version);
  const waiting = highest(present.staged, seen.staged, ({ version }) => version);
  const staged = [...waiting].filter(([role, { version }]) => version > (versions.get(role) ?? 0));
  return { versions, staged: new Map(staged), roots: seen.roots };
}

function highest<File>(
  a: ReadonlyMap<string, File>,
  b: ReadonlyMap<string, File>,
  versionOf: (file: File) => number,
): ReadonlyMap<string, File> {
  const isLower = (file: File, than: File | undefined) => than !== undefined && versionOf(file) < versionOf(than);
  return new Map([...a, ...[...b].filter(([role, file]) => !isLower(file, a.get(role)))]);
}

const WHAT = "the record of what was published";

/** What was staged, and roots, are not in what an earlier release has written. */
function parse(bytes: Uint8Array, gun: string): Remembered {
  const options = { what: WHAT, code: "disk-error", maxBytes: LIMITS.publisherMemoryBytes } as const;
  const { schemaVersion, gun: named, versions, staged = {}, roots = {} } = parseJsonObject(bytes, options);
  if (schemaVersion !== 1 || named !== gun || !isObject(versions) || !isObject(staged) || !isObject(roots))
    throw damaged();
  return {
    versions: new Map(Object.entries(versions).map(([role, version]) => [role, readVersion(version)])),
    staged: new Map(Object.entries(staged).map(([role, file]) => [role, readStaged(file)])),
    roots: new Map(Object.entries(roots).map(([version, root]) => [readVersion(Number(version)), readDigest(root)])),
  };
}

function readStaged(value: JsonValue): StagedVersion {
  const { version = 0, keyids = [] } = isObject(value) ? value : {};
  if (!Array.isArray(keyids)) throw damaged();
  return { version: readVersion(version), keyids: keyids.filter((id) => typeof id === "string") };
}

function readVersion(value: JsonValue): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 1) return value;
  throw damaged();
}

function readDigest(value: JsonValue): Digest {
  if (typeof value === "string" && isDigest(value)) return value;
  throw damaged();
}

function damaged(): CountersignError {
  return new CountersignError("disk-error", `${WHAT} is damaged`, { found: "something else than versions of roles" });
}
