import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { checkBytes, checkedStream, type Descriptor } from "../../core/oci/descriptor.ts";
import { type Digest, isDigest } from "../../core/oci/digest.ts";
import { artifactTypeOf, type Manifest, parseManifest } from "../../core/oci/manifest.ts";
import { isManifestType, MEDIA_TYPES } from "../../core/oci/media-types.ts";
import { isCompanionTag } from "../../core/oci/referrers.ts";
import type { BlobSource, ContentStore, PushOptions, ReferrersListing } from "../../core/ports.ts";
import { isTrustTag } from "../../core/tags/names.ts";
import { gather } from "../disk/files.ts";
import type { Backing } from "./backing.ts";
import { readBounded } from "./docker-save.ts";
import { blobPath } from "./files.ts";
import { ambiguous, distinct, type IndexEntry, type LayoutIndex, layoutName } from "./layout-index.ts";
import { type Listed, listManifests, readManifest } from "./scan.ts";

export interface LayoutStoreOptions {
  readonly kind: "oci-layout" | "oci-archive" | "docker-archive";
  readonly location: string;
  /** What `resolve(undefined)` means; the only image where undefined. */
  readonly target: string | undefined;
  readonly backing: Backing;
}

/** The content of an OCI layout as a store, in a folder or an archive. */
export class LayoutStore implements ContentStore {
  readonly kind: LayoutStoreOptions["kind"];
  readonly location: string;
  readonly repository = undefined;
  readonly #target: string | undefined;
  readonly #backing: Backing;

  constructor(options: LayoutStoreOptions) {
    this.kind = options.kind;
    this.location = options.location;
    this.#target = options.target;
    this.#backing = options.backing;
  }

  async resolve(target: string | undefined): Promise<Manifest | undefined> {
    const wanted = target ?? this.#target;
    const index = await this.#backing.index();
    if (wanted === undefined) return this.#onlyImage(index);
    if (isDigest(wanted)) return this.#byDigest(index, wanted);
    const descriptor = index.find(wanted);
    return descriptor === undefined ? undefined : this.manifest(descriptor);
  }

