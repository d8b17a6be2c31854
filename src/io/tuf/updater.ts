import { type Fetcher, TargetFile, Updater, type UpdaterOptions } from "tuf-js";
import { DownloadHTTPError } from "tuf-js/dist/error.js";
import { CountersignError } from "../../core/errors.ts";
import { isObject, parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import type { ReasonCode } from "../../core/reasons.ts";
import { kindOf, MAX_METADATA_BYTES } from "../../core/tags/files.ts";
import type { Instant } from "../../core/time.ts";
import { type FaultTable, TRUST_ROOT_FAULTS } from "./faults.ts";
import { hasHashes } from "./hashes.ts";
import type { Called } from "./marks.ts";
import { explainRefusal, nameRole, type Served } from "./refusal.ts";
import type { TufSource } from "./source.ts";
import { fetchTarget, type Target } from "./target.ts";
import { type FileEntry, type Kind, readMetadata, type UntrustedMetadata } from "./untrusted.ts";

export interface UpdaterSettings {
  /** For messages: `tuf.example`. */
  readonly name: string;
  /** The time against which expiry is judged, the same for a whole run (TUF 1.0.34, 5.1). */
  readonly now: Instant;
  readonly source: TufSource;
  readonly anyRoleName?: boolean | undefined;
  /** Files that a snapshot may list; LIMITS.tufFiles where nothing is said. */
  readonly listedFiles?: number | undefined;
  /** New root versions at once; LIMITS.tufRootSteps where nothing is said. */
  readonly rootSteps?: number | undefined;
  /** What is wrong, in codes; those of trust roots where nothing is said. */
  readonly faults?: FaultTable | undefined;
  /** A narrower reading, before every other one. @throws CountersignError. */
  readonly inspect?: ((bytes: Uint8Array, kind: Kind, what: string, role: string) => void) | undefined;
  /**
   * A delegated role that the snapshot does not list binds nothing yet: its signer has not signed. TUF does not say what then;
   * tuf-js gives up on everything. That a role which was listed stays so is checked from one snapshot to the next.
   */
  readonly allowUnlistedRoles?: boolean | undefined;
}

/** A target and where it is listed. */
export interface ListedTarget extends Target {
  readonly role: string;
  /** The role that delegates to that one. */
  readonly delegator: string;
}

/**
 * One run of the TUF client workflow (TUF 1.0.34, 5) by tuf-js: metadata in memory in, verified metadata in memory out.
 * What is verified is kept even where a later step fails, as the workflow has it; what becomes of it is the caller's.
 */
export class TufUpdater {
  /** Trusted metadata by role: the root that everything starts from, and what was known before. tuf-js verifies all of it. */
  readonly metadata: Map<string, Uint8Array>;
  /** Roots that were verified in this run, oldest first. */
  readonly newRoots: Uint8Array[] = [];
  /** The targets roles that were verified in this run. */
  readonly #seen = new Set<string>();
  readonly #settings: UpdaterSettings;
  readonly #fetcher: SourceFetcher;
  readonly #updater: OpenUpdater;
  readonly #faults: FaultTable;
  readonly #readings = new Map<string, { readonly bytes: Uint8Array; readonly metadata: UntrustedMetadata }>();
  #searched = 0;
  /** The roles that the search for one target looked into: the last one is where it was found. */
  readonly #places: Pick<ListedTarget, "role" | "delegator">[] = [];

  /** @throws CountersignError for a root that is not one, or not signed by its own keys: the fault `start`. */
  constructor(metadata: ReadonlyMap<string, Uint8Array>, settings: UpdaterSettings) {
    this.#settings = settings;
    this.#faults = settings.faults ?? TRUST_ROOT_FAULTS;
    this.metadata = new Map(metadata);
    this.read("root");
    this.#fetcher = new SourceFetcher(settings);
    this.#updater = this.#open();
    this.#updater.trustedSet.referenceTime = new Date(settings.now);
  }

  /**
   * The metadata of the top-level roles, up to date.
   *
   * @throws CountersignError by the table of faults, `limit-reached`, and what the source throws.
   */
  async refresh(): Promise<void> {
    await this.#run(() => this.#updater.refresh());
  }

  /**
   * The target with this path, from the first role that lists it and may (TUF 1.0.34, 5.6.7). undefined: none does.
   *
   * @throws CountersignError as `refresh`.
   */
  async find(path: string): Promise<ListedTarget | undefined> {
    this.#searched = 0;
    this.#places.length = 0;
    const found = await this.#run(() => this.#updater.getTargetInfo(path));
    // tuf-js looks names up in plain objects: `toString` is found in any of them.
    const place = this.#places.at(-1);
    if (!(found instanceof TargetFile) || place === undefined) return undefined;
    const { length, hashes, custom } = found;
    return { path, length, hashes, custom, ...place };
  }

  /** Verifies a role that `find` had no reason to look into. @throws CountersignError as `refresh`. */
  async look(role: string, delegator: string): Promise<void> {
    await this.#run(() => this.#updater.loadTargets(role, delegator));
  }

  /**
   * The timestamp that the source served, once `refresh` has verified it. tuf-js keeps to the one that it knows where both
   * are of the same version, whatever the new one says.
   */
  get servedTimestamp(): UntrustedMetadata | undefined {
    return this.#fetcher.timestamp;
  }

  /** The roles whose metadata was verified in this run, once `refresh` has. */
  get roles(): readonly string[] {
    return ["root", "timestamp", "snapshot", ...this.#seen];
  }

  /** What is worth keeping: roles that were not looked at this time are kept as they are, while the snapshot lists them. */
  get kept(): ReadonlyMap<string, Uint8Array> {
    const files = this.read("snapshot")?.files;
    const isListed = (role: string) => role !== "root" && files?.has(`${role}.json`) === true;
    const isKept = (role: string) => role === "timestamp" || role === "snapshot" || isListed(role);
    return new Map([...this.metadata].filter(([role]) => isKept(role)));
  }

  /** A role's trusted metadata, read. */
  read(role: string): UntrustedMetadata | undefined {
    const bytes = this.metadata.get(role);
    if (bytes === undefined) return undefined;
    const before = this.#readings.get(role);
    if (before?.bytes === bytes) return before.metadata;
    const metadata = this.#read(role, bytes);
    this.#readings.set(role, { bytes, metadata });
    return metadata;
  }

  /** What a target holds, proven. @throws CountersignError as `fetchTarget`. */
  async fetch(target: Target, maxBytes: number): Promise<Uint8Array> {
    const { name, source } = this.#settings;
    const hashedNames = this.read("root")?.signed["consistent_snapshot"] !== false;
    return await fetchTarget(source, target, { name, hashedNames, maxBytes });
  }

  async #run<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#fetcher.failure = undefined;
    try {
      return await work();
    } catch (thrown) {
      if (thrown instanceof CountersignError) throw thrown;
      if (this.#fetcher.failure !== undefined) throw this.#fetcher.failure;
      const { name, now } = this.#settings;
      const trusted = (role: string) => this.read(role);
      throw explainRefusal(thrown, { name, now, trusted, served: this.#fetcher.last, faults: this.#faults });
    }
  }

  /** What was known before of a role, as far as it can be read; tuf-js asks for the rest again. */
  #known(role: string): Uint8Array | undefined {
    try {
      this.read(role);
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown;
      this.metadata.delete(role);
    }
    return role === "snapshot" ? this.#knownSnapshot() : this.metadata.get(role);
  }

  #read(role: string, bytes: Uint8Array): UntrustedMetadata {
    const code = this.#faults.codes[role === "root" ? "start" : "malformed"];
    return readStrictly(role, bytes, this.#settings, code);
  }

  #open(): OpenUpdater {
    try {
      return openUpdater(this.#fetcher, this.#settings.rootSteps ?? LIMITS.tufRootSteps, {
        load: (role) => this.#known(role),
        keep: (role, bytes) => {
          this.metadata.set(role, bytes);
          // It was read when it was served, which is just before.
          const { last } = this.#fetcher;
          if (last?.role === role && isSameMemory(last.bytes, bytes)) {
            this.#readings.set(role, { bytes, metadata: last.metadata });
          }
          if (role === "root") this.newRoots.push(bytes);
        },
        search: (role) => this.#search(role),
        found: (role, delegator) => {
          this.#seen.add(role);
          this.#places.push({ role, delegator });
        },
      });
    } catch (cause) {
      if (cause instanceof CountersignError) throw cause;
      const message = `the start root for ${this.#settings.name} is not signed as it asks`;
      throw new CountersignError(this.#faults.codes.start, message, {
        found: cause instanceof Error ? cause.message : "no reason",
        wanted: "a root that is signed by its own keys",
        cause,
      });
    }
  }

  /** Whether a role is to be looked into. tuf-js stops without a word when it has seen enough of them. */
  #search(role: string): boolean {
    const isAbsent = role !== "targets" && this.read("snapshot")?.files.has(`${role}.json`) !== true;
    if (isAbsent && this.#settings.allowUnlistedRoles === true) return false;
    if (++this.#searched <= LIMITS.tufSearchedRoles) return true;
    throw new CountersignError("limit-reached", `too many roles of ${this.#settings.name} may list one target`, {
      wanted: `at most ${LIMITS.tufSearchedRoles}`,
    });
  }

  /** The snapshot that is known, unless the timestamp lists another one: tuf-js does not compare the two. */
  #knownSnapshot(): Uint8Array | undefined {
    const bytes = this.metadata.get("snapshot");
    const entry = this.read("timestamp")?.files.get("snapshot.json");
    const isListed = bytes === undefined || entry?.version !== this.read("snapshot")?.version || matches(bytes, entry);
    return isListed ? bytes : undefined;
  }
}

