import { resolve } from "node:path";
import type { AuditPlan, ImageFacts, PlanItem } from "../core/audit/audit.ts";
import { formatFacts } from "../core/audit/facts.ts";
import {
  formatJournalHeader,
  type JournalHeader,
  parseJournalHeader,
  readJournalRecords,
  requireJournalOf,
} from "../core/audit/journal.ts";
import { digestOfItems } from "../core/audit/plan.ts";
import type { Digest } from "../core/oci/digest.ts";
import type { Instant } from "../core/time.ts";
import { Journal } from "../io/disk/journal.ts";
import type { FactsJournal } from "../ops/audit.ts";
import type { Context } from "./context.ts";

/** The journal of one run. */
export interface AuditJournal {
  /** Of the run that is gone on with; undefined where this is the first. */
  readonly at: Instant | undefined;
  /** @throws CountersignError `record-invalid` where the journal answers another question. */
  begin(plan: AuditPlan, items: readonly PlanItem[], standard: Digest): Promise<FactsJournal>;
  /** `isDone`: another run would find out nothing more, and the file goes. */
  close(isDone: boolean): Promise<void>;
}

/**
 * Opens what `--journal` names.
 *
 * @throws CountersignError `record-invalid`, `write-conflict`, `limit-reached`, `disk-error`.
 */
export async function openAuditJournal(context: Context, file: string): Promise<AuditJournal> {
  const journal = await Journal.open(resolve(context.workingDirectory, file));
  try {
    const header = journal.left && parseJournalHeader(journal.left.header, file);
    return new FileJournal(journal, header, file, context.referenceTime);
  } catch (thrown) {
    await journal.close();
    throw thrown;
  }
}

class FileJournal implements AuditJournal {
  readonly #journal: Journal;
  readonly #header: JournalHeader | undefined;
  readonly #label: string;
  readonly #now: Instant;
  #known: ReadonlyMap<string, ImageFacts> = new Map();

  constructor(journal: Journal, header: JournalHeader | undefined, label: string, now: Instant) {
    this.#journal = journal;
    this.#header = header;
    this.#label = label;
    this.#now = now;
  }

  get at(): Instant | undefined {
    return this.#header?.at;
  }

  async begin(plan: AuditPlan, items: readonly PlanItem[], standard: Digest): Promise<FactsJournal> {
    const { at, problems } = plan;
    const header = { items: digestOfItems({ items, problems }), standard, at, begun: this.#now };
    if (this.#header !== undefined) requireJournalOf(this.#header, header, this.#label);
    this.#known = readJournalRecords(this.#journal.left?.records ?? [], this.#label);
    await this.#journal.begin(formatJournalHeader(header));
    return { known: this.#known, add: (facts) => this.#journal.append(formatFacts(facts)) };
  }

  async close(isDone: boolean): Promise<void> {
    try {
      if (isDone) await this.#journal.remove();
    } finally {
      await this.#journal.close();
    }
  }
}
