import { CountersignError } from "../../core/errors.ts";
import { checkBytes, type Descriptor } from "../../core/oci/descriptor.ts";
import { type Digest, digestAlgorithm, digestOf } from "../../core/oci/digest.ts";
import { type Manifest, parseManifest } from "../../core/oci/manifest.ts";
import type { ContentStore } from "../../core/ports.ts";
import { kindOf, MAX_METADATA_BYTES, parseFileName } from "../../core/tags/files.ts";
import { type HeadFile, type HeadListing, parseHead, parseHeadPart, setWith } from "../../core/tags/head.ts";
import { HEAD_TAG } from "../../core/tags/names.ts";
import type { TufSource } from "../tuf/source.ts";
import { roleOf, versionOf } from "../tuf/updater.ts";
import type { KeptHead } from "./client-store.ts";

/**
 * The head that the registry has now, in one request; the known one where it has not changed. undefined: there is none.
 *
 * @throws CountersignError as ContentStore.resolve.
 */
export async function askForHead(store: ContentStore, known: KeptHead | undefined): Promise<KeptHead | undefined> {
  const found = await resolveHead(store, known === undefined ? undefined : digestOf(known.bytes));
  if (found === "unchanged") return known;
  return found === undefined ? undefined : { bytes: found.bytes, mediaType: found.descriptor.mediaType };
}

async function resolveHead(
  store: ContentStore,
  known: Digest | undefined,
): Promise<Manifest | "unchanged" | undefined> {
  if (store.resolveChanged !== undefined) return await store.resolveChanged(HEAD_TAG, known);
  return await store.resolve(HEAD_TAG);
}

export interface HeadSourceOptions {
  readonly store: ContentStore;
  readonly head: KeptHead;
  /** Those that were verified before, and the files that are here already; none of them is believed here. */
  readonly roots: readonly Uint8Array[];
  readonly kept: ReadonlyMap<string, Uint8Array>;
  /** Nothing is asked of the store. */
  readonly offline?: boolean | undefined;
}

/**
 * The files that a head names, as TUF's client asks for them: by name. What is here by the same digest is not fetched again. That
 * a root is absent is said by the head, as everything else is: whoever serves it could as well have hidden the file.
 */
export class HeadSource implements TufSource {
  store: ContentStore;
  readonly #listing: HeadListing;
  readonly #roots: ReadonlyMap<number | undefined, Uint8Array>;
  readonly #kept: readonly Uint8Array[];
  readonly #offline: boolean;
  readonly #parts = new Map<Digest, Promise<ReadonlyMap<string, HeadFile>>>();
  readonly #blobs = new Map<Digest, Promise<Uint8Array>>();

  /** @throws CountersignError `metadata-malformed` for what is no head. */
  constructor({ store, head, roots, kept, offline = false }: HeadSourceOptions) {
    this.store = store;
    this.#listing = parseHead(parseManifest(head.bytes, head.mediaType));
    this.#roots = new Map(roots.map((bytes) => [versionOf(bytes), bytes]));
    this.#kept = [...kept.values()];
    this.#offline = offline;
  }

