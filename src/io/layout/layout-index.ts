import { encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { isObject, type JsonObject, parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Descriptor } from "../../core/oci/descriptor.ts";
import type { Digest } from "../../core/oci/digest.ts";
import { type ImageIndex, parseManifest } from "../../core/oci/manifest.ts";
import { MEDIA_TYPES } from "../../core/oci/media-types.ts";
import { formatReference, parseReference } from "../../core/oci/reference.ts";

/** Image-spec annotations.md: a tag, or with some tools a whole reference. */
const REF_NAME = "org.opencontainers.image.ref.name";
/** containerd's and Docker's: always the whole reference. */
const IMAGE_NAME = "io.containerd.image.name";

/** How an image is called in a layout. */
export interface LayoutName {
  /** For `ref.name`. */
  readonly tag: string;
  /** The whole reference, canonical, where the name is more than a tag. */
  readonly reference?: string | undefined;
}

export interface IndexEntry {
  readonly descriptor: Descriptor;
  readonly tag: string | undefined;
  readonly reference: string | undefined;
  /** As it stands in the file, members we do not know included. */
  readonly json: JsonObject;
}

const NAME = "the layout's index.json";

/** Nobody pushed it: what is wrong with it is wrong with the layout. */
function readIndex(bytes: Uint8Array): ImageIndex {
  try {
    const index = parseManifest(bytes, "");
    if (index.kind === "index") return index;
  } catch (error) {
    if (!(error instanceof CountersignError) || error.code !== "manifest-invalid") throw error;
    const { message, found, wanted } = error;
    throw new CountersignError("layout-invalid", message.replace("the manifest", NAME), {
      found,
      wanted,
      cause: error,
    });
  }
  throw new CountersignError("layout-invalid", `${NAME} is not an index`, { found: "an image's manifest" });
}

/** The `index.json` of a layout: a value; every change gives a new one and keeps what it does not concern. */
export class LayoutIndex {
  static readonly empty: LayoutIndex = new LayoutIndex({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex }, []);

  readonly entries: readonly IndexEntry[];
  readonly #document: JsonObject;

  private constructor(document: JsonObject, entries: readonly IndexEntry[]) {
    this.#document = document;
    this.entries = entries;
  }

  /** @throws CountersignError `layout-invalid` or `limit-reached`. */
  static parse(bytes: Uint8Array): LayoutIndex {
    const { manifests } = readIndex(bytes);
    const document = parseJsonObject(bytes, { what: NAME, code: "layout-invalid", maxBytes: LIMITS.manifestBytes });
    const raw = Array.isArray(document["manifests"]) ? document["manifests"] : [];
    const entries = manifests.map((descriptor, at) => readEntry(descriptor, raw[at]));
    return new LayoutIndex(document, entries);
  }

  /** @throws CountersignError `limit-reached` if it grew beyond what would be read again. */
  serialise(): Uint8Array {
    const bytes = encodeUtf8(JSON.stringify({ ...this.#document, manifests: this.entries.map((entry) => entry.json) }));
    if (bytes.byteLength <= LIMITS.manifestBytes && this.entries.length <= LIMITS.indexEntries) return bytes;
    throw new CountersignError("limit-reached", `${NAME} would grow too large`, {
      found: `${this.entries.length} entries, ${bytes.byteLength} bytes`,
      wanted: `at most ${LIMITS.indexEntries} entries, ${LIMITS.manifestBytes} bytes`,
    });
  }

  /**
   * What a tag or a name stands for. An exact match of either annotation comes first, then the same reference in
   * another spelling, then any reference with this tag.
   *
   * @throws CountersignError `reference-invalid` where it stands for several.
   */
  find(name: string): Descriptor | undefined {
    const canonical = canonicalReference(name);
    const rules: readonly ((entry: IndexEntry) => boolean)[] = [
      (entry) => entry.tag === name || entry.reference === name,
      (entry) => canonical !== undefined && namesOf(entry).includes(canonical),
      (entry) => namesOf(entry).some((reference) => tagOf(reference) === name),
    ];
    for (const matches of rules) {
      const found = distinct(this.entries.filter(matches));
      const [only, ...others] = found;
      if (others.length > 0) throw ambiguous(`${found.length} images are called ${name}`, found);
      if (only !== undefined) return only.descriptor;
    }
    return undefined;
  }

  /** The names that `find` takes. A tag that several images share gives way to their references. */
  names(): readonly string[] {
    const names = this.entries.flatMap((entry) => {
      const isShared = this.entries.some(
        (other) => other.tag === entry.tag && other.descriptor.digest !== entry.descriptor.digest,
      );
      const name = isShared ? (entry.reference ?? entry.tag) : (entry.tag ?? entry.reference);
      return name === undefined ? [] : [name];
    });
    return [...new Set(names)];
  }

  /** Gives an image this name; whatever had it before loses it, and its entry with it. */
  withName(descriptor: Descriptor, name: LayoutName): LayoutIndex {
    const kept = this.entries.filter(
      (entry) =>
        !hasName(entry, name) &&
        !(entry.descriptor.digest === descriptor.digest && entry.tag === undefined && entry.reference === undefined),
    );
    return this.#with([...kept, newEntry(descriptor, name)]);
  }

  /** Lists a manifest without a name, unless it is listed. */
  withEntry(descriptor: Descriptor): LayoutIndex {
    const isListed = this.entries.some((entry) => entry.descriptor.digest === descriptor.digest);
    return isListed ? this : this.#with([...this.entries, newEntry(descriptor, undefined)]);
  }

  /** In an order that does not tell of the order it was made in: the image `first`, then the others by digest and name. */
  inOrder(first: Digest): LayoutIndex {
    const key = ({ descriptor, reference, tag }: IndexEntry) =>
      `${descriptor.digest === first ? 0 : 1} ${descriptor.digest} ${reference ?? ""} ${tag ?? ""}`;
    const keyed = this.entries.map((entry) => ({ entry, key: key(entry) }));
    return this.#with(keyed.toSorted((a, b) => (a.key < b.key ? -1 : 1)).map(({ entry }) => entry));
  }

  #with(entries: readonly IndexEntry[]): LayoutIndex {
    return new LayoutIndex(this.#document, entries);
  }
}

/**
 * A tag, or a whole reference (`app:1.4`, `ghcr.io/acme/app:1.4`).
 *
 * @throws CountersignError `reference-invalid`.
 */
export function layoutName(text: string): LayoutName {
  if (!/[:/]/.test(text)) {
    if (/^[A-Za-z0-9_][A-Za-z0-9._-]{0,254}$/.test(text)) return { tag: text };
    throw new CountersignError("reference-invalid", "not a tag for a layout", {
      found: text,
      wanted: "letters, digits, '_', '.', '-', not starting with '.' or '-'",
    });
  }
  return referenceName(text);
}

/** A name that is meant as a reference even without a colon, as Docker's archives have it: `app` is `app:latest`. */
export function referenceName(text: string): LayoutName {
  const reference = parseReference(text);
  if (reference.tag === undefined) {
    throw new CountersignError("reference-invalid", "a name for an image needs a tag", { found: text });
  }
  return { tag: reference.tag, reference: formatReference({ ...reference, digest: undefined }) };
}

/** `reference-invalid`, with what to choose from: names, or digests where the images share one. */
export function ambiguous(message: string, entries: readonly IndexEntry[]): CountersignError {
  const names = entries.map((entry) => entry.reference ?? entry.tag ?? entry.descriptor.digest);
  const isTelling = new Set(names).size === names.length;
  const choices = isTelling ? names : entries.map(({ descriptor }) => descriptor.digest);
  const more = choices.length > 8 ? [`… ${choices.length - 8} more`] : [];
  return new CountersignError("reference-invalid", message, {
    found: [...choices.slice(0, 8), ...more].join(", "),
    wanted: isTelling ? "one of them, by its tag or by @digest" : "one of them, by @digest",
    next: `name one of them: ${isTelling ? "LOCATION:TAG or " : ""}LOCATION@DIGEST`,
  });
}

/** One entry per digest. */
export function distinct(entries: readonly IndexEntry[]): readonly IndexEntry[] {
  const byDigest = new Map<Digest, IndexEntry>();
  for (const entry of entries) {
    if (!byDigest.has(entry.descriptor.digest)) byDigest.set(entry.descriptor.digest, entry);
  }
  return [...byDigest.values()];
}

function readEntry(descriptor: Descriptor, json: unknown): IndexEntry {
  const tag = descriptor.annotations?.[REF_NAME];
  const reference = descriptor.annotations?.[IMAGE_NAME];
  return {
    descriptor,
    tag: tag === "" ? undefined : tag,
    reference: reference === "" ? undefined : reference,
    json: isObject(json as JsonObject) ? (json as JsonObject) : {},
  };
}

function newEntry(descriptor: Descriptor, name: LayoutName | undefined): IndexEntry {
  const { mediaType, digest, size, artifactType, platform } = descriptor;
  const annotations = {
    ...(name?.reference === undefined ? {} : { [IMAGE_NAME]: name.reference }),
    ...(name === undefined ? {} : { [REF_NAME]: name.tag }),
  };
  const json = {
    mediaType,
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(platform === undefined ? {} : { platform: platform as unknown as JsonObject }),
    ...(name === undefined ? {} : { annotations }),
  };
  return { descriptor, tag: name?.tag, reference: name?.reference, json };
}

function hasName(entry: IndexEntry, name: LayoutName): boolean {
  if (name.reference !== undefined && namesOf(entry).length > 0) return namesOf(entry).includes(name.reference);
  return entry.tag === name.tag;
}

/** The whole references an entry goes by, in canonical spelling. */
function namesOf(entry: IndexEntry): readonly string[] {
  return [entry.reference, entry.tag].flatMap((name) => {
    const canonical = name !== undefined && /[:/]/.test(name) ? canonicalReference(name) : undefined;
    return canonical === undefined ? [] : [canonical];
  });
}

function canonicalReference(name: string): string | undefined {
  try {
    return referenceName(name).reference;
  } catch {
    return undefined;
  }
}

function tagOf(reference: string): string {
  return reference.slice(reference.lastIndexOf(":") + 1);
}
