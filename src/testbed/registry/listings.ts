import { LIMITS } from "../../core/limits.ts";
import type { Digest } from "../../core/oci/digest.ts";
import { MEDIA_TYPES } from "../../core/oci/media-types.ts";
import { contentOf, jsonReply, ProtocolError, type Reply } from "../reply.ts";
import type { StoredManifest } from "./repositories.ts";
import { isRead, methodNotAllowed, type RegistryRequest, type World } from "./world.ts";

/** `GET /v2/<name>/tags/list`, with `n` and `last` (distribution-spec, "Listing Tags"). */
export function serveTags(world: World, request: RegistryRequest, repository: string): Reply {
  if (!isRead(request)) return methodNotAllowed("GET", "HEAD");
  if (!world.repositories.has(repository)) {
    throw new ProtocolError(404, "NAME_UNKNOWN", "repository unknown to this registry");
  }
  const all = world.repositories.tags(repository).map(([tag]) => tag);
  const { page, link } = paginate(all, request);
  return jsonReply(200, { name: repository, tags: page }, link);
}

/** `GET /v2/_catalog`: not in the specification, but every registry's users know it from CNCF distribution. */
export function serveCatalog(world: World, request: RegistryRequest): Reply {
  if (!isRead(request)) return methodNotAllowed("GET", "HEAD");
  const { page, link } = paginate(world.repositories.names(), request);
  return jsonReply(200, { repositories: page }, link);
}

/** What comes after `last`, at most `n` names; `n=0` is an empty list without a link. */
function paginate(
  sorted: readonly string[],
  request: RegistryRequest,
): { page: readonly string[]; link: Reply["headers"] } {
  const wanted = request.query.get("n");
  if (wanted !== null && !/^[0-9]{1,9}$/.test(wanted)) {
    throw new ProtocolError(400, "PAGINATION_NUMBER_INVALID", "n is not a number");
  }
  const after = request.query.get("last");
  const rest = after === null ? sorted : sorted.filter((name) => name > after);
  const page = wanted === null ? rest : rest.slice(0, Number(wanted));
  const last = page.at(-1);
  if (last === undefined || wanted === null || page.length === rest.length) return { page, link: {} };
  return { page, link: linkTo(request, { n: wanted, last }) };
}

/** RFC 8288: the next page, relative, as clients must be able to resolve it. */
function linkTo(request: RegistryRequest, query: Readonly<Record<string, string>>): Reply["headers"] {
  return { Link: `<${request.path}?${new URLSearchParams(query)}>; rel="next"` };
}

/**
 * `GET /v2/<name>/referrers/<digest>` (distribution-spec, "Listing Referrers"): 200 and an index even where nothing
 * refers to the digest or nobody knows it. A page ends at the configured number of entries and below the size of the
 * largest manifest, and the next begins after the serial number of its last entry.
 */
export function serveReferrers(world: World, request: RegistryRequest, repository: string, subject: Digest): Reply {
  if (!world.behaviour.referrersApi) return absentApi();
  if (!isRead(request)) return methodNotAllowed("GET", "HEAD");
  const type = request.query.get("artifactType") ?? "";
  const after = request.query.get("after") ?? "0";
  const rest = world.repositories
    .referrers(repository, subject)
    .filter((entry) => entry.serial > Number(after) && (type === "" || entry.artifactType === type));
  const page = firstPage(rest, world.behaviour.referrersPageSize);
  const last = rest[page.length - 1];
  const more = last !== undefined && page.length < rest.length;
  const filter = type === "" ? {} : { artifactType: type };
  return jsonReply(
    200,
    { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: page },
    {
      "Content-Type": MEDIA_TYPES.ociIndex,
      ...(type === "" ? {} : { "OCI-Filters-Applied": "artifactType" }),
      ...(more ? linkTo(request, { ...filter, after: String(last.serial) }) : {}),
    },
  );
}

/** What CNCF distribution 2.8 says to a path it does not know. */
function absentApi(): Reply {
  const content = contentOf(Buffer.from("404 page not found\n"));
  return { status: 404, headers: { "Content-Type": "text/plain; charset=utf-8" }, content };
}

/** Leaves room for the envelope of the index. */
const PAGE_BYTES = LIMITS.manifestBytes - 1024;

function firstPage(manifests: readonly StoredManifest[], pageSize: number): readonly object[] {
  const page: object[] = [];
  let bytes = 0;
  for (const manifest of manifests.slice(0, pageSize)) {
    const { mediaType, digest, size, artifactType, annotations } = manifest;
    const descriptor = { mediaType, digest, size, artifactType, annotations };
    bytes += Buffer.byteLength(JSON.stringify(descriptor)) + 1;
    if (bytes > PAGE_BYTES && page.length > 0) break;
    page.push(descriptor);
  }
  return page;
}
