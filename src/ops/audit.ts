import type { ImageFacts, PlanItem } from "../core/audit/audit.ts";
import { mayPass, passingReason } from "../core/audit/passing.ts";
import type { Finding } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { parseReference } from "../core/oci/reference.ts";
import type { ImageAuditor } from "./auditor.ts";
import { forEachConcurrently } from "./concurrency.ts";

export { mayPass } from "../core/audit/passing.ts";
export { type AuditJudging, type AuditPorts, type ImageAuditor, openAuditor } from "./auditor.ts";

export interface RunOptions {
  /** Images looked at at a time. */
  readonly workers: number;
  /** What was found out before, and where what is found out now is kept. */
  readonly journal?: FactsJournal | undefined;
  readonly onProgress?: ((event: AuditProgress) => void) | undefined;
  /** Waits until it makes sense to ask again; false where it does not. `round` is the one that would come, from 2. */
  readonly pause?: ((round: number) => Promise<boolean>) | undefined;
}

/** What outlives a run that is killed. Only what is determined is kept. */
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

/**
 * Looks at every item, whatever becomes of the others, all registries at once. What was undetermined for a reason that may pass is
 * tried again after the rest, until that brings nothing more. In the order of the items.
 *
 * @throws CountersignError as `ImageAuditor.examine`.
 */
export async function runAudit(
  items: readonly PlanItem[],
  auditor: ImageAuditor,
  options: RunOptions,
): Promise<readonly ImageFacts[]> {
  const run = new Run(items, auditor, options);
  let inVain = 0;
  for (let round = 1; round <= LIMITS.auditRounds && run.pending.length > 0; round++) {
    if (round > 1 && (await options.pause?.(round)) === false) break;
    const before = run.pending.length;
    await run.round(round);
    inVain = run.pending.length < before ? 0 : inVain + 1;
    if (inVain >= LIMITS.auditVainRounds) break;
  }
  return run.facts();
}

class Run {
  readonly #items: readonly PlanItem[];
  readonly #auditor: ImageAuditor;
  readonly #options: RunOptions;
  readonly #facts: Map<string, ImageFacts>;
  /** By image. */
  readonly #registries: ReadonlyMap<string, string>;
  #done: number;
  /** Not looked at yet, or in vain. */
  pending: readonly string[];

  constructor(items: readonly PlanItem[], auditor: ImageAuditor, options: RunOptions) {
    this.#items = items;
    this.#auditor = auditor;
    this.#options = options;
    const known = options.journal?.known ?? new Map<string, ImageFacts>();
    this.#facts = new Map(items.flatMap(({ image }) => entryOf(image, known.get(image))));
    this.#registries = new Map(items.map(({ image }) => [image, parseReference(image).registry]));
    this.#done = this.#facts.size;
    this.pending = items.map(({ image }) => image).filter((image) => !this.#facts.has(image));
  }

  async round(round: number): Promise<void> {
    const groups = Map.groupBy(this.pending, (image) => this.#registries.get(image));
    const registries = [...groups.values()].map((images) => new Registry(images));
    this.#tell(round);
    await forEachConcurrently(inTurns(registries), this.#options.workers, async ({ registry, image }) => {
      const facts = await this.#auditor.examine(image);
      registry.note(facts);
      await this.#keep(facts);
      this.#tell(round);
    });
    this.#giveUpOn(registries);
    this.pending = this.pending.filter((image) => this.#isPending(image));
  }

  /** In the order of the items. */
  facts(): readonly ImageFacts[] {
    return this.#items.flatMap(({ image }) => this.#facts.get(image) ?? []);
  }

  async #keep(facts: ImageFacts): Promise<void> {
    const before = this.#facts.get(facts.image);
    // A verdict stands, where it was only the tag that could not be looked at.
    const isWorse = before !== undefined && before.verdict !== "undetermined" && facts.verdict === "undetermined";
    if (!isWorse) this.#facts.set(facts.image, facts);
    if (mayPass(facts)) return;
    this.#done += 1;
    if (facts.verdict !== "undetermined") await this.#options.journal?.add(facts);
  }

  /** Of those that were not asked for in this round, what was found out about the others of their registry is told. */
  #giveUpOn(registries: readonly Registry[]): void {
    for (const { left, finding } of registries) {
      if (finding === undefined) continue;
      for (const image of left) if (!this.#facts.has(image)) this.#facts.set(image, notAsked(image, finding));
    }
  }

  #isPending(image: string): boolean {
    const facts = this.#facts.get(image);
    return facts === undefined || mayPass(facts);
  }

  #tell(round: number): void {
    this.#options.onProgress?.({ done: this.#done, total: this.#items.length, round });
  }
}

function entryOf(image: string, facts: ImageFacts | undefined): readonly (readonly [string, ImageFacts])[] {
  return facts === undefined ? [] : [[image, facts]];
}

// --- registries -------------------------------------------------------------------------------------------------------

/** What is to be asked of one registry in a round. Where nothing gets through any more, the rest waits for the next. */
class Registry {
  /** Not asked for yet. */
  readonly left: string[];
  #misses = 0;
  /** What stood in the way the last time; where some are left, there was something. */
  finding: Finding | undefined;

  constructor(images: readonly string[]) {
    this.left = images.toReversed();
  }

  /** The next image; undefined where there is none, or where asking is in vain for now. */
  next(): string | undefined {
    return this.#misses < LIMITS.auditMisses ? this.left.pop() : undefined;
  }

  note(facts: ImageFacts): void {
    const finding = passingReason(facts);
    this.#misses = finding === undefined ? 0 : this.#misses + 1;
    this.finding = finding ?? this.finding;
  }
}

/** One of each, again and again: a slow registry does not keep those waiting that come after it. */
function* inTurns(registries: readonly Registry[]): Generator<{ readonly registry: Registry; readonly image: string }> {
  for (let any = true; any; ) {
    any = false;
    for (const registry of registries) {
      const image = registry.next();
      if (image === undefined) continue;
      any = true;
      yield { registry, image };
    }
  }
}

function notAsked(image: string, finding: Finding): ImageFacts {
  return {
    image,
    name: image,
    verdict: "undetermined",
    reasons: [finding],
    warnings: [],
    signers: [],
    checked: [],
    notChecked: [],
  };
}
