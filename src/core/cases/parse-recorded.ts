import { decodeBase64, encodeUtf8 } from "../bytes.ts";
import { CountersignError, type Finding } from "../errors.ts";
import type { EvidenceFormat, Origin, UntrustedCandidate } from "../formats/envelope.ts";
import {
  describeValue,
  isPresent,
  malformed,
  optionalList,
  requireClosed,
  requireObject,
  requireOneOf,
  requireString,
} from "../formats/members.ts";
import { type JsonObject, type JsonValue, parseJsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { checkBytes } from "../oci/descriptor.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import { type Manifest, parseDescribedManifest } from "../oci/manifest.ts";
import { parseReference, parseRepository, repositoryName } from "../oci/reference.ts";
import { REASONS, type ReasonCode } from "../reasons.ts";
import { type Instant, parseInstant } from "../time.ts";
import { RECORDED_VERSION, type RecordedImage, type RecordedSubject, type RecordedTrust } from "./recorded.ts";

const WHAT = "the recorded evidence";
/** Content that is JSON lies five levels down, and may itself be as deep as JSON gets. */
const DEPTH = LIMITS.jsonDepth + 5;
const READING = { code: "configuration-invalid", maxBytes: LIMITS.recordedBytes, maxDepth: DEPTH } as const;

/**
 * Reads recorded evidence strictly: one version, no unknown members, counts bounded, every digest checked. `label` is what
 * the file is called in errors.
 *
 * @throws CountersignError `configuration-invalid`, or `limit-reached`.
 */
export function parseRecorded(bytes: Uint8Array, label: string): RecordedImage {
  try {
    return readImage(parseJsonObject(bytes, { ...READING, what: WHAT }));
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error;
    const { message, found, wanted, cause } = error;
    const code = error.code === "limit-reached" ? "limit-reached" : "configuration-invalid";
    throw new CountersignError(code, `${label}: ${message}`, { found, wanted, next: NEXT, cause });
  }
}

const NEXT = "record it again: countersign policy test --record IMAGE";

function readImage(json: JsonObject): RecordedImage {
  const version = json["recordedVersion"];
  if (version !== RECORDED_VERSION) {
    const found = typeof version === "number" ? `version ${version}` : describeValue(version);
    throw malformed(`${WHAT} is of another version`, found, `version ${RECORDED_VERSION}`);
  }
  requireClosed(json, WHAT, ["recordedVersion", "image", "recordedAt", "trust", "manifest", "subjects"]);
  const image = requireClosed(json["image"], `the image of ${WHAT}`, ["repository", "tag"]);
  const manifest = readManifest(json["manifest"]);
  return {
    repository: optionalName(image, "repository", (text) => repositoryName(parseRepository(text))),
    tag: optionalName(image, "tag", (text) => parseReference(`registry.example/a:${text}`).tag),
    recordedAt: readTime(requireString(json, "recordedAt", WHAT)),
    trust: readList(json, "trust", LIMITS.trustInstances, readTrust),
    manifest,
    subjects: readSubjects(json, manifest),
  };
}

function readTrust(value: JsonValue, where: string): RecordedTrust {
  const json = requireClosed(value, where, ["name", "demands"]);
  const demands = requireClosed(json["demands"], `the demands of ${where}`, ["logs", "certificateLogs", "timestamps"]);
  return {
    ...(json["name"] !== undefined && { name: readInstance(requireString(json, "name", where), where) }),
    demands: {
      logs: readCount(demands, "logs", where),
      certificateLogs: readCount(demands, "certificateLogs", where),
      timestamps: readCount(demands, "timestamps", where),
    },
  };
}

/** It becomes the name of a file. */
function readInstance(name: string, where: string): string {
  if (/^[a-z0-9][a-z0-9._-]{0,62}$/.test(name)) return name;
  throw malformed(`the name of ${where} is none of a trust instance`, name, "sigstore");
}

function readManifest(value: JsonValue | undefined): Manifest {
  const where = `the manifest of ${WHAT}`;
  const json = requireClosed(value, where, ["mediaType", "digest", "size", ...CONTENT]);
  const { size } = json;
  if (typeof size !== "number") throw malformed(`${where} has no size`, describeValue(size), "a number of bytes");
  const descriptor = { mediaType: requireString(json, "mediaType", where), digest: readDigest(json, where), size };
  return parseDescribedManifest(readContent(json, where), descriptor);
}

/** The image first, then nothing but what its index lists, each once: evidence about something else is somebody's slip. */
function readSubjects(json: JsonObject, { descriptor, ...manifest }: Manifest): readonly RecordedSubject[] {
  const subjects = readList(json, "subjects", LIMITS.indexEntries + 1, readSubject);
  const listed = manifest.kind === "index" ? manifest.manifests.map((entry) => entry.digest) : [];
  const rest = new Set<Digest>(listed);
  for (const [at, { digest }] of subjects.entries()) {
    if (at === 0 ? digest === descriptor.digest : rest.delete(digest)) continue;
    const wanted = at === 0 ? descriptor.digest : "what the image's index lists, each once";
    throw malformed(`subjects[${at}] of ${WHAT} is not of this image`, digest, wanted);
  }
  if (subjects.length > 0) return subjects;
  throw malformed(`${WHAT} has no subject`, "none", descriptor.digest);
}

function readSubject(value: JsonValue, where: string): RecordedSubject {
  const json = requireClosed(value, where, ["digest", "candidates", "obstacles"]);
  return {
    digest: readDigest(json, where),
    candidates: readList(json, "candidates", LIMITS.candidates, readCandidate, where),
    obstacles: readList(json, "obstacles", LIMITS.candidates, readObstacle, where),
  };
}

// --- candidates -------------------------------------------------------------------------------------------------------

const FORMATS: readonly EvidenceFormat[] = ["bundle", "cosign-legacy", "cosign-attestation"];

function readCandidate(value: JsonValue, where: string): UntrustedCandidate {
  const format = oneOf(FORMATS, requireObject(value, where)["format"], `the format of ${where}`);
  const layer = format === "bundle" ? [] : ["mediaType", "annotations"];
  const json = requireClosed(value, where, ["format", "origin", ...layer, "digest", ...CONTENT]);
  const origin = readOrigin(json["origin"], `the origin of ${where}`);
  const bytes = readContent(json, where);
  checkBytes(bytes, { digest: readDigest(json, where), size: bytes.byteLength }, where);
  if (format === "bundle") return { format, origin, bytes };
  const stored = { origin, mediaType: requireString(json, "mediaType", where), annotations: readPairs(json, where) };
  return format === "cosign-legacy" ? { format, ...stored, payload: bytes } : { format, ...stored, envelope: bytes };
}

const PLACES: readonly Origin["via"][] = [
  ...(["referrers-api", "referrers-tag", "layout", "sig-tag", "att-tag", "github-api", "file"] as const),
];

function readOrigin(value: JsonValue | undefined, where: string): Origin {
  const json = requireClosed(value, where, ["via", "manifest", "layer"]);
  const { manifest, layer } = json;
  return {
    via: oneOf(PLACES, json["via"], `"via" of ${where}`),
    ...(manifest !== undefined && { manifest: readDigest({ digest: manifest }, where) }),
    ...(layer !== undefined && { layer: readCount(json, "layer", where) }),
  };
}

function readPairs(json: JsonObject, where: string): Readonly<Record<string, string>> {
  const pairs = Object.entries(requireObject(json["annotations"], `the annotations of ${where}`));
  if (pairs.length > LIMITS.annotations) throw tooMany("annotations", where, pairs.length, LIMITS.annotations);
  return Object.fromEntries(pairs.map(([name, value]) => [name, readText(value, `${name} of ${where}`)]));
}

const CONTENT = ["json", "text", "base64"] as const;

function readContent(json: JsonObject, where: string): Uint8Array {
  // `null` may be what was stored; to the reader of members it is nothing.
  const kind = json["json"] === null ? "json" : requireOneOf(json, CONTENT, where);
  if (kind === "json") return encodeUtf8(JSON.stringify(json["json"]));
  const text = requireString(json, kind, where);
  const bytes = kind === "text" ? encodeUtf8(text) : decodeBase64(text);
  if (bytes !== undefined) return bytes;
  throw malformed(`"base64" of ${where} is not base64`, "something else", "standard base64 with padding");
}

// --- obstacles --------------------------------------------------------------------------------------------------------

function readObstacle(value: JsonValue, where: string): Finding {
  const json = requireClosed(value, where, ["code", "message", ...PARTICULARS]);
  const said = PARTICULARS.filter((name) => isPresent(json[name])).map((name) => [
    name,
    requireString(json, name, where),
  ]);
  return {
    code: oneOf(Object.keys(REASONS) as ReasonCode[], json["code"], `the code of ${where}`),
    message: requireString(json, "message", where),
    ...Object.fromEntries(said),
  };
}

const PARTICULARS = ["found", "wanted", "next"] as const;

// --- members ----------------------------------------------------------------------------------------------------------

function readList<Item>(
  json: JsonObject,
  name: string,
  max: number,
  read: (value: JsonValue, where: string) => Item,
  where: string = WHAT,
): readonly Item[] {
  return optionalList(json, name, where, max).map((value, at) => read(value, `${name}[${at}] of ${where}`));
}

function oneOf<Name extends string>(names: readonly Name[], value: JsonValue | undefined, where: string): Name {
  const known = names.find((name) => name === value);
  if (known !== undefined) return known;
  throw malformed(`${where} is unknown`, typeof value === "string" ? value : describeValue(value), names.join(", "));
}

function readText(value: JsonValue, where: string): string {
  if (typeof value === "string") return value;
  throw malformed(`${where} is not a text`, describeValue(value), "a text");
}

function readCount(json: JsonObject, name: string, where: string): number {
  const value = json[name];
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  throw malformed(`"${name}" of ${where} is no number`, describeValue(value), "a whole number");
}

function readDigest(json: JsonObject, where: string): Digest {
  const { digest } = json;
  if (typeof digest === "string" && isDigest(digest)) return digest;
  throw malformed(`${where} has no digest`, typeof digest === "string" ? digest : describeValue(digest), "sha256:…");
}

function readTime(text: string): Instant {
  const time = parseInstant(text);
  if (time !== undefined) return time;
  throw malformed(`"recordedAt" of ${WHAT} is not a time`, text, "2026-01-01T00:00:00Z");
}

/** In its one spelling. */
function optionalName(
  json: JsonObject,
  name: string,
  canonical: (text: string) => string | undefined,
): string | undefined {
  if (!isPresent(json[name])) return undefined;
  const text = requireString(json, name, WHAT);
  const wanted = canonical(text);
  if (wanted === text) return text;
  throw malformed(`the ${name} of ${WHAT} is not one`, text, wanted ?? `a ${name}`);
}

function tooMany(what: string, where: string, found: number, wanted: number): CountersignError {
  return new CountersignError("limit-reached", `${where} has too many ${what}`, {
    found: String(found),
    wanted: `at most ${wanted}`,
  });
}