function isSameMemory(a: Uint8Array, b: Uint8Array): boolean {
  return a.buffer === b.buffer && a.byteOffset === b.byteOffset && a.byteLength === b.byteLength;
}

function matches(bytes: Uint8Array, entry: FileEntry | undefined): boolean {
  if (entry?.length !== undefined && entry.length !== bytes.byteLength) return false;
  return entry?.hashes === undefined || hasHashes(bytes, entry.hashes);
}

/** The version that a root claims, to find it by; not trusted, nor read strictly yet. */
export function versionOf(root: Uint8Array): number | undefined {
  const reading = { what: "a root", code: "trust-rejected", maxBytes: MAX_METADATA_BYTES.root } as const;
  try {
    const { signed } = parseJsonObject(root, reading);
    return isObject(signed) && typeof signed["version"] === "number" ? signed["version"] : undefined;
  } catch {
    return undefined;
  }
}

function readStrictly(
  role: string,
  bytes: Uint8Array,
  { name, anyRoleName, listedFiles, inspect }: UpdaterSettings,
  code: ReasonCode,
): UntrustedMetadata {
  const what = `${nameRole(role)} of ${name}`;
  inspect?.(bytes, kindOf(role), what, role);
  return readMetadata(bytes, kindOf(role), { what, code, anyRoleName, listedFiles });
}

