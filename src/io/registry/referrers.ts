import { CountersignError } from "../../core/errors.ts";
import { isObject, type JsonObject, type JsonValue, parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Descriptor } from "../../core/oci/descriptor.ts";
import { type Digest, digestAlgorithm, digestOf, isDigest } from "../../core/oci/digest.ts";
import { parseDescriptor } from "../../core/oci/manifest.ts";
import { bareType, MEDIA_TYPES } from "../../core/oci/media-types.ts";
import { fallbackTag, uncutFallbackTag } from "../../core/oci/referrers.ts";
import type { ReferrersListing } from "../../core/ports.ts";
import { pages, tooMany } from "./pages.ts";
import { fetchManifest } from "./pull.ts";
import type { Session } from "./session.ts";

const WHAT = "the list of referrers";

/**
 * What refers to `subject`: by the referrers API, or on registries without it by the tag schema (distribution-spec,
 * "Listing Referrers"). Which it is, is remembered of the repository in memory and of the registry on disk. The memory
 * on disk only decides what is asked first: it is never concluded from it that there is nothing, unless the caller is sparing.
 */
export async function listReferrers(session: Session, subject: Digest, isSparing: boolean): Promise<ReferrersListing> {
  const { pool, name, registry } = session;
  const seen = pool.referrersApi.get(name);
  const remembered = seen === undefined && (await pool.capabilities.lacks(registry, "referrers-api"));
  const isEnough = seen === "lacking" || (remembered && isSparing);
  if (isEnough) return (await byTag(session, subject, isSparing)) ?? nothing("referrers-tag");
  const tagged = remembered ? await byTag(session, subject, isSparing) : undefined;
  if (tagged !== undefined) {
    return { ...tagged, rest: async () => (await askApi(session, subject)) ?? nothing("referrers-api") };
  }
  const answer = await (isSparing ? askInTurn(session, subject) : askApi(session, subject));
  if (answer !== undefined) return answer;
  return (remembered ? undefined : await byTag(session, subject, isSparing)) ?? nothing("referrers-tag");
}

/** As `askApi`. While it is not known whether there is the API, one asks and the others wait: they may not have to. */
async function askInTurn(session: Session, subject: Digest): Promise<ReferrersListing | undefined> {
  const { pool, name } = session;
  const first = await pool.inTurn(`${name} referrers`, async () =>
    pool.referrersApi.has(name) ? undefined : { answer: await askApi(session, subject) },
  );
  if (first !== undefined) return first.answer;
  return pool.referrersApi.get(name) === "lacking" ? undefined : await askApi(session, subject);
}

/** What the API lists, undefined where there is none; remembered either way. */
async function askApi(session: Session, subject: Digest): Promise<ReferrersListing | undefined> {
  const answer = await byApi(session, subject);
  if (answer === "no-repository") return undefined;
  await noteReferrersApi(session, answer === "lacking" ? "lacking" : "there");
  return answer === "lacking" ? undefined : answer;
}

/**
 * Whether a manifest is listed by the referrers API of a registry that says so in its answer (`OCI-Subject`). It is asked only
 * where the API was found to be lacking: ECR sent the header before it had one.
 */
export async function isListedByApi(session: Session, manifest: Digest, subject: Digest): Promise<boolean> {
  const { pool, name, registry } = session;
  const seen = pool.referrersApi.get(name);
  const isDoubtful = seen === "lacking" || (await pool.capabilities.lacks(registry, "referrers-api"));
  if (!isDoubtful) {
    pool.referrersApi.set(name, "there");
    return true;
  }
  const answer = await askApi(session, subject);
  return answer?.descriptors.some(({ digest }) => digest === manifest) === true;
}

async function noteReferrersApi({ pool, name, registry }: Session, state: "there" | "lacking"): Promise<void> {
  pool.referrersApi.set(name, state);
  await pool.capabilities.note(registry, "referrers-api", state);
}

function nothing(via: ReferrersListing["via"]): ReferrersListing {
  return { descriptors: [], via };
}

/**
 * The API's answer. `lacking` where the registry does not have it, `no-repository` where that is all that is known:
 * 404, 400, 405 and 406, an answer of another type, a redirect to another host (GHCR sends one to a web page). Anything
 * else that is not a listing is an error: throttled or denied is not "no referrers".
 */
