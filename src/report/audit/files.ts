import type { SourcePlace } from "../../core/sources/mention.ts";

/** Sources as addresses: SARIF names files by them, and Markdown and HTML link to where files are shown. */

/** `cluster://production`, `registry://host/prefix` and `-` are no files. */
export function isFile({ source }: SourcePlace): boolean {
  return source !== "-" && !/^[a-z][a-z0-9+.-]*:\/\//.test(source);
}

/**
 * A URI reference (RFC 3986) for a source: relative for a relative path. What is no file becomes a path as well,
 * `cluster/production`: code scanning refuses a whole upload for one result that stands in no artifact.
 */
export function sourceUri(place: SourcePlace): string {
  const { source } = place;
  if (source === "-") return "standard-input";
  if (!isFile(place)) return encodePath(source.replace("://", "/"));
  if (source.startsWith("/")) return `file://${encodePath(source)}`;
  return encodePath(source.replace(/^(?:\.\/+)+/, ""));
}

/** All but the unreserved characters of RFC 3986 (section 2.3); a first segment with a colon would be a scheme. */
function encodePath(path: string): string {
  return path.split("/").map(encodeSegment).join("/");
}

function encodeSegment(segment: string): string {
  return encodeURIComponent(segment.toWellFormed()).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Where a file is shown, with its line; undefined for what is no file below the current folder. */
export function fileLink(files: string | undefined, place: SourcePlace): string | undefined {
  if (files === undefined || !/^https?:\/\/[\w.~:/%@+-]+$/.test(files)) return undefined;
  const isBelow = isFile(place) && !place.source.startsWith("/") && !place.source.split("/").includes("..");
  if (!isBelow) return undefined;
  const line = place.line === undefined ? "" : `#L${place.line}`;
  return `${files.replace(/\/+$/, "")}/${sourceUri(place)}${line}`;
}
