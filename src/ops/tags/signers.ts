import { CountersignError, type Finding } from "../../core/errors.ts";
import type { SignerResult, SignerSummary } from "../../core/tags/admin-results.ts";
import type { Binding } from "../../core/tags/binding.ts";
import { binsBelow } from "../../core/tags/bins.ts";
import type { RoleBook } from "../../core/tags/entries.ts";
import { expiryOf } from "../../core/tags/lifetimes.ts";
import { effectiveBindings, findBinding } from "../../core/tags/lookup.ts";
import type { Delegation, RoleKeys, TargetsRole } from "../../core/tags/metadata.ts";
import { pathOfTag } from "../../core/tags/names.ts";
import type { TrustView } from "../../core/tags/ports.ts";
import { roleIn } from "../../core/tags/view.ts";
import { pathOfBinding } from "../../core/tags/write.ts";
import type { Instant } from "../../core/time.ts";
import { type Amendment, amend, refuseExamples } from "./amend.ts";
import { lifetimesOf } from "./assemble.ts";
import { authorityOf, type Change, type Editing, requireRead } from "./change.ts";
import { covers, delegationOf, requireDelegation, type SignerWish, withoutSigner, withSigner } from "./delegations.ts";
import { bookOf, kindOf } from "./edit-roles.ts";
import { publishChange } from "./publish.ts";
import type { Publisher } from "./publisher.ts";
import { signersOf } from "./signers-here.ts";
import { signerSummaries, signerSummary } from "./summaries.ts";
import { readWholeTrust, type TrustPlace } from "./whole.ts";

/** The signers of a repository, in the order in which they are asked. */
export async function listSigners(
  place: TrustPlace,
  now: Instant,
): Promise<{ readonly gun: string; readonly signers: readonly SignerSummary[] }> {
  const view = await readWholeTrust(place, now);
  return { gun: view.gun, signers: signerSummaries(view) };
}

type Bound = Pick<Binding, "tag" | "digest">;

// --- add --------------------------------------------------------------------------------------------------------------

export interface AddSignerWish extends SignerWish {
  /**
   * Tags that `targets` binds itself and that the signer may bind go over to it where its keys are here: what `targets` binds
   * counts before every signer's binding.
   */
  readonly takesOver: boolean;
  /** Called before anything is published: keys that were made for this are written down now. */
  readonly keep?: (() => Promise<void>) | undefined;
}

/**
 * Lets somebody sign tags; of a signer that is there, adds keys or changes what it may sign.
 *
 * @throws CountersignError `usage` for a wish that cannot be, `key-weak`, `role-key-missing`, and as `publishChange`.
 */
export async function addSigner(publisher: Publisher, wish: AddSignerWish): Promise<SignerResult> {
  refuseExamples(publisher, wish.keys);
  const adding = new Adding(publisher, wish);
  const { publication, look } = await publishChange(publisher, adding);
  const { view } = look;
  // Where it waits for signatures, the view does not have it yet.
  const after = withSigner(view.targets.body, wish);
  const warnings = publication.state === "published" ? shadowed(view, wish.name) : [];
  return {
    gun: view.gun,
    change: adding.isNew ? "added" : "changed",
    signer: signerSummary(view, requireDelegation(after, wish.name)),
    orphaned: adding.orphaned,
    rebound: [...adding.moved.values()],
    publication: withWarnings(publication, warnings),
  };
}

class Adding implements Change {
  readonly #publisher: Publisher;
  readonly #wish: AddSignerWish;
  #isKept = false;
  isNew = false;
  /** Tags that fewer or other patterns leave without anybody who may bind them. */
  orphaned: readonly Bound[] = [];
  /** By tag. */
  readonly moved = new Map<string | undefined, Bound>();

  constructor(publisher: Publisher, wish: AddSignerWish) {
    this.#publisher = publisher;
    this.#wish = wish;
  }

