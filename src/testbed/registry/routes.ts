import { type Digest, isDigest } from "../../core/oci/digest.ts";
import { ProtocolError } from "../reply.ts";

/** Distribution-spec, "Endpoints": where a request is for. Names and references are already checked. */
export type Route =
  | { readonly kind: "ping" }
  | { readonly kind: "catalog" }
  | { readonly kind: "token" }
  | { readonly kind: "tags"; readonly repository: string }
  | { readonly kind: "manifest"; readonly repository: string; readonly target: Target }
  | { readonly kind: "blob"; readonly repository: string; readonly digest: Digest }
  | { readonly kind: "uploads"; readonly repository: string }
  | { readonly kind: "upload"; readonly repository: string; readonly id: string }
  | { readonly kind: "referrers"; readonly repository: string; readonly digest: Digest };

export type RouteKind = Route["kind"];

/** Distribution-spec, "Pulling manifests": `<reference>` is a digest or a tag. */
export type Target =
  | { readonly digest: Digest; readonly tag?: undefined }
  | { readonly tag: string; readonly digest?: undefined };

const NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;
const MAX_NAME = 255;
const TAG = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/** The last of these words in a path decides: they are also legal parts of a repository's name. */
const IN_REPOSITORY = /^\/v2\/(.+)\/(?:(tags)\/list|(manifests)\/([^/]+)|(referrers)\/([^/]+)|(blobs)\/([^/]+))$/;
const UPLOADS = /^\/v2\/(.+)\/blobs\/uploads(?:\/([^/]*))?$/;

/**
 * Names never become file names, and still everything but the specification's own grammar is refused.
 *
 * @throws ProtocolError 400 for a malformed name, tag or digest; undefined for a path that is no endpoint.
 */
export function findRoute(path: string): Route | undefined {
  if (path === "/v2/" || path === "/v2") return { kind: "ping" };
  if (path === "/v2/_catalog") return { kind: "catalog" };
  if (path === "/token") return { kind: "token" };
  const [upload, uploadName, id] = UPLOADS.exec(path) ?? [];
  if (upload !== undefined) {
    const repository = checkName(uploadName ?? "");
    return id === undefined || id === "" ? { kind: "uploads", repository } : { kind: "upload", repository, id };
  }
  const [whole, name, tags, manifests, reference, referrers, subject, blobs, digest] = IN_REPOSITORY.exec(path) ?? [];
  if (whole === undefined) return undefined;
  const repository = checkName(name ?? "");
  if (tags !== undefined) return { kind: "tags", repository };
  if (manifests !== undefined) return { kind: "manifest", repository, target: checkTarget(reference ?? "") };
  if (referrers !== undefined) return { kind: "referrers", repository, digest: checkDigest(subject ?? "") };
  if (blobs !== undefined) return { kind: "blob", repository, digest: checkDigest(digest ?? "") };
  return undefined;
}

export function isName(name: string): boolean {
  return name.length <= MAX_NAME && NAME.test(name);
}

function checkName(name: string): string {
  if (isName(name)) return name;
  throw new ProtocolError(400, "NAME_INVALID", "invalid repository name");
}

function checkTarget(reference: string): Target {
  return reference.includes(":") ? { digest: checkDigest(reference) } : { tag: checkTag(reference) };
}

/** @throws ProtocolError `TAG_INVALID`. */
export function checkTag(tag: string): string {
  if (TAG.test(tag)) return tag;
  throw new ProtocolError(400, "TAG_INVALID", "invalid tag");
}

/** @throws ProtocolError `DIGEST_INVALID` for anything but sha256 and sha512 in canonical form. */
export function checkDigest(digest: string): Digest {
  if (isDigest(digest)) return digest;
  throw new ProtocolError(400, "DIGEST_INVALID", "not a sha256 or sha512 digest");
}
