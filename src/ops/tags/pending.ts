import { CountersignError, type Finding, findingUnlessInterrupted } from "../../core/errors.ts";
import { sameJson } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import type { ContentStore } from "../../core/ports.ts";
import type { PendingRole } from "../../core/tags/admin-results.ts";
import { fileNameOf, parseFileName } from "../../core/tags/files.ts";
import { pendingTag } from "../../core/tags/names.ts";
import type { TrustView } from "../../core/tags/ports.ts";
import { readRole } from "../../core/tags/read.ts";
import { newestRoot, roleIn } from "../../core/tags/view.ts";
import { mapConcurrently } from "../concurrency.ts";
import type { PendingDraft } from "./change.ts";
import {
  isMet,
  isSponsored,
  type Need,
  needsOf,
  openIn,
  type PeoplesRole,
  type Proposal,
  withSignaturesOf,
} from "./proposal.ts";
import type { Publisher } from "./publisher.ts";
import { MetadataReader } from "./reader.ts";
import { pushStage } from "./staging.ts";

/**
 * Changes that wait for signatures: under a tag of their own, as far as they are signed. Whoever may push to the repository can put
 * something there, so nothing of it is shown as a change before somebody signed it whose signature counts.
 */

/** What waits for a role. undefined: nothing, or nothing that could follow what there is now. */
export async function readPending(
  reader: MetadataReader,
  head: string,
  view: TrustView,
  role: string,
  ignore: (finding: Finding) => void = () => undefined,
): Promise<Proposal | undefined> {
  const staged = await reader.stage(pendingTag(role, head), ignore);
  if (staged === undefined || staged.size === 0) return undefined;
  try {
    const files = await mapConcurrently([...staged], LIMITS.tagWorkers, async ([name, part]) => {
      return pendingFile(name, await reader.content(part, LIMITS.tufTargetsBytes));
    });
    const change: Proposal = { role, files: new Map(files) };
    if (!follows(view, change)) return undefined;
    requireSameProfile(view, change);
    requireSomebody(view, change);
    return change;
  } catch (thrown) {
    const finding = findingUnlessInterrupted(thrown);
    if (!(thrown instanceof CountersignError) || thrown.class !== "refused") throw thrown;
    ignore({ ...finding, message: `what waits for ${role} does not count: ${finding.message}` });
    return undefined;
  }
}

function pendingFile(name: string, bytes: Uint8Array): readonly [string, PeoplesRole] {
  const { role = "", version } = parseFileName(name) ?? {};
  const isOnline = role === "snapshot" || role === "timestamp";
  const file = role === "root" ? readRole(bytes, "root", name) : readRole(bytes, "targets", name);
  if (!isOnline && file.body.version === version) return [role, file];
  throw new CountersignError("metadata-malformed", `${name} is not what it is called`, {
    found: `version ${file.body.version}`,
  });
}

/** What was made before something else was published would take that back: its versions are lower, and it is void. */
export function follows(view: TrustView, { files }: Proposal): boolean {
  return [...files].every(([name, { body }]) => {
    if (name === "root") return body.version === newestRoot(view).body.version + 1;
    const current = roleIn(view, name);
    return body.version > (current?.body.version ?? 0);
  });
}

/** Keys are what is shown of a root to whoever signs it, so keys are all that may differ. */
function requireSameProfile(view: TrustView, { files }: Proposal): void {
  const next = files.get("root")?.signed;
  const own = newestRoot(view).signed;
  if (next === undefined || sameJson(next["x-countersign"], own["x-countersign"])) return;
  throw new CountersignError("metadata-malformed", "the root that waits changes more than keys", {
    found: "another x-countersign",
    wanted: "the name, aliases and ceilings that the repository has",
  });
}

/** A root needs somebody whom the repository knows now; the rest at least somebody whom it would know then. */
function requireSomebody(view: TrustView, change: Proposal): void {
  const needs = needsOf(view, change);
  for (const [file, role] of change.files) {
    const counts = needs.some((need) => need.file === file && need.signedBy.length > 0);
    if (isSponsored(view, role) || (file !== "root" && counts)) continue;
    throw new CountersignError("signature-threshold", `nobody who is known has signed the ${file} that waits`, {
      found: "0 valid signatures",
      wanted: "one at least, by a key of the repository",
    });
  }
}

/** A change that waits, to be printed. */
export function pendingRole(view: TrustView, change: Proposal, head: string): PendingRole {
  const needs = needsOf(view, change);
  const unmet = needs.filter((need) => !isMet(need));
  const main = change.files.get(change.role) ?? [...change.files.values()][0];
  return {
    role: change.role,
    version: main?.body.version ?? 0,
    signedBy: [...new Set(needs.flatMap(({ signedBy }) => signedBy))],
    open: [...new Set(unmet.flatMap(openIn))],
    missing: fewestSigners(unmet),
    tag: pendingTag(change.role, head),
  };
}

