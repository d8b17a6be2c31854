import { join } from "node:path";
import { encodeBase64, encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { describeJson, isObject, type JsonObject, parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { formatInstantExactly, type Instant } from "../../core/time.ts";
import { writeFileAtomic } from "../disk/atomic.ts";
import { withLock } from "../disk/lock.ts";
import { makePrivateFolder, readWhole } from "../disk/whole.ts";
import { hashOf } from "../tuf/hashes.ts";
import {
  type Marks,
  marksJson,
  readBytes,
  readMarks,
  readState,
  readTime,
  type StoredState,
  stateJson,
} from "../tuf/state.ts";

/** The head as it was served: with it, what has not changed costs one request without an answer to speak of. */
export interface KeptHead {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
}

/**
 * What is kept of one repository's signed tags. All of it is in one file, so that there is one state or the other and no mixture;
 * and it lies where it outlives every cache, for it is what tells a rollback. The metadata in it is verified again at every use.
 */
export interface ClientState {
  readonly head: KeptHead | undefined;
  /** The latest time at which anything was verified here. */
  readonly clock: Instant;
  readonly kept: StoredState;
  readonly marks: Marks;
}

const FORMAT = 1;

/** The state of one repository, by its canonical name, on this machine. */
export class ClientStore {
  readonly gun: string;
  readonly path: string;
  readonly #folder: string;

  constructor(gun: string, folder: string) {
    this.gun = gun;
    this.#folder = folder;
    this.path = join(folder, `${hashOf(encodeUtf8(gun), "sha256")}.json`);
  }

  /**
   * undefined where nothing was seen yet.
   *
   * @throws CountersignError `disk-error`, also for what is damaged: without it, a repository that was rolled back would pass.
   */
  async read(): Promise<ClientState | undefined> {
    try {
      const bytes = await readWhole(this.path, LIMITS.tufStateBytes);
      return bytes === undefined ? undefined : this.#parse(bytes);
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown;
      throw new CountersignError("disk-error", `what was seen of the signed tags of ${this.gun} cannot be read`, {
        found: `${this.path}: ${thrown.found ?? thrown.message}`,
        next: `find out what became of the file; once it is removed, an older state of the repository is no longer told apart`,
        cause: thrown,
      });
    }
  }

  /** Replaces the state by what `change` makes of the present one; undefined leaves it. One process at a time. */
  async update(
    change: (present: ClientState | undefined) => ClientState | undefined,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    await makePrivateFolder(this.#folder);
    await withLock(`${this.path}.lock`, { signal }, async () => {
      const next = change(await this.read());
      if (next !== undefined) await writeFileAtomic(this.path, this.#format(next));
    });
  }

  #format({ head, clock, kept, marks }: ClientState): Uint8Array {
    const json: JsonObject = {
      format: FORMAT,
      gun: this.gun,
      clock: formatInstantExactly(clock),
      head: head === undefined ? null : { bytes: encodeBase64(head.bytes), mediaType: head.mediaType },
      kept: stateJson(this.gun, kept),
      marks: marksJson(this.gun, marks),
    };
    return encodeUtf8(JSON.stringify(json));
  }

  #parse(bytes: Uint8Array): ClientState {
    const what = "the record of signed tags";
    const json = parseJsonObject(bytes, { what, code: "disk-error", maxBytes: LIMITS.tufStateBytes });
    const { format, gun, kept, marks } = json;
    if (format !== FORMAT || gun !== this.gun) throw damaged(`format ${describeJson(format)} of ${describeJson(gun)}`);
    if (!isObject(kept) || !isObject(marks)) throw damaged("no metadata");
    return {
      head: readHead(json),
      clock: readTime(json["clock"]),
      kept: readState(this.gun, kept),
      marks: readMarks(this.gun, marks),
    };
  }
}

function readHead({ head }: JsonObject): KeptHead | undefined {
  if (head === null) return undefined;
  const mediaType = isObject(head) ? head["mediaType"] : undefined;
  if (!isObject(head) || typeof mediaType !== "string") throw damaged("head");
  return { bytes: readBytes(head["bytes"]), mediaType };
}

function damaged(found: string): CountersignError {
  return new CountersignError("disk-error", "the record of signed tags is damaged", { found });
}