  async edit(editing: Editing): ReturnType<Change["edit"]> {
    const before = editing.view.targets.body;
    const after = withSigner(before, this.#wish);
    const delegation = requireDelegation(after, this.#wish.name);
    const taken = await this.#takeOver(editing, delegation);
    if (sameSigners(before, after) && taken === undefined && !editing.isForced) return undefined;
    if (delegationOf(before, this.#wish.name) === undefined) this.isNew = true;
    const own = { version: editing.version("targets"), expires: this.#expires("targets", editing) };
    const targets: TargetsRole = { ...(taken?.targets ?? before), ...delegationsOf(after), ...own };
    requireNoBins(targets, this.#wish.name);
    if (mayOrphan(before, delegation)) this.orphaned = await orphans(editing, after);
    const amendment: Amendment = new Map([["targets", targets], ...(taken?.signer ?? [])]);
    await this.#keep();
    for (const { tag, digest } of taken?.moved ?? []) this.moved.set(tag, { tag, digest });
    return await amend(this.#publisher, editing.view, "targets", amendment);
  }

  async #keep(): Promise<void> {
    if (!this.#isKept) await this.#wish.keep?.();
    this.#isKept = true;
  }

  #expires(kind: "targets" | "role", { view, now }: Editing): Instant {
    return expiryOf(kind, now, lifetimesOf(this.#publisher, view));
  }

  /** What `targets` binds and the signer may, in the signer's own files; undefined where there is none, or no key for them. */
  async #takeOver(editing: Editing, delegation: Delegation): Promise<TakenOver | undefined> {
    const { takesOver, name } = this.#wish;
    const signers = await signersOf(this.#publisher.ring, delegation);
    if (!takesOver || signers.length < delegation.threshold) return undefined;
    requireRead(editing, name);
    const view = await withAllBins(editing, ["targets", name]);
    const own = bookOf(view, "targets");
    const moving = movable(own, delegation);
    if (moving.length === 0) return undefined;
    const left = own.without(moving.map(pathOfBinding));
    const book = binned(bookOf(view, name).withBindings(moving));
    const keys = new Map([...view.targets.body.keys, ...withSigner(view.targets.body, this.#wish).keys]);
    const making = { version: (file: string) => editing.version(file), expires: this.#expires("role", editing) };
    return {
      targets: {
        ...view.targets.body,
        bindings: left.bindings,
        ...(left.bindings.length === 0 && { bins: undefined }),
      },
      signer: book.roles({ ...making, signers: delegation, keys }),
      moved: moving.filter(({ tag }) => tag !== undefined),
    };
  }
}

/** A signer that only gets more takes nothing from anybody. */
function mayOrphan(before: TargetsRole, { name, paths, terminating }: Delegation): boolean {
  const was = delegationOf(before, name);
  return terminating || (was !== undefined && !was.paths.every((path) => paths.includes(path)));
}

/** What consumers find now, and would not find with other delegations. */
async function orphans(editing: Editing, after: TargetsRole): Promise<readonly Bound[]> {
  const { targets } = editing.view;
  const view = await withAllBins(editing, ["targets", ...targets.body.delegations.map(({ name }) => name)]);
  const then: TrustView = { ...view, targets: { ...view.targets, body: { ...targets.body, ...delegationsOf(after) } } };
  const bindings = effectiveBindings(view).map(({ binding }) => binding);
  return unsaid(liveTags(bindings), then);
}

interface TakenOver {
  readonly targets: TargetsRole;
  readonly signer: ReadonlyMap<string, TargetsRole>;
  readonly moved: readonly Bound[];
}

/** Tags that the signer may bind, and the digests that they mean. */
function movable(book: RoleBook, delegation: Delegation): readonly Binding[] {
  const tags = book.bindings.filter(({ tag }) => tag !== undefined && covers(delegation, tag));
  const digests = new Set(tags.map(({ digest }) => digest));
  const others = book.bindings.filter(({ tag, digest }) => tag !== undefined && !digests.has(digest));
  const shared = new Set(others.map(({ digest }) => digest));
  const released = book.bindings.filter(
    ({ tag, digest }) => tag === undefined && digests.has(digest) && !shared.has(digest),
  );
  return [...tags, ...released];
}

function binned(book: RoleBook): RoleBook {
  return book.needsBins ? book.rebinned() : book;
}

function delegationsOf({ delegations, keys }: TargetsRole): Pick<TargetsRole, "delegations" | "keys"> {
  return { delegations, keys };
}

/** TUF has bins or signers below a role, and not both (1.0.34, 4.5). */
function requireNoBins({ bins }: TargetsRole, name: string): void {
  if (bins === undefined) return;
  throw new CountersignError("usage", "targets binds too many tags itself to have signers beside", {
    found: `${2 ** bins.bitLength} bins of its own`,
    wanted: `a signer that takes all of them over: --tags '*', with the key of ${name} here`,
  });
}

function sameSigners(a: TargetsRole, b: TargetsRole): boolean {
  return JSON.stringify(a.delegations) === JSON.stringify(b.delegations);
}

/** Tags of which the signer's binding would not be asked for. */
function shadowed({ targets }: TrustView, name: string): readonly Finding[] {
  const delegation = delegationOf(targets.body, name);
  const tags = targets.body.bindings.flatMap(({ tag }) =>
    tag !== undefined && delegation !== undefined && covers(delegation, tag) ? [tag] : [],
  );
  if (tags.length === 0) return [];
  return [
    {
      code: "tag-unlisted",
      message: `targets binds tags itself that ${name} may bind, and its binding counts first`,
      found: `${tags.slice(0, 8).join(", ")}${tags.length > 8 ? ` and ${tags.length - 8} more` : ""}`,
      next: `run countersign trust signer add ${name} again where its key is: they go over to it`,
    },
  ];
}

// --- remove -----------------------------------------------------------------------------------------------------------

export interface RemoveSignerWish {
  readonly name: string;
  /** Who binds its tags from now on: `targets` or another signer, whose key is here. undefined: nobody. */
  readonly successor?: string | undefined;
}

/**
 * Takes a signer away. What it had bound is bound by nobody, or by its successor in the same step; its entry in the snapshot stays.
 *
 * @throws CountersignError `usage` for a signer that there is not, `role-key-missing`, and as `publishChange`.
 */
export async function removeSigner(publisher: Publisher, wish: RemoveSignerWish): Promise<SignerResult> {
  const removing = new Removing(publisher, wish);
  const { publication, look } = await publishChange(publisher, removing);
  const { signer, orphaned, rebound, lost } = removing.result();
  const published = withWarnings(publication, lost);
  return { gun: look.view.gun, change: "removed", signer, orphaned, rebound, publication: published };
}

interface Removed {
  readonly signer: SignerSummary;
  readonly orphaned: readonly Bound[];
  readonly rebound: readonly Bound[];
  readonly lost: readonly Finding[];
}

class Removing implements Change {
  readonly #publisher: Publisher;
  readonly #wish: RemoveSignerWish;
  #removed: Removed | undefined;

  constructor(publisher: Publisher, wish: RemoveSignerWish) {
    this.#publisher = publisher;
    this.#wish = wish;
  }

  result(): Removed {
    if (this.#removed !== undefined) return this.#removed;
    throw new CountersignError("internal", "a signer was removed without a look at it");
  }

  async edit(editing: Editing): ReturnType<Change["edit"]> {
    const { name, successor } = this.#wish;
    const before = editing.view.targets.body;
    const isGone = this.#removed !== undefined && delegationOf(before, name) === undefined;
    if (isGone && !editing.isForced) return undefined;
    const signer = isGone ? this.result().signer : signerSummary(editing.view, requireDelegation(before, name));
    for (const role of successor === undefined ? [] : [name, successor]) requireRead(editing, role);
    const view = await withAllBins(editing, [name, ...(successor === undefined ? [] : [successor])]);
    const lifetimes = lifetimesOf(this.#publisher, view);
    const own = { version: editing.version("targets"), expires: expiryOf("targets", editing.now, lifetimes) };
    const targets: TargetsRole = { ...(isGone ? before : withoutSigner(before, name)), ...own };
    const after: TrustView = { ...view, targets: { ...view.targets, body: targets } };
    const left = unsaid(bookOf(view, name).bindings, after);
    const amendment = new Map<string, TargetsRole>([["targets", targets]]);
    if (successor !== undefined) {
      const heir = this.#inherit(after, successor, left, editing);
      for (const [file, role] of heir) amendment.set(file, role);
    }
    const tags = liveTags(left);
    const isInherited = successor !== undefined;
    this.#removed = {
      signer,
      orphaned: isInherited ? [] : tags,
      rebound: isInherited ? tags : [],
      lost: isInherited ? [] : lostRevocations(name, left),
    };
    return await amend(this.#publisher, editing.view, "targets", amendment);
  }

  /** The successor's files with what was the signer's in them. */
  #inherit(
    after: TrustView,
    successor: string,
    left: readonly Binding[],
    editing: Editing,
  ): ReadonlyMap<string, TargetsRole> {
    const { roleKeys, keys } = authorityOf(after, successor);
    requireCovered(roleKeys, successor, left);
    const book = binned(bookOf(after, successor).withBindings(left));
    const expires = expiryOf(kindOf(successor), editing.now, lifetimesOf(this.#publisher, after));
    return book.roles({ version: (file) => editing.version(file), expires, signers: roleKeys, keys });
  }
}

function requireCovered(roleKeys: RoleKeys | Delegation, successor: string, left: readonly Binding[]): void {
  if (!("paths" in roleKeys)) return;
  const odd = left.find(({ tag }) => tag !== undefined && !covers(roleKeys, tag));
  if (odd?.tag === undefined) return;
  throw new CountersignError("usage", `${successor} may not bind all of the tags`, {
    found: odd.tag,
    wanted: roleKeys.paths.filter((path) => path.startsWith(pathOfTag(""))).join(", "),
  });
}

/** What is not listed is refused as well, unless a policy asks for less. */
function lostRevocations(name: string, left: readonly Binding[]): readonly Finding[] {
  const count = left.filter(({ revoked }) => revoked !== undefined).length;
  if (count === 0) return [];
  return [
    {
      code: "revoked",
      message: `what ${name} had taken back is unlisted now, and no longer said to be revoked`,
      found: `${count} entries`,
      next: "let somebody inherit them, or take them back again: countersign trust revoke",
    },
  ];
}

// --- both -------------------------------------------------------------------------------------------------------------

/** Those of which nobody says anything afterwards. */
function unsaid(bindings: readonly Binding[], after: TrustView): readonly Binding[] {
  return bindings.filter((binding) => findBinding(after, pathOfBinding(binding)).found === undefined);
}

function liveTags(bindings: readonly Binding[]): readonly Binding[] {
  return bindings.filter(({ tag, revoked }) => tag !== undefined && revoked === undefined);
}

/** The view with all bins of these roles in it. */
async function withAllBins(editing: Editing, roles: readonly string[]): Promise<TrustView> {
  const { view } = editing;
  const files = roles.flatMap((name) => {
    const role = roleIn(view, name);
    return role === undefined ? [] : binsBelow(name, role.body);
  });
  return files.length === 0 ? view : await editing.withFiles(files);
}

function withWarnings(publication: SignerResult["publication"], more: readonly Finding[]): SignerResult["publication"] {
  if (publication.state !== "published") return publication;
  return { ...publication, warnings: [...publication.warnings, ...more] };
}