async function byApi(session: Session, subject: Digest): Promise<ReferrersListing | "lacking" | "no-repository"> {
  const headers = { accept: MEDIA_TYPES.ociIndex };
  const expect = [200, 400, 404, 405, 406];
  const request = {
    method: "GET",
    path: `referrers/${subject}`,
    what: WHAT,
    headers,
    expect,
    sameHostOnly: true,
  } as const;
  const found: Descriptor[] = [];
  let bytes = 0;
  for await (const page of pages(session, request, LIMITS.referrerPages)) {
    const isListing = page.status === 200 && page.contentType === MEDIA_TYPES.ociIndex;
    if (!isListing && found.length > 0) throw brokenListing("a page of it is none", `status ${page.status}`);
    if (!isListing) return page.error?.code === "NAME_UNKNOWN" ? "no-repository" : "lacking";
    bytes += page.bytes.byteLength;
    if (bytes > LIMITS.referrerBytes) throw tooManyBytes(bytes);
    found.push(...descriptorsIn(parseListing(page.bytes)));
    if (found.length > LIMITS.referrerEntries) throw tooManyEntries(found.length);
  }
  return { descriptors: found, via: "referrers-api" };
}

/**
 * undefined where there is no such tag. Both forms of a tag for a digest that is longer than a tag may be. What a sparing caller
 * saw is kept for what it writes: the tag may be answered by a replica that lags.
 */
async function byTag(session: Session, subject: Digest, isSparing: boolean): Promise<ReferrersListing | undefined> {
  const tags = new Set([fallbackTag(subject), uncutFallbackTag(subject)].filter((tag) => tag.length <= 128));
  const found = new Map<Digest, Descriptor>();
  let isThere = false;
  for (const tag of tags) {
    const tagged = await readFallbackTag(session, subject, tag);
    if (tagged === undefined) continue;
    isThere = true;
    if (isSparing) session.pool.listed.set(`${session.name}:${tag}`, tagged.index);
    for (const descriptor of descriptorsIn(tagged.index)) found.set(descriptor.digest, descriptor);
  }
  return isThere ? { descriptors: [...found.values()], via: "referrers-tag" } : undefined;
}

/** The index under a fallback tag, as it is to be written again: with everything in it that is not understood here. */
export interface FallbackIndex {
  readonly index: JsonObject;
  readonly etag: string | undefined;
}

/**
 * The index under the tag. undefined where there is none, and where the tag names something else: GitLab resolves
 * `sha256-<hex>` to the subject itself.
 */
export async function readFallbackTag(
  session: Session,
  subject: Digest,
  tag: string,
): Promise<FallbackIndex | undefined> {
  const fetched = await fetchManifest(session, tag);
  if (fetched === undefined) return undefined;
  const { bytes, etag } = fetched;
  if (digestOf(bytes, digestAlgorithm(subject)) === subject) return undefined;
  const index = parseListing(bytes);
  const stated = typeof index["mediaType"] === "string" ? bareType(index["mediaType"]) : fetched.contentType;
  if (stated !== MEDIA_TYPES.ociIndex) return undefined;
  return { index, etag };
}

function parseListing(bytes: Uint8Array): JsonObject {
  return parseJsonObject(bytes, { what: WHAT, code: "protocol-error", maxBytes: LIMITS.manifestBytes });
}

/** The entries as JSON. @throws CountersignError `protocol-error`, `limit-reached`. */
export function entriesIn(index: JsonObject): readonly JsonValue[] {
  const entries = index["manifests"] ?? [];
  if (!Array.isArray(entries)) throw brokenListing('"manifests" is no list', typeof entries);
  if (entries.length > LIMITS.referrerEntries) throw tooManyEntries(entries.length);
  return entries;
}

/** An entry whose digest is of an algorithm that is not known here cannot be checked, so it is no evidence. */
function descriptorsIn(index: JsonObject): readonly Descriptor[] {
  return entriesIn(index).flatMap((entry, at) => {
    const digest = isObject(entry) ? entry["digest"] : undefined;
    const isForeign = typeof digest === "string" && !isDigest(digest) && !/^sha(?:256|512):/.test(digest);
    return isForeign ? [] : [entryDescriptor(entry, `manifests[${at}]`)];
  });
}

function entryDescriptor(entry: JsonValue, where: string): Descriptor {
  try {
    return parseDescriptor(entry, where);
  } catch (thrown) {
    if (!(thrown instanceof CountersignError) || thrown.code !== "manifest-invalid") throw thrown;
    throw brokenListing(thrown.message, thrown.found ?? where, thrown);
  }
}

function brokenListing(why: string, found: string, cause?: unknown): CountersignError {
  const wanted = "an index of descriptors";
  return new CountersignError("protocol-error", `${WHAT} cannot be read: ${why}`, { found, wanted, cause });
}

function tooManyBytes(count: number): CountersignError {
  return tooMany(WHAT, `${count} bytes`, `at most ${LIMITS.referrerBytes} bytes`);
}

function tooManyEntries(count: number): CountersignError {
  return tooMany(WHAT, `${count} entries`, `at most ${LIMITS.referrerEntries} entries`);
}
