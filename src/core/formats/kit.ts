import { encodeUtf8 } from "../bytes.ts";
import { CountersignError } from "../errors.ts";
import { type JsonObject, type JsonValue, parseJsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { type Descriptor, describe, EMPTY_DESCRIPTOR } from "../oci/descriptor.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { type ImageManifest, type Manifest, parseManifest } from "../oci/manifest.ts";
import { isManifestType, MEDIA_TYPES } from "../oci/media-types.ts";
import { parseReference, parseRepository, repositoryName } from "../oci/reference.ts";
import { HEAD_TAG } from "../tags/names.ts";
import { formatInstant, type Instant, parseInstant } from "../time.ts";
import { describeValue, optionalList, requireClosed, requireString } from "./members.ts";

/** What an air-gap kit holds, as its own list says it: docs/schemas/kit.json. Nothing in it is signed. */
export interface KitList {
  readonly createdAt: Instant;
  readonly images: readonly KitImage[];
  /** The other manifests of the layout, by digest: signatures, attestations and whatever else refers to the images. */
  readonly attached: readonly Digest[];
  readonly trust: readonly KitTrust[];
  /** What the images were judged by where it was made: to be read, and never to judge by. */
  readonly policy?: KitPolicy | undefined;
}

/** A policy that came along. */
export interface KitPolicy extends KitBlob {
  /** What the file was called. */
  readonly file: string;
}

export interface KitImage {
  /** `registry/repository` that it was saved from; undefined for one that came from a file. */
  readonly repository: string | undefined;
  readonly tag: string | undefined;
  /** The manifest: media type, digest, size. */
  readonly manifest: Descriptor;
  /** Of a platform whose tag is signed: the index that the signed tag is for and that lists it. Its other platforms are not in the kit. */
  readonly index?: Descriptor | undefined;
}

/** A blob that the list names: what it is called by, and how long it is. */
export interface KitBlob {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** A trust root that came along, and where from. */
export interface KitTrust {
  /** What the instance was called where the kit was made; undefined for a trust root that was named as a file. */
  readonly name: string | undefined;
  /** The address of the TUF repository, or the name of a file. */
  readonly source: { readonly kind: "tuf"; readonly mirror: string } | { readonly kind: "file"; readonly file: string };
  readonly trustedRoot: KitBlob;
  /** What signatures that rest on it have to bring. */
  readonly demands: { readonly logs: number; readonly certificateLogs: number; readonly timestamps: number };
  /** When its repository confirmed it last, and until when that does; a file has neither. */
  readonly fetchedAt: Instant | undefined;
  readonly expires: Instant | undefined;
  /** What the repository's metadata says of itself. */
  readonly roles: readonly KitRole[];
  /** The metadata as it was fetched, for those who verify it by a root of their own. */
  readonly tuf: KitMetadata | undefined;
}

export interface KitRole {
  readonly role: string;
  readonly version: number;
  readonly expires: Instant;
}

export interface KitMetadata {
  /** One version after the other. */
  readonly roots: readonly KitBlob[];
  /** The other roles. */
  readonly roles: readonly (KitBlob & { readonly role: string })[];
}

const VERSION = 1;
/** Has a policy in it: what knows the first version alone refuses it. */
const VERSION_WITH_POLICY = 2;
/** Has the index of a platform in it, and perhaps a policy. */
const VERSION_WITH_INDEX = 3;
const WHAT = "the kit's list";
const READING = { what: WHAT, code: "layout-invalid", maxBytes: LIMITS.kitListBytes } as const;

/** `registry.example/acme/app:1.4.2`, `registry.example/acme/app@sha256:…`, or what there is of it. */
export function kitImageName({ repository, tag, manifest }: KitImage): string {
  if (repository === undefined) return tag ?? manifest.digest;
  return tag === undefined ? `${repository}@${manifest.digest}` : `${repository}:${tag}`;
}

/** Trust metadata of signed tags, which images of its repository are judged by: carried like an image, and none. */
export function isHead({ repository, tag }: Pick<KitImage, "repository" | "tag">): boolean {
  return repository !== undefined && tag === HEAD_TAG;
}

/** How an image is called in the index of a layout: by its whole reference, so that other tools find it. */
export function layoutNameOf({ repository, tag }: Pick<KitImage, "repository" | "tag">): string | undefined {
  return repository === undefined || tag === undefined ? tag : `${repository}:${tag}`;
}

/** Every blob that the list names, trust material, the policy and indexes of platforms, each once. */
export function kitBlobs({ images, trust, policy }: Pick<KitList, "images" | "trust" | "policy">): readonly KitBlob[] {
  const files = trust.flatMap(({ trustedRoot, tuf }) => [trustedRoot, ...(tuf?.roots ?? []), ...(tuf?.roles ?? [])]);
  const blobs = [...files, ...(policy === undefined ? [] : [policy]), ...indexesIn(images)];
  return [...new Map(blobs.map((blob) => [blob.digest, blob])).values()];
}

function indexesIn(images: readonly KitImage[]): readonly Descriptor[] {
  return images.flatMap(({ index }) => index ?? []);
}

// --- writing ----------------------------------------------------------------------------------------------------------

/** @throws CountersignError `limit-reached` for a list that would not be read again. */
export function formatKitList({ createdAt, images, attached, trust, policy }: KitList): Uint8Array {
  const bytes = encodeUtf8(
    `${JSON.stringify(
      {
        kitVersion: versionOf(images, policy),
        createdAt: formatInstant(createdAt),
        images: images.map(({ repository, tag, manifest, index }) => ({
          repository,
          tag,
          manifest: manifestMember(manifest),
          index: index && manifestMember(index),
        })),
        attached,
        trust: trust.map(trustMember),
        policy: policy && { file: policy.file, ...blobMember(policy) },
      },
      undefined,
      2,
    )}\n`,
  );
  if (bytes.byteLength <= LIMITS.kitListBytes) return bytes;
  throw new CountersignError("limit-reached", "there is too much for one kit", {
    found: `a list of ${bytes.byteLength} bytes`,
    wanted: `at most ${LIMITS.kitListBytes} bytes`,
  });
}

function versionOf(images: readonly KitImage[], policy: KitPolicy | undefined): number {
  if (indexesIn(images).length > 0) return VERSION_WITH_INDEX;
  return policy === undefined ? VERSION : VERSION_WITH_POLICY;
}

function manifestMember({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

function trustMember(trust: KitTrust): Readonly<Record<string, unknown>> {
  const { name, source, trustedRoot, demands, fetchedAt, expires, roles, tuf } = trust;
  return {
    name,
    ...(source.kind === "tuf" ? { mirror: source.mirror } : { file: source.file }),
    trustedRoot: blobMember(trustedRoot),
    demands,
    fetchedAt: fetchedAt === undefined ? undefined : formatInstant(fetchedAt),
    expires: expires === undefined ? undefined : formatInstant(expires),
    roles: roles.map((role) => ({ ...role, expires: formatInstant(role.expires) })),
    tuf: tuf && {
      roots: tuf.roots.map(blobMember),
      roles: tuf.roles.map((one) => ({ role: one.role, ...blobMember(one) })),
    },
  };
}

function blobMember({ digest, size }: KitBlob): KitBlob {
  return { digest, size };
}

/** The artifact that an archive is a kit by: the list, and every blob that the list names. */
export function makeKitManifest(list: Uint8Array, contents: KitList): Manifest {
  const { createdAt } = contents;
  const layers = [
    describe(list, MEDIA_TYPES.kitList),
    ...kitBlobs(contents).map(({ digest, size }) => ({ mediaType: layerType(digest, contents), digest, size })),
  ];
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    artifactType: MEDIA_TYPES.kit,
    config: EMPTY_DESCRIPTOR,
    layers,
    annotations: { "org.opencontainers.image.created": formatInstant(createdAt) },
  });
  return parseManifest(encodeUtf8(text), MEDIA_TYPES.ociManifest);
}

function layerType(digest: Digest, { images, trust, policy }: KitList): string {
  if (digest === policy?.digest) return MEDIA_TYPES.policy;
  const index = indexesIn(images).find((one) => one.digest === digest);
  if (index !== undefined) return index.mediaType;
  const isRoot = trust.some(({ trustedRoot }) => trustedRoot.digest === digest);
  return isRoot ? MEDIA_TYPES.trustedRoot : MEDIA_TYPES.tufMetadata;
}

// --- reading ----------------------------------------------------------------------------------------------------------

/**
 * The descriptor of the list in a kit's manifest.
 *
 * @throws CountersignError `layout-invalid`.
 */
export function kitListOf(manifest: Manifest): Descriptor {
  const lists = manifest.kind === "image" ? manifest.layers.filter(isList) : [];
  const [list, ...others] = lists;
  if (list !== undefined && others.length === 0 && manifest.artifactType === MEDIA_TYPES.kit) return list;
  throw invalid("the kit's manifest holds no list of what is in it", `${lists.length} lists`, "one");
}

/**
 * What a kit's manifest holds has to be what its list names, or two readers would see two kits.
 *
 * @throws CountersignError `layout-invalid`.
 */
export function checkKitManifest(manifest: ImageManifest, list: KitList): void {
  const named = new Map(kitBlobs(list).map(({ digest, size }) => [digest, size]));
  const held = manifest.layers.filter((layer) => !isList(layer));
  const stranger = held.find(({ digest, size }) => named.get(digest) !== size);
  if (stranger !== undefined)
    throw invalid("the kit holds trust material that its list does not name", stranger.digest);
  const missing = [...named.keys()].find((digest) => !held.some((layer) => layer.digest === digest));
  if (missing !== undefined) throw invalid("the kit lacks trust material that its list names", "nothing", missing);
}

function isList({ mediaType }: Descriptor): boolean {
  return mediaType === MEDIA_TYPES.kitList;
}

/**
 * Reads a kit's list strictly: one version, no unknown members, counts bounded, every name in its one spelling.
 *
 * @throws CountersignError `layout-invalid` that names the entry, or `limit-reached`.
 */
export function parseKitList(bytes: Uint8Array): KitList {
  return asKit(() => {
    const json = parseJsonObject(bytes, READING);
    const version = json["kitVersion"];
    if (version !== VERSION && version !== VERSION_WITH_POLICY && version !== VERSION_WITH_INDEX) {
      throw invalid("the kit is of another version", describeVersion(version), `${VERSION} to ${VERSION_WITH_INDEX}`);
    }
    const more = version === VERSION ? [] : ["policy"];
    const hasPolicy = version === VERSION_WITH_POLICY || (version !== VERSION && json["policy"] !== undefined);
    requireClosed(json, WHAT, ["kitVersion", "createdAt", "images", "attached", "trust", ...more]);
    const list = {
      createdAt: readTime(json, "createdAt", WHAT),
      images: readList(json, "images", LIMITS.indexEntries, version === VERSION_WITH_INDEX ? readPlatform : readImage),
      attached: readList(json, "attached", LIMITS.indexEntries, readDigest),
      trust: readList(json, "trust", LIMITS.trustInstances, readTrust),
      ...(hasPolicy ? { policy: readPolicy(json["policy"], `the policy of ${WHAT}`) } : {}),
    };
    if (version === VERSION_WITH_INDEX && indexesIn(list.images).length === 0) {
      throw invalid("the kit is of the version that has the index of a platform", "none", "one");
    }
    refuseTwice(list.images.map(kitImageName), "image");
    refuseStrayHead(list.images);
    refuseTwice(list.attached, "attached manifest");
    refuseTwice(
      list.trust.map(({ name }) => name ?? ""),
      "trust root",
    );
    return list;
  });
}

/** Trust metadata is proven where an image is reached by it; without one it would take the place of the real one unseen. */
function refuseStrayHead(images: readonly KitImage[]): void {
  const proven = new Set(images.filter((image) => !isHead(image)).map(({ repository }) => repository));
  const stray = images.find((image) => isHead(image) && !proven.has(image.repository));
  if (stray === undefined) return;
  throw invalid(`${WHAT} names signed tags of a repository of which it has no image`, kitImageName(stray), "one");
}

/** The readers of members know signatures only. */
function asKit<Value>(read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof CountersignError) || error.code === "limit-reached" || error.code === "layout-invalid") {
      throw error;
    }
    const { found, wanted, cause } = error;
    throw new CountersignError("layout-invalid", error.message, { found, wanted, cause });
  }
}

