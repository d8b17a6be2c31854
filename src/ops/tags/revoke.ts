import { CountersignError, type Finding } from "../../core/errors.ts";
import type { Digest } from "../../core/oci/digest.ts";
import type { Binding, Revocation } from "../../core/tags/binding.ts";
import type { RoleBook } from "../../core/tags/entries.ts";
import { wholeSecond } from "../../core/tags/lifetimes.ts";
import { effectiveBindings, findBinding } from "../../core/tags/lookup.ts";
import { pathOfDigest, pathOfTag } from "../../core/tags/names.ts";
import type { TrustView } from "../../core/tags/ports.ts";
import type { RevokedEntry, RevokeTagsResult } from "../../core/tags/publish-results.ts";
import { type Change, type Draft, type Editing, type PendingDraft, requireRead } from "./change.ts";
import { bookOf, editRoles } from "./edit-roles.ts";
import { publishChange } from "./publish.ts";
import type { Publisher } from "./publisher.ts";
import { rolesHere } from "./signers-here.ts";

/** What is taken back, and why. */
export interface RevokeTagsWish {
  /** A tag, and with it the digest that it is bound to where no other tag is. */
  readonly tags: readonly string[];
  /** A digest, under every tag that is bound to it. */
  readonly digests: readonly Digest[];
  readonly reason: string;
  /** The signers to sign as; undefined: all whose keys are here. */
  readonly signers?: readonly string[] | undefined;
}

/**
 * Takes tags and digests back: consumers refuse them with the reason, where an entry that is merely missing would say nothing.
 * Every role whose key is here and that binds them takes them back.
 *
 * @throws CountersignError `tag-unlisted`, `digest-unlisted` for what nobody binds, `role-key-missing` where no key is here of
 * who does; as `publishChange`.
 */
export async function revokeTags(publisher: Publisher, wish: RevokeTagsWish): Promise<RevokeTagsResult> {
  if (wish.tags.length + wish.digests.length === 0) {
    throw new CountersignError("usage", "nothing is named that is to be taken back");
  }
  if (wish.reason === "") throw new CountersignError("usage", "there is no reason why it is taken back");
  const revoking = new Revoking(publisher, wish);
  const { publication, look, isChanged } = await publishChange(publisher, revoking);
  const { gun } = look.view;
  return { gun, reason: wish.reason, revoked: revoking.revoked, isChanged, publication, warnings: revoking.warnings };
}

class Revoking implements Change {
  readonly #publisher: Publisher;
  readonly #wish: RevokeTagsWish;
  readonly #revoked = new Map<string, RevokedEntry>();
  #warnings: readonly Finding[] = [];

  constructor(publisher: Publisher, wish: RevokeTagsWish) {
    this.#publisher = publisher;
    this.#wish = wish;
  }

