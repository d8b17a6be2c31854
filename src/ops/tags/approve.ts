import { CountersignError } from "../../core/errors.ts";
import { sameJson } from "../../core/json.ts";
import type { ApproveResult, PendingRole, TrustChange } from "../../core/tags/admin-results.ts";
import { changesBetween } from "../../core/tags/changes.ts";
import type { TrustView } from "../../core/tags/ports.ts";
import { newestRoot, roleIn } from "../../core/tags/view.ts";
import { drafted } from "./amend.ts";
import type { Change, Editing } from "./change.ts";
import { lookAround } from "./look.ts";
import { discardPending, follows, pendingRole, readPending, rolesThatWait } from "./pending.ts";
import { isMet, needsOf, openIn, type Proposal, viewWith } from "./proposal.ts";
import { publishChange } from "./publish.ts";
import type { Publisher } from "./publisher.ts";
import { MetadataReader } from "./reader.ts";

/** A change that waits for signatures, as whoever approves it sees it: exactly this is signed. */
export interface Waiting {
  readonly role: PendingRole;
  /** What would be different. */
  readonly changes: readonly TrustChange[];
  readonly proposal: Proposal;
}

/**
 * What waits for signatures in a repository, or for one role.
 *
 * @throws CountersignError as `lookAround`: what the head has is verified first.
 */
export async function changesThatWait(publisher: Publisher, role?: string): Promise<readonly Waiting[]> {
  const reader = new MetadataReader(publisher.store);
  const { view } = await lookAround(publisher, reader);
  const found: Waiting[] = [];
  for (const name of role === undefined ? rolesThatWait(view) : [role]) {
    const proposal = await readPending(reader, publisher.head, view, name, publisher.warn);
    if (proposal === undefined) continue;
    const changes = changesBetween(view, viewWith(view, proposal));
    found.push({ role: pendingRole(view, proposal, publisher.head), changes, proposal });
  }
  return found;
}

/**
 * Signs a change that waits with every key that is here and counts. With the last signature it is published.
 *
 * @throws CountersignError `role-key-missing` where no key here is asked for, `write-conflict` where something else was published
 * meanwhile, and as `publishChange`.
 */
export async function approveChange(publisher: Publisher, waiting: Waiting): Promise<ApproveResult> {
  const { publication, look } = await publishChange(publisher, new Approving(publisher, waiting.proposal));
  if (publication.state !== "pending") await discardPending(publisher, waiting.proposal.role);
  const { role, version } = waiting.role;
  return { gun: look.view.gun, role, version, changes: waiting.changes, publication };
}

class Approving implements Change {
  readonly #publisher: Publisher;
  readonly #proposal: Proposal;

  constructor(publisher: Publisher, proposal: Proposal) {
    this.#publisher = publisher;
    this.#proposal = proposal;
  }

  get changesRoot(): boolean {
    return this.#proposal.files.has("root");
  }

  async edit({ view }: Editing): ReturnType<Change["edit"]> {
    if (isPublished(view, this.#proposal)) return undefined;
    if (!follows(view, this.#proposal)) throw overtaken(this.#proposal);
    await this.#requireKey(view);
    return await drafted(this.#publisher, view, this.#proposal);
  }

  /** To store what was there already would look as if it had been approved. */
  async #requireKey(view: TrustView): Promise<void> {
    const unmet = needsOf(view, this.#proposal).filter((need) => !isMet(need));
    if (unmet.length === 0) return;
    const open = [...new Set(unmet.flatMap(openIn))];
    for (const keyId of open) if ((await this.#publisher.ring.signer(keyId)) !== undefined) return;
    throw new CountersignError("role-key-missing", "no key here is asked for by what waits for signatures", {
      wanted: `one of ${open.join(", ")}`,
    });
  }
}

function isPublished(view: TrustView, { files }: Proposal): boolean {
  return [...files].every(([name, { signed }]) => {
    const current = name === "root" ? newestRoot(view) : roleIn(view, name);
    return current !== undefined && sameJson(current.signed, signed);
  });
}

function overtaken({ role }: Proposal): CountersignError {
  return new CountersignError(
    "write-conflict",
    `something else was published since the change of ${role} was proposed`,
    {
      next: "look at what there is now with countersign trust inspect, and propose the change again",
    },
  );
}
