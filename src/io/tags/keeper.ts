import { CountersignError, type Finding, toFinding } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { type Digest, digestAlgorithm, digestOf } from "../../core/oci/digest.ts";
import { type Instant, instant } from "../../core/time.ts";
import { furthest, refuseOlder } from "../tuf/marks.ts";
import type { Marks } from "../tuf/state.ts";
import type { TufUpdater } from "../tuf/updater.ts";
import type { ClientState, ClientStore, KeptHead } from "./client-store.ts";
import { SERVED_FAULTS } from "./faults.ts";

/** Another process has verified something newer meanwhile: what is at hand here is not current any more. */
export class Overtaken extends Error {}

/** The roots that were verified, the first one the one that was chosen. */
export type Roots = readonly [anchor: Uint8Array, ...Uint8Array[]];

/** What there is to keep: what was verified, and by which head. */
export interface Verified {
  readonly roots: Roots;
  readonly head: KeptHead;
  readonly marks: Marks;
  readonly now: Instant;
}

/**
 * What is kept of another trust than the one that starts from this root says nothing about it: somebody has pinned another one.
 * Of the roots before this one nothing is needed. Where what is kept starts later, roots that were verified since tell that it is of
 * the same trust: two projects on one machine may have pinned it at different times.
 */
export function since(
  state: ClientState | undefined,
  anchor: Digest | undefined,
  verified: readonly Uint8Array[] = [],
): ClientState | undefined {
  if (state === undefined || anchor === undefined) return undefined;
  const { roots } = state.kept;
  const at = roots.findIndex((root) => digestOf(root, digestAlgorithm(anchor)) === anchor);
  if (at === -1) return indexOf(roots[0], verified) === -1 ? undefined : state;
  return { ...state, kept: { ...state.kept, roots: roots.slice(at) } };
}

/** What was verified, and what is kept of the same trust from before it: with whichever root it starts next time, it is known. */
function joined(state: ClientState | undefined, verified: Roots): readonly Uint8Array[] {
  const kept = state?.kept.roots ?? [];
  const at = indexOf(verified[0], kept);
  if (at !== -1) return [...kept.slice(0, at), ...longer(kept.slice(at), verified)];
  const from = indexOf(kept[0], verified);
  return from === -1 ? verified : [...verified.slice(0, from), ...longer(kept, verified.slice(from))];
}

function indexOf(root: Uint8Array | undefined, roots: readonly Uint8Array[]): number {
  return root === undefined ? -1 : roots.findIndex((each) => same(each, root));
}

function longer(a: readonly Uint8Array[], b: readonly Uint8Array[]): readonly Uint8Array[] {
  return a.length > b.length ? a : b;
}

/** Keeps what one run has verified. What is kept never goes back, whoever else writes. */
export class Keeper {
  readonly #store: ClientStore;
  readonly #name: string;
  readonly #signal: AbortSignal | undefined;
  readonly #warn: ((finding: Finding) => void) | undefined;
  /** What is on the disk, as far as this process knows. */
  #present: ClientState | undefined;
  #failed = false;

  constructor(
    store: ClientStore,
    present: ClientState | undefined,
    options: {
      readonly name: string;
      readonly signal?: AbortSignal | undefined;
      readonly warn?: ((finding: Finding) => void) | undefined;
    },
  ) {
    this.#store = store;
    this.#present = present;
    this.#name = options.name;
    this.#signal = options.signal;
    this.#warn = options.warn;
  }

