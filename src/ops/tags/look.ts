import { CountersignError, type Finding, toFinding } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Digest } from "../../core/oci/digest.ts";
import { digestOf } from "../../core/oci/digest.ts";
import type { Manifest } from "../../core/oci/manifest.ts";
import { isBin } from "../../core/tags/bins.ts";
import {
  digestOfListed,
  fileNameOf,
  isListed,
  kindOf,
  MAX_METADATA_BYTES,
  parseFileName,
} from "../../core/tags/files.ts";
import type { HeadFiles, HeadListing } from "../../core/tags/head.ts";
import { type Merged, mergeRoles } from "../../core/tags/merge.ts";
import type { Delegation, ListedFile, RootRole, SignedRole } from "../../core/tags/metadata.ts";
import { stagingTag } from "../../core/tags/names.ts";
import type { TrustView } from "../../core/tags/ports.ts";
import { readRole } from "../../core/tags/read.ts";
import { checkGun, readTrust, type TrustReading } from "../../core/tags/trust-view.ts";
import { meetsThreshold, verifyNextRoot } from "../../core/tags/verify-role.ts";
import { rolesIn } from "../../core/tags/view.ts";
import type { Instant } from "../../core/time.ts";
import { mapConcurrently } from "../concurrency.ts";
import { listedFile } from "./change.ts";
import type { Publisher } from "./publisher.ts";
import { type MetadataReader, requireHead } from "./reader.ts";
import type { StagedFiles } from "./staging.ts";

/** A repository's trust metadata at one moment: what the head has and what is staged for it, merged. */
export interface Look {
  /** Before the first request of it. */
  readonly startedAt: Instant;
  readonly head: Manifest;
  readonly listing: HeadListing;
  /**
   * All that is valid, of each role the newest. Bins that nobody had to read are not in it; a snapshot lists them. The snapshot
   * and the timestamp are the head's, and there where they are by the keys that count.
   */
  readonly view: TrustView;
  /** What the head says alone. */
  readonly served: TrustReading;
  /** Roles and bins of which what is staged counts instead of what the head has. */
  readonly taken: readonly string[];
  /** Signers of whom the head's snapshot lists a file by keys that count, or one that cannot be told; its version. None is at hand. */
  readonly unread: ReadonlyMap<string, number>;
  /** Whether clients believe the head as it is: its timestamp and its snapshot are there, by the keys of its own root, and valid. */
  readonly isCurrent: boolean;
  /** Whether the head has it all: nothing is staged that counts, and nothing in it has to be made anew. */
  readonly isWhole: boolean;
  /** By the role whose stage it is; proven or not. */
  readonly staged: ReadonlyMap<string, StagedFiles>;
  /** What is staged or in the head and does not count, or not for long. */
  readonly findings: readonly Finding[];
}

/** Reads the head and what is staged, verifies both from the pinned root on, and merges them. */
export async function lookAround(publisher: Publisher, reader: MetadataReader): Promise<Look> {
  const startedAt = publisher.clock.now();
  const { store, head: tag } = publisher;
  const head = requireHead(await reader.tag(tag), store, tag);
  return await new Looking(publisher, reader, startedAt, head, await reader.listing(head)).look();
}

class Looking {
  readonly #publisher: Publisher;
  readonly #reader: MetadataReader;
  readonly #now: Instant;
  readonly #head: Manifest;
  readonly #listing: HeadListing;
  readonly #findings: Finding[] = [];
  readonly #staged = new Map<string, StagedFiles>();

  constructor(publisher: Publisher, reader: MetadataReader, now: Instant, head: Manifest, listing: HeadListing) {
    this.#publisher = publisher;
    this.#reader = reader;
    this.#now = now;
    this.#head = head;
    this.#listing = listing;
  }

