import { factsOf } from "../core/audit/from-verdicts.ts";
import { type Finding, findingUnlessInterrupted } from "../core/errors.ts";
import { type Digest, digestOf } from "../core/oci/digest.ts";
import type { Manifest } from "../core/oci/manifest.ts";
import { isRunnable, platformName } from "../core/oci/platform.ts";
import { parseReference, type Reference, repositoryName } from "../core/oci/reference.ts";
import type { JudgedDigest } from "../core/pins/choose.ts";
import type { ContentCache, ContentStore } from "../core/ports.ts";
import { reasonClass } from "../core/reasons.ts";
import type { Instant } from "../core/time.ts";
import type { Rulebook } from "../core/verify/criterion.ts";
import type { Verdict } from "../core/verify/verdict.ts";
import { type Court, openCourt, type TagJudging, type Target, type VerifyOptions } from "./judging.ts";
import { reachTarget, type TagSearch } from "./resolve.ts";
import { verifyTarget } from "./verify.ts";

/** Finds out what may be pinned. What cannot be looked at is an answer, too. */
export interface DigestFinder {
  /** What a tag names now, or why nobody knows. @throws CountersignError `interrupted`. */
  resolve(name: string): Promise<Digest | Finding>;
  /** `reference` with its digest. @throws CountersignError for a policy that cannot be used, and `interrupted`. */
  judge(reference: string): Promise<JudgedDigest>;
  close(): Promise<void>;
}

export interface DigestPorts {
  /** The store of a repository. The finder closes it. */
  open(reference: Reference): Promise<ContentStore>;
  readonly cache?: ContentCache | undefined;
  /** How tags are resolved, where nothing is judged too: a pinned root holds for every door. */
  readonly tags?: TagJudging | undefined;
}

/** Digests on the word of who has to have signed them, or with no judging on nobody's. */
export function openDigestFinder(ports: DigestPorts, judging: VerifyOptions | undefined): DigestFinder {
  return judging === undefined ? new Finder(ports) : new JudgingFinder(ports, judging);
}

/** Resolves and does not judge. */
class Finder implements DigestFinder {
  readonly search: TagSearch;
  readonly #ports: DigestPorts;
  readonly #stores = new Map<string, Promise<ContentStore>>();
  /** What a tag was resolved to need not be fetched again by its digest. */
  readonly #manifests = new Map<string, Manifest>();

  constructor(ports: DigestPorts, rulebook?: Rulebook) {
    this.#ports = ports;
    this.search = { tags: ports.tags, rulebook };
  }

  async resolve(name: string): Promise<Digest | Finding> {
    try {
      const { root: manifest } = await reachTarget(await this.target(name), this.search);
      const digest = digestOf(manifest.bytes);
      this.#manifests.set(keyOf(parseReference(name), digest), manifest);
      return digest;
    } catch (error) {
      return findingUnlessInterrupted(error);
    }
  }

  async judge(reference: string): Promise<JudgedDigest> {
    const { digest } = withDigest(parseReference(reference));
    try {
      const { root } = await reachTarget(await this.target(reference), this.search);
      return { digest, status: "not verified", reasons: [], warnings: [], signers: [], platforms: platformsOf(root) };
    } catch (error) {
      return unresolved(digest, findingUnlessInterrupted(error));
    }
  }

  async target(image: string): Promise<Target> {
    const reference = parseReference(image);
    const { tag, digest } = reference;
    const resolved = digest && this.#manifests.get(keyOf(reference, digest));
    return { image, store: await this.#store(reference), tag, digest, resolved, isTagNote: digest !== undefined };
  }

  /** One for each repository: it knows the tokens. */
  #store(reference: Reference): Promise<ContentStore> {
    const name = repositoryName(reference);
    const store = this.#stores.get(name) ?? this.#ports.open(reference);
    this.#stores.set(name, store);
    return store;
  }

  async close(): Promise<void> {
    // What could not be opened has nothing to close.
    for (const store of await Promise.allSettled(this.#stores.values())) {
      if (store.status === "fulfilled") await store.value.close();
    }
  }
}

class JudgingFinder extends Finder {
  readonly #court: Court;

  constructor(ports: DigestPorts, judging: VerifyOptions) {
    const court = openCourt([], { ...judging, cache: ports.cache, tags: ports.tags });
    super(ports, court.rulebook);
    this.#court = court;
  }

  /** As the reference will stand in a file: by the rules that every other door will go by then. */
  override async judge(reference: string): Promise<JudgedDigest> {
    const { digest } = withDigest(parseReference(reference));
    const target = await this.#open(reference);
    if (!("store" in target)) return unresolved(digest, target);
    const { verdicts, root } = await verifyTarget(target, this.#court);
    const facts = factsOf({ image: reference, name: reference, digest, verdicts });
    const { verdict: status, reasons, warnings, signers, because, rule } = facts;
    const platforms = root === undefined ? {} : platformsOf(root);
    return { digest, status, reasons, warnings, signers, because, rule, platforms, signedAt: firstSigned(verdicts) };
  }

  async #open(reference: string): Promise<Target | Finding> {
    try {
      return await this.target(reference);
    } catch (error) {
      return findingUnlessInterrupted(error);
    }
  }
}

function keyOf(reference: Reference, digest: Digest): string {
  return `${repositoryName(reference)}@${digest}`;
}

function withDigest({ digest }: Reference): { readonly digest: Digest } {
  if (digest === undefined) throw new Error("a reference without a digest is not judged");
  return { digest };
}

function unresolved(digest: Digest, reason: Finding): JudgedDigest {
  const status = reasonClass(reason.code) === "refused" ? "refused" : "undetermined";
  return { digest, status, reasons: [reason], warnings: [], signers: [], platforms: {} };
}

/** Of several manifests for one platform the first, as an engine chooses. */
function platformsOf(root: Manifest): Readonly<Record<string, Digest>> {
  if (root.kind === "image") return {};
  const pairs = root.manifests.filter(isRunnable).flatMap(({ platform, digest }) => {
    return platform === undefined ? [] : [[platformName(platform), digest] as const];
  });
  return Object.fromEntries(pairs.toReversed());
}

/**
 * Since when somebody who is wanted is known to have vouched for these bytes: for all of them, where each platform is judged by
 * itself. An old platform in a new index makes nothing older.
 */
export function firstSigned(verdicts: readonly Verdict[]): Instant | undefined {
  const times = verdicts.map(({ signatures }) => {
    const proven = signatures.flatMap(({ accepted, proof }) => (accepted ? (proof?.signedAt ?? []) : []));
    return proven.toSorted((a, b) => a - b)[0];
  });
  const known = times.filter((time) => time !== undefined);
  return known.length < times.length ? undefined : known.toSorted((a, b) => b - a)[0];
}
