import type { IncomingMessage } from "node:http";
import { emptyReply, errorReply, ProtocolError, type Reply } from "../reply.ts";
import type { Gatekeeper } from "./auth.ts";
import { serveBlob } from "./blob-routes.ts";
import { serveCatalog, serveReferrers, serveTags } from "./listings.ts";
import { serveManifest } from "./manifests.ts";
import { findRoute, type Route } from "./routes.ts";
import { serveUpload, serveUploads } from "./uploads.ts";
import { isRead, methodNotAllowed, type RegistryRequest, type World } from "./world.ts";

/** The path is decoded before it is matched: `sha256%3A…` is a digest too. */
export function readRequest(incoming: IncomingMessage, gatekeeper: Gatekeeper): RegistryRequest {
  // RFC 9112, 3.2.2: a proxy's absolute form is to be understood as well.
  const [rawPath = "", ...query] = (incoming.url ?? "").replace(/^https?:\/\/[^/?]*/i, "").split("?");
  return {
    method: incoming.method ?? "",
    path: decodePath(rawPath),
    query: new URLSearchParams(query.join("?")),
    headers: incoming.headers,
    // Left in the middle (413), the connection must live on to carry the answer.
    body: incoming.iterator({ destroyOnReturn: false }),
    mayPull: (repository) => gatekeeper.mayPull(incoming, repository),
  };
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** The answer to a request, whatever happens: an error of ours is told to `onError`, and to the client only as 500. */
export async function answerRequest(
  world: World,
  gatekeeper: Gatekeeper,
  request: RegistryRequest,
  onError: ((error: unknown) => void) | undefined,
): Promise<Reply> {
  try {
    const route = findRoute(request.path);
    const reply = route === undefined ? undefined : await serve(world, gatekeeper, request, route);
    return reply ?? errorReply(404, "UNSUPPORTED", "no such endpoint");
  } catch (error) {
    if (error instanceof ProtocolError) return error.reply;
    if (isBrokenUpload(error)) return errorReply(400, "BLOB_UPLOAD_INVALID", "the request's content ended early");
    onError?.(error);
    return errorReply(500, "UNKNOWN", "the registry failed");
  }
}

/** The client went away while it was sending: nobody is left to read the answer. */
function isBrokenUpload(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ECONNRESET" || code === "ERR_STREAM_PREMATURE_CLOSE";
}

async function serve(
  world: World,
  gatekeeper: Gatekeeper,
  request: RegistryRequest,
  route: Route,
): Promise<Reply | undefined> {
  if (route.kind === "token") return await gatekeeper.token(request);
  const refusal = gatekeeper.refuse(request, route);
  if (refusal !== undefined) return refusal;
  switch (route.kind) {
    case "ping":
      return isRead(request) ? emptyReply(200) : methodNotAllowed("GET", "HEAD");
    case "catalog":
      return serveCatalog(world, request);
    case "tags":
      return serveTags(world, request, route.repository);
    case "manifest":
      return await serveManifest(world, request, route.repository, route.target);
    case "blob":
      return serveBlob(world, request, route.repository, route.digest);
    case "uploads":
      return await serveUploads(world, request, route.repository);
    case "upload":
      return await serveUpload(world, request, route.repository, route.id);
    case "referrers":
      return serveReferrers(world, request, route.repository, route.digest);
  }
}
