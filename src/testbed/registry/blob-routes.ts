import type { Digest } from "../../core/oci/digest.ts";
import { emptyReply, ProtocolError, type Reply } from "../reply.ts";
import type { StoredBlob } from "./blobs.ts";
import { dropUnheld, entityTag, matchesTag, methodNotAllowed, type RegistryRequest, type World } from "./world.ts";

/** `/v2/<name>/blobs/<digest>` */
export function serveBlob(world: World, request: RegistryRequest, repository: string, digest: Digest): Reply {
  const { method } = request;
  if (method !== "GET" && method !== "HEAD" && method !== "DELETE") return methodNotAllowed("GET", "HEAD", "DELETE");
  const blob = world.repositories.hasBlob(repository, digest) ? world.blobs.open(digest) : undefined;
  if (blob === undefined) throw unknownBlob(world, repository);
  if (method === "DELETE") {
    world.repositories.change({ op: "delete-blob", repository, digest });
    dropUnheld(world, digest);
    return emptyReply(202);
  }
  return read(blob, digest, request);
}

function unknownBlob(world: World, repository: string): ProtocolError {
  return world.repositories.has(repository)
    ? new ProtocolError(404, "BLOB_UNKNOWN", "blob unknown to this repository")
    : new ProtocolError(404, "NAME_UNKNOWN", "repository unknown to this registry");
}

function read(blob: StoredBlob, digest: Digest, request: RegistryRequest): Reply {
  const headers = {
    "Accept-Ranges": "bytes",
    "Cache-Control": "max-age=31536000, immutable",
    "Content-Type": "application/octet-stream",
    "Docker-Content-Digest": digest,
    ETag: entityTag(digest),
  };
  const condition = request.headers["if-none-match"];
  if (condition !== undefined && matchesTag(condition, digest)) return emptyReply(304, headers);
  const range = request.method === "GET" ? parseRange(request.headers.range, blob.size) : undefined;
  if (range === "unsatisfiable") {
    throw new ProtocolError(416, "SIZE_INVALID", "the range is not in the blob", {
      "Content-Range": `bytes */${blob.size}`,
    });
  }
  if (range === undefined) return { status: 200, headers, content: part(blob, 0, blob.size - 1) };
  const [start, end] = range;
  return {
    status: 206,
    headers: { ...headers, "Content-Range": `bytes ${start}-${end}/${blob.size}` },
    content: part(blob, start, end),
  };
}

function part(blob: StoredBlob, start: number, end: number): Reply["content"] {
  return { size: end - start + 1, read: () => blob.read(start, end) };
}

/**
 * RFC 9110, 14.1.2: one range of bytes. A list of ranges, or another unit, is ignored as 14.2 allows; a range that is
 * empty or begins after the end is unsatisfiable.
 */
export function parseRange(
  header: string | undefined,
  size: number,
): readonly [number, number] | "unsatisfiable" | undefined {
  const [whole, from = "", to = ""] = /^bytes=([0-9]*)-([0-9]*)$/.exec(header ?? "") ?? [];
  if (whole === undefined || (from === "" && to === "")) return undefined;
  if (from === "") {
    const suffix = Math.min(Number(to), size);
    return suffix === 0 ? "unsatisfiable" : [size - suffix, size - 1];
  }
  const start = Number(from);
  const end = to === "" ? size - 1 : Math.min(Number(to), size - 1);
  return start > end ? "unsatisfiable" : [start, end];
}