// --- what tuf-js asks for ---------------------------------------------------------------------------------------------

/** A base that names nothing: of what tuf-js makes of it, only the file's name counts. */
const BASE = "https://tuf.invalid/";

/** Serves tuf-js from the source, every file read strictly before tuf-js sees it. */
class SourceFetcher implements Fetcher {
  /** What went wrong in here: tuf-js repeats some of it as text only. */
  failure: unknown;
  /** What was served last, by its role: where tuf-js refuses, it refuses this. */
  last: Served | undefined;
  timestamp: UntrustedMetadata | undefined;
  readonly #settings: UpdaterSettings;
  #roots = 0;

  constructor(settings: UpdaterSettings) {
    this.#settings = settings;
  }

  async downloadBytes(url: string, maxLength: number): Promise<Buffer> {
    try {
      const file = decodeURIComponent(url.slice(BASE.length));
      const bytes = await this.#serve(file, maxLength);
      return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    } catch (thrown) {
      if (!(thrown instanceof DownloadHTTPError)) this.failure = thrown;
      throw thrown;
    }
  }

  async #serve(file: string, maxLength: number): Promise<Uint8Array> {
    const { name, source, rootSteps = LIMITS.tufRootSteps, faults = TRUST_ROOT_FAULTS } = this.#settings;
    const role = roleOf(file);
    const kind = kindOf(role);
    const bytes = await source.metadata(file, Math.min(maxLength, MAX_METADATA_BYTES[kind]));
    if (bytes === undefined) throw absent(file, kind, { name, faults });
    if (kind === "root" && ++this.#roots > rootSteps) throw tooManyRoots(name, rootSteps);
    const metadata = readStrictly(role, bytes, this.#settings, faults.codes.malformed);
    this.last = { role, bytes, metadata };
    if (kind === "timestamp") this.timestamp = metadata;
    return bytes;
  }

  /** Targets are not fetched through tuf-js, which would make files of them. */
  downloadFile(): Promise<never> {
    return Promise.reject(new CountersignError("internal", "tuf-js asked for a target"));
  }
}

/** `3.root.json` is the root: every file but the timestamp may have its version in front (TUF 1.0.34, 6.2). */
export function roleOf(file: string): string {
  return file.replace(/\.json$/, "").replace(/^[0-9]+\.(?=.)/, "");
}

/** Without a next root, the one at hand is the newest (TUF 1.0.34, 5.3.3): tuf-js knows it by this error. */
function absent(file: string, kind: Kind, { name, faults }: Called): Error {
  if (kind === "root") return new DownloadHTTPError("no further root", 404);
  return new CountersignError(faults.codes.absent, `${name} has no ${file}`, { next: faults.next?.("absent", name) });
}

function tooManyRoots(name: string, rootSteps: number): CountersignError {
  return new CountersignError("limit-reached", `${name} has more new roots than are taken at once`, {
    found: `more than ${rootSteps}`,
    next: "run the same command again: it goes on from there",
  });
}

// --- what of tuf-js is not in its types -------------------------------------------------------------------------------

/**
 * Its Updater reads and writes files by role name, in two methods, and takes the time from the clock, in one field. They
 * are private by its types only; the version is pinned, and test/unit/io/tuf/updater.test.ts holds them to what is said here.
 */
interface OpenUpdater {
  readonly trustedSet: { referenceTime: Date };
  refresh(): Promise<void>;
  getTargetInfo(path: string): Promise<TargetFile | undefined>;
  /** @throws where there is none. */
  loadLocalMetadata(role: string): Buffer;
  persistMetadata(role: string, bytes: Buffer): void;
  loadTargets(role: string, parent: string): Promise<unknown>;
}

const OpenUpdater = Updater as unknown as new (options: UpdaterOptions) => OpenUpdater;

interface Memory {
  load(role: string): Uint8Array | undefined;
  keep(role: string, bytes: Uint8Array): void;
  /** A targets role is about to be looked into. false: it is not to be. */
  search(role: string): boolean;
  /** It is verified. */
  found(role: string, delegator: string): void;
}

function openUpdater(fetcher: Fetcher, rootSteps: number, memory: Memory): OpenUpdater {
  class MemoryUpdater extends OpenUpdater {
    override loadLocalMetadata(role: string): Buffer {
      const bytes = memory.load(role);
      if (bytes === undefined) throw new Error(`${role} is not known`);
      return Buffer.from(bytes);
    }

    override persistMetadata(role: string, bytes: Buffer): void {
      memory.keep(role, bytes);
    }

    override async loadTargets(role: string, parent: string): Promise<unknown> {
      if (!memory.search(role)) return undefined;
      const metadata = await super.loadTargets(role, parent);
      memory.found(role, parent);
      return metadata;
    }
  }
  return new MemoryUpdater({
    metadataDir: "",
    metadataBaseUrl: BASE,
    fetcher,
    config: {
      // One more than we take: our own limit is reached first, and says so.
      maxRootRotations: rootSteps + 1,
      maxDelegations: LIMITS.tufSearchedRoles + 1,
      rootMaxLength: LIMITS.tufRootBytes,
      timestampMaxLength: LIMITS.tufTimestampBytes,
      snapshotMaxLength: LIMITS.tufSnapshotBytes,
      targetsMaxLength: LIMITS.tufTargetsBytes,
    },
  });
}
