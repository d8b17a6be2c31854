import type { PublicKey } from "../../core/crypto/public-key.ts";
import { refusePublishedKeys } from "../../core/crypto/published.ts";
import { fileNameOf } from "../../core/tags/files.ts";
import type { RootRole, SignedRole, TargetsRole } from "../../core/tags/metadata.ts";
import type { TrustView } from "../../core/tags/ports.ts";
import type { Draft, PendingDraft } from "./change.ts";
import { pendingRole } from "./pending.ts";
import { isMet, isRoot, needsOf, type Proposal, propose, signProposal, withoutSponsors } from "./proposal.ts";
import type { Publisher } from "./publisher.ts";

/** New metadata of people's roles, made of what there is: by role, for `propose`. */
export type Amendment = ReadonlyMap<string, RootRole | TargetsRole>;

/**
 * Signs an amendment with the keys that are here: what is published, or what waits for the signatures that are missing.
 *
 * @throws CountersignError `role-key-missing` where nobody is here who may even propose it.
 */
export async function amend(
  publisher: Publisher,
  view: TrustView,
  role: string,
  amendment: Amendment,
): Promise<Draft | PendingDraft> {
  return await drafted(publisher, view, await propose(role, amendment));
}

/** The same of a proposal that has signatures already. */
export async function drafted(
  { ring, head }: Publisher,
  view: TrustView,
  proposal: Proposal,
): Promise<Draft | PendingDraft> {
  const signed = await signProposal(view, proposal, ring);
  if (!needsOf(view, signed).every(isMet)) return waiting(view, signed, head);
  const { files } = await withoutSponsors(view, signed);
  const roots = [...files.values()].filter(isRoot);
  const roles = [...files].flatMap(([name, file]): [string, SignedRole<TargetsRole>][] =>
    isRoot(file) ? [] : [[name, file]],
  );
  return { roles: new Map(roles), roots: roots.map(({ bytes }) => bytes) };
}

function waiting(view: TrustView, proposal: Proposal, head: string): PendingDraft {
  const named = [...proposal.files].map(([role, { body, bytes }]) => [fileNameOf(role, body.version), bytes] as const);
  return { pending: pendingRole(view, proposal, head), files: new Map(named) };
}

/** @throws CountersignError `key-published` for keys that everybody has, outside of this machine. */
export function refuseExamples({ store, gun }: Publisher, keys: readonly PublicKey[]): void {
  const places = [gun, store.location].map((name) => ({ name, registry: name.split("/")[0] }));
  refusePublishedKeys(keys, places);
}
