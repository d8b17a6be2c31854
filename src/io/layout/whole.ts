import { CountersignError } from "../../core/errors.ts";
import type { Digest } from "../../core/oci/digest.ts";
import { formatLocation } from "../../core/oci/location.ts";
import type { WholeLayout } from "../../core/ports.ts";
import { ArchiveBacking } from "./archive.ts";
import { digestOfPath, INDEX_FILE, LAYOUT_FILE, type LayoutFiles, notARegularFile } from "./files.ts";
import { readOnly } from "./open.ts";
import { LayoutStore } from "./store.ts";
import { TarFiles } from "./tar-reader.ts";

/**
 * An OCI archive for reading, all of it: one that holds nothing but a layout. The store in it is closed by its owner.
 *
 * @throws CountersignError `not-found`, `layout-invalid` (also for links and for files that belong to no layout),
 *   `manifest-invalid`, `limit-reached`, `decompression-bomb`, `disk-error`.
 */
export async function openWholeArchive(path: string, signal?: AbortSignal): Promise<WholeLayout> {
  const kind = "oci-archive";
  const backing = await ArchiveBacking.open(path, kind, signal);
  try {
    refuseLinks(backing.files());
    const sizes = await blobSizes(backing.files());
    const store = new LayoutStore({
      kind,
      location: formatLocation({ kind, path }),
      target: undefined,
      backing: readOnly(backing, path),
    });
    return { store, listed: async () => (await backing.index()).entries, blobs: async () => sizes };
  } catch (thrown) {
    await backing.close();
    throw thrown;
  }
}

/** @throws CountersignError `layout-invalid` for a file that is no part of a layout. */
export async function blobSizes(files: LayoutFiles): Promise<ReadonlyMap<Digest, number>> {
  const sizes = new Map<Digest, number>();
  for (const path of await files.list()) {
    if (path === LAYOUT_FILE || path === INDEX_FILE) continue;
    const digest = digestOfPath(path);
    if (digest === undefined) throw stranger(path);
    sizes.set(digest, (await files.size(path)) ?? 0);
  }
  return sizes;
}

/** A link among the blobs would be one content under two names to whoever unpacks the archive. */
function refuseLinks(files: LayoutFiles): void {
  const entries = files instanceof TarFiles ? files.entries : new Map();
  for (const [path, { kind }] of entries) if (kind === "link") throw notARegularFile(path, "a link");
}

function stranger(path: string): CountersignError {
  return new CountersignError("layout-invalid", "the archive holds a file that belongs to no layout", {
    found: path,
    wanted: `${LAYOUT_FILE}, ${INDEX_FILE} and blobs/ALGORITHM/HEX`,
    next: "for archives that countersign save has not written there is countersign copy SOURCE DESTINATION",
  });
}