  /** @throws Overtaken, CountersignError `interrupted`. A disk that cannot be written is warned about. */
  async keep(verified: Verified, updater: TufUpdater): Promise<void> {
    const metadata = bounded(updater);
    if (this.#failed || !this.#isNews(verified, metadata)) return;
    await this.#write((present) => {
      const { head, now } = verified;
      const before = since(present, digestOf(verified.roots[0]), verified.roots);
      this.#refuseOlder(verified.marks, before?.marks);
      const roots = joined(present, verified.roots);
      const kept = { refreshedAt: now, roots, metadata: merged(metadata, before), targets: new Map() };
      return { head, clock: latest(now, present), kept, marks: furthest(verified.marks, before?.marks) };
    });
  }

  /** Roots that were verified count from now on, whatever comes after them: they say whose signatures do not any more. */
  async keepRoots(roots: Roots, marks: Marks): Promise<void> {
    await this.#write((present) => {
      const before = since(present, digestOf(roots[0]), roots);
      const all = joined(present, roots);
      if (all.length <= (before === undefined ? 1 : (present?.kept.roots.length ?? 1))) return undefined;
      const kept = before?.kept ?? { refreshedAt: instant(0), metadata: new Map(), targets: new Map() };
      return {
        head: before?.head,
        // No time has proven to be right where nothing was found to be current.
        clock: present?.clock ?? instant(0),
        kept: { ...kept, roots: all },
        marks: furthest(marks, before?.marks),
      };
    });
  }

  async #write(change: (present: ClientState | undefined) => ClientState | undefined): Promise<void> {
    try {
      await this.#store.update((present) => {
        this.#present = change(present) ?? present;
        return this.#present === present ? undefined : this.#present;
      }, this.#signal);
    } catch (thrown) {
      const isOfDisk = thrown instanceof CountersignError && ["disk-error", "write-conflict"].includes(thrown.code);
      if (!isOfDisk) throw thrown;
      this.#failed = true;
      this.#warn?.(toFinding(thrown));
    }
  }

  #refuseOlder(marks: Marks, seen: Marks | undefined): void {
    try {
      refuseOlder(marks, seen, { name: this.#name, faults: SERVED_FAULTS });
    } catch (cause) {
      throw new Overtaken("another process has seen something newer", { cause });
    }
  }

  /** A warm run that finds everything as it was writes nothing, but for the clock now and then. */
  #isNews({ roots, head, now }: Verified, metadata: ReadonlyMap<string, Uint8Array>): boolean {
    const present = since(this.#present, digestOf(roots[0]), roots);
    if (present === undefined || present.head === undefined) return true;
    const isLonger = joined(this.#present, roots).length > (this.#present?.kept.roots.length ?? 0);
    if (isLonger || now - present.clock >= LIMITS.tagClockKeptMs) return true;
    if (!Buffer.from(present.head.bytes).equals(head.bytes)) return true;
    return [...metadata].some(([role, bytes]) => !same(present.kept.metadata.get(role), bytes));
  }
}

function same(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a === b || (a !== undefined && Buffer.from(a).equals(b));
}

function latest(now: Instant, present: ClientState | undefined): Instant {
  return present !== undefined && present.clock > now ? present.clock : now;
}

/** Roles that another run looked into stay: if they are old by now, TUF's client finds out. */
function merged(
  metadata: ReadonlyMap<string, Uint8Array>,
  before: ClientState | undefined,
): ReadonlyMap<string, Uint8Array> {
  return within(new Map([...metadata, ...[...(before?.kept.metadata ?? [])].filter(([role]) => !metadata.has(role))]));
}

function bounded(updater: TufUpdater): ReadonlyMap<string, Uint8Array> {
  const seen = new Set(updater.roles);
  const kept = [...updater.kept];
  return within(new Map([...kept.filter(([role]) => seen.has(role)), ...kept.filter(([role]) => !seen.has(role))]));
}

/** As many as fit, the first ones first: a repository may have more bins than are worth keeping. */
function within(metadata: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, Uint8Array> {
  const kept = new Map<string, Uint8Array>();
  let total = 0;
  for (const [role, bytes] of metadata) {
    total += bytes.byteLength;
    if (total > LIMITS.tagKeptBytes) break;
    kept.set(role, bytes);
  }
  return kept;
}
