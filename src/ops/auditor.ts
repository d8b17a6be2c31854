import type { ImageFacts } from "../core/audit/audit.ts";
import { type Examination, factsOf } from "../core/audit/from-verdicts.ts";
import { mayPass } from "../core/audit/passing.ts";
import { scanTimeOf } from "../core/audit/scan-time.ts";
import { refusePublishedKeys } from "../core/crypto/published.ts";
import { CountersignError, findingUnlessInterrupted } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { type Digest, digestAlgorithm, digestOf } from "../core/oci/digest.ts";
import type { Manifest } from "../core/oci/manifest.ts";
import { parseReference, type Reference, repositoryName } from "../core/oci/reference.ts";
import type { ContentCache, ContentStore } from "../core/ports.ts";
import { DEFAULT_TAG_DEMAND } from "../core/tags/signed-tag.ts";
import type { Instant } from "../core/time.ts";
import type { Judgement } from "../core/verify/judgement.ts";
import type { SignatureReport, Verdict } from "../core/verify/verdict.ts";
import {
  type Court,
  type JudgementMemory,
  nameOf,
  openCourt,
  placeOf,
  rulingOf,
  type Target,
  type VerifyOptions,
} from "./judging.ts";
import { newestScan } from "./newest-scan.ts";
import { Recent } from "./recent.ts";
import { unresolved, type VerifiedImage, verifyTarget } from "./verify.ts";

/** Finds out about one image what an audit tells: for one process, a shard and a worker alike. */
export interface ImageAuditor {
  /**
   * `image` is the key of a plan item. What cannot be looked at is in the facts.
   *
   * @throws CountersignError for a policy or a configuration that cannot be used, and `interrupted`.
   */
  examine(image: string): Promise<ImageFacts>;
}

/** What an auditor needs of the outside. */
export interface AuditPorts {
  /** The store of a repository: one of many that share their connections, which are not its own to close. */
  open(reference: Reference): Promise<ContentStore>;
  readonly cache?: ContentCache | undefined;
}

/** How images are judged: as for `verifyImages`, but for what depends on one call alone. */
export interface AuditJudging
  extends Omit<VerifyOptions, "cache" | "contentFollows" | "explained" | "keep" | "steady"> {
  /** Look for scans of every image, which costs requests; else only what the judgement read is told. */
  readonly lookForScans?: boolean | undefined;
}

/**
 * What was judged of a digest holds for all of its names, so that fifty tags of one image are not gathered for fifty times.
 *
 * @throws CountersignError for a requirement that cannot be used.
 */
export function openAuditor(ports: AuditPorts, judging: AuditJudging): ImageAuditor {
  return new Auditor(ports, judging);
}

class Auditor implements ImageAuditor {
  readonly #ports: AuditPorts;
  readonly #lookForScans: boolean;
  readonly #court: Court;
  /** One for each repository: it knows the tokens. */
  readonly #stores = new Recent<Promise<ContentStore>>(LIMITS.auditStores);

  constructor(ports: AuditPorts, judging: AuditJudging) {
    this.#ports = ports;
    this.#lookForScans = judging.lookForScans === true;
    const { now } = judging.requirement;
    const keep = (signature: SignatureReport) => whatCounts(signature, now);
    this.#court = openCourt([], { ...judging, cache: ports.cache, keep, steady: true }, new RecentJudgements());
  }

