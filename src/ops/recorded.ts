import type { RecordedImage, RecordedSubject } from "../core/cases/recorded.ts";
import { CountersignError, type Finding } from "../core/errors.ts";
import type { UntrustedCandidate } from "../core/formats/envelope.ts";
import { LIMITS } from "../core/limits.ts";
import type { Digest } from "../core/oci/digest.ts";
import type { Manifest } from "../core/oci/manifest.ts";
import type { ImageName } from "../core/policy/document.ts";
import type { ContentCache, ContentStore, EvidenceSource } from "../core/ports.ts";
import { type Instant, instant } from "../core/time.ts";
import { leavesOf } from "../core/verify/criterion.ts";
import { Budget } from "./budget.ts";
import { mapConcurrently } from "./concurrency.ts";
import { type GatherOptions, gather } from "./gather.ts";
import type { Target, VerifyOptions } from "./judging.ts";
import { reachTarget, resolveTarget } from "./resolve.ts";

export interface RecordOptions {
  readonly now: Instant;
  readonly cache?: ContentCache | undefined;
  readonly sources?: readonly EvidenceSource[] | undefined;
  /** What an index lists is left out. */
  readonly isShallow?: boolean | undefined;
}

const FORMATS = ["bundle", "cosign-legacy", "cosign-attestation"] as const;
const WORKERS = 8;

/**
 * Everything that is stored about an image, and about every manifest that its index lists: all of it, whatever a judge
 * would have needed. What cannot be read is recorded as an obstacle.
 *
 * @throws CountersignError where the image itself cannot be resolved, and `interrupted`.
 */
export async function recordImage(target: Target, options: RecordOptions): Promise<RecordedImage> {
  const manifest = await resolveTarget(target);
  const { store } = target;
  const { repository, tag } = ruledName(target);
  const { now, cache, sources, isShallow } = options;
  const looking = { cache, sources, formats: FORMATS };
  const within = new Budget({ items: LIMITS.indexCandidates, bytes: LIMITS.indexCandidateBytes });
  const { digest: root } = manifest.descriptor;
  const subjects = await mapConcurrently(isShallow === true ? [root] : digestsOf(manifest), WORKERS, (digest) =>
    recordSubject(store, digest, digest === root ? looking : { ...looking, within }),
  );
  return { repository, tag, recordedAt: wholeSeconds(now), trust: [], manifest, subjects };
}

/**
 * What the tag means, by the signed one where a root is pinned. A case has what is stored about an image, and not what its publisher's
 * trust metadata says of the tag.
 *
 * @throws CountersignError `unsupported` where that would decide; as `reachTarget`.
 */
export async function reachRecordable(
  named: Target,
  { tags, requirement }: Pick<VerifyOptions, "tags" | "requirement">,
): Promise<Target> {
  const rulebook = "rulingOf" in requirement ? requirement : undefined;
  const { target: reached, root } = await reachTarget(named, { tags, rulebook });
  const target = { ...reached, resolved: root };
  const { signedTag, isExempt = false, requires = [] } = reached.bound ?? {};
  if (rulebook === undefined || (signedTag === undefined && !isExempt)) return target;
  const { digest } = root.descriptor;
  const { criterion } = await rulebook.rulingOf({ ...ruledName(named), digest });
  const isAsked = leavesOf(criterion).some(({ kind }) => kind === "binding");
  if (!isAsked && requires.length === 0) return target;
  throw new CountersignError("unsupported", "a case holds no signed tags, and by one this image is judged", {
    found: isAsked ? "signedTag: required in its rule" : "a binding that asks for a signature beside it",
    wanted: "a rule that the image meets by what is stored beside it",
    next: "try this rule on the image itself, countersign verify --policy; record images of other rules",
  });
}

/** What it is called where rules are looked for: a tag beside a digest is information only. */
export function ruledName({ store, ruledAs, tag, digest }: Target): Pick<ImageName, "repository" | "tag"> {
  return ruledAs ?? { repository: store.repository, tag: digest === undefined ? tag : undefined };
}

/** As the file says it. */
function wholeSeconds(now: Instant): Instant {
  return instant(Math.floor(now / 1000) * 1000);
}