function describeVersion(value: JsonValue | undefined): string {
  return typeof value === "number" ? `version ${value}` : describeValue(value);
}

function readList<T>(
  json: JsonObject,
  name: string,
  max: number,
  read: (value: JsonValue, where: string) => T,
  where: string = WHAT,
): readonly T[] {
  return optionalList(json, name, where, max).map((value, at) => read(value, `${name}[${at}] of ${where}`));
}

function refuseTwice(names: readonly string[], what: string): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw invalid(`${WHAT} names one ${what} twice`, name === "" ? "one without a name" : name);
    seen.add(name);
  }
}

const IMAGE_MEMBERS = ["repository", "tag", "manifest"];

function readImage(value: JsonValue, where: string): KitImage {
  return imageFrom(requireClosed(value, where, IMAGE_MEMBERS), where);
}

function readPlatform(value: JsonValue, where: string): KitImage {
  const json = requireClosed(value, where, [...IMAGE_MEMBERS, "index"]);
  const image = imageFrom(json, where);
  if (json["index"] === undefined) return image;
  return { ...image, index: readManifest(json["index"], `the index of ${where}`) };
}

function imageFrom(json: JsonObject, where: string): KitImage {
  return {
    repository: readOptional(json, "repository", where, requireRepository),
    tag: readOptional(json, "tag", where, requireTag),
    manifest: readManifest(json["manifest"], `the manifest of ${where}`),
  };
}

