import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Descriptor } from "../../core/oci/descriptor.ts";
import { checkedStream } from "../../core/oci/descriptor.ts";
import type { Digest } from "../../core/oci/digest.ts";
import { type Manifest, parseDescribedManifest } from "../../core/oci/manifest.ts";
import { isManifestType } from "../../core/oci/media-types.ts";
import { gather } from "../disk/files.ts";
import { blobPath, type LayoutFiles } from "./files.ts";

/**
 * A manifest in a layout, its bytes checked against its descriptor.
 *
 * @throws CountersignError `not-found`, `size-mismatch`, `digest-mismatch`, `manifest-invalid`, `limit-reached`.
 */
export async function readManifest(files: LayoutFiles, descriptor: Descriptor): Promise<Manifest> {
  if (descriptor.size > LIMITS.manifestBytes) {
    throw new CountersignError("limit-reached", "the manifest is too large to read", {
      found: `${descriptor.size} bytes`,
      wanted: `at most ${LIMITS.manifestBytes} bytes`,
    });
  }
  const what = `the manifest ${descriptor.digest}`;
  const bytes = await gather(checkedStream(files.open(blobPath(descriptor.digest)), descriptor, what));
  return parseDescribedManifest(bytes, descriptor);
}

/** A manifest that a layout lists, directly or in an index. */
export interface Listed {
  readonly descriptor: Descriptor;
  /** undefined: it is there but it cannot be read. */
  readonly manifest: Manifest | undefined;
}

/**
 * The manifests below the given descriptors, each once, nearest first. What is listed and not there is left out: a
 * layout may hold only some platforms of an index (image-layout.md, "Blobs").
 *
 * @throws CountersignError `limit-reached` where there is more than will be read.
 */
export async function* listManifests(
  files: LayoutFiles,
  roots: readonly Descriptor[],
  maxDepth: number,
): AsyncGenerator<Listed, void, undefined> {
  const seen = new Set<Digest>();
  const budget = { entries: LIMITS.referrerEntries, bytes: LIMITS.layoutScanBytes };
  let level = roots;
  for (let depth = 0; level.length > 0; depth++) {
    const next: Descriptor[] = [];
    for (const descriptor of level) {
      if (seen.has(descriptor.digest) || !isManifestType(descriptor.mediaType)) continue;
      seen.add(descriptor.digest);
      spend(budget, descriptor);
      const listed = await readListed(files, descriptor);
      if (listed === undefined) continue;
      if (listed.manifest?.kind === "index" && depth < maxDepth) next.push(...listed.manifest.manifests);
      yield listed;
    }
    level = next;
  }
}

function spend(budget: { entries: number; bytes: number }, descriptor: Descriptor): void {
  budget.entries -= 1;
  budget.bytes -= descriptor.size;
  if (budget.entries >= 0 && budget.bytes >= 0) return;
  throw new CountersignError("limit-reached", "the layout lists more manifests than are read", {
    wanted: `at most ${LIMITS.referrerEntries} manifests, ${LIMITS.layoutScanBytes} bytes`,
  });
}

async function readListed(files: LayoutFiles, descriptor: Descriptor): Promise<Listed | undefined> {
  try {
    return { descriptor, manifest: await readManifest(files, descriptor) };
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown;
    if (thrown.code === "not-found") return undefined;
    if (thrown.class === "interrupted" || thrown.code === "disk-error") throw thrown;
    return { descriptor, manifest: undefined };
  }
}
