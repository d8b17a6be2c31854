import { CountersignError } from "../errors.ts";
import { type Digest, isDigest } from "./digest.ts";
import { formatReference, parseReference, type Reference } from "./reference.ts";

/** Where an image is or shall go: every `IMAGE`, `SRC`, `DST` and `--to` of the command line. */
export type Location =
  | { readonly kind: "registry"; readonly reference: Reference }
  | {
      readonly kind: "oci-layout" | "oci-archive" | "docker-archive";
      readonly path: string;
      readonly tag?: string | undefined;
      readonly digest?: Digest | undefined;
    }
  | { readonly kind: "docker-daemon"; readonly name: string };

const FILE_KINDS: ReadonlyMap<string, "oci-layout" | "oci-archive" | "docker-archive"> = new Map([
  ["oci", "oci-layout"],
  ["oci-archive", "oci-archive"],
  ["docker-archive", "docker-archive"],
] as const);

/** An engine's name of an image, or its id. It may not begin like an option: it is handed to the engine's own program. */
const ENGINE_NAME = /^[A-Za-z0-9[][A-Za-z0-9._:@/[\]-]*$/;

/**
 * `oci:DIR[:tag][@digest]`, `oci-archive:FILE[:tag][@digest]`, `docker-archive:FILE[:name:tag]`, `docker-daemon:NAME`, or
 * a registry reference. A tag in a path is what follows the last colon after the last slash; a digest decides over a tag.
 *
 * @throws CountersignError `reference-invalid`.
 */
export function parseLocation(text: string): Location {
  const colon = text.indexOf(":");
  const transport = text.slice(0, Math.max(colon, 0));
  const rest = text.slice(colon + 1);
  if (transport === "docker-daemon") {
    if (!ENGINE_NAME.test(rest)) throw invalid(text, "docker-daemon:NAME");
    return { kind: "docker-daemon", name: rest };
  }
  const kind = FILE_KINDS.get(transport);
  if (kind === undefined) return { kind: "registry", reference: parseReference(text) };
  if (rest.includes("\0")) throw invalid(text, "a path without NUL characters");
  return kind === "docker-archive" ? dockerArchive(text, rest) : { kind, ...splitPath(text, rest) };
}

/** `docker-archive:FILE[:name[:tag]]`: the name is an image name in the archive and may hold slashes of its own. */
function dockerArchive(text: string, rest: string): Location {
  const at = rest.indexOf(":");
  const path = at === -1 ? rest : rest.slice(0, at);
  const tag = at === -1 ? undefined : rest.slice(at + 1);
  if (path === "" || tag === "") throw invalid(text, "docker-archive:FILE or docker-archive:FILE:name:tag");
  return { kind: "docker-archive", path, ...(tag === undefined ? {} : { tag }) };
}

function splitPath(text: string, rest: string): { path: string; tag?: string; digest?: Digest } {
  const at = rest.lastIndexOf("@");
  const digest = at === -1 ? "" : rest.slice(at + 1);
  const named = isDigest(digest) ? rest.slice(0, at) : rest;
  // A mistyped digest must not turn into a path and a tag.
  if (/@sha[0-9]+:[^/]*$/i.test(named))
    throw invalid(text, "one @sha256: and 64 lower-case hexadecimal digits, at the end");
  return { ...splitTag(text, named), ...(isDigest(digest) ? { digest } : {}) };
}

function splitTag(text: string, rest: string): { path: string; tag?: string } {
  const colon = rest.lastIndexOf(":");
  if (colon <= rest.lastIndexOf("/")) return { path: nonEmpty(text, rest) };
  const tag = rest.slice(colon + 1);
  if (tag === "") throw invalid(text, "a tag after the colon");
  return { path: nonEmpty(text, rest.slice(0, colon)), tag };
}

function nonEmpty(text: string, path: string): string {
  if (path === "") throw invalid(text, "a path");
  return path;
}

/** The location as it is written on the command line. */
export function formatLocation(location: Location): string {
  if (location.kind === "registry") return formatReference(location.reference);
  if (location.kind === "docker-daemon") return `docker-daemon:${location.name}`;
  const transport = location.kind === "oci-layout" ? "oci" : location.kind;
  const tag = location.tag === undefined ? "" : `:${location.tag}`;
  const digest = location.digest === undefined ? "" : `@${location.digest}`;
  return `${transport}:${location.path}${tag}${digest}`;
}

function invalid(text: string, wanted: string): CountersignError {
  return new CountersignError("reference-invalid", "not an image location", { found: text, wanted });
}