function readManifest(value: JsonValue | undefined, where: string): Descriptor {
  const entry = requireClosed(value, where, ["mediaType", "digest", "size"]);
  const mediaType = requireString(entry, "mediaType", where);
  if (!isManifestType(mediaType)) throw invalid(`${where} is no image`, mediaType, MEDIA_TYPES.ociManifest);
  return { mediaType, ...readBlob(entry, where) };
}

function requireRepository(text: string, where: string): string {
  const canonical = orUndefined(() => repositoryName(parseRepository(text)));
  if (canonical === text) return text;
  throw invalid(`the repository of ${where} is not one`, text, canonical ?? "registry.example/acme/app");
}

function requireTag(text: string, where: string): string {
  if (orUndefined(() => parseReference(`registry.example/a:${text}`).tag) === text) return text;
  throw invalid(`the tag of ${where} is not one`, text, "letters, digits, '_', '.', '-', at most 128");
}

function orUndefined<Value>(read: () => Value): Value | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function readPolicy(value: JsonValue | undefined, where: string): KitPolicy {
  const json = requireClosed(value, where, ["file", ...BLOB_MEMBERS]);
  return { file: requireString(json, "file", where), ...readBlob(json, where) };
}

function readTrust(value: JsonValue, where: string): KitTrust {
  const json = requireClosed(value, where, [
    ...["name", "mirror", "file", "trustedRoot", "demands", "fetchedAt", "expires", "roles", "tuf"],
  ]);
  const demands = requireClosed(json["demands"], `the demands of ${where}`, ["logs", "certificateLogs", "timestamps"]);
  return {
    name: readOptional(json, "name", where),
    source: readSource(json, where),
    trustedRoot: readBlob(requireClosed(json["trustedRoot"], `the trustedRoot of ${where}`, BLOB_MEMBERS), where),
    demands: {
      logs: readCount(demands, "logs", where),
      certificateLogs: readCount(demands, "certificateLogs", where),
      timestamps: readCount(demands, "timestamps", where),
    },
    fetchedAt: json["fetchedAt"] === undefined ? undefined : readTime(json, "fetchedAt", where),
    expires: json["expires"] === undefined ? undefined : readTime(json, "expires", where),
    roles: readList(json, "roles", MOST_ROLES, readRole, where),
    tuf: json["tuf"] === undefined ? undefined : readMetadata(json["tuf"], `the tuf of ${where}`),
  };
}