  async examine(image: string): Promise<ImageFacts> {
    const reference = parseReference(image);
    const target = await this.#target(image, reference);
    if ("status" in target) return factsOf({ image, name: target.name, verdicts: [target] });
    const [{ verdicts, root }, noted] = await Promise.all([this.#verify(target), this.#lookAtTag(target)]);
    const [first] = verdicts;
    const registryDigest = first?.signedTag?.registryDigest;
    const tag = noted ?? (registryDigest && { digest: registryDigest });
    const resolved = root && { name: nameOf(target, root.descriptor), digest: root.descriptor.digest };
    const scannedAt = root && (await this.#scanTime(target, root));
    return factsOf({ image, name: first?.name ?? image, digest: first?.digest, ...resolved, verdicts, tag, scannedAt });
  }

  /** Or the verdict on what cannot even be opened. */
  async #target(image: string, reference: Reference): Promise<Target | Verdict> {
    const { tag, digest } = reference;
    try {
      return { image, store: await this.#store(reference), tag, digest, isTagNote: digest !== undefined };
    } catch (error) {
      if (error instanceof CountersignError && error.class === "usage") throw error;
      return unresolved({ image }, error, this.#court.options);
    }
  }

  #store(reference: Reference): Promise<ContentStore> {
    const name = repositoryName(reference);
    const known = this.#stores.get(name);
    if (known !== undefined) return known;
    const store = this.#ports.open(reference);
    this.#stores.set(name, store);
    store.catch(() => this.#stores.forget(name, store));
    return store;
  }

  async #scanTime(target: Target, root: Manifest): Promise<Instant | undefined> {
    if (!this.#lookForScans) return undefined;
    try {
      return await newestScan(target, root, await rulingOf(target, root.descriptor, this.#court), this.#court);
    } catch (error) {
      findingUnlessInterrupted(error);
      return undefined;
    }
  }

  /** What the tag of a reference with tag and digest means now; undefined where it has not both. */
  async #lookAtTag(target: Target): Promise<Examination["tag"]> {
    const { tag, digest, store } = target;
    if (tag === undefined || digest === undefined) return undefined;
    try {
      const signed = await this.#signedDigest(target);
      return { digest: signed ?? (await registryDigest(store, tag, digest)) };
    } catch (error) {
      return { finding: findingUnlessInterrupted(error) };
    }
  }

  /** By the publisher's word, where a root is pinned. */
  async #signedDigest({ store, tag, digest }: Target): Promise<Digest | undefined> {
    const { signedTags } = this.#court.options.tags ?? {};
    if (signedTags === undefined || store.repository === undefined) return undefined;
    const isComparable = digest !== undefined && digestAlgorithm(digest) === "sha256";
    if (!isComparable || !(await signedTags.isPinned(store.repository))) return undefined;
    const { signedTag } = await signedTags.resolve({ store, tag, digest: undefined, demand: DEFAULT_TAG_DEMAND });
    return signedTag?.binding.digest;
  }

  async #verify(target: Target): Promise<VerifiedImage> {
    const { requirement } = this.#court.options;
    if (!("rulingOf" in requirement)) refusePublishedKeys(requirement.keys, [placeOf(target)]);
    return await verifyTarget(target, this.#court);
  }
}

/** A fleet has more signatures than memory: of those that count for nobody, nothing is told. */
function whatCounts(signature: SignatureReport, now: Instant): readonly SignatureReport[] {
  if (!signature.accepted) return [];
  const { statement: _, annotations: __, ...told } = signature;
  const scannedAt = scanTimeOf(signature, now);
  return [{ ...told, ...(scannedAt !== undefined && { scannedAt }) }];
}

/** That it moved is said by its bytes alone: what registries write into headers is wrong at times. */
async function registryDigest(store: ContentStore, tag: string, pinned: Digest): Promise<Digest> {
  if ((await store.claimedDigest?.(tag)) === pinned) return pinned;
  const manifest = await store.resolve(tag);
  if (manifest !== undefined) return digestOf(manifest.bytes, digestAlgorithm(pinned));
  throw new CountersignError("not-found", "there is no such tag any more", { wanted: `${store.location}:${tag}` });
}

/** Judgements by what they depend on. One that may be another in a moment is not kept. */
class RecentJudgements implements JudgementMemory {
  readonly #recent = new Recent<Promise<Judgement>>(LIMITS.auditJudgements);

  get(key: string): Promise<Judgement> | undefined {
    return this.#recent.get(key);
  }

  set(key: string, judgement: Promise<Judgement>): void {
    this.#recent.set(key, judgement);
    const forget = (): void => this.#recent.forget(key, judgement);
    judgement.then(({ status, reasons }) => (mayPass({ verdict: status, reasons }) ? forget() : undefined), forget);
  }
}
