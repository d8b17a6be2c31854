import { lstat, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CountersignError } from "../../core/errors.ts";
import { type Digest, digestAlgorithm, digestHex, isDigest } from "../../core/oci/digest.ts";
import { ifPresent, onDisk } from "../disk/errors.ts";
import { openRegular, readRange } from "../disk/files.ts";

/** Image-spec image-layout.md: the two files every layout has, and Docker's own list in an archive for `docker load`. */
export const LAYOUT_FILE = "oci-layout";
export const INDEX_FILE = "index.json";
export const DOCKER_MANIFEST_FILE = "manifest.json";

/** `blobs/<alg>/<encoded>`. A Digest is validated, so the path is safe. */
export function blobPath(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestHex(digest)}`;
}

/** The digest that a path in a layout stands for; undefined for every other file. */
export function digestOfPath(path: string): Digest | undefined {
  const [folder, algorithm, hex, ...rest] = path.split("/");
  const digest = `${algorithm}:${hex}`;
  return folder === "blobs" && rest.length === 0 && isDigest(digest) ? digest : undefined;
}

/**
 * The files of a layout for reading, wherever they are: a folder, a tar archive, or what a `docker save` archive would
 * be as a layout. Paths are relative, separated by `/`. Nothing that is read here is proven.
 */
export interface LayoutFiles {
  /** Bytes; undefined where there is no such file. @throws CountersignError `layout-invalid` for a link and the like. */
  size(path: string): Promise<number | undefined>;
  /** The content, possibly longer or shorter than `size` said. @throws CountersignError `not-found`, `layout-invalid`. */
  open(path: string): AsyncIterable<Uint8Array>;
  /** The paths of the regular files. */
  list(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export function notInLayout(path: string): CountersignError {
  return new CountersignError("not-found", "the layout does not hold this file", { found: "nothing", wanted: path });
}

export function notARegularFile(path: string, found: string): CountersignError {
  return new CountersignError("layout-invalid", "something in the layout is not a regular file", {
    found: `${path}: ${found}`,
    wanted: "a regular file; links are not followed",
  });
}

/** A layout as a folder. */
export class FolderFiles implements LayoutFiles {
  readonly #root: string;
  readonly #signal: AbortSignal | undefined;

  constructor(root: string, signal?: AbortSignal) {
    this.#root = root;
    this.#signal = signal;
  }

  async size(path: string): Promise<number | undefined> {
    if (!(await this.#foldersAreReal(path))) return undefined;
    const found = await onDisk(`read ${this.#at(path)}`, () => ifPresent(() => lstat(this.#at(path))));
    if (found === undefined) return undefined;
    if (found.isFile()) return found.size;
    throw notARegularFile(path, found.isSymbolicLink() ? "a symbolic link" : "not a regular file");
  }

  async *open(path: string): AsyncGenerator<Uint8Array, void, undefined> {
    const file = (await this.#foldersAreReal(path)) ? await openRegular(this.#at(path)) : undefined;
    if (file === undefined) throw notInLayout(path);
    if (typeof file === "string") throw notARegularFile(path, file);
    try {
      yield* readRange(file.handle, 0, file.size, this.#signal);
    } finally {
      await file.handle.close();
    }
  }

  async list(): Promise<readonly string[]> {
    const found = await onDisk(`read ${this.#root}`, () =>
      readdir(this.#root, { recursive: true, withFileTypes: true }),
    );
    return found
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(this.#root.length + 1))
      .sort();
  }

  async close(): Promise<void> {}

  /** A link in place of `blobs` or `blobs/sha256` would lead outside as well. False where a folder is not there. */
  async #foldersAreReal(path: string): Promise<boolean> {
    for (let folder = dirname(path); folder !== "."; folder = dirname(folder)) {
      const found = await onDisk(`read ${this.#at(folder)}`, () => ifPresent(() => lstat(this.#at(folder))));
      if (found === undefined) return false;
      if (!found.isDirectory()) throw notARegularFile(folder, "not a folder");
    }
    return true;
  }

  #at(path: string): string {
    return join(this.#root, path);
  }
}

/** One file of a layout that lies somewhere else: in memory, or as a stretch of an archive. */
export interface FileSource {
  readonly size: number;
  open(): AsyncIterable<Uint8Array>;
}

export function bytesSource(bytes: Uint8Array): FileSource {
  return {
    size: bytes.byteLength,
    async *open() {
      yield bytes;
    },
  };
}

/** Files under names of our choice. */
export class MappedFiles implements LayoutFiles {
  readonly #sources: ReadonlyMap<string, FileSource>;
  readonly #close: () => Promise<void>;

  constructor(sources: ReadonlyMap<string, FileSource>, close: () => Promise<void>) {
    this.#sources = sources;
    this.#close = close;
  }

  async size(path: string): Promise<number | undefined> {
    return this.#sources.get(path)?.size;
  }

  async *open(path: string): AsyncGenerator<Uint8Array, void, undefined> {
    const source = this.#sources.get(path);
    if (source === undefined) throw notInLayout(path);
    yield* source.open();
  }

  async list(): Promise<readonly string[]> {
    return [...this.#sources.keys()].sort();
  }

  close(): Promise<void> {
    return this.#close();
  }
}

/** Several sets of files as one; the first that has a file answers for it. */
export class OverlaidFiles implements LayoutFiles {
  readonly #layers: readonly LayoutFiles[];

  constructor(...layers: readonly LayoutFiles[]) {
    this.#layers = layers;
  }

  async size(path: string): Promise<number | undefined> {
    for (const files of this.#layers) {
      const size = await files.size(path);
      if (size !== undefined) return size;
    }
    return undefined;
  }

  async *open(path: string): AsyncGenerator<Uint8Array, void, undefined> {
    for (const files of this.#layers) {
      if ((await files.size(path)) !== undefined) return yield* files.open(path);
    }
    throw notInLayout(path);
  }

  async list(): Promise<readonly string[]> {
    const lists = await Promise.all(this.#layers.map((files) => files.list()));
    return [...new Set(lists.flat())].sort();
  }

  async close(): Promise<void> {
    for (const files of this.#layers) await files.close();
  }
}