const BLOB_MEMBERS = ["digest", "size"];
/** Timestamp, snapshot, targets, and what they delegate to. */
const MOST_ROLES = LIMITS.tufDelegations + 4;

function readSource(json: JsonObject, where: string): KitTrust["source"] {
  const mirror = readOptional(json, "mirror", where);
  const file = readOptional(json, "file", where);
  if (mirror !== undefined && file === undefined) return { kind: "tuf", mirror };
  if (file !== undefined && mirror === undefined) return { kind: "file", file };
  throw invalid(`${where} does not say where it is from`, mirror === undefined ? "nothing" : "both", "mirror or file");
}

function readRole(value: JsonValue, where: string): KitRole {
  const json = requireClosed(value, where, ["role", "version", "expires"]);
  return {
    role: requireString(json, "role", where),
    version: readCount(json, "version", where),
    expires: readTime(json, "expires", where),
  };
}

function readMetadata(value: JsonValue, where: string): KitMetadata {
  const json = requireClosed(value, where, ["roots", "roles"]);
  const root = (one: JsonValue, at: string) => readBlob(requireClosed(one, at, BLOB_MEMBERS), at);
  const role = (one: JsonValue, at: string) => {
    const entry = requireClosed(one, at, ["role", ...BLOB_MEMBERS]);
    return { role: requireString(entry, "role", at), ...readBlob(entry, at) };
  };
  const metadata = {
    roots: readList(json, "roots", LIMITS.tufRootSteps, root, where),
    roles: readList(json, "roles", MOST_ROLES, role, where),
  };
  refuseTwice(
    metadata.roles.map((one) => one.role),
    "role",
  );
  return metadata;
}

