import { CountersignError } from "../../core/errors.ts";
import type { Instant } from "../../core/time.ts";
import { type Anchor, keptAnchor } from "./anchor.ts";
import { type Consulted, lookUp, statusOf, type Wish } from "./consulted.ts";
import { TRUST_ROOT_FAULTS } from "./faults.ts";
import { marksOf, refuseOlder } from "./marks.ts";
import type { TufSource } from "./source.ts";
import type { Marks, StoredState } from "./state.ts";
import type { TufStore } from "./store.ts";
import { isTarget } from "./target.ts";
import { roleOf, TufUpdater, versionOf } from "./updater.ts";

/** A TUF repository, wherever it is, and where it is kept on this machine. */
export interface TufRepository {
  /** For messages: `tuf.example`. */
  readonly name: string;
  readonly anchor: Anchor;
  readonly source: TufSource;
  readonly store: TufStore;
}

/** What became of verifying what is kept. */
export interface Replay {
  readonly state: StoredState | undefined;
  readonly marks: Marks | undefined;
  /** Those that were verified, the anchor first; none where only its hash is known. */
  readonly roots: readonly Uint8Array[];
  readonly result: Consulted | CountersignError;
}

/** Verifies what is kept of a repository as if it came from a stranger, and asks nobody. */
export async function replay(repository: TufRepository, wishes: readonly Wish[], now: Instant): Promise<Replay> {
  const { name, store } = repository;
  const [state, marks] = await Promise.all([store.readState(), store.readMarks()]);
  const anchor = keptAnchor(repository.anchor, state?.roots ?? []);
  if (state === undefined || anchor === undefined) {
    return { state, marks, roots: anchor === undefined ? [] : [anchor], result: neverFetched("metadata", name) };
  }
  const settings = { name, now, source: keptSource(state, name), rootSteps: state.roots.length };
  const updater = new TufUpdater(new Map([["root", anchor]]), settings);
  const result = await verify(updater, state, wishes, { marks, name });
  return { state, marks, roots: [anchor, ...updater.newRoots], result };
}

async function verify(
  updater: TufUpdater,
  state: StoredState,
  wishes: readonly Wish[],
  { marks, name }: { readonly marks: Marks | undefined; readonly name: string },
): Promise<Consulted | CountersignError> {
  try {
    await updater.refresh();
    refuseOlder(
      marksOf((role) => updater.read(role)),
      marks,
      { name, faults: TRUST_ROOT_FAULTS },
    );
    const targets = await lookUp(updater, wishes, (target) => {
      const content = state.targets.get(target.path);
      if (content !== undefined && isTarget(content, target)) return content;
      throw neverFetched(target.path, name);
    });
    return { ...statusOf(updater), targets, refreshedAt: state.refreshedAt };
  } catch (thrown) {
    if (thrown instanceof CountersignError) return thrown;
    throw thrown;
  }
}

/** What is kept, served under the names that it had. */
function keptSource(state: StoredState, name: string): TufSource {
  const roots = new Map(state.roots.map((bytes) => [versionOf(bytes), bytes]));
  return {
    async metadata(file) {
      const role = roleOf(file);
      if (role === "root") return roots.get(Number.parseInt(file, 10));
      const bytes = state.metadata.get(role);
      if (bytes === undefined) throw neverFetched(file, name);
      return bytes;
    },
    target: () => Promise.resolve(undefined),
  };
}

export function neverFetched(what: string, name: string): CountersignError {
  return new CountersignError("trust-stale", `no ${what} of ${name} was fetched to this machine before`, {
    found: "nothing that is kept",
    next: "fetch it while there is a network: countersign trusted-root update",
  });
}
