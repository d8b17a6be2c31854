import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Descriptor } from "../../core/oci/descriptor.ts";
import { type Digest, digestAlgorithm, digestOf } from "../../core/oci/digest.ts";
import { artifactTypeOf, childrenOf, type Manifest, parseManifest } from "../../core/oci/manifest.ts";
import { emptyReply, errorReply, ProtocolError, type Reply } from "../reply.ts";
import type { StoredManifest } from "./repositories.ts";
import { checkTag, type Target } from "./routes.ts";
import {
  dropUnheld,
  entityTag,
  manifestPath,
  matchesTag,
  methodNotAllowed,
  type RegistryRequest,
  readAll,
  type World,
} from "./world.ts";

/** `/v2/<name>/manifests/<reference>` */
export async function serveManifest(
  world: World,
  request: RegistryRequest,
  repository: string,
  target: Target,
): Promise<Reply> {
  switch (request.method) {
    case "GET":
    case "HEAD":
      return read(world, request, repository, target);
    case "PUT":
      return await write(world, request, repository, target);
    case "DELETE":
      return remove(world, repository, target);
    default:
      return methodNotAllowed("GET", "HEAD", "PUT", "DELETE");
  }
}

/** The stored bytes under their stored type; `Accept` is not weighed, as nothing is ever converted. */
function read(world: World, request: RegistryRequest, repository: string, target: Target): Reply {
  const manifest = find(world, repository, target);
  const bytes = world.blobs.open(manifest.digest);
  if (bytes === undefined) throw unknown(world, repository);
  const headers = {
    "Content-Type": manifest.mediaType,
    "Docker-Content-Digest": manifest.digest,
    ETag: entityTag(manifest.digest),
  };
  const condition = request.headers["if-none-match"];
  if (condition !== undefined && matchesTag(condition, manifest.digest)) return emptyReply(304, headers);
  return { status: 200, headers, content: { size: bytes.size, read: () => bytes.read(0, bytes.size - 1) } };
}

/** @throws ProtocolError 404. */
function find(world: World, repository: string, target: Target): StoredManifest {
  const digest = target.digest ?? world.repositories.tag(repository, target.tag);
  const manifest = digest === undefined ? undefined : world.repositories.manifest(repository, digest);
  if (manifest === undefined) throw unknown(world, repository);
  return manifest;
}

function unknown(world: World, repository: string): ProtocolError {
  return world.repositories.has(repository)
    ? new ProtocolError(404, "MANIFEST_UNKNOWN", "manifest unknown to this repository")
    : new ProtocolError(404, "NAME_UNKNOWN", "repository unknown to this registry");
}

async function write(world: World, request: RegistryRequest, repository: string, target: Target): Promise<Reply> {
  const bytes = await readBody(request);
  const digest = digestOf(bytes, target.digest === undefined ? "sha256" : digestAlgorithm(target.digest));
  if (target.digest !== undefined && target.digest !== digest) {
    return errorReply(400, "DIGEST_INVALID", `the manifest's digest is ${digest}`);
  }
  const parameters = target.digest === undefined ? [] : request.query.getAll("tag").map(checkTag);
  const manifest = parse(bytes, request.headers["content-type"] ?? "");
  checkChildren(world, repository, manifest);
  if (world.behaviour.conditionalPut) checkCondition(world, request, repository, target);
  world.blobs.put(digest, bytes);
  world.repositories.change({ op: "put-manifest", repository, manifest: describeManifest(manifest, digest) });
  for (const tag of target.tag === undefined ? parameters : [target.tag]) {
    world.repositories.change({ op: "put-tag", repository, tag, digest });
  }
  return emptyReply(201, {
    Location: manifestPath(repository, digest),
    "Docker-Content-Digest": digest,
    ...(manifest.subject === undefined || !world.behaviour.referrersApi
      ? {}
      : { "OCI-Subject": manifest.subject.digest }),
    ...(parameters.length === 0 ? {} : { "OCI-Tag": parameters }),
  });
}

/** Distribution-spec, "Pushing Manifests": 4 MiB are taken, more is refused with 413 and not read on. */
async function readBody(request: RegistryRequest): Promise<Uint8Array> {
  const tooLarge = new ProtocolError(413, "SIZE_INVALID", `a manifest has at most ${LIMITS.manifestBytes} bytes`);
  if (Number(request.headers["content-length"] ?? 0) > LIMITS.manifestBytes) throw tooLarge;
  const bytes = await readAll(request.body, LIMITS.manifestBytes);
  if (bytes === undefined) throw tooLarge;
  return bytes;
}

function parse(bytes: Uint8Array, contentType: string): Manifest {
  try {
    return parseManifest(bytes, contentType);
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error;
    const found = error.found === undefined ? "" : ` (${error.found})`;
    throw new ProtocolError(400, "MANIFEST_INVALID", `${error.message}${found}`);
  }
}

/**
 * Distribution-spec, "Pushing Manifests": what a manifest is made of must be here first. The subject need not be, nor
 * layers that are fetched from elsewhere (image-spec layer.md, "Non-Distributable Layers").
 */
function checkChildren(world: World, repository: string, manifest: Manifest): void {
  const missing = childrenOf(manifest).find((child) => !isHere(world, repository, child) && !isElsewhere(child));
  if (missing === undefined) return;
  throw new ProtocolError(400, "MANIFEST_BLOB_UNKNOWN", `the manifest refers to ${missing.digest}, unknown here`);
}

function isHere(world: World, repository: string, { digest }: Descriptor): boolean {
  const { repositories } = world;
  return repositories.hasBlob(repository, digest) || repositories.manifest(repository, digest) !== undefined;
}

function isElsewhere(child: Descriptor): boolean {
  const isForeign = /nondistributable|\.foreign\./.test(child.mediaType);
  return isForeign && child.urls !== undefined && child.urls.length > 0;
}

/** RFC 9110, 13.1.1 and 13.1.2: lets writers of one list find out that they were overtaken. */
function checkCondition(world: World, request: RegistryRequest, repository: string, target: Target): void {
  const { repositories } = world;
  const now =
    target.digest === undefined
      ? repositories.tag(repository, target.tag)
      : repositories.manifest(repository, target.digest)?.digest;
  const match = request.headers["if-match"];
  const noneMatch = request.headers["if-none-match"];
  if ((match === undefined || matchesTag(match, now)) && (noneMatch === undefined || !matchesTag(noneMatch, now)))
    return;
  throw new ProtocolError(412, "DENIED", "the manifest has changed meanwhile");
}

function remove(world: World, repository: string, target: Target): Reply {
  if (target.tag !== undefined) {
    if (world.repositories.tag(repository, target.tag) === undefined) throw unknown(world, repository);
    world.repositories.change({ op: "delete-tag", repository, tag: target.tag });
    return emptyReply(202);
  }
  const { digest } = find(world, repository, target);
  world.repositories.change({ op: "delete-manifest", repository, digest });
  dropUnheld(world, digest);
  return emptyReply(202);
}

/** What a manifest is listed as among the referrers of its subject (distribution-spec, "Listing Referrers"). */
export function describeManifest(manifest: Manifest, digest: Digest): StoredManifest {
  const artifactType = artifactTypeOf(manifest);
  return {
    digest,
    mediaType: manifest.descriptor.mediaType,
    size: manifest.bytes.byteLength,
    ...(manifest.subject === undefined ? {} : { subject: manifest.subject.digest }),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(Object.keys(manifest.annotations).length === 0 ? {} : { annotations: manifest.annotations }),
  };
}