/** How many more people it takes: those first who count for most of what is open. */
function fewestSigners(unmet: readonly Need[]): number {
  let left = unmet.map((need) => ({ open: openIn(need), lacks: need.roleKeys.threshold - need.signedBy.length }));
  for (let count = 0; ; count++) {
    left = left.filter(({ lacks }) => lacks > 0);
    if (left.length === 0) return count;
    const ids = left.flatMap(({ open }) => open);
    const [best] = ids.toSorted((a, b) => countOf(b, ids) - countOf(a, ids));
    if (best === undefined) return count;
    left = left.map(({ open, lacks }) =>
      open.includes(best) ? { open: open.filter((id) => id !== best), lacks: lacks - 1 } : { open, lacks },
    );
  }
}

function countOf(id: string, ids: readonly string[]): number {
  return ids.filter((each) => each === id).length;
}

/** All changes that wait. */
export async function pendingRoles(
  store: ContentStore,
  head: string,
  view: TrustView,
): Promise<readonly PendingRole[]> {
  const reader = new MetadataReader(store);
  const found = await mapConcurrently(rolesThatWait(view), LIMITS.tagWorkers, (role) => {
    return readPending(reader, head, view, role);
  });
  return found.flatMap((change) => (change === undefined ? [] : [pendingRole(view, change, head)]));
}

/** For whom something can wait: `root` and `targets`, for the online key too, and signers who need each other. */
export function rolesThatWait({ targets }: TrustView): readonly string[] {
  const signers = targets.body.delegations.filter(({ threshold }) => threshold > 1).map(({ name }) => name);
  return ["root", "targets", ...signers];
}

/**
 * Puts a change where others find it, with the signatures that it already has there. Two who approve at the same moment write
 * over each other, so it is read again until ours are among them.
 *
 * @throws CountersignError `write-conflict` where another change of the same role waits, or others kept writing.
 */
export async function leavePending(
  publisher: Publisher,
  view: TrustView,
  { pending: { role }, files }: PendingDraft,
): Promise<PendingRole> {
  const { store, head, clock, writers } = publisher;
  let proposal: Proposal = { role, files: new Map([...files].map(([name, bytes]) => pendingFile(name, bytes))) };
  for (let round = 0; round < LIMITS.mergeRounds; round++) {
    const there = await readPending(new MetadataReader(store), head, view, role);
    if (there !== undefined) {
      requireSame(there, proposal);
      proposal = await withSignaturesOf(proposal, there);
      if (hasSignaturesOf(there, proposal)) return pendingRole(view, proposal, head);
    }
    await pushStage(store, pendingTag(role, head), namedFiles(proposal));
    if (writers === "one") return pendingRole(view, proposal, head);
    await clock.sleep(LIMITS.settleMs * (1 + clock.random()));
  }
  throw new CountersignError("write-conflict", "others kept writing what waits for signatures", {
    found: `${LIMITS.mergeRounds} rounds in which a signature was overwritten`,
    wanted: pendingTag(role, head),
  });
}

function namedFiles({ files }: Proposal): ReadonlyMap<string, Uint8Array> {
  return new Map([...files].map(([role, { body, bytes }]) => [fileNameOf(role, body.version), bytes]));
}

function requireSame(there: Proposal, change: Proposal): void {
  const isIt = [...change.files].every(([name, { signed }]) => {
    return sameJson(there.files.get(name)?.signed, signed);
  });
  if (isIt && there.files.size === change.files.size) return;
  throw new CountersignError("write-conflict", `another change of ${change.role} waits for signatures`, {
    found: [...there.files].map(([name, { body }]) => fileNameOf(name, body.version)).join(", "),
    wanted: "one change at a time",
    next: "approve it or discard it first: countersign trust sign --approve",
  });
}

function hasSignaturesOf(a: Proposal, b: Proposal): boolean {
  return [...b.files].every(([name, { signatures }]) => {
    const ids = new Set(a.files.get(name)?.signatures.map(({ keyid }) => keyid));
    return signatures.every(({ keyid }) => ids.has(keyid));
  });
}

/** Takes what waits for a role away: it was published, or is not wanted. A registry that does not delete is left an empty tag. */
export async function discardPending({ store, head }: Pick<Publisher, "store" | "head">, role: string): Promise<void> {
  const tag = pendingTag(role, head);
  if ((await store.resolve(tag)) === undefined) return;
  const outcome = (await store.remove?.(tag)) ?? "unsupported";
  if (outcome === "unsupported") await pushStage(store, tag, new Map());
}
