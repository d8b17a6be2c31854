import { dirname, join } from "node:path";
import { encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { writeFileAtomic } from "../disk/atomic.ts";
import { removeAll } from "../disk/files.ts";
import { acquireLock, type Lock } from "../disk/lock.ts";
import { makePrivateFolder, readWhole } from "../disk/whole.ts";
import { hashOf } from "./hashes.ts";
import { formatMarks, formatState, type Marks, parseMarks, parseState, type StoredState } from "./state.ts";

/** Folders of the user's own. */
export interface StoreFolders {
  /** For what can be fetched again. */
  readonly cache: string;
  /** For what is remembered of it. */
  readonly marks: string;
}

/** What is kept of one repository on this machine. Our own layout: other tools' caches are neither read nor written. */
export class TufStore {
  /** What the repository is known by: its address. It is no path, and becomes none. */
  readonly location: string;
  readonly #state: string;
  readonly #marks: string;

  constructor(location: string, folders: StoreFolders) {
    const name = hashOf(encodeUtf8(location), "sha256");
    this.location = location;
    this.#state = join(folders.cache, name, "state.json");
    this.#marks = join(folders.marks, `${name}.json`);
  }

  /** undefined where there is none. What is damaged counts as none: it is fetched again, and the marks say how far it was. */
  async readState(): Promise<StoredState | undefined> {
    try {
      const bytes = await readWhole(this.#state, LIMITS.tufStateBytes);
      return bytes === undefined ? undefined : parseState(this.location, bytes);
    } catch (thrown) {
      if (thrown instanceof CountersignError) return undefined;
      throw thrown;
    }
  }

  /** @throws CountersignError `disk-error`: without them, a repository that was rolled back would pass. */
  async readMarks(): Promise<Marks | undefined> {
    try {
      const bytes = await readWhole(this.#marks, LIMITS.tufMarksBytes);
      return bytes === undefined ? undefined : parseMarks(this.location, bytes);
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown;
      throw new CountersignError("disk-error", "the record of the trust repository's versions cannot be read", {
        found: `${this.#marks}: ${thrown.found ?? thrown.message}`,
        next: `remove ${this.#marks}, then refresh with countersign trusted-root update`,
        cause: thrown,
      });
    }
  }

  /** Whether anything of the repository was ever seen on this machine, as far as that is remembered. */
  async isKnown(): Promise<boolean> {
    return (await this.readMarks()) !== undefined || (await this.readState()) !== undefined;
  }

  /** @throws CountersignError `disk-error`, `write-conflict`, `interrupted`. */
  async lock(signal: AbortSignal | undefined): Promise<Lock> {
    await makePrivateFolder(dirname(this.#state));
    return await acquireLock(join(dirname(this.#state), "lock"), { signal });
  }

  /** The state first: marks that lag behind are harmless, marks that run ahead would call the state rolled back. */
  async write(state: StoredState, marks: Marks): Promise<void> {
    await writeFileAtomic(this.#state, formatState(this.location, state));
    await makePrivateFolder(dirname(this.#marks));
    await writeFileAtomic(this.#marks, formatMarks(this.location, marks));
  }

  /** Forgets everything: for a repository that starts over from a root that somebody chose anew. */
  async forget(): Promise<void> {
    await removeAll(this.#state);
    await removeAll(this.#marks);
  }
}