function digestsOf(manifest: Manifest): readonly Digest[] {
  const listed = manifest.kind === "index" ? manifest.manifests.map(({ digest }) => digest) : [];
  return [...new Set([manifest.descriptor.digest, ...listed])];
}

/** Everything that is stored about one digest. @throws CountersignError only `interrupted`. */
export async function recordSubject(
  store: ContentStore,
  digest: Digest,
  options: GatherOptions,
): Promise<RecordedSubject> {
  const candidates: UntrustedCandidate[] = [];
  const obstacles: Finding[] = [];
  for await (const part of gather(store, digest, options)) {
    candidates.push(...part.candidates);
    obstacles.push(...part.obstacles);
  }
  return { digest, candidates: candidates.toSorted(byPlace), obstacles };
}

/** They arrive as the network has it: a record of the same image is the same record. */
function byPlace(a: UntrustedCandidate, b: UntrustedCandidate): number {
  const [one, other] = [a, b].map(({ format, origin }) => `${format} ${origin.manifest ?? ""}`);
  if (one !== other) return (one ?? "") < (other ?? "") ? -1 : 1;
  return (a.origin.layer ?? 0) - (b.origin.layer ?? 0);
}

// --- judged again -----------------------------------------------------------------------------------------------------

/**
 * Recorded evidence as an image that can be judged: a store that knows its manifest and nothing else, and a place beside
 * it that has the evidence. It goes the way that evidence from a registry goes.
 */
export function openRecorded(
  recorded: RecordedImage,
  label: string,
): { readonly target: Target; readonly source: EvidenceSource } {
  const { tag, manifest } = recorded;
  const store = new RecordedStore(recorded, label);
  const digest = tag === undefined ? manifest.descriptor.digest : undefined;
  return { target: { image: label, store, tag, digest }, source: sourceOf(recorded) };
}

function sourceOf({ subjects }: RecordedImage): EvidenceSource {
  const known = new Map(subjects.map((subject) => [subject.digest, subject]));
  return {
    async *look(digest) {
      const subject = known.get(digest);
      if (subject === undefined) throw notRecorded(digest);
      yield subject;
    },
  };
}

function notRecorded(what: string): CountersignError {
  return new CountersignError("not-found", "this was not recorded", { found: what, next: "record the image again" });
}

/** Says that nothing is stored beside the image: all there is comes from the record. */
class RecordedStore implements ContentStore {
  readonly kind: ContentStore["kind"];
  readonly location: string;
  readonly repository: string | undefined;
  readonly #manifest: Manifest;
  readonly #tag: string | undefined;

  constructor({ repository, tag, manifest }: RecordedImage, label: string) {
    this.kind = repository === undefined ? "oci-layout" : "registry";
    this.location = repository ?? label;
    this.repository = repository;
    this.#manifest = manifest;
    this.#tag = tag;
  }

  async resolve(target: string | undefined): Promise<Manifest | undefined> {
    return [undefined, this.#tag, this.#manifest.descriptor.digest].includes(target) ? this.#manifest : undefined;
  }

  async manifest({ digest }: { readonly digest: Digest }): Promise<Manifest> {
    if (digest === this.#manifest.descriptor.digest) return this.#manifest;
    throw notRecorded(digest);
  }

  async referrers(): ReturnType<ContentStore["referrers"]> {
    return { descriptors: [], via: "layout" };
  }

  async tags(): Promise<readonly string[]> {
    return [];
  }

  async *openBlob({ digest }: { readonly digest: Digest }): AsyncGenerator<Uint8Array, void, undefined> {
    yield* [];
    throw notRecorded(digest);
  }

  async readBlob({ digest }: { readonly digest: Digest }): Promise<Uint8Array> {
    throw notRecorded(digest);
  }

  async hasBlob(): Promise<boolean> {
    return false;
  }

  async hasManifest({ digest }: { readonly digest: Digest }): Promise<boolean> {
    return digest === this.#manifest.descriptor.digest;
  }

  async pushBlob(): Promise<never> {
    throw readOnly();
  }

  async pushManifest(): Promise<never> {
    throw readOnly();
  }

  async close(): Promise<void> {
    // Nothing is open.
  }
}

function readOnly(): CountersignError {
  return new CountersignError("unsupported", "recorded evidence is read only");
}
