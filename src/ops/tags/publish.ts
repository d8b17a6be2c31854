import { CountersignError, type Finding } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { type Digest, digestOf } from "../../core/oci/digest.ts";
import type { Publication } from "../../core/tags/admin-results.ts";
import { ownerOf } from "../../core/tags/bins.ts";
import { fileNameOf } from "../../core/tags/files.ts";
import type { HeadPart } from "../../core/tags/head.ts";
import { checkExpiry } from "../../core/tags/lifetimes.ts";
import type { SignedRole, TimestampRole } from "../../core/tags/metadata.ts";
import { partTag, stagingTag } from "../../core/tags/names.ts";
import type { TrustView } from "../../core/tags/ports.ts";
import { newestRoot } from "../../core/tags/view.ts";
import type { Instant } from "../../core/time.ts";
import { forEachConcurrently } from "../concurrency.ts";
import { sourceOf } from "../prepare-signature.ts";
import { type Assembled, assembleHead, type Minted, onlineSigners } from "./assemble.ts";
import {
  type Change,
  type Draft,
  isPending,
  type PendingDraft,
  requireRead,
  stageOf,
  versionAfter,
  withFiles,
} from "./change.ts";
import { Lineage } from "./lineage.ts";
import { type Look, lookAround } from "./look.ts";
import { leavePending } from "./pending.ts";
import type { Publisher } from "./publisher.ts";
import { MetadataReader } from "./reader.ts";
import { Seen } from "./seen.ts";
import { pushStage, type StagedFiles } from "./staging.ts";

/** What became of a change, and what there is now. */
export interface Published {
  readonly publication: Publication;
  readonly look: Look;
  /** Whether anything had to be signed for it. */
  readonly isChanged: boolean;
}

/**
 * Makes a change and publishes it, beside others who do the same. Registries have no compare-and-swap, so: each signer stages its
 * role under a tag that nobody else writes, then looks again, merges all that is staged, and only then replaces the head; and it
 * looks again until the head has everything. Whoever writes the head last sees what all the others staged before, so a head that
 * is overwritten heals by itself. Where the same role is changed by two at once, a file that is not ours turns up where ours was
 * based on another: then the change is made again on top of it.
 *
 * @throws CountersignError `write-unconfirmed` where the head does not stay; what reading, signing and the store throw.
 */
export async function publishChange(publisher: Publisher, change: Change): Promise<Published> {
  return await new Publishing(publisher, change).run();
}

class Publishing {
  readonly #publisher: Publisher;
  readonly #change: Change;
  readonly #reader: MetadataReader;
  readonly #lineage = new Lineage();
  /** Heads that are no surprise: the first one, ours, and those that were noticed already. */
  readonly #heads = new Set<Digest>();
  #timestamp: SignedRole<TimestampRole> | undefined;
  #minted: Minted = { timestamp: 0, snapshot: 0 };
  #puts = 0;
  #delays = 0;
  #isContested = false;
  /** When something was last written, by us or by others as far as was seen. */
  #disturbedAt: Instant;

  constructor(publisher: Publisher, change: Change) {
    this.#publisher = publisher;
    this.#change = change;
    this.#reader = new MetadataReader(publisher.store);
    this.#disturbedAt = publisher.clock.now();
  }

