import { compareTexts, encodeUtf8 } from "../bytes.ts";
import { LIMITS } from "../limits.ts";
import { type Annotations, type Descriptor, describe, EMPTY_DESCRIPTOR } from "../oci/descriptor.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { artifactTypeOf, type Manifest, parseManifest } from "../oci/manifest.ts";
import { EMPTY_JSON, MEDIA_TYPES } from "../oci/media-types.ts";
import { formatInstant, type Instant, parseInstant } from "../time.ts";
import { isBin } from "./bins.ts";
import { parseFileName } from "./files.ts";
import { descriptorJson, embeddedIn, filesOf, type HeadFile, malformed } from "./head-listing.ts";
import { FILE_NAME_ANNOTATION, METADATA_MEDIA_TYPE, TRUST_ARTIFACT_TYPE } from "./names.ts";

export type { HeadFile } from "./head-listing.ts";

/** Trust metadata by its file names: `1.root.json`, `timestamp.json`, `1795000000000.releases.json`. */
export type HeadFiles = ReadonlyMap<string, Uint8Array>;

/** Hints for people and for who collects garbage: a head is not signed, what it names is. */
const GUN = "countersign.trust.gun";
const VERSION = "countersign.trust.version";
const EXPIRES = "countersign.trust.expires";
const HISTORY = "countersign.trust.history";
/** The roles of the first and the last file of a set of bins. */
const FIRST = "countersign.trust.first";
const LAST = "countersign.trust.last";

export interface HeadFacts {
  readonly gun: string;
  /** Of the timestamp. */
  readonly version: number;
  readonly expires: Instant;
  /** Digests of the heads before, newest first; the oldest are left out. */
  readonly history: readonly Digest[];
}

export interface BuiltHead {
  /** What the head's tag is to name. */
  readonly manifest: Manifest;
  /** What has to be there before, by digest: blobs, then manifests. */
  readonly blobs: readonly { readonly descriptor: Descriptor; readonly bytes: Uint8Array }[];
  readonly manifests: readonly Manifest[];
}

/** A file, or of one that is in the repository already, what describes it. */
export type HeadPart = Uint8Array | HeadFile;

/**
 * The one object that names all of a repository's trust metadata by digest. Small: one manifest with the files as layers. With
 * more roles than fit: an index of that manifest, which it carries in itself, and of sets of bins, so that a publish of one tag
 * writes one bin and one set. The same files give the same head.
 *
 * @param sets sets of bins that stay as they are, from `HeadListing.sets`; none of their files may be in `files`.
 */
export function buildHead(
  files: ReadonlyMap<string, HeadPart>,
  facts: HeadFacts,
  sets: readonly BinSet[] = [],
): BuiltHead {
  const parts = [...files].map(([name, part]) => partOf(name, part)).sort(byName);
  const config = { descriptor: EMPTY_DESCRIPTOR, bytes: EMPTY_JSON };
  const blobs = [config, ...parts.flatMap(({ descriptor, bytes }) => (bytes ? [{ descriptor, bytes }] : []))];
  const bins = parts.filter(({ role }) => isBin(role));
  if (sets.length === 0 && bins.length <= LIMITS.tagSmallHeadBins) {
    return { manifest: fileManifest(parts, annotationsOf(facts)), blobs, manifests: [] };
  }
  const core = fileManifest(
    parts.filter(({ role }) => !isBin(role)),
    {},
  );
  const made = inSets(bins).map((set) => ({ manifest: fileManifest(set, {}, false), ...rangeOf(set) }));
  const listed = [...sets, ...made.map(setOf)].sort((a, b) => compareTexts(a.first, b.first));
  return {
    manifest: indexOf(core, listed, annotationsOf(facts)),
    blobs,
    manifests: [core, ...made.map(({ manifest }) => manifest)],
  };
}

interface Part {
  readonly name: string;
  readonly role: string;
  readonly version: number;
  readonly descriptor: Descriptor;
  /** The file, where it has to be stored. */
  readonly bytes: Uint8Array | undefined;
  /** The file, where it is known. */
  readonly data: Uint8Array | undefined;
}

function partOf(name: string, part: HeadPart): Part {
  const file = parseFileName(name);
  if (file === undefined) throw malformed(`a file called ${name}`);
  const { role, version = 0 } = file;
  const bytes = part instanceof Uint8Array ? part : undefined;
  const described = bytes === undefined ? (part as HeadFile).descriptor : describe(bytes, METADATA_MEDIA_TYPE);
  const { mediaType, digest, size } = described;
  const descriptor = { mediaType, digest, size, annotations: { [FILE_NAME_ANNOTATION]: name } };
  return { name, role, version, descriptor, bytes, data: bytes ?? (part as HeadFile).data };
}

/** What every reader needs first, then the rest by name: roots from the first on. */
const ORDER = ["timestamp", "root", "snapshot", "targets"];

function byName(a: Part, b: Part): number {
  const [first, second] = [a, b].map(({ role }) => (ORDER.indexOf(role) + ORDER.length + 1) % (ORDER.length + 1));
  return (first ?? 0) - (second ?? 0) || compareTexts(a.role, b.role) || a.version - b.version;
}

/** Carries the timestamp, which is all that a reader needs who was here before; and everything where that is little. */
function fileManifest(parts: readonly Part[], annotations: Annotations, embeds = true): Manifest {
  const total = parts.reduce((sum, { descriptor }) => sum + descriptor.size, 0);
  const carriesAll = total <= LIMITS.tagEmbeddedBytes;
  const layers = parts.map(({ role, descriptor, data }) =>
    descriptorJson(descriptor, embeds && (carriesAll || role === "timestamp") ? data : undefined),
  );
  return manifestOf(MEDIA_TYPES.ociManifest, {
    config: { ...EMPTY_DESCRIPTOR },
    layers,
    annotations,
  });
}

