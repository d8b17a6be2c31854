import { CountersignError, type Finding, toFinding } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { Descriptor } from "../core/oci/descriptor.ts";
import type { Digest } from "../core/oci/digest.ts";
import type { Manifest } from "../core/oci/manifest.ts";
import { cosignTag, hasCosignTags } from "../core/oci/referrers.ts";
import type { ContentStore } from "../core/ports.ts";
import { forEachConcurrently } from "./concurrency.ts";
import { holdsLayers, type LegacySuffix, mergeLegacy } from "./merge-legacy.ts";
import { allReferrers } from "./referrers.ts";
import type { Transfer } from "./transfer.ts";
import { updateTag } from "./update-tag.ts";

/** What became of the things attached to an image. */
export interface AttachedSummary {
  /** Signatures, attestations, SBOMs and other referrers that are at the destination now. */
  readonly attached: number;
  /** Those of them that were there already. */
  readonly attachedBefore: number;
  /** What is listed as attached but is broken, missing, or about something else. Nothing else is missing for it. */
  readonly skipped: readonly Finding[];
  /** A legacy signature is among them: it names the repository it was made for. */
  readonly hasLegacySignature: boolean;
}

interface Subject {
  readonly digest: Digest;
  /** cosign's tags are looked for too: for images, and for what cosign attached by such a tag. */
  readonly hasTags: boolean;
}

const SUFFIXES: readonly LegacySuffix[] = ["sig", "att", "sbom"];

/**
 * Moves everything attached to these manifests, and everything attached to that, within LIMITS.attachedDepth and
 * referrerEntries: referrers, and what cosign 1 and 2 keep under tags. Junk among it is skipped and said; what cannot be
 * looked at is an error, since a copy without its signatures is not a copy.
 */
export class AttachedTransfer {
  readonly #source: ContentStore;
  readonly #target: ContentStore;
  readonly #transfer: Transfer;
  readonly #workers: number;
  readonly #seen = new Set<string>();
  readonly #skipped: Finding[] = [];
  #attached = 0;
  #attachedBefore = 0;
  #hasLegacySignature = false;

  constructor(source: ContentStore, target: ContentStore, transfer: Transfer, workers: number) {
    this.#source = source;
    this.#target = target;
    this.#transfer = transfer;
    this.#workers = workers;
  }

