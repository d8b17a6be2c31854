import { CountersignError, type Finding } from "../../core/errors.ts";
import type { Digest } from "../../core/oci/digest.ts";
import type { Manifest } from "../../core/oci/manifest.ts";
import type { ContentStore } from "../../core/ports.ts";
import type { Binding, RequiredIdentity } from "../../core/tags/binding.ts";
import { tagPatternsOf } from "../../core/tags/changes.ts";
import type { RoleBook } from "../../core/tags/entries.ts";
import { wholeSecond } from "../../core/tags/lifetimes.ts";
import { filesFor, findBinding, mayBind, searchOrder } from "../../core/tags/lookup.ts";
import type { Delegation } from "../../core/tags/metadata.ts";
import { isTrustTag, pathOfDigest, pathOfTag } from "../../core/tags/names.ts";
import type { TrustView } from "../../core/tags/ports.ts";
import type { BoundTag, SignTagsResult } from "../../core/tags/publish-results.ts";
import { shortKeyId } from "../../core/tags/verify-role.ts";
import type { Instant } from "../../core/time.ts";
import type { Change, Draft, Editing, PendingDraft } from "./change.ts";
import { editRoles } from "./edit-roles.ts";
import { publishChange } from "./publish.ts";
import type { Publisher } from "./publisher.ts";
import { rolesHere } from "./signers-here.ts";

/** Which tags are to mean which image. */
export interface SignTagsWish {
  /** Where the image is: its manifest has to be there before a tag is bound to it. */
  readonly images: ContentStore;
  /** At least one; all of them are bound to the same digest. */
  readonly tags: readonly string[];
  /** undefined: what the registry's own tag names, the first one's. */
  readonly digest?: Digest | undefined;
  readonly source?: string | undefined;
  readonly note?: string | undefined;
  /** A signature by one of these identities is demanded of the image as well. */
  readonly requires?: readonly RequiredIdentity[] | undefined;
  /** The signers to sign as; undefined: all whose keys are here and who may. */
  readonly signers?: readonly string[] | undefined;
  /** Says again what is signed already, with the time of now: a policy can ask for a binding that is not old. */
  readonly confirms?: boolean | undefined;
  /** Binds a digest that was taken back, and so takes the revocation back. */
  readonly reinstates?: boolean | undefined;
}

/**
 * Binds tags to an image, and publishes that. Signing what is signed already changes nothing, and publishes what is staged.
 *
 * @throws CountersignError `not-found` where there is no such image, `role-key-missing`, `revoked` for a digest that was taken
 * back; as `publishChange`.
 */
export async function signTags(publisher: Publisher, wish: SignTagsWish): Promise<SignTagsResult> {
  checkTags(wish.tags, publisher.head);
  const image = await imageOf(wish);
  const signing = new Signing(publisher, wish, image);
  const { publication, look, isChanged } = await publishChange(publisher, signing);
  return {
    gun: look.view.gun,
    tags: signing.bound,
    isChanged,
    publication,
    warnings: signing.warnings,
  };
}

function checkTags(tags: readonly string[], head: string): void {
  if (tags.length === 0) throw new CountersignError("usage", "no tag is named that is to be signed");
  const trust = tags.find((tag) => isTrustTag(tag, head));
  if (trust === undefined) return;
  throw new CountersignError("usage", "this tag holds trust metadata and is no image's", { found: trust });
}

async function imageOf({ images, digest, tags }: SignTagsWish): Promise<Manifest> {
  const target = digest ?? tags[0];
  const image = await images.resolve(target);
  if (image !== undefined) return image;
  throw new CountersignError("not-found", `there is no such image in ${images.location}`, {
    found: "nothing",
    wanted: target,
    next: "push it first: a tag is bound to an image that is there",
  });
}

class Signing implements Change {
  readonly #publisher: Publisher;
  readonly #wish: SignTagsWish;
  readonly #image: Manifest;
  /** What it came to, by the last edit that was needed. */
  #bound: readonly BoundTag[] = [];
  #warnings: readonly Finding[] = [];
  readonly #was = new Map<string, Digest | undefined>();
  /** What was signed before has to be signed again. */
  readonly #since: Instant | undefined;

  constructor(publisher: Publisher, wish: SignTagsWish, image: Manifest) {
    this.#publisher = publisher;
    this.#wish = wish;
    this.#image = image;
    this.#since = wish.confirms === true ? wholeSecond(publisher.clock.now()) : undefined;
  }

  get bound(): readonly BoundTag[] {
    return this.#bound;
  }

  get warnings(): readonly Finding[] {
    return this.#warnings;
  }