function indexOf(core: Manifest, sets: readonly BinSet[], annotations: Annotations): Manifest {
  const bins = sets.map(({ descriptor, first, last }) => {
    const { mediaType, digest, size } = descriptor;
    return descriptorJson({ mediaType, digest, size, annotations: { [FIRST]: first, [LAST]: last } });
  });
  return manifestOf(MEDIA_TYPES.ociIndex, {
    manifests: [descriptorJson(core.descriptor, core.bytes), ...bins],
    annotations,
  });
}

function manifestOf(mediaType: string, content: object): Manifest {
  const json = { schemaVersion: 2, mediaType, artifactType: TRUST_ARTIFACT_TYPE, ...content };
  return parseManifest(encodeUtf8(JSON.stringify(json)), mediaType);
}

function annotationsOf({ gun, version, expires, history }: HeadFacts): Annotations {
  const kept = history.slice(0, LIMITS.tagHeadHistory);
  return {
    [GUN]: gun,
    [VERSION]: String(version),
    [EXPIRES]: formatInstant(expires),
    ...(kept.length > 0 && { [HISTORY]: kept.join(",") }),
  };
}

/** A set is what bins `00` to `3f` of one role are in, and so on: the others are not written again when one of them changes. */
function inSets(bins: readonly Part[]): readonly (readonly Part[])[] {
  const sets = Map.groupBy(bins, ({ role }) => binSetOf(role));
  return [...sets.values()];
}

/** Which set of bins a bin is in: two bins are in one where this agrees. */
export function binSetOf(bin: string): string {
  const at = bin.lastIndexOf("-") + 1;
  return `${bin.slice(0, at)}${Math.floor(Number.parseInt(bin.slice(at), 16) / LIMITS.tagBinSetFiles)}`;
}

/** Bins that a large head names together: those whose names lie between, in one manifest. */
export interface BinSet {
  readonly descriptor: Descriptor;
  /** Roles: `releases.bin-00` and `releases.bin-3f`. */
  readonly first: string;
  readonly last: string;
}

function rangeOf(set: readonly Part[]): { readonly first: string; readonly last: string } {
  return { first: set.at(0)?.role ?? "", last: set.at(-1)?.role ?? "" };
}

function setOf({ manifest, first, last }: { manifest: Manifest; first: string; last: string }): BinSet {
  return { descriptor: manifest.descriptor, first, last };
}

/** What a head names. Nothing of it is proven but the data in it, which is what its descriptor describes. */
export interface HeadListing {
  readonly form: "small" | "large";
  /** By file name. In the large form without the bins, which are in the sets. */
  readonly files: ReadonlyMap<string, HeadFile>;
  /** The manifest of `files`, where the head names it and does not carry it: `files` is empty until it was read (`parseHeadPart`). */
  readonly core: Descriptor | undefined;
  readonly sets: readonly BinSet[];
  /** Unsigned hints. */
  readonly gun: string | undefined;
  readonly version: number | undefined;
  readonly expires: Instant | undefined;
  readonly history: readonly Digest[];
}

/** @throws CountersignError `metadata-malformed` for what is no head, or could be read in two ways. */
export function parseHead(manifest: Manifest): HeadListing {
  const type = artifactTypeOf(manifest);
  if (manifest.kind === "image" && type !== TRUST_ARTIFACT_TYPE) throw malformed(`the type ${type ?? "of nothing"}`);
  const hints = hintsOf(manifest.annotations);
  if (manifest.kind === "image") {
    return { form: "small", files: filesOf(manifest), core: undefined, sets: [], ...hints };
  }
  const [core, ...others] = manifest.manifests;
  if (core === undefined || core.mediaType !== MEDIA_TYPES.ociManifest) throw malformed("an index that names no files");
  const data = embeddedIn(manifest)[0];
  return {
    form: "large",
    files: data === undefined ? new Map() : filesOf(partManifest(data)),
    core: data === undefined ? core : undefined,
    sets: others.map(parseSet),
    ...hints,
  };
}

/** The files of a manifest that a head names: the core of a large one, or a set of bins. @throws as `parseHead`. */
export function parseHeadPart(manifest: Manifest): ReadonlyMap<string, HeadFile> {
  return filesOf(manifest);
}

function partManifest(bytes: Uint8Array): Manifest {
  try {
    return parseManifest(bytes, MEDIA_TYPES.ociManifest);
  } catch (cause) {
    throw malformed("a manifest in the index that is none", cause);
  }
}

function parseSet(descriptor: Descriptor): BinSet {
  const { [FIRST]: first, [LAST]: last } = descriptor.annotations ?? {};
  if (descriptor.mediaType !== MEDIA_TYPES.ociManifest || first === undefined || last === undefined) {
    throw malformed("an entry of the index that is no set of bins");
  }
  return { descriptor, first, last };
}

/** The set that has a bin, if any: the sets lie beside each other. */
export function setWith(bin: string, sets: readonly BinSet[]): BinSet | undefined {
  return sets.find(({ first, last }) => first <= bin && bin <= last && first.length === bin.length);
}

function hintsOf(annotations: Annotations): Pick<HeadListing, "gun" | "version" | "expires" | "history"> {
  const version = Number(annotations[VERSION]);
  const history = (annotations[HISTORY] ?? "").split(",").filter(isDigest);
  return {
    gun: annotations[GUN],
    version: Number.isSafeInteger(version) && version > 0 ? version : undefined,
    expires: parseInstant(annotations[EXPIRES] ?? ""),
    history: history.slice(0, LIMITS.tagHeadHistory),
  };
}