  /** @throws CountersignError what the stores throw, `limit-reached`, `write-conflict`. */
  async move(images: readonly Manifest[]): Promise<AttachedSummary> {
    let subjects: readonly Subject[] = images.map(({ descriptor }) => ({ digest: descriptor.digest, hasTags: true }));
    for (let depth = 0; subjects.length > 0; depth++) {
      const found: Subject[] = [];
      await forEachConcurrently(subjects, this.#workers, async (subject) => {
        found.push(...(await this.#moveReferrers(subject.digest)));
        if (subject.hasTags) found.push(...(await this.#moveTags(subject.digest)));
      });
      if (found.length > 0 && depth === LIMITS.attachedDepth) throw tooDeep();
      subjects = found;
    }
    return {
      attached: this.#attached,
      attachedBefore: this.#attachedBefore,
      skipped: this.#skipped,
      hasLegacySignature: this.#hasLegacySignature,
    };
  }

  async #moveReferrers(subject: Digest): Promise<readonly Subject[]> {
    const { descriptors } = await allReferrers(this.#source, subject);
    // By subject too: what one listing claims falsely must not hide what another has by right.
    const fresh = descriptors.filter(({ digest }) => this.#isNew(`${subject} ${digest}`));
    if (fresh.length === 0) return [];
    const listed = await this.#listedAtTarget(subject);
    const moved: Subject[] = [];
    await forEachConcurrently(fresh, this.#workers, async (descriptor) => {
      const isMoved = await this.#attempt(() => this.#moveReferrer(subject, descriptor, listed));
      if (isMoved) moved.push({ digest: descriptor.digest, hasTags: false });
    });
    return moved;
  }

  /** A listing is a claim: only a manifest that names the subject itself is attached to it. */
  async #moveReferrer(subject: Digest, descriptor: Descriptor, listed: ReadonlySet<Digest>): Promise<void> {
    const isThere = listed.has(descriptor.digest) && (await this.#target.hasManifest(descriptor));
    if (isThere) return this.#count(true);
    const manifest = await this.#source.manifest(descriptor);
    if (manifest.subject?.digest !== subject) {
      throw new CountersignError("manifest-invalid", "what is listed as attached is about something else", {
        found: `${descriptor.digest}, about ${manifest.subject?.digest ?? "nothing"}`,
        wanted: `about ${subject}`,
      });
    }
    await this.#transfer.moveBelow(manifest, "signature");
    await this.#transfer.moveManifest(manifest);
    this.#count(false);
  }

  async #moveTags(subject: Digest): Promise<readonly Subject[]> {
    if (!hasCosignTags(subject)) return [];
    const moved: Subject[] = [];
    await forEachConcurrently(SUFFIXES, SUFFIXES.length, async (suffix) => {
      const tag = cosignTag(subject, suffix);
      const manifest = await this.#source.resolve(tag);
      // GitLab resolves tags of this shape to the image itself (oras#2148).
      if (manifest === undefined || manifest.descriptor.digest === subject || !this.#isNew(tag)) return;
      const isMoved = await this.#attempt(() => this.#moveTag(tag, suffix, manifest));
      if (!isMoved) return;
      moved.push({ digest: manifest.descriptor.digest, hasTags: suffix === "sbom" });
      if (suffix === "sig") this.#hasLegacySignature = true;
    });
    return moved;
  }

  /** What others keep under the tag at the destination stays there: the layers of both are joined. */
  async #moveTag(tag: string, suffix: LegacySuffix, manifest: Manifest): Promise<void> {
    const there = await this.#target.resolve(tag).catch(nothingIfNotFound);
    if (there !== undefined && holdsLayers(there, manifest, suffix)) return this.#count(true);
    await this.#transfer.moveBelow(manifest, "signature");
    await updateTag(this.#target, tag, {
      seen: there,
      merge: (existing) => mergeLegacy(this.#target, existing, manifest, suffix),
      holds: (found) => holdsLayers(found, manifest, suffix),
    });
    this.#count(false);
  }

  async #listedAtTarget(subject: Digest): Promise<ReadonlySet<Digest>> {
    const listing = await this.#target.referrers(subject, { isSparing: true }).catch(nothingIfNotFound);
    return new Set(listing?.descriptors.map(({ digest }) => digest));
  }

  #isNew(name: string): boolean {
    if (this.#seen.has(name)) return false;
    this.#seen.add(name);
    if (this.#seen.size <= LIMITS.referrerEntries) return true;
    throw new CountersignError("limit-reached", "too much is attached to the image", {
      wanted: `at most ${LIMITS.referrerEntries} things`,
    });
  }

  #count(wasThere: boolean): void {
    this.#attached++;
    if (wasThere) this.#attachedBefore++;
  }

  /** False for what is junk: seen, and found to be broken or not there. */
  async #attempt(action: () => Promise<void>): Promise<boolean> {
    try {
      await action();
      return true;
    } catch (error) {
      const isJunk = error instanceof CountersignError && (error.class === "refused" || error.code === "not-found");
      if (!isJunk) throw error;
      this.#skipped.push(toFinding(error));
      return false;
    }
  }
}

/** At a destination that does not exist yet, nothing is attached. */
function nothingIfNotFound(error: unknown): undefined {
  if (error instanceof CountersignError && error.code === "not-found") return undefined;
  throw error;
}

function tooDeep(): CountersignError {
  return new CountersignError("limit-reached", "what is attached to the image is nested too deeply", {
    wanted: `at most ${LIMITS.attachedDepth} levels`,
  });
}
