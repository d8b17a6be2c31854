import { CountersignError } from "../../core/errors.ts";
import type { Descriptor } from "../../core/oci/descriptor.ts";
import { digestAlgorithm, isDigest } from "../../core/oci/digest.ts";
import type { HttpResponse } from "../http/response.ts";

/** The location is opaque and stays as it is: a digest is added to whatever query it has. */
export function withDigest(place: URL, { digest }: Descriptor): URL {
  const url = new URL(place);
  url.search = `${url.search === "" ? "?" : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
  return url;
}

/** `Docker-Content-Digest` after a write says what the registry stored; in another algorithm it says nothing. */
export function checkStored(response: HttpResponse, { digest }: Descriptor, what: string): void {
  const found = response.header("docker-content-digest");
  if (found === undefined || found === digest) return;
  if (isDigest(found) && digestAlgorithm(found) !== digestAlgorithm(digest)) return;
  throw new CountersignError("write-unconfirmed", `${response.url.host} stored something else than ${what}`, {
    found,
    wanted: digest,
  });
}
