import { CountersignError } from "../../core/errors.ts";
import { expiryOf, isDue, type Lifetime } from "../../core/tags/lifetimes.ts";
import type { SignedRole, TargetsRole } from "../../core/tags/metadata.ts";
import type { TrustView } from "../../core/tags/ports.ts";
import type { RefreshResult } from "../../core/tags/publish-results.ts";
import { newestRoot, roleIn } from "../../core/tags/view.ts";
import type { Instant } from "../../core/time.ts";
import { amend } from "./amend.ts";
import { lifetimesOf, onlineSigners } from "./assemble.ts";
import { authorityOf, type Change, type Draft, type Editing, isPending, merged } from "./change.ts";
import { bookOf, kindOf } from "./edit-roles.ts";
import { publishChange } from "./publish.ts";
import type { Publisher } from "./publisher.ts";
import { signersOf } from "./signers-here.ts";
import { dueNotices } from "./summaries.ts";

/**
 * What keeps signed tags alive, to be run again and again: a new timestamp, a new snapshot in time, whatever is staged or was lost
 * with an overwritten head merged again, and roles that end soon signed again where their keys are here. It decides nothing of
 * what tags mean.
 *
 * @throws CountersignError `role-key-missing` without the online key, `root-expired`; as `publishChange`.
 */
export async function refreshTrust(publisher: Publisher): Promise<RefreshResult> {
  const refreshing = new Refreshing(publisher);
  const { publication, look } = await publishChange(publisher, refreshing);
  const { gun, timestamp, snapshot } = look.view;
  return {
    gun,
    merged: refreshing.merged,
    renewed: refreshing.renewed,
    timestamp: timestamp && lifeOf(timestamp),
    snapshot: snapshot && lifeOf(snapshot),
    publication,
    // What is left now needs somebody whose key is not here.
    notices: dueNotices(look.view, publisher.clock.now(), { tellsExpired: true, lifetimes: publisher.lifetimes }),
  };
}

function lifeOf({ body }: SignedRole): { readonly version: number; readonly expires: Instant } {
  return { version: body.version, expires: body.expires };
}

class Refreshing implements Change {
  readonly renews = true;
  readonly #publisher: Publisher;
  #merged: readonly string[] | undefined;
  readonly #renewed = new Set<string>();

  constructor(publisher: Publisher) {
    this.#publisher = publisher;
  }

  get merged(): readonly string[] {
    return this.#merged ?? [];
  }

  get renewed(): readonly string[] {
    return [...this.#renewed];
  }

  async edit(editing: Editing): Promise<Draft | undefined> {
    const { view } = editing;
    await this.#requireOnline(view);
    this.#merged ??= editing.taken;
    let draft: Draft | undefined;
    for (const role of ["targets", ...view.targets.body.delegations.map(({ name }) => name)]) {
      const renewed = await this.#renew(editing, role);
      if (renewed === undefined) continue;
      this.#renewed.add(role);
      draft = draft === undefined ? renewed : merged(draft, renewed);
    }
    return draft;
  }

  async #requireOnline(view: TrustView): Promise<void> {
    const root = newestRoot(view).body;
    if ((await onlineSigners(this.#publisher, root)) !== undefined) return;
    throw new CountersignError("role-key-missing", `the online key of ${view.gun} is not here`, {
      wanted: root.roles.timestamp.keyids.join(", "),
    });
  }

  /** A role that ends soon, signed again as it is: by those of its keys that are here, if they are enough. */
  async #renew(editing: Editing, role: string): Promise<Draft | undefined> {
    const { now } = editing;
    const lifetimes = lifetimesOf(this.#publisher, editing.view);
    const kind = kindOf(role);
    const files = bookOf(editing.view, role).files;
    const view = await editing.withFiles(files.filter((file) => isOld(editing.view, file, now, lifetimes[kind])));
    const isAgain = editing.isForced && this.#renewed.has(role);
    const due = files.flatMap((file): [string, TargetsRole][] => {
      const body = roleIn(view, file)?.body;
      if (body === undefined || !(isAgain || isDue(kind, body.expires, now, lifetimes))) return [];
      return [[file, { ...body, version: editing.version(file), expires: expiryOf(kind, now, lifetimes) }]];
    });
    if (due.length === 0) return undefined;
    const authority = authorityOf(view, role);
    const signers = await signersOf(this.#publisher.ring, authority.roleKeys);
    if (signers.length < authority.roleKeys.threshold) return undefined;
    const draft = await amend(this.#publisher, view, role, new Map(due));
    return isPending(draft) ? undefined : draft;
  }
}

/** Versions are the time of signing: bins of which they are young need not be read to know that they do not end soon. */
function isOld({ snapshot }: TrustView, file: string, now: Instant, { lives, renewed }: Lifetime): boolean {
  const version = snapshot?.body.roles.get(file)?.version;
  return version === undefined || now - version > lives - renewed;
}
