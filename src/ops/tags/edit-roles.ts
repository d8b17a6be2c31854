import { RoleBook } from "../../core/tags/entries.ts";
import { expiryOf, isDue } from "../../core/tags/lifetimes.ts";
import type { TargetsRole } from "../../core/tags/metadata.ts";
import type { TrustView } from "../../core/tags/ports.ts";
import { roleIn } from "../../core/tags/view.ts";
import { amend } from "./amend.ts";
import { lifetimesOf } from "./assemble.ts";
import { authorityOf, type Draft, type Editing, isPending, merged, type PendingDraft, requireRead } from "./change.ts";
import type { Publisher } from "./publisher.ts";

/** What is done to the entries of a role. */
export interface RoleEdit {
  /** What has to be read for it; undefined: all of the role. */
  paths(role: string): readonly string[] | undefined;
  /** undefined where there is nothing to do. */
  change(book: RoleBook): RoleBook | undefined;
}

/**
 * Makes the same change in several roles, and signs each with its own keys. What is signed by enough comes first, what waits for
 * other people's signatures after that. undefined where no role has to be changed.
 */
export async function editRoles(
  publisher: Publisher,
  editing: Editing,
  roles: readonly string[],
  edit: RoleEdit,
): Promise<Draft | PendingDraft | undefined> {
  const drafts: Draft[] = [];
  const waiting: PendingDraft[] = [];
  for (const role of roles) {
    const files = await editRole(publisher, editing, role, edit);
    if (files.size === 0) continue;
    const draft = await amend(publisher, editing.view, role, files);
    if (isPending(draft)) waiting.push(draft);
    else drafts.push(draft);
  }
  return drafts.length > 0 ? drafts.reduce(merged) : waiting[0];
}

/** The metadata of every file of a role that the change makes different. */
async function editRole(
  publisher: Publisher,
  editing: Editing,
  role: string,
  edit: RoleEdit,
): Promise<ReadonlyMap<string, TargetsRole>> {
  requireRead(editing, role);
  const empty = bookOf(editing.view, role);
  const paths = edit.paths(role);
  const needed = paths === undefined ? empty.files : [...new Set(paths.map((path) => empty.fileOf(path)))];
  const view = await editing.withFiles(needed);
  const changed = edit.change(bookOf(view, role));
  if (changed === undefined) return new Map();
  const book = changed.needsBins ? await inBins(editing, role, edit, changed) : changed;
  const { roleKeys, keys } = authorityOf(view, role);
  const expires = expiryOf(kindOf(role), editing.now, lifetimesOf(publisher, view));
  const made = book.roles({ version: (file) => editing.version(file), expires, signers: roleKeys, keys });
  return withOwnFile(publisher, editing, role, made);
}

async function inBins(editing: Editing, role: string, edit: RoleEdit, changed: RoleBook): Promise<RoleBook> {
  if (changed.isComplete) return changed.rebinned();
  const whole = bookOf(await editing.withFiles(changed.files), role);
  return (edit.change(whole) ?? whole).rebinned();
}

/** A role whose bins alone were changed is signed again with them where it would expire soon. */
function withOwnFile(
  publisher: Publisher,
  { view, now, version }: Editing,
  role: string,
  made: ReadonlyMap<string, TargetsRole>,
): ReadonlyMap<string, TargetsRole> {
  const own = roleIn(view, role)?.body;
  const lifetimes = lifetimesOf(publisher, view);
  const kind = kindOf(role);
  if (own === undefined || made.has(role) || !isDue(kind, own.expires, now, lifetimes)) return made;
  return new Map([...made, [role, { ...own, version: version(role), expires: expiryOf(kind, now, lifetimes) }]]);
}

export function kindOf(role: string): "targets" | "role" {
  return role === "targets" ? "targets" : "role";
}

export function bookOf(view: TrustView, role: string): RoleBook {
  return RoleBook.open(role, roleIn(view, role), view.roles);
}
