import { CountersignError, type Finding, findingUnlessInterrupted } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Digest } from "../../core/oci/digest.ts";
import type { Manifest } from "../../core/oci/manifest.ts";
import type { ContentStore } from "../../core/ports.ts";
import { type HeadFile, type HeadListing, type HeadPart, parseHead, parseHeadPart } from "../../core/tags/head.ts";
import { mapConcurrently } from "../concurrency.ts";
import { parseStage, readFile, type StagedFiles } from "./staging.ts";

/** Reads trust metadata, past every cache where it can change, and never twice where it cannot. */
export class MetadataReader {
  readonly store: ContentStore;
  readonly #tags = new Map<string, Manifest>();
  readonly #contents = new Map<Digest, Uint8Array>();
  readonly #parts = new Map<Digest, ReadonlyMap<string, HeadFile>>();

  constructor(store: ContentStore) {
    this.store = store;
  }

  /** What a tag names now; undefined where there is none. */
  async tag(tag: string): Promise<Manifest | undefined> {
    const known = this.#tags.get(tag);
    const found = await this.#resolve(tag, known?.descriptor.digest);
    if (found === "unchanged") return known;
    if (found === undefined) this.#tags.delete(tag);
    else this.#tags.set(tag, found);
    return found;
  }

  async #resolve(tag: string, known: Digest | undefined): Promise<Manifest | "unchanged" | undefined> {
    if (this.store.resolveChanged !== undefined) return await this.store.resolveChanged(tag, known);
    return await this.store.resolve(tag);
  }

  /** What a head names, its core read where it does not carry it. */
  async listing(head: Manifest): Promise<HeadListing> {
    const listing = parseHead(head);
    if (listing.core === undefined) return listing;
    return { ...listing, files: await this.#part(listing.core) };
  }

  /** The files of all sets of bins. */
  async sets({ sets }: Pick<HeadListing, "sets">): Promise<ReadonlyMap<string, HeadFile>> {
    const parts = await mapConcurrently(sets, LIMITS.tagWorkers, ({ descriptor }) => this.#part(descriptor));
    return new Map(parts.flatMap((part) => [...part]));
  }

  async #part(descriptor: HeadFile["descriptor"]): Promise<ReadonlyMap<string, HeadFile>> {
    const known = this.#parts.get(descriptor.digest);
    if (known !== undefined) return known;
    const part = parseHeadPart(await this.store.manifest(descriptor));
    this.#parts.set(descriptor.digest, part);
    return part;
  }

  /** A file's content, checked against what describes it. */
  async content(part: HeadPart, maxBytes: number): Promise<Uint8Array> {
    if (part instanceof Uint8Array) return part;
    const { digest } = part.descriptor;
    const bytes = this.#contents.get(digest) ?? (await readFile(this.store, part, maxBytes));
    this.#contents.set(digest, bytes);
    return bytes;
  }

  /** What is staged under a tag. Anything else there is nobody's metadata, and is said. */
  async stage(tag: string, ignore: (finding: Finding) => void): Promise<StagedFiles | undefined> {
    const manifest = await this.tag(tag);
    if (manifest === undefined) return undefined;
    try {
      return parseStage(manifest);
    } catch (thrown) {
      ignore(notMetadata(tag, thrown));
      return undefined;
    }
  }
}

function notMetadata(tag: string, thrown: unknown): Finding {
  const { code, message, found } = findingUnlessInterrupted(thrown);
  return { code, message: `what is staged under ${tag} does not count: ${message}`, found };
}

/** @throws CountersignError `signed-tags-vanished`. */
export function requireHead(head: Manifest | undefined, store: ContentStore, tag: string): Manifest {
  if (head !== undefined) return head;
  throw new CountersignError("signed-tags-vanished", `${store.location} has no trust metadata`, {
    found: `no tag ${tag}`,
    wanted: "the head of the signed tags whose root is pinned",
    next: "if there never were any, set them up with countersign trust init; else have the registry's operator restore the tag",
  });
}