  get revoked(): readonly RevokedEntry[] {
    return [...this.#revoked.values()];
  }

  get warnings(): readonly Finding[] {
    return this.#warnings;
  }

  async edit(editing: Editing): Promise<Draft | PendingDraft | undefined> {
    // Whether another tag is bound to the same digest can be anywhere in a role: all of it is read.
    const view = await editing.withFiles(allFiles(editing.view));
    const whole = { ...editing, view };
    const here = await rolesHere(this.#publisher.ring, view, (role) => this.#isIn(bookOf(view, role)), "all");
    const roles = here.filter((role) => this.#wish.signers?.includes(role) ?? true);
    for (const path of this.#paths()) requireBinder(whole, path, roles);
    this.#warnings = [
      ...this.#paths().flatMap((path) => stillBound(view, path, roles)),
      ...underOtherTags(view, this.#wish),
    ];
    const revocation = { at: wholeSecond(editing.now), reason: this.#wish.reason };
    return await editRoles(this.#publisher, whole, roles, {
      paths: () => undefined,
      change: (book) => this.#revoke(book, revocation, editing.isForced),
    });
  }

  #paths(): readonly string[] {
    return [...this.#wish.tags.map(pathOfTag), ...this.#wish.digests.map(pathOfDigest)];
  }

  #isIn(book: RoleBook): boolean {
    return affectedIn(book, this.#wish).length > 0;
  }

  #revoke(book: RoleBook, revoked: Revocation, isForced: boolean): RoleBook | undefined {
    const affected = affectedIn(book, this.#wish);
    for (const { tag, digest } of affected) {
      this.#revoked.set(`${book.name} ${tag ?? digest}`, { tag, digest, role: book.name });
    }
    const news = affected.filter((binding) => isForced || binding.revoked === undefined);
    if (news.length === 0) return undefined;
    return book.withBindings(news.map((binding) => ({ ...binding, revoked: binding.revoked ?? revoked })));
  }
}

/** The entries of a role that are taken back: a digest goes with the last tag that is bound to it. */
function affectedIn(book: RoleBook, { tags, digests }: RevokeTagsWish): readonly Binding[] {
  const bindings = book.bindings;
  const named = bindings.filter(
    ({ tag, digest }) => (tag !== undefined && tags.includes(tag)) || digests.includes(digest),
  );
  const left = bindings.filter(({ tag, revoked }) => tag !== undefined && !tags.includes(tag) && revoked === undefined);
  const stays = new Set(left.map(({ digest }) => digest));
  const gone = named.map(({ digest }) => digest).filter((digest) => digests.includes(digest) || !stays.has(digest));
  const released = bindings.filter(({ tag, digest }) => tag === undefined && gone.includes(digest));
  return [...new Set([...named, ...released])];
}

function allFiles(view: TrustView): readonly string[] {
  return ["targets", ...view.targets.body.delegations.map(({ name }) => name)].flatMap(
    (role) => bookOf(view, role).files,
  );
}

/** @throws CountersignError `tag-unlisted`, `digest-unlisted`, `role-key-missing`, `mix-and-match`. */
function requireBinder(editing: Editing, path: string, roles: readonly string[]): void {
  const { view } = editing;
  const binders = bindersOf(view, path);
  if (binders.some((role) => roles.includes(role))) return;
  const what = path.slice(path.indexOf("/") + 1).replace("sha256-", "sha256:");
  if (binders.length > 0) {
    throw new CountersignError("role-key-missing", `no key is here of who signed ${what}`, {
      found: roles.length === 0 ? "no key that signed any of it" : `keys of ${roles.join(", ")}`,
      wanted: `a key of ${binders.join(" or ")}`,
    });
  }
  for (const role of findBinding(view, path).unread) requireRead(editing, role);
  const code = path.startsWith("tags/") ? "tag-unlisted" : "digest-unlisted";
  throw new CountersignError(code, `${what} is unlisted in ${view.gun}: there is nothing to take back`, {
    next: "look at what is signed: countersign trust inspect",
  });
}

/** The roles whose entry for a path counts, or would if those before it were gone. */
function bindersOf(view: TrustView, path: string): readonly string[] {
  const { found, shadowed } = findBinding(view, path);
  return [...(found === undefined ? [] : [found]), ...shadowed].map(({ role }) => role);
}

/** Who binds it still and comes first: consumers get what that role says. */
function stillBound(view: TrustView, path: string, roles: readonly string[]): readonly Finding[] {
  const { found } = findBinding(view, path);
  if (found === undefined || found.binding.revoked !== undefined || roles.includes(found.role)) return [];
  return [
    {
      code: "role-key-missing",
      message: `${path} is taken back and counts still: ${found.role} comes first and binds it too`,
      wanted: `a key of ${found.role}`,
    },
  ];
}

/** A tag was taken back, and its image stays released under another: who meant the image has to say so. */
function underOtherTags(view: TrustView, { tags, digests }: RevokeTagsWish): readonly Finding[] {
  const images = tags.flatMap((tag) => findBinding(view, pathOfTag(tag)).found?.binding.digest ?? []);
  return [...new Set(images)].flatMap((digest) => {
    const others = effectiveBindings(view).flatMap(({ binding }) => {
      const { tag, revoked } = binding;
      return tag === undefined || tags.includes(tag) || revoked !== undefined || binding.digest !== digest ? [] : [tag];
    });
    if (others.length === 0 || digests.includes(digest)) return [];
    const message = "the same image is still signed under another tag; name its digest to take it back under every one";
    return [{ code: "revoked", message, found: `${others.slice(0, 8).join(", ")}: ${digest}` } as const];
  });
}