  async look(): Promise<Look> {
    const served = await this.#served();
    const inHead = this.#digestsIn(served);
    const trunk = await this.#stages(["root", "targets"], inHead);
    const roots = this.#roots(served.roots, trunk);
    let view = await this.#under(served, roots);
    let merged = mergeRoles(view, [trunk], this.#now);
    if (roots.length > served.roots.length && !isSignedFor(merged.targets, roots)) {
      // A new root without its `targets` would leave nobody anything to publish.
      view = served;
      merged = mergeRoles(view, [trunk], this.#now);
    }
    const signers = merged.targets.body.delegations.map(({ name }) => name);
    const limbs = await this.#stages(signers, inHead);
    merged = mergeRoles(view, [trunk, limbs], this.#now);
    const hidden = await this.#hidden(served, merged);
    if (hidden.size > 0) merged = mergeRoles(view, [trunk, limbs, filesIn(hidden)], this.#now);
    this.#findings.push(...merged.rejected.map(asStaged), ...served.findings);
    const { targets, roles, taken } = merged;
    const isWhole = taken.length === 0 && view.roots.length === served.roots.length && isPaired(view) && listsAll(view);
    return {
      startedAt: this.#now,
      head: this.#head,
      listing: this.#listing,
      view: { ...view, targets, roles },
      served,
      taken,
      unread: new Map([...hidden].flatMap(([name, { version }]) => (roles.has(name) ? [] : [[name, version]]))),
      isCurrent: doubtsOf(served).length === 0,
      isWhole,
      staged: this.#staged,
      findings: this.#findings,
    };
  }

  // --- the head -------------------------------------------------------------------------------------------------------

  /** What the head has; its bins too where no snapshot that counts says what they are. */
  async #served(): Promise<TrustReading> {
    const served = await this.#read(this.#listing.files);
    if (served.snapshot !== undefined || this.#listing.form === "small") return served;
    return await this.#readWithBins();
  }

  async #readWithBins(): Promise<TrustReading> {
    return await this.#read(new Map([...this.#listing.files, ...(await this.#reader.sets(this.#listing))]));
  }

  async #read(files: StagedFiles): Promise<TrustReading> {
    const { gun, pin } = this.#publisher;
    const { history } = this.#listing;
    return readTrust(await this.#contents(files), gun, { now: this.#now, pin, head: this.#head, history });
  }

  async #contents(files: StagedFiles): Promise<HeadFiles> {
    const contents = await mapConcurrently([...files], LIMITS.tagWorkers, async ([name, file]) => {
      return [
        name,
        await this.#reader.content(file, MAX_METADATA_BYTES[kindOf(parseFileName(name)?.role ?? name)]),
      ] as const;
    });
    return new Map(contents);
  }

  #digestsIn({ snapshot }: TrustReading): ReadonlySet<Digest> {
    const listed = [...(snapshot?.body.roles.values() ?? [])].map(digestOfListed);
    return new Set([...[...this.#listing.files.values()].map(({ descriptor }) => descriptor.digest), ...listed]);
  }

  // --- stages ---------------------------------------------------------------------------------------------------------

  /** What is staged for these roles and is not in the head. */
  async #stages(roles: readonly string[], inHead: ReadonlySet<Digest>): Promise<HeadFiles> {
    const stages = await mapConcurrently(roles, LIMITS.tagWorkers, async (role) => {
      const tag = stagingTag(role, this.#publisher.head);
      const staged = await this.#reader.stage(tag, (finding) => this.#findings.push(finding));
      if (staged === undefined) return [];
      this.#staged.set(role, staged);
      const news = [...staged].filter(([, { descriptor }]) => !inHead.has(descriptor.digest));
      return [...(await this.#contents(new Map(news)))];
    });
    return new Map(stages.flat());
  }

  /**
   * Files of signers that the head's snapshot lists, by a new root's keys or not, and neither the head nor a stage has, or not as
   * they were listed. Of one that is not by the keys that count now, nothing does: the signer was removed and added anew.
   */
  async #hidden({ snapshot }: TrustReading, { targets, roles }: Merged): Promise<ReadonlyMap<string, Hidden>> {
    const lost = targets.body.delegations.flatMap((delegation) => {
      const listed = roles.has(delegation.name) ? undefined : snapshot?.body.roles.get(delegation.name);
      return listed === undefined ? [] : [{ delegation, listed }];
    });
    const found = await mapConcurrently(lost, LIMITS.tagWorkers, async ({ delegation, listed }) => {
      const bytes = await this.#listed(listed);
      if (bytes !== undefined && !isSignedBy(delegation, targets, bytes)) return [];
      return [[delegation.name, { version: listed.version, bytes }] as const];
    });
    return new Map(found.flat());
  }

  async #listed(listed: ListedFile): Promise<Uint8Array | undefined> {
    try {
      return await this.#reader.content(listedFile(listed), LIMITS.tufTargetsBytes);
    } catch (thrown) {
      if (thrown instanceof CountersignError && (thrown.code === "not-found" || thrown.class === "refused")) return;
      throw thrown;
    }
  }

  /** The head's roots and those staged ones that follow them. */
  #roots(roots: TrustView["roots"], staged: HeadFiles): TrustView["roots"] {
    const chain = [...roots];
    for (let last = chain.at(-1); last !== undefined; ) {
      const bytes = staged.get(`${last.body.version + 1}.root.json`);
      last = bytes && this.#nextRoot(last, bytes);
      if (last !== undefined) chain.push(last);
    }
    return chain;
  }

  #nextRoot(last: SignedRole<RootRole>, bytes: Uint8Array): SignedRole<RootRole> | undefined {
    try {
      const next = readRole(bytes, "root", "the staged root", this.#now);
      verifyNextRoot(last, next);
      checkGun(next, this.#publisher.gun);
      return next;
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown;
      this.#findings.push(toFinding(thrown));
      return undefined;
    }
  }

  /** The view under newer roots: of the snapshot and the timestamp what their keys signed, and nothing that others did. */
  async #under(served: TrustReading, roots: TrustView["roots"]): Promise<TrustView> {
    const root = roots.at(-1)?.body;
    if (root === undefined || roots.length === served.roots.length) return served;
    const stays = (role: "snapshot" | "timestamp") => {
      const file = served[role];
      if (file === undefined) return false;
      return meetsThreshold(file, root.keys, root.roles[role]);
    };
    const snapshot = stays("snapshot") ? served.snapshot : undefined;
    const timestamp = stays("timestamp") ? served.timestamp : undefined;
    const needsBins = snapshot === undefined && this.#listing.form === "large";
    const read = needsBins ? await this.#readWithBins() : served;
    return { ...read, roots, snapshot, timestamp };
  }
}

/** A file that counts; without its content where the registry does not give it. */
interface Hidden {
  readonly version: number;
  readonly bytes: Uint8Array | undefined;
}

function filesIn(hidden: ReadonlyMap<string, Hidden>): HeadFiles {
  return new Map(
    [...hidden].flatMap(([name, { version, bytes }]) =>
      bytes === undefined ? [] : [[fileNameOf(name, version), bytes]],
    ),
  );
}

function isSignedBy(delegation: Delegation, { body: { keys } }: TrustView["targets"], bytes: Uint8Array): boolean {
  try {
    return meetsThreshold(readRole(bytes, "targets", delegation.name), keys, delegation);
  } catch (thrown) {
    if (thrown instanceof CountersignError) return false;
    throw thrown;
  }
}

function isSignedFor(targets: TrustView["targets"], roots: TrustView["roots"]): boolean {
  const root = roots.at(-1)?.body;
  return root !== undefined && meetsThreshold(targets, root.keys, root.roles.targets);
}

/** What is wrong with a head's timestamp and snapshot: with nothing wrong, all that counted when they were signed is there. */
export function doubtsOf({ findings }: TrustReading): readonly Finding[] {
  return findings.filter(({ role }) => role === "timestamp" || role === "snapshot");
}

/** Whether the timestamp is the snapshot's. */
function isPaired({ snapshot, timestamp }: TrustView): boolean {
  if (snapshot === undefined || timestamp === undefined) return false;
  return isListed(snapshot.bytes, timestamp.body.snapshot);
}

/** Whether the snapshot lists every role as it is. */
function listsAll(view: TrustView): boolean {
  return rolesIn(view).every(([name, { bytes }]) => {
    const listed = view.snapshot?.body.roles.get(name);
    return listed !== undefined && isListed(bytes, listed);
  });
}

function asStaged(finding: Finding): Finding {
  return { ...finding, message: `what is staged does not count: ${finding.message}` };
}

/** The digests of all files of one role and its bins, wherever they were seen. */
export function digestsOf(look: Look, role: string): readonly Digest[] {
  const staged = [...(look.staged.get(role)?.values() ?? [])].map(({ descriptor }) => descriptor.digest);
  const own = (name: string) => name === role || (isBin(name) && name.startsWith(`${role}.`));
  const read = rolesIn(look.view).filter(([name]) => own(name));
  const listed = [...(look.view.snapshot?.body.roles ?? [])].filter(([name]) => own(name));
  return [
    ...staged,
    ...read.map(([, { bytes }]) => digestOf(bytes)),
    ...listed.map(([, file]) => digestOfListed(file)),
  ];
}
