import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { PendingRole } from "../../core/tags/admin-results.ts";
import { binsBelow, ownerOf } from "../../core/tags/bins.ts";
import { digestOfListed, fileNameOf } from "../../core/tags/files.ts";
import type { HeadFile, HeadPart } from "../../core/tags/head.ts";
import { nextVersion } from "../../core/tags/lifetimes.ts";
import type { ListedFile, RoleKeys, SignedRole, TargetsRole, TufKey } from "../../core/tags/metadata.ts";
import { METADATA_MEDIA_TYPE } from "../../core/tags/names.ts";
import type { TrustView } from "../../core/tags/ports.ts";
import { readRole } from "../../core/tags/read.ts";
import { requireThreshold } from "../../core/tags/verify-role.ts";
import { newestRoot, roleIn } from "../../core/tags/view.ts";
import type { Instant } from "../../core/time.ts";
import { mapConcurrently } from "../concurrency.ts";
import { requireDelegation } from "./delegations.ts";
import type { MetadataReader } from "./reader.ts";

/** What a change writes, sealed: the files of roles that it changes, and new roots. */
export interface Draft {
  /** By role or bin. */
  readonly roles: ReadonlyMap<string, SignedRole<TargetsRole>>;
  /** Those that follow the last one. */
  readonly roots: readonly Uint8Array[];
}

/** A draft with too few signatures yet: it waits under a tag of its own, and changes nothing. */
export interface PendingDraft {
  readonly pending: PendingRole;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** What is changed, and what with. */
export interface Editing {
  /** All that is there: of the bins those that were asked for. */
  readonly view: TrustView;
  readonly now: Instant;
  /** Somebody else changed the same role meanwhile: the view is theirs, and has to be written with ours even if it says the same. */
  readonly isForced: boolean;
  /** Roles that were staged and are not in the head. */
  readonly taken: readonly string[];
  /** Signers of whom something counts that is not at hand, and its version. */
  readonly unread: ReadonlyMap<string, number>;
  /** The version that a file gets: above all that were seen of it. */
  version(file: string): number;
  /** The same view with these roles and bins in it. */
  withFiles(files: readonly string[]): Promise<TrustView>;
}

/**
 * A change of trust metadata, said so that it can be made again: others may publish while we do, and then it is made on top of
 * theirs.
 */
export interface Change {
  /** undefined: what is there has it already. */
  edit(editing: Editing): Promise<Draft | PendingDraft | undefined>;
  /** A new timestamp is wanted, whatever else there is to do. */
  readonly renews?: boolean | undefined;
  /** It may bring other online keys: what is said of roles that count no longer goes with the old ones. */
  readonly changesRoot?: boolean | undefined;
}

/** Whose signatures a role needs, and with which keys. */
export interface RoleAuthority {
  readonly roleKeys: RoleKeys;
  readonly keys: ReadonlyMap<string, TufKey>;
}

/** Of `targets`, or of a signer. @throws CountersignError `usage` for a signer that there is not. */
export function authorityOf(view: TrustView, role: string): RoleAuthority {
  const root = newestRoot(view).body;
  if (role === "targets") return { roleKeys: root.roles.targets, keys: root.keys };
  return { roleKeys: requireDelegation(view.targets.body, role), keys: view.targets.body.keys };
}

/**
 * Whoever signs for a role signs all of it: what is hidden would be lost.
 *
 * @throws CountersignError `mix-and-match` where something counts that is not at hand.
 */
export function requireRead({ unread }: Pick<Editing, "unread">, role: string): void {
  const version = unread.get(role);
  if (version === undefined) return;
  throw new CountersignError("mix-and-match", `what ${role} has signed is not there, and would be lost`, {
    found: "a snapshot that lists it, and no file that can be read",
    wanted: `version ${version} of ${role}`,
    next: "have the registry's operator bring it back, or copy the signed tags back from a mirror or a kit; if it is gone for good: countersign trust signer remove, then add the signer under another name",
  });
}

/** Two drafts of different roles as one. */
export function merged(a: Draft, b: Draft): Draft {
  return { roles: new Map([...a.roles, ...b.roles]), roots: [...a.roots, ...b.roots] };
}

export function isPending(draft: Draft | PendingDraft): draft is PendingDraft {
  return "pending" in draft;
}

/**
 * A view with more bins in it: those that a snapshot lists and nobody had to read yet.
 *
 * @throws CountersignError `signature-threshold` where a bin is not its role's, `mix-and-match` where it is not listed.
 */
export async function withFiles(
  reader: MetadataReader,
  view: TrustView,
  files: readonly string[],
  now: Instant,
): Promise<TrustView> {
  const missing = files.filter((file) => file !== "targets" && !view.roles.has(file) && ownerOf(file) !== file);
  const found = await mapConcurrently(missing, LIMITS.tagWorkers, async (file) => {
    return [file, await readBin(reader, view, file, now)] as const;
  });
  return { ...view, roles: new Map([...view.roles, ...found]) };
}

async function readBin(
  reader: MetadataReader,
  view: TrustView,
  file: string,
  now: Instant,
): Promise<SignedRole<TargetsRole>> {
  const owner = ownerOf(file);
  const body = roleIn(view, owner)?.body;
  const listed = view.snapshot?.body.roles.get(file);
  if (body?.bins === undefined || listed === undefined) {
    throw new CountersignError("mix-and-match", `the head does not say which ${file} counts`, { wanted: file });
  }
  const part = listedFile(listed);
  const role = readRole(await reader.content(part, LIMITS.tufTargetsBytes), "targets", file, now);
  requireThreshold(role, body.keys, body.bins, file);
  return role;
}

/** A file that is in the repository, as whoever lists it describes it. */
export function listedFile(listed: ListedFile): HeadFile {
  return { descriptor: { mediaType: METADATA_MEDIA_TYPE, digest: digestOfListed(listed), size: listed.length } };
}

/** Every file of a role, as it is to be staged: changed ones as they were made, others as they are. */
export function stageOf(view: TrustView, role: string): ReadonlyMap<string, HeadPart> {
  const own = roleIn(view, role);
  if (own === undefined) return new Map();
  const parts = binsBelow(role, own.body).flatMap((bin): readonly (readonly [string, HeadPart])[] => {
    const read = view.roles.get(bin);
    if (read !== undefined) return [[fileNameOf(bin, read.body.version), read.bytes]];
    const listed = view.snapshot?.body.roles.get(bin);
    return listed === undefined ? [] : [[fileNameOf(bin, listed.version), listedFile(listed)]];
  });
  return new Map([[fileNameOf(role, own.body.version), own.bytes], ...parts]);
}

/** The version of a file after all that were seen of it. */
export function versionAfter(view: TrustView, file: string, made: number | undefined, now: Instant): number {
  const current = roleIn(view, file)?.body.version ?? 0;
  const listed = view.snapshot?.body.roles.get(file)?.version ?? 0;
  return nextVersion(Math.max(current, listed, made ?? 0), now);
}
