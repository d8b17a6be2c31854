import { CountersignError } from "../../core/errors.ts";
import { safeUrl } from "../http/redact.ts";
import type { ServiceClient } from "../http/service.ts";

/**
 * Anything that serves a TUF repository's files by their names: a web server, an OCI repository, what was kept of one.
 * Nothing that it answers is believed. "There is none" is `undefined`; "could not look" is thrown.
 */
export interface TufSource {
  /** Metadata by its file name: `3.root.json`, `timestamp.json`, `7.snapshot.json`. */
  metadata(file: string, maxBytes: number): Promise<Uint8Array | undefined>;
  /** The content of a target; of the parts of its path the last one may have a hash in front. */
  target(path: readonly string[], maxBytes: number): Promise<Uint8Array | undefined>;
}

/** Absent files are answered with 404, or with 403 where a bucket hides what it has not (TUF 1.0.34, 5.3.3). */
const ABSENT: readonly number[] = [403, 404];

/** A repository on a web server: metadata at the address itself, targets in `targets` below unless something else is said. */
export function webSource(
  client: Pick<ServiceClient, "ask">,
  mirror: URL,
  targets: URL = below(mirror, ["targets"]),
): TufSource {
  const get = async (url: URL, what: string, maxBytes: number): Promise<Uint8Array | undefined> => {
    const answer = await client.ask({ url, what, expect: [200, ...ABSENT], maxBytes });
    return ABSENT.includes(answer.status) ? undefined : answer.bytes;
  };
  return {
    metadata: (file, maxBytes) => get(below(mirror, [file]), file, maxBytes),
    target: (path, maxBytes) => get(below(targets, path), `the target ${path.join("/")}`, maxBytes),
  };
}

/**
 * The address of a file in a folder on a server.
 *
 * @throws CountersignError `trust-rejected` for a name that would lead out of the folder (the family of CVE-2026-24137).
 */
function below(folder: URL, path: readonly string[]): URL {
  if (path.length === 0 || path.some((part) => /^\.{0,2}$/.test(part))) {
    throw new CountersignError("trust-rejected", "the trust repository names a file that cannot be asked for", {
      found: path.join("/"),
      wanted: "a path without empty parts and dots",
    });
  }
  const url = new URL(folder);
  url.pathname = [url.pathname.replace(/\/$/, ""), ...path.map(encodeURIComponent)].join("/");
  return url;
}

/** @throws CountersignError `configuration-invalid`: whether the address may be used is for the client to say. */
export function parseMirror(text: string): URL {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol) && url.search === "" && url.hash === "") return url;
  throw new CountersignError("configuration-invalid", "not the address of a trust repository", {
    found: url === null ? text : safeUrl(url),
    wanted: "https://HOST or https://HOST/PATH, without query",
  });
}