  async manifest(descriptor: Descriptor): Promise<Manifest> {
    return readManifest(this.#backing.files(), descriptor);
  }

  async *openBlob(descriptor: Descriptor, offset = 0): AsyncGenerator<Uint8Array, void, undefined> {
    const stream = this.#backing.files().open(blobPath(descriptor.digest));
    let position = 0;
    for await (const chunk of checkedStream(stream, descriptor, `the blob ${descriptor.digest}`)) {
      const skip = Math.max(0, Math.min(chunk.byteLength, offset - position));
      position += chunk.byteLength;
      if (skip < chunk.byteLength) yield chunk.subarray(skip);
    }
  }

  async readBlob(descriptor: Descriptor, maxBytes: number): Promise<Uint8Array> {
    if (descriptor.size > maxBytes) {
      throw new CountersignError("limit-reached", "the blob is too large to read", {
        found: `${descriptor.size} bytes`,
        wanted: `at most ${maxBytes} bytes`,
      });
    }
    return gather(this.openBlob(descriptor));
  }

  hasBlob(descriptor: Descriptor): Promise<boolean> {
    return this.#backing.isStored(descriptor);
  }

  hasManifest(descriptor: Descriptor): Promise<boolean> {
    return this.#backing.isStored(descriptor);
  }

  /**
   * Whatever the index lists, itself or in an index, and names the subject. What is listed but cannot be read is
   * among the result: whoever reads it shall find that out, rather than take it for absent.
   */
  async referrers(subject: Digest): Promise<ReferrersListing> {
    const roots = (await this.#backing.index()).entries.map((entry) => entry.descriptor);
    const descriptors: Descriptor[] = [];
    for await (const listed of listManifests(this.#backing.files(), roots, LIMITS.indexDepth)) {
      if (refersTo(listed, subject)) descriptors.push(referrerDescriptor(listed));
    }
    return { descriptors, via: "layout" };
  }

  async tags(): Promise<readonly string[]> {
    return (await this.#backing.index()).names();
  }

  async pushBlob(descriptor: Descriptor, source: BlobSource): Promise<"stored" | "present"> {
    if (await this.#backing.isStored(descriptor)) return "present";
    await this.#backing.storeBlob(descriptor, source);
    return "stored";
  }

  async pushManifest(manifest: Manifest, tag?: string, { over }: PushOptions = {}): Promise<void> {
    const { bytes, descriptor } = manifest;
    checkBytes(bytes, descriptor, "the manifest to store");
    const name = tag === undefined ? undefined : layoutName(tag);
    await this.pushBlob(descriptor, {
      async *open(offset) {
        yield bytes.subarray(offset);
      },
    });
    const entry: Descriptor = {
      ...descriptor,
      annotations: undefined,
      artifactType: manifest.artifactType ?? descriptor.artifactType,
    };
    if (tag !== undefined && name !== undefined) {
      await this.#backing.changeIndex((index) => (isOver(index, tag, over) ? index.withName(entry, name) : index));
    } else {
      await this.#backing.changeIndex((index) => (manifest.subject === undefined ? index : index.withEntry(entry)));
    }
  }

  close(): Promise<void> {
    return this.#backing.close();
  }

  /** Image-layout.md, "index.json": what is in it is what the layout offers; signatures are offered beside the images. */
  async #onlyImage(index: LayoutIndex): Promise<Manifest | undefined> {
    const offered = index.entries.filter(
      ({ tag, descriptor }) => !isNoImage(tag ?? "") && isManifestType(descriptor.mediaType),
    );
    const images: IndexEntry[] = [];
    const unreadable: Descriptor[] = [];
    for await (const listed of listManifests(
      this.#backing.files(),
      offered.map((entry) => entry.descriptor),
      0,
    )) {
      if (listed.manifest?.subject !== undefined || listed.manifest?.artifactType === MEDIA_TYPES.kit) continue;
      if (listed.manifest === undefined) unreadable.push(listed.descriptor);
      images.push(...offered.filter((entry) => entry.descriptor.digest === listed.descriptor.digest));
    }
    const [only, ...others] = distinct(images);
    // The damage, where there is some, says more than its consequence: what cannot be read could be a signature.
    if (others.length > 0) for (const descriptor of unreadable) await this.manifest(descriptor);
    if (others.length > 0) throw ambiguous(`${this.location} holds several images`, distinct(images));
    return only === undefined ? undefined : this.manifest(only.descriptor);
  }

  /** A manifest need not be listed to be named by its digest: the platforms of an index are not. */
  async #byDigest(index: LayoutIndex, digest: Digest): Promise<Manifest | undefined> {
    const listed = index.entries.find((entry) => entry.descriptor.digest === digest);
    if (listed !== undefined) return this.manifest(listed.descriptor);
    const files = this.#backing.files();
    const size = await files.size(blobPath(digest));
    if (size === undefined) return undefined;
    const bytes = await readBounded(files, blobPath(digest), LIMITS.manifestBytes);
    checkBytes(bytes, { digest, size }, `the manifest ${digest}`);
    const manifest = parseManifest(bytes, "");
    return { ...manifest, descriptor: { ...manifest.descriptor, digest } };
  }
}

/** Whether the tag still names what its writer has merged with. */
function isOver(index: LayoutIndex, tag: string, over: PushOptions["over"]): boolean {
  return over === undefined || (index.find(tag)?.digest ?? "nothing") === over;
}

/** An unreadable entry with a platform is a damaged image and no signature; without one it could be either. */
function refersTo({ manifest, descriptor }: Listed, subject: Digest): boolean {
  return manifest === undefined ? descriptor.platform === undefined : manifest.subject?.digest === subject;
}

/** Distribution-spec, "Listing Referrers": the type and the annotations are the manifest's own. */
function referrerDescriptor({ manifest, descriptor }: Listed): Descriptor {
  if (manifest === undefined) return descriptor;
  const { mediaType, digest, size } = manifest.descriptor;
  return { mediaType, digest, size, artifactType: artifactTypeOf(manifest), annotations: manifest.annotations };
}

/** Signatures, and the metadata of signed tags, go along with images under tags of their own. */
function isNoImage(tag: string): boolean {
  return isCompanionTag(tag) || isTrustTag(tag);
}
