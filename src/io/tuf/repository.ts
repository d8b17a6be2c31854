import { CountersignError, type Finding, toFinding } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { ReasonCode } from "../../core/reasons.ts";
import { type Instant, instant } from "../../core/time.ts";
import type { Lock } from "../disk/lock.ts";
import { fetchAnchor } from "./anchor.ts";
import { type Consulted, lookUp, statusOf, type Wish } from "./consulted.ts";
import { TRUST_ROOT_FAULTS } from "./faults.ts";
import { furthest, marksOf, refuseOlder } from "./marks.ts";
import { neverFetched, type Replay, replay, type TufRepository } from "./replay.ts";
import type { Marks, StoredState } from "./state.ts";
import type { TufStore } from "./store.ts";
import { isTarget } from "./target.ts";
import { TufUpdater } from "./updater.ts";

export type { Anchor } from "./anchor.ts";
export type { Consulted, FoundTarget, RoleStatus, Wish } from "./consulted.ts";
export type { TufRepository } from "./replay.ts";

export interface ConsultOptions {
  readonly now: Instant;
  /**
   * - `when-due`: what was confirmed within LIMITS.trustRefreshMs is used as it is. Where the repository cannot be reached,
   *   so is what has not expired.
   * - `now`: the repository is asked, and has to answer.
   * - `offline`: it is not asked.
   */
  readonly mode: "when-due" | "now" | "offline";
  /** When what the source serves was confirmed, where the source is a copy of the repository; `now` where absent. */
  readonly confirmedAt?: Instant | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Targets of a repository, by verified metadata that is as fresh as it needs to be. Nothing that is kept is believed
 * before it was verified from the anchor on; one process refreshes at a time; a refresh that fails leaves what is kept as
 * it was, but for new roots that were verified (TUF 1.0.34, 5.3.8).
 *
 * @throws CountersignError `trust-stale` (expired, and not to be refreshed), `trust-rejected` (rolled back, forked, not
 * signed, not as listed), `trust-invalid` (the anchor), `limit-reached`, `disk-error`, and what the source throws.
 */
export async function consult(
  repository: TufRepository,
  wishes: readonly Wish[],
  options: ConsultOptions,
): Promise<Consulted> {
  const kept = await replay(repository, wishes, options.now);
  if (options.mode === "offline" || isEnough(kept, options)) return resultOf(kept);
  return await withKeeper(repository.store, options.signal, async (keep) => {
    // Another process may have refreshed while this one waited.
    const present = await replay(repository, wishes, options.now);
    if (isEnough(present, options)) return resultOf(present);
    return await new Refresh(repository, wishes, options, present, keep).run();
  });
}

function isEnough({ result }: Replay, { mode, now }: ConsultOptions): boolean {
  if (mode !== "when-due" || result instanceof CountersignError) return false;
  const age = now - result.refreshedAt;
  return age >= 0 && age < LIMITS.trustRefreshMs;
}

function resultOf({ result }: Replay): Consulted {
  if (result instanceof CountersignError) throw result;
  return result;
}

/** Keeps a new state for the next time, or says why that is not possible. */
type Keep = (state: StoredState, marks: Marks) => Promise<Finding | undefined>;

/** Where nothing can be kept, or another process is at it for too long, what is fetched is as good for this once. */
async function withKeeper<Result>(
  store: TufStore,
  signal: AbortSignal | undefined,
  work: (keep: Keep) => Promise<Result>,
): Promise<Result> {
  let lock: Lock;
  try {
    lock = await store.lock(signal);
  } catch (thrown) {
    const finding = diskFinding(thrown);
    return await work(() => Promise.resolve(finding));
  }
  try {
    return await work(async (state, marks) => {
      try {
        await store.write(state, marks);
        return undefined;
      } catch (thrown) {
        return diskFinding(thrown);
      }
    });
  } finally {
    await lock.release();
  }
}

function diskFinding(thrown: unknown): Finding {
  const isOfDisk = thrown instanceof CountersignError && ["disk-error", "write-conflict"].includes(thrown.code);
  if (!isOfDisk) throw thrown;
  return toFinding(thrown);
}

/** One time of asking the repository. */
class Refresh {
  readonly #repository: TufRepository;
  readonly #wishes: readonly Wish[];
  readonly #options: ConsultOptions;
  readonly #kept: Replay;
  readonly #keep: Keep;
  /** Those that count now, also where nothing came after them. */
  #roots: readonly Uint8Array[];

  constructor(repository: TufRepository, wishes: readonly Wish[], options: ConsultOptions, kept: Replay, keep: Keep) {
    this.#repository = repository;
    this.#wishes = wishes;
    this.#options = options;
    this.#kept = kept;
    this.#keep = keep;
    this.#roots = kept.roots;
  }

