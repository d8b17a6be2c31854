import { mkdir, mkdtemp, open, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { checkedStream, type Descriptor } from "../../core/oci/descriptor.ts";
import { normalisePlatform, platformName } from "../../core/oci/platform.ts";
import type { BlobSource } from "../../core/ports.ts";
import { writeFileAtomic } from "../disk/atomic.ts";
import { onDisk, throwIfAborted } from "../disk/errors.ts";
import {
  gather,
  hiddenBeside,
  lockBeside,
  type OpenFile,
  openRegular,
  readRange,
  removeAll,
  temporaryPath,
} from "../disk/files.ts";
import { withLock } from "../disk/lock.ts";
import { type Backing, Proven, Queue } from "./backing.ts";
import { agreeWithDocker, dockerSaveAsLayout, LAYOUT_VERSION, writeDockerManifest } from "./docker-save.ts";
import {
  blobPath,
  bytesSource,
  DOCKER_MANIFEST_FILE,
  FolderFiles,
  INDEX_FILE,
  LAYOUT_FILE,
  type LayoutFiles,
  OverlaidFiles,
} from "./files.ts";
import { existingPath, makeBlobFolder, readLayout } from "./folder.ts";
import type { LayoutIndex } from "./layout-index.ts";
import { TarFiles } from "./tar-reader.ts";
import { type NewTarEntry, packTar } from "./tar-writer.ts";

export type ArchiveKind = "oci-archive" | "docker-archive";

/** An archive that is open for reading. */
interface Archive {
  readonly files: LayoutFiles;
  readonly index: LayoutIndex;
  readonly isCompressed: boolean;
}

/** The platform whose image `docker load` would run on this machine. */
export const HOST = platformName(
  normalisePlatform({ os: "linux", architecture: process.arch === "x64" ? "amd64" : process.arch }),
);

/**
 * Opens an archive as a layout: the tar may be gzip-compressed, and a `docker save` archive may hold a layout or not.
 *
 * @throws CountersignError `not-found`, `layout-invalid`, `manifest-invalid`, `limit-reached`, `disk-error`.
 */
async function openArchive(path: string, kind: ArchiveKind, signal: AbortSignal | undefined): Promise<Archive> {
  const file = await openTarFile(path, signal);
  const tar = await TarFiles.read(file, signal);
  try {
    const hasLayout = (await tar.size(LAYOUT_FILE)) !== undefined && (await tar.size(INDEX_FILE)) !== undefined;
    const hasDocker = (await tar.size(DOCKER_MANIFEST_FILE)) !== undefined;
    if (!(kind === "oci-archive" ? hasLayout : hasDocker)) throw otherKind(path, kind, hasLayout, hasDocker);
    const files = hasLayout ? tar : await dockerSaveAsLayout(tar);
    const index = await readLayout(files);
    const isHybrid = hasLayout && hasDocker;
    return { files, index: isHybrid ? await agreeWithDocker(files, index) : index, isCompressed: file.isCompressed };
  } catch (thrown) {
    await tar.close();
    throw thrown;
  }
}

function otherKind(path: string, kind: ArchiveKind, hasLayout: boolean, hasDocker: boolean): CountersignError {
  const [name, wanted] = kind === "oci-archive" ? ["OCI", LAYOUT_FILE] : ["docker save", DOCKER_MANIFEST_FILE];
  const other = hasLayout ? "oci-archive" : hasDocker ? "docker-archive" : undefined;
  return new CountersignError("layout-invalid", `not an archive of the ${name} kind`, {
    found: path,
    wanted: `a file ${wanted} in it`,
    ...(other === undefined ? {} : { next: `where an image is named, write ${other}:${path}` }),
  });
}

async function openTarFile(
  path: string,
  signal: AbortSignal | undefined,
): Promise<OpenFile & { readonly isCompressed: boolean }> {
  const file = await openRegular(path);
  if (file === undefined || typeof file === "string") {
    throw new CountersignError("layout-invalid", "not an archive", { found: `${path}: ${file ?? "nothing"}` });
  }
  const start = await gather(readRange(file.handle, 0, Math.min(2, file.size)));
  if (start[0] !== 0x1f || start[1] !== 0x8b) return { ...file, isCompressed: false };
  return { ...(await decompress(path, file, signal)), isCompressed: true };
}

/** The tar of a compressed archive, in a file that has lost its name before anything is written to it. */
async function decompress(path: string, file: OpenFile, signal: AbortSignal | undefined): Promise<OpenFile> {
  const folder = await onDisk("make a temporary folder", () => mkdtemp(join(tmpdir(), "countersign-")));
  const handle = await onDisk(`write ${folder}`, () => open(join(folder, "archive.tar"), "wx+", 0o600)).finally(() =>
    rm(folder, { recursive: true, force: true }),
  );
  try {
    let written = 0;
    await pipeline(
      file.handle.createReadStream({ start: 0 }),
      createGunzip(),
      async (tar: AsyncIterable<Uint8Array>) => {
        for await (const chunk of tar) {
          throwIfAborted(signal);
          written += chunk.byteLength;
          refuseBomb(written, file.size);
          await onDisk(`decompress ${path}`, () => handle.writeFile(chunk));
        }
      },
    );
    return { handle, size: written };
  } catch (thrown) {
    await handle.close();
    if (thrown instanceof CountersignError) throw thrown;
    const found = thrown instanceof Error ? thrown.message : String(thrown);
    throw new CountersignError("layout-invalid", "the compressed archive is damaged", { found, cause: thrown });
  }
}

function refuseBomb(written: number, compressed: number): void {
  const isBomb = written > LIMITS.bombFloorBytes && written > compressed * LIMITS.bombRatio;
  if (!isBomb && written <= LIMITS.layerBytes) return;
  throw new CountersignError("decompression-bomb", "the archive grows beyond the limit when it is decompressed", {
    found: `${written} bytes out of ${compressed}`,
    wanted: `at most ${LIMITS.bombRatio} times as much, and ${LIMITS.layerBytes} bytes`,
  });
}

/** Asked for before a file is opened: what takes its place in between is noticed the next time. */
async function stampOf(path: string): Promise<string> {
  const { dev, ino, size, mtimeNs } = await onDisk(`read ${path}`, () => stat(path, { bigint: true }));
  return [dev, ino, size, mtimeNs].join(" ");
}

/**
 * The bytes of an archive with these files: always the same for the same content. A Docker archive is the layout with
 * Docker's list beside it, so that `docker load`, `podman load` and every reader of layouts take it.
 */
export async function* writeArchive(
  kind: ArchiveKind,
  files: LayoutFiles,
  index: LayoutIndex,
): AsyncGenerator<Uint8Array, void, undefined> {
  const generated = new Map([
    [LAYOUT_FILE, LAYOUT_VERSION],
    [INDEX_FILE, index.serialise()],
  ]);
  const isForDocker = kind === "docker-archive" || (await files.size(DOCKER_MANIFEST_FILE)) !== undefined;
  if (isForDocker) generated.set(DOCKER_MANIFEST_FILE, await writeDockerManifest(files, index, HOST));
  const entries: NewTarEntry[] = [...generated].map(([name, bytes]) => ({ name, ...bytesSource(bytes) }));
  for (const name of await files.list()) {
    const size = generated.has(name) ? undefined : await files.size(name);
    if (size !== undefined) entries.push({ name, size, open: () => files.open(name) });
  }
  yield* packTar(entries);
}

/**
 * A layout in an archive. A pushed blob waits in a hidden folder beside it; a pushed manifest writes the archive anew,
 * with the blobs, and renames it into place. Blobs without a manifest are gone after `close`.
 */
export class ArchiveBacking implements Backing {
  readonly #path: string;
  readonly #kind: ArchiveKind;
  readonly #signal: AbortSignal | undefined;
  readonly #scratch: string;
  readonly #queue = new Queue();
  readonly #proven = new Proven();
  /** Earlier states of the archive: somebody may still be reading from them. */
  readonly #outdated: LayoutFiles[] = [];
  #archive: Archive;
  /** Tells the file that was opened from one that has taken its place. */
  #stamp: string;
  #hasScratch = false;

  private constructor(
    path: string,
    kind: ArchiveKind,
    { archive, stamp }: { readonly archive: Archive; readonly stamp: string },
    signal: AbortSignal | undefined,
  ) {
    this.#path = path;
    this.#kind = kind;
    this.#archive = archive;
    this.#stamp = stamp;
    this.#signal = signal;
    this.#scratch = temporaryPath(path);
  }

  static async open(path: string, kind: ArchiveKind, signal?: AbortSignal): Promise<ArchiveBacking> {
    const real = await existingPath(path, "file");
    const stamp = await stampOf(real);
    return new ArchiveBacking(real, kind, { archive: await openArchive(real, kind, signal), stamp }, signal);
  }

  files(): LayoutFiles {
    const { files } = this.#archive;
    return this.#hasScratch ? new OverlaidFiles(new FolderFiles(this.#scratch, this.#signal), files) : files;
  }

  /** What another writer has put into the archive since counts, as it does in a folder. */
  async index(): Promise<LayoutIndex> {
    await this.#queue.run(async () => {
      if ((await stampOf(this.#path)) !== this.#stamp) await this.#reopen();
    });
    return this.#archive.index;
  }

  isStored(wanted: Pick<Descriptor, "digest" | "size">): Promise<boolean> {
    return this.#proven.isStored(this.files(), wanted);
  }

  async storeBlob(descriptor: Descriptor, source: BlobSource): Promise<void> {
    this.#refuseCompressed();
    await onDisk(`write ${this.#scratch}`, () => mkdir(this.#scratch, { recursive: true, mode: 0o700 }));
    await makeBlobFolder(this.#scratch, descriptor);
    this.#hasScratch = true;
    const content = checkedStream(source.open(0), descriptor, `the blob ${descriptor.digest}`);
    await writeFileAtomic(join(this.#scratch, blobPath(descriptor.digest)), content, { signal: this.#signal });
    this.#proven.add(descriptor.digest);
  }

  changeIndex(change: (index: LayoutIndex) => LayoutIndex): Promise<void> {
    this.#refuseCompressed();
    return this.#queue.run(() => this.#rewrite(change));
  }

  async close(): Promise<void> {
    for (const files of [...this.#outdated, this.#archive.files]) await files.close();
    await removeAll(this.#scratch);
  }

  /** The archive is read again under the lock: another writer may have replaced it since it was opened. */
  async #rewrite(change: (index: LayoutIndex) => LayoutIndex): Promise<void> {
    await withLock(lockBeside(this.#path), { signal: this.#signal }, async () => {
      await this.#reopen();
      const index = change(this.#archive.index);
      const { mode } = await onDisk(`read ${this.#path}`, () => stat(this.#path));
      await writeFileAtomic(this.#path, writeArchive(this.#kind, this.files(), index), {
        mode: mode & 0o777,
        keepsMode: true,
        signal: this.#signal,
        temporary: hiddenBeside(this.#path, "countersign-rewrite.tmp"),
      });
      await this.#reopen();
    });
    this.#hasScratch = false;
    await removeAll(this.#scratch);
  }

  async #reopen(): Promise<void> {
    const stamp = await stampOf(this.#path);
    const archive = await openArchive(this.#path, this.#kind, this.#signal);
    this.#outdated.push(this.#archive.files);
    this.#archive = archive;
    this.#stamp = stamp;
  }

  #refuseCompressed(): void {
    if (!this.#archive.isCompressed) return;
    throw new CountersignError("unsupported", "a compressed archive is only read", {
      found: this.#path,
      next: "decompress it first (gunzip)",
    });
  }
}