  async run(): Promise<Published> {
    let look = await this.#look();
    const seen = await Seen.before(this.#publisher, look, this.#change);
    this.#minted = seen.minted;
    for (let step = 0; step < LIMITS.publishSteps && this.#puts < LIMITS.publishTries; step++) {
      const result = await this.#step(look);
      if (result !== undefined) return await this.#ended(result, seen);
      look = await this.#look();
      seen.requireNoOlder(look);
    }
    // What the last write came to, nobody has looked at yet.
    if (this.#isDone(look)) return await this.#ended(await this.#published(look), seen);
    throw this.#unconfirmed(look);
  }

  async #ended(result: Published, seen: Seen): Promise<Published> {
    const { look, publication } = result;
    if (publication.state === "published") await seen.notePublished(look.view);
    else await seen.noteStaged(look, this.#lineage.owners);
    return result;
  }

  /** One write, or a wait; after each of them everything is looked at again. */
  async #step(look: Look): Promise<Published | undefined> {
    const draft = await this.#edit(look);
    if (draft !== undefined && !isPending(draft)) return await this.#stage(look, draft);
    if (draft !== undefined && !this.#lineage.isChanged) return await this.#leavePending(look, draft);
    if (await this.#restage(look)) return undefined;
    if (!this.#isDone(look)) return await this.#replaceHead(look);
    if (!(await this.#settle())) return undefined;
    return draft === undefined ? await this.#published(look) : await this.#leavePending(look, draft);
  }

  async #look(): Promise<Look> {
    const look = await lookAround(this.#publisher, this.#reader);
    const { digest } = look.head.descriptor;
    if (this.#heads.size > 0 && !this.#heads.has(digest)) this.#noticeOthers();
    this.#heads.add(digest);
    return look;
  }

  #noticeOthers(): void {
    this.#isContested = true;
    this.#disturbedAt = this.#publisher.clock.now();
  }

  // --- our part -------------------------------------------------------------------------------------------------------

  async #edit(look: Look): Promise<Draft | PendingDraft | undefined> {
    const now = this.#publisher.clock.now();
    const found = await this.#lineage.foreignIn(look, this.#reader, now);
    if (found.size > 0) this.#noticeOthers();
    // What is newer than ours is in the view, and whoever made it sees to ours: to write it again would never end. What is older
    // than ours would be lost under it.
    const older = new Map([...found].filter(([file, { body }]) => body.version < (this.#lineage.versionOf(file) ?? 0)));
    const base = withFilesOf(look.view, older);
    const draft = await this.#change.edit({
      view: base,
      now,
      isForced: older.size > 0,
      taken: look.taken,
      unread: look.unread,
      version: (file) => versionAfter(look.view, file, this.#lineage.versionOf(file), now),
      withFiles: (files) => withFiles(this.#reader, base, files, now),
    });
    if (draft === undefined || isPending(draft)) return draft;
    for (const owner of ownersIn(draft)) this.#lineage.follow(look, owner);
    return draft;
  }

  async #stage(look: Look, draft: Draft): Promise<undefined> {
    if (draft.roots.length === 0) requireRoot(look, this.#publisher.clock.now());
    if (this.#isLate(look)) return;
    const { store, head } = this.#publisher;
    if (draft.roots.length > 0) await pushStage(store, stagingTag("root", head), rootFiles(look, draft.roots));
    const view = withFilesOf(look.view, draft.roles);
    for (const owner of ownersIn(draft)) await pushStage(store, stagingTag(owner, head), stageOf(view, owner));
    this.#lineage.add(draft);
    this.#disturbedAt = this.#publisher.clock.now();
  }

  /** Where what we staged was merged with what others did, the stage gets all of it: it has to do for a lost head. */
  async #restage(look: Look): Promise<boolean> {
    const { store, head } = this.#publisher;
    for (const owner of this.#lineage.owners) {
      const files = stageOf(look.view, owner);
      if (isStaged(look.staged.get(owner), files)) continue;
      await pushStage(store, stagingTag(owner, head), files);
      return true;
    }
    return false;
  }

  // --- the head -------------------------------------------------------------------------------------------------------

  /** The head has everything, and a timestamp that is no older than ours. */
  #isDone({ isWhole, view: { timestamp } }: Look): boolean {
    if (!isWhole || timestamp === undefined) return false;
    if (this.#timestamp === undefined) return this.#change.renews !== true;
    const { body, bytes } = this.#timestamp;
    return timestamp.body.version > body.version || digestOf(timestamp.bytes) === digestOf(bytes);
  }

  async #replaceHead(look: Look): Promise<Published | undefined> {
    requireRoot(look, this.#publisher.clock.now());
    const online = await onlineSigners(this.#publisher, newestRoot(look.view).body);
    if (online === undefined) return this.#leaveStaged(look);
    // By new keys nothing is listed yet: what is not at hand would not be, and with it all that it says would be gone.
    if (look.view.snapshot === undefined) for (const role of look.unread.keys()) requireRead(look, role);
    const assembled = await assembleHead(this.#publisher, look, online, this.#minted);
    await this.#pushParts(assembled);
    if (this.#isLate(look)) return undefined;
    const { store, head } = this.#publisher;
    await store.pushManifest(assembled.built.manifest, head, { isShared: true });
    this.#timestamp = assembled.timestamp;
    this.#minted = mintedIn(assembled);
    this.#heads.add(assembled.built.manifest.descriptor.digest);
    this.#disturbedAt = this.#publisher.clock.now();
    // The first look after a write is at once; where it did not stay, others are given way.
    if (this.#puts++ > 0) await this.#pause();
    return undefined;
  }

  async #pushParts({ built }: Assembled): Promise<void> {
    const { store } = this.#publisher;
    await forEachConcurrently(built.blobs, LIMITS.tagWorkers, async ({ descriptor, bytes }) => {
      await store.pushBlob(descriptor, sourceOf(bytes));
    });
    await forEachConcurrently(built.manifests, LIMITS.tagWorkers, async (part) => await store.pushManifest(part));
  }

  /**
   * What was seen too long ago is no base to write on: others wait no longer than this for those who read before them. Somebody
   * may just have typed a passphrase; who is slow every time gets through in the end.
   */
  #isLate({ startedAt }: Look): boolean {
    const isLate = this.#publisher.clock.now() - startedAt > LIMITS.publishWindowMs;
    return isLate && this.#delays++ < LIMITS.publishDelays;
  }

  async #pause(): Promise<void> {
    const { clock } = this.#publisher;
    const most = Math.min(LIMITS.publishPauseMs * 2 ** this.#puts, LIMITS.publishPauseCapMs);
    await clock.sleep(Math.ceil(most * clock.random()));
  }

  /** False after a wait: whoever read before we wrote must have written by now, so it is looked once more. */
  async #settle(): Promise<boolean> {
    const { writers, clock } = this.#publisher;
    if (writers === "one" || (writers === "unknown" && !this.#isContested)) return true;
    const left = this.#disturbedAt + LIMITS.publishWindowMs + LIMITS.publishSettleMs - clock.now();
    if (left <= 0) return true;
    await clock.sleep(left);
    return false;
  }

  // --- what it came to ------------------------------------------------------------------------------------------------

  async #published(look: Look): Promise<Published> {
    await this.#tagParts(look);
    const publication: Publication = {
      state: "published",
      head: look.head.descriptor.digest,
      warnings: look.findings,
    };
    return { publication, look, isChanged: this.#lineage.isChanged || this.#timestamp !== undefined };
  }

  /** Parts of a large head have tags of their own, which keeps garbage collectors away from them. */
  async #tagParts({ head }: Look): Promise<void> {
    if (head.kind === "image") return;
    const { store, head: tag } = this.#publisher;
    for (const [place, part] of head.manifests.entries()) {
      const name = partTag(place, tag);
      if ((await this.#reader.tag(name))?.descriptor.digest === part.digest) continue;
      await store.pushManifest(await store.manifest(part), name, { isShared: true });
    }
  }

  #leaveStaged(look: Look): Published {
    const { roles } = newestRoot(look.view).body;
    const finding: Finding = {
      code: "publish-staged",
      message: "what was signed is staged and waits for who holds the online key",
      found: "no key of the snapshot and the timestamp here",
      wanted: roles.timestamp.keyids.join(", "),
    };
    const publication: Publication = { state: "staged", roles: this.#lineage.owners, finding };
    return { publication, look, isChanged: this.#lineage.isChanged };
  }

  async #leavePending(look: Look, draft: PendingDraft): Promise<Published> {
    const waiting = await leavePending(this.#publisher, look.view, draft);
    return { publication: { state: "pending", waiting }, look, isChanged: true };
  }

  #unconfirmed(look: Look): CountersignError {
    const { store, head } = this.#publisher;
    const isOurs = this.#timestamp !== undefined && look.view.timestamp?.body.version === this.#timestamp.body.version;
    return new CountersignError("write-unconfirmed", `${store.location} does not keep what is published`, {
      found: `${head} names ${look.head.descriptor.digest} after ${this.#puts} tries`,
      wanted: isOurs ? "a head that has everything" : `the timestamp ${this.#timestamp?.body.version ?? ""}`,
      next: "what was signed is staged, and the next countersign trust refresh publishes it; if none does, ask the registry's operator",
    });
  }
}

function mintedIn({ timestamp, snapshot }: Assembled): Minted {
  return { timestamp: timestamp.body.version, snapshot: snapshot.body.version, ours: snapshot };
}

/** In the order in which they are staged: who signs before what they sign. */
function ownersIn({ roles }: Draft): readonly string[] {
  const owners = new Set([...roles.keys()].map(ownerOf));
  return [...owners].sort((a, b) => Number(b === "targets") - Number(a === "targets"));
}

function withFilesOf(view: TrustView, roles: ReadonlyMap<string, TrustView["targets"]>): TrustView {
  const targets = roles.get("targets") ?? view.targets;
  const others = [...roles].filter(([file]) => file !== "targets");
  return { ...view, targets, roles: new Map([...view.roles, ...others]) };
}

function rootFiles({ view }: Look, added: readonly Uint8Array[]): ReadonlyMap<string, Uint8Array> {
  const before = view.roots.map(({ body, bytes }) => [fileNameOf("root", body.version), bytes] as const);
  const last = newestRoot(view).body.version;
  const next = added.map((bytes, at) => [fileNameOf("root", last + 1 + at), bytes] as const);
  return new Map([...before, ...next]);
}

function isStaged(staged: StagedFiles | undefined, wanted: ReadonlyMap<string, HeadPart>): boolean {
  if (staged === undefined || staged.size !== wanted.size) return false;
  return [...wanted].every(([name, part]) => {
    const digest = part instanceof Uint8Array ? digestOf(part) : part.descriptor.digest;
    return staged.get(name)?.descriptor.digest === digest;
  });
}

/** @throws CountersignError `root-expired`: nobody would believe what is published under it. */
function requireRoot({ view }: Look, now: Instant): void {
  checkExpiry(newestRoot(view).body, now, "the root");
}
