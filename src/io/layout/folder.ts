import { lstat, mkdir, realpath, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CountersignError } from "../../core/errors.ts";
import { parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { checkedStream, type Descriptor } from "../../core/oci/descriptor.ts";
import { digestAlgorithm } from "../../core/oci/digest.ts";
import type { BlobSource } from "../../core/ports.ts";
import { writeFileAtomic } from "../disk/atomic.ts";
import { errnoOf, ifPresent, onDisk } from "../disk/errors.ts";
import { withLock } from "../disk/lock.ts";
import { type Backing, Proven, Queue } from "./backing.ts";
import { readBounded } from "./docker-save.ts";
import { blobPath, FolderFiles, INDEX_FILE, LAYOUT_FILE, type LayoutFiles } from "./files.ts";
import { LayoutIndex } from "./layout-index.ts";

/** What a layout shows to others; the umask takes away what the user does not want to show. */
export const SHARED_MODE = 0o666;

/**
 * Image-layout.md, "oci-layout file" and "index.json file".
 *
 * @throws CountersignError `layout-invalid`, `limit-reached`.
 */
export async function readLayout(files: LayoutFiles): Promise<LayoutIndex> {
  if ((await files.size(LAYOUT_FILE)) === undefined || (await files.size(INDEX_FILE)) === undefined) {
    throw new CountersignError("layout-invalid", "not an OCI image layout", {
      wanted: `the files ${LAYOUT_FILE} and ${INDEX_FILE}`,
    });
  }
  const reading = { what: LAYOUT_FILE, code: "layout-invalid", maxBytes: LIMITS.manifestBytes } as const;
  const version = parseJsonObject(await readBounded(files, LAYOUT_FILE, reading.maxBytes), reading)[
    "imageLayoutVersion"
  ];
  if (version !== "1.0.0") {
    throw new CountersignError("layout-invalid", "a layout of an unknown version", {
      found: String(version),
      wanted: "1.0.0",
    });
  }
  return readIndex(files);
}

export async function readIndex(files: LayoutFiles): Promise<LayoutIndex> {
  return LayoutIndex.parse(await readBounded(files, INDEX_FILE, LIMITS.manifestBytes));
}

/** The path with all its links resolved, so that what is renamed there later lands where it was read from. */
export async function existingPath(path: string, wanted: "folder" | "file"): Promise<string> {
  try {
    const real = await realpath(path);
    const found = await stat(real);
    if (wanted === "folder" ? found.isDirectory() : found.isFile()) return real;
    throw new CountersignError("layout-invalid", `not a ${wanted}`, { found: path });
  } catch (thrown) {
    if (errnoOf(thrown) !== "ENOENT") return onDisk(`read ${path}`, () => Promise.reject(thrown));
    throw new CountersignError("not-found", `there is no such ${wanted}`, { wanted: path, next: "check the path" });
  }
}

/** A layout as a folder. Blobs are written first and the index last, so that a reader at any time sees a whole one. */
export class FolderBacking implements Backing {
  readonly #root: string;
  readonly #files: FolderFiles;
  readonly #signal: AbortSignal | undefined;
  readonly #proven = new Proven();
  readonly #queue = new Queue();

  private constructor(root: string, signal: AbortSignal | undefined) {
    this.#root = root;
    this.#files = new FolderFiles(root, signal);
    this.#signal = signal;
  }

  /** @throws CountersignError `not-found`, `layout-invalid`. */
  static async open(path: string, signal?: AbortSignal): Promise<FolderBacking> {
    const backing = new FolderBacking(await existingPath(path, "folder"), signal);
    await readLayout(backing.#files);
    return backing;
  }

  files(): LayoutFiles {
    return this.#files;
  }

  index(): Promise<LayoutIndex> {
    return readIndex(this.#files);
  }

  isStored(wanted: Pick<Descriptor, "digest" | "size">): Promise<boolean> {
    return this.#proven.isStored(this.#files, wanted);
  }

  async storeBlob(descriptor: Descriptor, source: BlobSource): Promise<void> {
    await makeBlobFolder(this.#root, descriptor);
    const content = checkedStream(source.open(0), descriptor, `the blob ${descriptor.digest}`);
    const options = { mode: SHARED_MODE, signal: this.#signal };
    await writeFileAtomic(join(this.#root, blobPath(descriptor.digest)), content, options);
    this.#proven.add(descriptor.digest);
  }

  changeIndex(change: (index: LayoutIndex) => LayoutIndex): Promise<void> {
    return this.#queue.run(() => changeIndexFile(this.#root, this.#files, change, this.#signal));
  }

  async close(): Promise<void> {}
}

/** Read, change and write under a lock that every process takes; what others have written since is kept. */
export async function changeIndexFile(
  root: string,
  files: LayoutFiles,
  change: (index: LayoutIndex) => LayoutIndex | Promise<LayoutIndex>,
  signal: AbortSignal | undefined,
): Promise<void> {
  await withLock(join(root, ".countersign-lock"), { signal }, async () => {
    const before = await readIndex(files);
    const after = await change(before);
    if (after === before) return;
    await writeFileAtomic(join(root, INDEX_FILE), after.serialise(), { mode: SHARED_MODE, signal });
  });
}

/** `blobs/<alg>`, each a real folder and no link. */
export async function makeBlobFolder(root: string, { digest }: Pick<Descriptor, "digest">): Promise<void> {
  for (const folder of ["blobs", `blobs/${digestAlgorithm(digest)}`]) {
    const path = join(root, folder);
    const found = await onDisk(`write ${path}`, async () => {
      await mkdir(path).catch((thrown: unknown) => {
        if (errnoOf(thrown) !== "EEXIST") throw thrown;
      });
      return lstat(path);
    });
    if (!found.isDirectory()) {
      throw new CountersignError("disk-error", `cannot write ${path}`, {
        found: "something that is not a folder; links are not followed",
        wanted: "a folder",
      });
    }
  }
}

/** Whether a path is taken at all. */
export async function isTaken(path: string): Promise<boolean> {
  return (await onDisk(`read ${path}`, () => ifPresent(() => lstat(path)))) !== undefined;
}

/** The folder a new file or folder is made in. @throws CountersignError `not-found`. */
export async function parentOf(path: string): Promise<string> {
  return existingPath(dirname(path), "folder");
}