  async run(): Promise<Consulted> {
    const { name, source, anchor } = this.#repository;
    try {
      if (this.#roots.length === 0) this.#roots = [await fetchAnchor(anchor, source, name)];
      return await this.#refresh();
    } catch (thrown) {
      if (!isUnheard(thrown) || this.#options.mode === "now") throw thrown;
      return await this.#fallBack(thrown);
    }
  }

  async #refresh(): Promise<Consulted> {
    const { name, source } = this.#repository;
    const { now, confirmedAt = now } = this.#options;
    const known = new Map(this.#kept.state?.metadata);
    const [newest] = this.#roots.slice(-1);
    if (newest !== undefined) known.set("root", newest);
    const updater = new TufUpdater(known, { name, now, source });
    try {
      await updater.refresh();
      const marks = this.#check(updater);
      const targets = await this.#lookUp(updater);
      const unkept = await this.#keep(
        {
          refreshedAt: confirmedAt,
          roots: [...this.#roots, ...updater.newRoots],
          metadata: updater.kept,
          targets: contentsOf(targets),
        },
        furthest(marks, this.#kept.marks),
      );
      return { ...statusOf(updater), targets, refreshedAt: confirmedAt, unkept };
    } catch (thrown) {
      await this.#keepRoots(updater);
      throw thrown;
    }
  }

  /** Against what was seen before: the timestamp as it was served too, since two of one version are two stories. */
  #check(updater: TufUpdater): Marks {
    const called = { name: this.#repository.name, faults: TRUST_ROOT_FAULTS };
    const marks = marksOf((role) => updater.read(role));
    const served = marksOf((role) => (role === "timestamp" ? updater.servedTimestamp : undefined));
    refuseOlder(marks, this.#kept.marks, called);
    refuseOlder({ ...marks, roles: new Map([...marks.roles, ...served.roles]) }, this.#kept.marks, called);
    return marks;
  }

  /** A target's content is fetched where what is kept of it is not what is listed now. */
  async #lookUp(updater: TufUpdater): Promise<Consulted["targets"]> {
    return await lookUp(updater, this.#wishes, async (target, maxBytes) => {
      const content = this.#kept.state?.targets.get(target.path);
      return content !== undefined && isTarget(content, target) ? content : await updater.fetch(target, maxBytes);
    });
  }

  /** Roots that were verified count from now on, whatever comes after them: they say whose signatures do not any more. */
  async #keepRoots(updater: TufUpdater): Promise<void> {
    if (updater.newRoots.length === 0) return;
    this.#roots = [...this.#roots, ...updater.newRoots];
    const { state, marks } = this.#kept;
    const present: StoredState = {
      refreshedAt: state?.refreshedAt ?? instant(0),
      roots: this.#roots,
      metadata: state?.metadata ?? new Map(),
      targets: state?.targets ?? new Map(),
    };
    const root = marksOf((role) => (role === "root" ? updater.read(role) : undefined));
    await this.#keep(present, furthest(root, marks));
  }

  /** What is kept and has not expired is as good as it was, by the roots that count now. */
  async #fallBack(thrown: CountersignError): Promise<Consulted> {
    const { result, state } = await this.#present();
    if (!(result instanceof CountersignError)) return { ...result, unheard: toFinding(thrown) };
    if (state === undefined || result.code !== "trust-stale") throw thrown;
    const { found, wanted } = result;
    throw new CountersignError("trust-stale", `${result.message}, and asking for a newer one failed`, {
      found: [found, thrown.message].filter((text) => text !== undefined).join("; "),
      wanted,
      cause: thrown,
    });
  }

  async #present(): Promise<Replay> {
    const isAsBefore = this.#roots.length === this.#kept.roots.length;
    const present = isAsBefore ? this.#kept : await replay(this.#repository, this.#wishes, this.#options.now);
    if (present.roots.length === this.#roots.length) return present;
    return { ...present, result: neverFetched("metadata", this.#repository.name) };
  }
}

/** What says that the repository could not be asked, as against that it answered with something wrong. */
const UNHEARD: readonly ReasonCode[] = [
  "unreachable",
  "timeout",
  "throttled",
  "server-error",
  "denied",
  "not-found",
  "redirect-refused",
];

function isUnheard(thrown: unknown): thrown is CountersignError {
  return thrown instanceof CountersignError && UNHEARD.includes(thrown.code);
}

function contentsOf(targets: Consulted["targets"]): StoredState["targets"] {
  return new Map(
    [...targets].flatMap(([path, { content }]): [string, Uint8Array][] =>
      content === undefined ? [] : [[path, content]],
    ),
  );
}