  async metadata(file: string, maxBytes: number): Promise<Uint8Array | undefined> {
    const role = roleOf(file);
    if (role === "root") return await this.#root(Number.parseInt(file, 10), maxBytes);
    if (role === "timestamp") await this.#fetchAhead();
    const found = (await this.#core()).get(file) ?? (await this.#inSet(role, file));
    return found === undefined ? undefined : await this.#content(file, found, maxBytes);
  }

  /** Targets are images here: who resolves a reference fetches them. */
  target(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  /** The root with this digest, whichever version it is. */
  async rootWith(digest: Digest, maxBytes: number): Promise<Uint8Array | undefined> {
    const known = [...this.#roots.values()].find((bytes) => digestOf(bytes, digestAlgorithm(digest)) === digest);
    if (known !== undefined) return known;
    for (const [file, found] of await this.#core()) {
      if (roleOf(file) !== "root") continue;
      if (found.descriptor.digest === digest) return await this.#content(file, found, maxBytes);
    }
    return undefined;
  }

  /** The root to start from where none is pinned. */
  async firstRoot(maxBytes: number): Promise<Uint8Array | undefined> {
    const [first] = await this.rootVersions();
    return first === undefined ? undefined : await this.#root(first, maxBytes);
  }

  /** Of the roots that the head names, in order. */
  async rootVersions(): Promise<readonly number[]> {
    const names = [...(await this.#core()).keys()].map(parseFileName);
    const versions = names.flatMap((name) => (name?.role === "root" ? [name.version ?? 0] : []));
    return versions.sort((a, b) => a - b);
  }

  /** Every client needs these two: what has to be fetched of them is fetched at once. */
  async #fetchAhead(): Promise<void> {
    if (this.#offline) return;
    const files = [...(await this.#core())];
    for (const role of ["snapshot", "targets"] as const) {
      const first = files.find(([name]) => roleOf(name) === role);
      if (first !== undefined) this.#content(...first, MAX_METADATA_BYTES[role]).catch(() => undefined);
    }
  }

  async #root(version: number, maxBytes: number): Promise<Uint8Array | undefined> {
    const file = `${version}.root.json`;
    const known = this.#roots.get(version);
    const found = (await this.#core()).get(file);
    if (known !== undefined) {
      if (found !== undefined && !isDescribed(known, found.descriptor)) throw forkedRoot(version, this.store);
      return known;
    }
    if (found !== undefined) return await this.#content(file, found, maxBytes);
    const later = (await this.rootVersions()).find((other) => other > version);
    if (later !== undefined) throw rootGap(version, later, this.store);
    return undefined;
  }

  async #core(): Promise<HeadListing["files"]> {
    const { core, files } = this.#listing;
    return core === undefined ? files : await this.#part(core);
  }

  async #inSet(role: string, file: string): Promise<HeadFile | undefined> {
    const set = setWith(role, this.#listing.sets);
    return set === undefined ? undefined : (await this.#part(set.descriptor)).get(file);
  }

  /** The files of a manifest that the head names; read once. */
  async #part(descriptor: Descriptor): Promise<ReadonlyMap<string, HeadFile>> {
    this.#refuseOffline(descriptor.digest);
    return await this.#once(this.#parts, descriptor, async () => parseHeadPart(await this.store.manifest(descriptor)));
  }

  async #content(file: string, { descriptor, data }: HeadFile, maxBytes: number): Promise<Uint8Array> {
    if (descriptor.size > maxBytes) throw tooLarge(file, descriptor.size, maxBytes, this.store);
    const bytes = data ?? this.#kept.find((kept) => isDescribed(kept, descriptor));
    if (bytes !== undefined) return bytes;
    this.#refuseOffline(file);
    return await this.#once(this.#blobs, descriptor, () => this.store.readBlob(descriptor, descriptor.size));
  }

  /** Fetched once, also where it is asked for twice at a time; what failed may be tried again. */
  async #once<Content>(
    fetched: Map<Digest, Promise<Content>>,
    { digest }: Descriptor,
    fetch: () => Promise<Content>,
  ): Promise<Content> {
    const content = fetched.get(digest) ?? fetch();
    fetched.set(digest, content);
    try {
      return await content;
    } catch (thrown) {
      fetched.delete(digest);
      throw thrown;
    }
  }

  #refuseOffline(what: string): void {
    if (!this.#offline) return;
    throw new CountersignError("trust-stale", `${what} of ${this.store.location} was never fetched to this machine`, {
      found: "nothing that is kept",
      next: "ask for the same reference once while the registry can be reached",
    });
  }
}

function isDescribed(bytes: Uint8Array, descriptor: Descriptor): boolean {
  if (bytes.byteLength !== descriptor.size) return false;
  try {
    checkBytes(bytes, descriptor, "a file");
    return true;
  } catch {
    return false;
  }
}

/** Less than a file of its kind may have is what the file above it lists. */
function tooLarge(file: string, size: number, maxBytes: number, { location }: ContentStore): CountersignError {
  const isListed = maxBytes < MAX_METADATA_BYTES[kindOf(roleOf(file))];
  const message = isListed ? "is not as long as is listed" : "is larger than will be read";
  return new CountersignError(isListed ? "mix-and-match" : "limit-reached", `${file} of ${location} ${message}`, {
    found: `${size} bytes`,
    wanted: `at most ${maxBytes} bytes`,
  });
}

function forkedRoot(version: number, { location }: ContentStore): CountersignError {
  return new CountersignError("forked", `${location} has two different versions ${version} of the root`, {
    found: "another root than was verified here before under this version",
    wanted: "a new version for a new content",
  });
}

function rootGap(version: number, later: number, { location }: ContentStore): CountersignError {
  return new CountersignError("root-version-gap", `${location} leaves out version ${version} of the root`, {
    found: `version ${later} after version ${version - 1}`,
    wanted: `every version from ${version} on`,
  });
}
