import { CountersignError } from "../../core/errors.ts";
import type { Manifest } from "../../core/oci/manifest.ts";
import type { ContentStore } from "../../core/ports.ts";
import { parseHead } from "../../core/tags/head.ts";
import { HEAD_TAG, partTag } from "../../core/tags/names.ts";
import { Transfer, type TransferOptions } from "../transfer.ts";

/** Trust metadata on its way with an image: to a mirror, a layout, a kit. It proves itself wherever it is read. */

export interface CarryRequest extends TransferOptions {
  readonly source: ContentStore;
  readonly target: ContentStore;
}

/**
 * Brings the head of a repository's signed tags and all that it names to another place, its tag last. What is there and newer, or
 * another publisher's, stays.
 *
 * @returns what the user should know, in sentences; undefined where there are no signed tags to carry.
 * @throws CountersignError what the stores throw; `metadata-malformed` for what is no head.
 */
export async function carryTags(request: CarryRequest): Promise<readonly string[] | undefined> {
  const { source, target } = request;
  const head = await readHead(source);
  if (head === undefined) return undefined;
  const obstacle = await obstacleTo(head, target);
  if (obstacle !== undefined) return obstacle;
  const transfer = new Transfer(source, target, request);
  await transfer.moveBelow(head, "signature");
  const late = await placeHead(head, target);
  if (late.length > 0) return late;
  return [`the signed tags of ${gunOf(head) ?? source.location} came along`];
}

/** Past every cache: what it names is only as current as it is. */
export async function readHead(store: ContentStore): Promise<Manifest | undefined> {
  const found = store.resolveChanged && (await store.resolveChanged(HEAD_TAG, undefined));
  return found === undefined || found === "unchanged" ? await store.resolve(HEAD_TAG) : found;
}

/** Gives a head its tag where all that it names is there; what stands there and is newer keeps it. */
export async function placeHead(head: Manifest, target: ContentStore): Promise<readonly string[]> {
  const obstacle = await obstacleTo(head, target);
  if (obstacle !== undefined) return obstacle;
  await nameHead(head, target);
  return [];
}

/** Why it must not take the place of what is there: sentences, none of them where it is the same. */
async function obstacleTo(head: Manifest, target: ContentStore): Promise<readonly string[] | undefined> {
  const { gun, version = 0 } = parseHead(head);
  const there = await readHead(target).catch(nothingIfNotFound);
  if (there === undefined) return undefined;
  if (there.descriptor.digest === head.descriptor.digest) return [];
  const standing = hintsOf(there);
  if (standing === undefined || standing.gun !== gun) {
    const whose = standing?.gun ?? "nobody who can be told";
    return [`the signed tags of ${gun ?? "the source"} stayed behind: ${target.location} has those of ${whose}`];
  }
  if ((standing.version ?? 0) <= version) return undefined;
  return [`the signed tags of ${gun ?? "the source"} stayed behind: ${target.location} has newer ones`];
}

/** What a head says of itself: no proof, and enough to leave alone what is somebody else's. */
function hintsOf(head: Manifest): Pick<ReturnType<typeof parseHead>, "gun" | "version"> | undefined {
  try {
    return parseHead(head);
  } catch {
    return undefined;
  }
}

function gunOf(head: Manifest): string | undefined {
  return parseHead(head).gun;
}

/** In a registry what a large head lists has tags of its own, or garbage collectors take it: `partTag`. */
async function nameHead(head: Manifest, target: ContentStore): Promise<void> {
  const parts = head.kind === "index" && target.kind === "registry" ? head.manifests : [];
  for (const [place, part] of parts.entries()) await target.pushManifest(await target.manifest(part), partTag(place));
  await target.pushManifest(head, HEAD_TAG);
}

/** At a destination that does not exist yet, there is nothing. */
function nothingIfNotFound(error: unknown): undefined {
  if (error instanceof CountersignError && error.code === "not-found") return undefined;
  throw error;
}
