import type { IncomingHttpHeaders } from "node:http";
import type { Digest } from "../../core/oci/digest.ts";
import { errorReply, type Reply } from "../reply.ts";
import type { BlobStore } from "./blobs.ts";
import type { Repositories } from "./repositories.ts";
import type { Uploads } from "./uploads.ts";

/** How the registry behaves where the specification or the field leaves a choice. */
export interface Behaviour {
  /** Off: as CNCF distribution 2.8, 404 on the referrers API and no `OCI-Subject`. */
  readonly referrersApi: boolean;
  /** Off: `POST …?digest=` opens a session (202) and leaves its content unread, as the specification allows. */
  readonly singlePost: boolean;
  /** Entries on one page of referrers. */
  readonly referrersPageSize: number;
  /** Whether `If-Match` and `If-None-Match` on a manifest PUT count; the registries in use ignore them. */
  readonly conditionalPut: boolean;
}

/** What every handler works on. */
export interface World {
  readonly repositories: Repositories;
  readonly blobs: BlobStore;
  readonly uploads: Uploads;
  readonly behaviour: Behaviour;
}

/** A request as handlers see it. */
export interface RegistryRequest {
  readonly method: string;
  /** Decoded, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: AsyncIterable<Uint8Array>;
  /** Whether this client may read that repository too: a mount copies from it. */
  mayPull(repository: string): boolean;
}

export function methodNotAllowed(...allowed: readonly string[]): Reply {
  return errorReply(405, "UNSUPPORTED", "this method is not supported here", { Allow: allowed.join(", ") });
}

export function isRead(request: RegistryRequest): boolean {
  return request.method === "GET" || request.method === "HEAD";
}

/** Deletes the bytes that no repository holds any more. */
export function dropUnheld(world: World, digest: Digest): void {
  if (!world.repositories.isHeld(digest)) world.blobs.remove(digest);
}

/** RFC 9110, 8.8.3: what a digest names never changes, so it is its own entity tag. */
export function entityTag(digest: Digest): string {
  return `"${digest}"`;
}

/** RFC 9110, 13.1.2: whether a list of entity tags (or `*`) names this one. */
export function matchesTag(header: string, digest: Digest | undefined): boolean {
  if (digest === undefined) return false;
  return header.split(",").some((entry) => {
    const tag = entry.trim().replace(/^W\//, "");
    return tag === "*" || tag === entityTag(digest);
  });
}

export function blobPath(repository: string, digest: Digest): string {
  return `/v2/${repository}/blobs/${digest}`;
}

export function manifestPath(repository: string, digest: Digest): string {
  return `/v2/${repository}/manifests/${digest}`;
}

/** All of it, or undefined as soon as it is more than `maxBytes`. */
export async function readAll(source: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of source) {
    size += chunk.byteLength;
    if (size > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}