  async edit(editing: Editing): Promise<Draft | PendingDraft | undefined> {
    const tags = await this.#tagsByRole(editing.view);
    await this.#note(editing, tags);
    return await editRoles(this.#publisher, editing, [...tags.keys()], {
      paths: (role) => [...(tags.get(role) ?? []).map(pathOfTag), pathOfDigest(this.#image.descriptor.digest)],
      change: (book) => this.#bind(book, tags.get(book.name) ?? [], editing),
    });
  }

  /** Who signs what: each role whose key is here, as far as it may. */
  async #tagsByRole(view: TrustView): Promise<ReadonlyMap<string, readonly string[]>> {
    const { signers, tags } = this.#wish;
    const mayAny = (role: string) => tags.some((tag) => mayBind(view.targets.body, role, pathOfTag(tag)));
    const roles = (await rolesHere(this.#publisher.ring, view, mayAny)).filter(
      (role) => signers?.includes(role) ?? true,
    );
    const found = roles.map((role) => {
      return [role, tags.filter((tag) => mayBind(view.targets.body, role, pathOfTag(tag)))] as const;
    });
    const unsigned = tags.find((tag) => !found.some(([, own]) => own.includes(tag)));
    if (unsigned !== undefined) throw keyMissing(view, unsigned);
    return new Map(found);
  }

  async #note(editing: Editing, tags: ReadonlyMap<string, readonly string[]>): Promise<void> {
    const { descriptor } = this.#image;
    const paths = this.#wish.tags.map(pathOfTag);
    const view = await editing.withFiles(paths.flatMap((path) => filesFor(editing.view, path)));
    this.#bound = this.#wish.tags.map((tag) => {
      const before = findBinding(view, pathOfTag(tag)).found?.binding.digest;
      if (!this.#was.has(tag)) this.#was.set(tag, before);
      const roles = [...tags].flatMap(([role, own]) => (own.includes(tag) ? [role] : []));
      return { tag, digest: descriptor.digest, was: this.#was.get(tag), roles };
    });
    this.#warnings = this.#bound.flatMap((bound) => shadowOf(view, bound));
  }

  /** undefined where the role binds all of it just so. */
  #bind(book: RoleBook, tags: readonly string[], { now, view, isForced }: Editing): RoleBook | undefined {
    const release = this.#release(now);
    const listsDigest = mayBind(view.targets.body, book.name, pathOfDigest(release.digest));
    const paths = [...tags.map(pathOfTag), ...(listsDigest ? [pathOfDigest(release.digest)] : [])];
    if (!isForced && paths.every((path) => isSame(book.bindingOf(path), release, this.#since))) return undefined;
    const allowed = this.#wish.reinstates === true ? book.without([pathOfDigest(release.digest)]) : book;
    const next = allowed.withTags(tags, release);
    return listsDigest ? next : next.without([pathOfDigest(release.digest)]);
  }

  #release(now: Editing["now"]): Omit<Binding, "tag"> {
    const { digest, size, mediaType } = this.#image.descriptor;
    const { source, note, requires = [] } = this.#wish;
    return { digest, length: size, mediaType, signedAt: wholeSecond(now), source, note, requires };
  }
}

/** The same in all that its signer said, whenever that was, or since then. */
function isSame(found: Binding | undefined, release: Omit<Binding, "tag">, since: Instant | undefined): boolean {
  if (since !== undefined && (found?.signedAt ?? 0) < since) return false;
  if (found === undefined || found.revoked !== undefined || found.digest !== release.digest) return false;
  const said = ({ source, note, requires, mediaType }: Omit<Binding, "tag">) =>
    JSON.stringify([source, note, mediaType, requires.map(({ identity, issuer }) => [identity, issuer])]);
  return said(found) === said(release);
}

function keyMissing({ gun, targets }: TrustView, tag: string): CountersignError {
  const { delegations } = targets.body;
  const may = delegations.filter(({ name }) => mayBind(targets.body, name, pathOfTag(tag)));
  if (delegations.length > 0 && may.length === 0) return uncovered(gun, tag, delegations);
  const wanted = may.map(({ name, keyids }) => `${name} (${keyids.map(shortKeyId).join(", ")})`).join("; ");
  return new CountersignError("role-key-missing", `no key is here that may sign the tag ${tag}`, {
    found: may.length === 0 ? `none of ${gun}'s targets keys` : `of ${gun}'s signers, none of these`,
    wanted: wanted || "a key of targets",
  });
}

/** No key would do: it is the patterns that are missing. */
function uncovered(gun: string, tag: string, delegations: readonly Delegation[]): CountersignError {
  return new CountersignError("role-key-missing", `no signer of ${gun} may sign the tag ${tag}`, {
    found: delegations.map((signer) => `${signer.name}: ${tagPatternsOf(signer).join(" ")}`).join("; "),
    wanted: "a signer among whose tags it is",
    next: "name a tag that one of them may sign, or have who holds the targets key give all tags of a signer: countersign trust signer add --tags",
  });
}

/** What consumers get instead, where a role before ours binds the tag to another image. */
function shadowOf(view: TrustView, { tag, digest, roles }: BoundTag): readonly Finding[] {
  const path = pathOfTag(tag);
  const { found } = findBinding(view, path);
  if (found === undefined || found.binding.digest === digest) return [];
  const { asked } = searchOrder(view.targets.body, path);
  const isFirst = roles.some((role) => asked.indexOf(role) <= asked.indexOf(found.role));
  if (isFirst) return [];
  return [
    {
      code: "binding-mismatch",
      message: `${tag} is signed and does not count: ${found.role} comes first and binds another image`,
      found: found.binding.digest,
      wanted: digest,
    },
  ];
}
