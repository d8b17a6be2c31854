import { CountersignError } from "../../core/errors.ts";
import { formatLocation } from "../../core/oci/location.ts";
import type { ContentStore } from "../../core/ports.ts";
import { ArchiveBacking } from "./archive.ts";
import type { Backing } from "./backing.ts";
import type { FileLocation } from "./destination.ts";
import { FolderBacking } from "./folder.ts";
import { LayoutStore } from "./store.ts";

export interface OpenLayoutOptions {
  readonly signal?: AbortSignal | undefined;
  /** `read` refuses every push. */
  readonly mode: "read" | "write";
}

/**
 * The store in an existing OCI layout, OCI archive or Docker archive. `resolve(undefined)` gives what the location names
 * by tag or digest, else the only image.
 *
 * @throws CountersignError `not-found`, `layout-invalid`, `manifest-invalid`, `limit-reached`, `disk-error`.
 */
export async function openLayout(location: FileLocation, options: OpenLayoutOptions): Promise<ContentStore> {
  const { kind, path } = location;
  const { mode, signal } = options;
  const backing: Backing =
    kind === "oci-layout" ? await FolderBacking.open(path, signal) : await ArchiveBacking.open(path, kind, signal);
  return new LayoutStore({
    kind,
    location: formatLocation(location),
    target: location.digest ?? location.tag,
    backing: mode === "read" ? readOnly(backing, path) : backing,
  });
}

/** The same content, and every change refused. */
export function readOnly(backing: Backing, path: string): Backing {
  const refuse = async (): Promise<never> => {
    throw new CountersignError("unsupported", "opened for reading only", { found: path });
  };
  return {
    files: () => backing.files(),
    index: () => backing.index(),
    isStored: (wanted) => backing.isStored(wanted),
    storeBlob: refuse,
    changeIndex: refuse,
    close: () => backing.close(),
  };
}