function readBlob(json: JsonObject, where: string): KitBlob {
  return { digest: readDigest(json["digest"], where), size: readCount(json, "size", where) };
}

function readDigest(value: JsonValue | undefined, where: string): Digest {
  if (typeof value === "string" && isDigest(value)) return value;
  throw invalid(`${where} has no digest`, typeof value === "string" ? value : describeValue(value), "sha256:…");
}

function readCount(json: JsonObject, name: string, where: string): number {
  const value = json[name];
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw invalid(`"${name}" of ${where} is no number`, describeValue(value), "a whole number");
}

function readTime(json: JsonObject, name: string, where: string): Instant {
  const text = requireString(json, name, where);
  const time = parseInstant(text);
  if (time !== undefined) return time;
  throw invalid(`"${name}" of ${where} is not a time`, text, "2026-01-01T00:00:00Z");
}

function readOptional(
  json: JsonObject,
  name: string,
  where: string,
  check: (text: string, where: string) => string = (text) => text,
): string | undefined {
  if (json[name] === undefined) return undefined;
  const text = requireString(json, name, where);
  if (text !== "") return check(text, where);
  throw invalid(`"${name}" of ${where} is empty`, "an empty text", "a name, or no such member");
}

function invalid(message: string, found: string, wanted?: string): CountersignError {
  return new CountersignError("layout-invalid", message, { found, wanted });
}
