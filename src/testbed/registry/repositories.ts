import type { Annotations } from "../../core/oci/descriptor.ts";
import type { Digest } from "../../core/oci/digest.ts";

/** What the registry knows of a manifest beside its bytes. */
export interface StoredManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes, as pushed. */
  readonly size: number;
  readonly subject?: Digest | undefined;
  readonly artifactType?: string | undefined;
  readonly annotations?: Annotations | undefined;
}

/** Everything that can happen to a repository, in the words of the journal. */
export type Change =
  | { readonly op: "put-blob"; readonly repository: string; readonly digest: Digest }
  | { readonly op: "put-manifest"; readonly repository: string; readonly manifest: StoredManifest }
  | { readonly op: "put-tag"; readonly repository: string; readonly tag: string; readonly digest: Digest }
  | { readonly op: "delete-blob" | "delete-manifest"; readonly repository: string; readonly digest: Digest }
  | { readonly op: "delete-tag"; readonly repository: string; readonly tag: string };

interface Repository {
  readonly blobs: Set<Digest>;
  /** In the order of their arrival, which is the order of the referrers listing. */
  readonly manifests: Map<Digest, StoredManifest & { readonly serial: number }>;
  readonly tags: Map<string, Digest>;
  readonly referrers: Map<Digest, Set<Digest>>;
}

/**
 * Who holds what: repositories, their blobs, manifests and tags. Kept in memory; every change is written down first,
 * so that what was answered with 201 or 202 is still so after a restart.
 */
export class Repositories {
  readonly #repositories = new Map<string, Repository>();
  /** How many holders, in how many repositories, a digest has. */
  readonly #holders = new Map<Digest, number>();
  readonly #record: (change: Change) => void;
  #serial = 0;

  constructor(past: Iterable<Change> = [], record: (change: Change) => void = () => undefined) {
    this.#record = record;
    for (const change of past) this.#apply(change);
  }

  /** @throws what the journal throws; nothing has changed then. */
  change(change: Change): void {
    this.#record(change);
    this.#apply(change);
  }

  has(name: string): boolean {
    return this.#repositories.has(name);
  }

  /** Repositories that hold a manifest, in the order of their names. */
  names(): readonly string[] {
    return [...this.#repositories].flatMap(([name, { manifests }]) => (manifests.size === 0 ? [] : [name])).sort();
  }

  hasBlob(name: string, digest: Digest): boolean {
    return this.#repositories.get(name)?.blobs.has(digest) ?? false;
  }

  /** Whether any repository holds these bytes, as a blob or as a manifest. */
  isHeld(digest: Digest): boolean {
    return this.#holders.has(digest);
  }

  /** Whether any repository holds these bytes as a blob. */
  isBlobSomewhere(digest: Digest): boolean {
    return this.isHeld(digest) && this.#repositories.values().some(({ blobs }) => blobs.has(digest));
  }

  blobs(name: string): readonly Digest[] {
    return [...(this.#repositories.get(name)?.blobs ?? [])];
  }

  manifest(name: string, digest: Digest): StoredManifest | undefined {
    return this.#repositories.get(name)?.manifests.get(digest);
  }

  manifests(name: string): readonly StoredManifest[] {
    return [...(this.#repositories.get(name)?.manifests.values() ?? [])];
  }

  tag(name: string, tag: string): Digest | undefined {
    return this.#repositories.get(name)?.tags.get(tag);
  }

  /** Tags by name, in the order of their code units, as other registries list them. */
  tags(name: string): readonly (readonly [string, Digest])[] {
    return [...(this.#repositories.get(name)?.tags ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** Manifests that name this digest as their subject, with the serial number that a page can end at. */
  referrers(name: string, subject: Digest): readonly (StoredManifest & { readonly serial: number })[] {
    const repository = this.#repositories.get(name);
    const digests = repository?.referrers.get(subject) ?? [];
    return [...digests].flatMap((digest) => repository?.manifests.get(digest) ?? []);
  }

  /** The shortest list of changes that leads here. */
  *history(): Generator<Change> {
    for (const [repository, { blobs, manifests, tags }] of this.#repositories) {
      for (const digest of blobs) yield { op: "put-blob", repository, digest };
      for (const { serial: _, ...manifest } of manifests.values()) yield { op: "put-manifest", repository, manifest };
      for (const [tag, digest] of tags) yield { op: "put-tag", repository, tag, digest };
    }
  }

  #apply(change: Change): void {
    const repository = this.#open(change.repository);
    switch (change.op) {
      case "put-blob":
        if (!repository.blobs.has(change.digest)) this.#hold(change.digest, 1);
        repository.blobs.add(change.digest);
        break;
      case "put-manifest":
        this.#putManifest(repository, change.manifest);
        break;
      case "put-tag":
        repository.tags.set(change.tag, change.digest);
        break;
      case "delete-blob":
        if (repository.blobs.delete(change.digest)) this.#hold(change.digest, -1);
        break;
      case "delete-manifest":
        this.#deleteManifest(repository, change.digest);
        break;
      case "delete-tag":
        repository.tags.delete(change.tag);
        break;
    }
  }

  #open(name: string): Repository {
    const known = this.#repositories.get(name);
    if (known !== undefined) return known;
    const repository = { blobs: new Set<Digest>(), manifests: new Map(), tags: new Map(), referrers: new Map() };
    this.#repositories.set(name, repository);
    return repository;
  }

  #putManifest(repository: Repository, manifest: StoredManifest): void {
    const before = repository.manifests.get(manifest.digest);
    if (before === undefined) this.#hold(manifest.digest, 1);
    repository.manifests.set(manifest.digest, { ...manifest, serial: before?.serial ?? ++this.#serial });
    if (manifest.subject === undefined) return;
    const siblings = repository.referrers.get(manifest.subject) ?? new Set();
    repository.referrers.set(manifest.subject, siblings.add(manifest.digest));
  }

  /** Distribution-spec, "Deleting Manifests": by digest, it takes the tags along that point at it. */
  #deleteManifest(repository: Repository, digest: Digest): void {
    const manifest = repository.manifests.get(digest);
    if (manifest === undefined) return;
    repository.manifests.delete(digest);
    this.#hold(digest, -1);
    for (const [tag, target] of repository.tags) if (target === digest) repository.tags.delete(tag);
    if (manifest.subject === undefined) return;
    const siblings = repository.referrers.get(manifest.subject);
    siblings?.delete(digest);
    if (siblings?.size === 0) repository.referrers.delete(manifest.subject);
  }

  #hold(digest: Digest, by: 1 | -1): void {
    const holders = (this.#holders.get(digest) ?? 0) + by;
    if (holders > 0) this.#holders.set(digest, holders);
    else this.#holders.delete(digest);
  }
}
