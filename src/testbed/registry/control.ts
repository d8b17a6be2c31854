import { isObject, parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { type Digest, digestOf, isDigest } from "../../core/oci/digest.ts";
import type { StoredManifest } from "./repositories.ts";
import { dropUnheld, readAll, type World } from "./world.ts";

/**
 * What whoever runs a registry can do to its content, honest or not. In this process only: none of it is reachable over
 * the network. The demo and the tests tamper with it; nothing here checks anything.
 */
export interface RegistryControl {
  repositories(): readonly string[];
  /** Tags by name. */
  tags(repository: string): ReadonlyMap<string, Digest>;
  manifests(repository: string): readonly StoredManifest[];
  blobs(repository: string): readonly Digest[];
  referrers(repository: string, subject: Digest): readonly StoredManifest[];
  /** The bytes stored under this digest, or undefined. */
  read(digest: Digest): Promise<Uint8Array | undefined>;
  /** Stores a blob; its digest as result. */
  putBlob(repository: string, bytes: Uint8Array): Digest;
  /** Stores anything as a manifest, under a tag if one is given; its digest as result. */
  putManifest(repository: string, bytes: Uint8Array, mediaType: string, tag?: string): Digest;
  /** Serves other bytes under the same digest, of a blob or a manifest, in every repository. */
  replaceBytes(digest: Digest, bytes: Uint8Array): void;
  /** Points a tag, new or not, at this digest. */
  moveTag(repository: string, tag: string, digest: Digest): void;
  deleteTag(repository: string, tag: string): void;
  /** Deletes the manifest and the tags that point at it. */
  deleteManifest(repository: string, digest: Digest): void;
  deleteBlob(repository: string, digest: Digest): void;
  /** Makes every token given so far worthless. */
  revokeTokens(): void;
}

export function createControl(world: World, revokeTokens: () => void): RegistryControl {
  const { repositories, blobs } = world;
  return {
    repositories: () => repositories.names(),
    tags: (repository) => new Map(repositories.tags(repository)),
    manifests: (repository) => repositories.manifests(repository),
    blobs: (repository) => repositories.blobs(repository),
    referrers: (repository, subject) => repositories.referrers(repository, subject),
    async read(digest) {
      const blob = blobs.open(digest);
      return blob === undefined ? undefined : await readAll(blob.read(0, blob.size - 1), blob.size);
    },
    putBlob(repository, bytes) {
      const digest = digestOf(bytes);
      blobs.put(digest, bytes);
      repositories.change({ op: "put-blob", repository, digest });
      return digest;
    },
    putManifest(repository, bytes, mediaType, tag) {
      const manifest = describeAnything(bytes, mediaType);
      blobs.put(manifest.digest, bytes);
      repositories.change({ op: "put-manifest", repository, manifest });
      if (tag !== undefined) repositories.change({ op: "put-tag", repository, tag, digest: manifest.digest });
      return manifest.digest;
    },
    replaceBytes: (digest, bytes) => blobs.put(digest, bytes),
    moveTag: (repository, tag, digest) => repositories.change({ op: "put-tag", repository, tag, digest }),
    deleteTag: (repository, tag) => repositories.change({ op: "delete-tag", repository, tag }),
    deleteManifest(repository, digest) {
      repositories.change({ op: "delete-manifest", repository, digest });
      dropUnheld(world, digest);
    },
    deleteBlob(repository, digest) {
      repositories.change({ op: "delete-blob", repository, digest });
      dropUnheld(world, digest);
    },
    revokeTokens,
  };
}

/** As much of a description as the bytes give: they need not be a manifest, nor even JSON. */
function describeAnything(bytes: Uint8Array, mediaType: string): StoredManifest {
  const described = { digest: digestOf(bytes), mediaType, size: bytes.byteLength };
  try {
    const what = { what: "the manifest", code: "manifest-invalid", maxBytes: LIMITS.manifestBytes } as const;
    const json = parseJsonObject(bytes, what);
    const subject = isObject(json["subject"]) ? json["subject"]["digest"] : undefined;
    const type = json["artifactType"] ?? (isObject(json["config"]) ? json["config"]["mediaType"] : undefined);
    return {
      ...described,
      ...(typeof subject === "string" && isDigest(subject) ? { subject } : {}),
      ...(typeof type === "string" ? { artifactType: type } : {}),
      ...(isObject(json["annotations"]) ? { annotations: json["annotations"] as Record<string, string> } : {}),
    };
  } catch {
    return described;
  }
}
