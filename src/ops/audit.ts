import type { ImageFacts, PlanItem } from "../core/audit/audit.ts";

/** Finds out about one image what an audit tells: for one process, a shard and a worker alike. */
export interface ImageAuditor {
  /**
   * `image` is the key of a plan item. What cannot be looked at is in the facts.
   *
   * @throws CountersignError for a policy that cannot be used, and `interrupted`.
   */
  examine(image: string): Promise<ImageFacts>;
}

export interface RunOptions {
  /** Images looked at at a time. */
  readonly workers: number;
  /** What was found out before, and where to keep what is found out now. */
  readonly journal?: FactsJournal | undefined;
  readonly onProgress?: ((event: AuditProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What outlives a run that is killed. */
export interface FactsJournal {
  /** By the key of the plan item. */
  readonly known: ReadonlyMap<string, ImageFacts>;
  add(facts: ImageFacts): Promise<void>;
}

export interface AuditProgress {
  readonly done: number;
  readonly total: number;
  /** From 1; later ones are for what was undetermined for a reason that may pass. */
  readonly round: number;
}

/** Looks at every item, whatever becomes of the others. In the order of the items. */
export async function runAudit(
  items: readonly PlanItem[],
  auditor: ImageAuditor,
  options: RunOptions,
): Promise<readonly ImageFacts[]> {
  const facts: ImageFacts[] = [];
  for (const { image } of items) {
    options.signal?.throwIfAborted();
    const found = options.journal?.known.get(image) ?? (await auditor.examine(image));
    facts.push(found);
    options.onProgress?.({ done: facts.length, total: items.length, round: 1 });
  }
  return facts;
}
