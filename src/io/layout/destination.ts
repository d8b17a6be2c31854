import { join } from "node:path";
import { CountersignError } from "../../core/errors.ts";
import type { Digest } from "../../core/oci/digest.ts";
import { formatLocation, type Location } from "../../core/oci/location.ts";
import type { Manifest } from "../../core/oci/manifest.ts";
import { isCompanionTag } from "../../core/oci/referrers.ts";
import type { ContentStore, Destination } from "../../core/ports.ts";
import { destinationExists, publishNew, writeFileAtomic } from "../disk/atomic.ts";
import { refuseExisting, Staging } from "../disk/staging.ts";
import { type ArchiveKind, HOST, writeArchive } from "./archive.ts";
import { LAYOUT_VERSION, loadableImage } from "./docker-save.ts";
import { FolderFiles, INDEX_FILE, LAYOUT_FILE } from "./files.ts";
import { changeIndexFile, existingPath, isTaken, parentOf, readLayout, SHARED_MODE } from "./folder.ts";
import { type LayoutIndex, type LayoutName, layoutName, referenceName } from "./layout-index.ts";
import { StagedBacking, syncBlobFolders } from "./staged.ts";
import { LayoutStore } from "./store.ts";

/** A folder or an archive on this machine. */
export type FileLocation = Extract<Location, { readonly path: string }>;

export interface DestinationOptions {
  readonly signal?: AbortSignal | undefined;
  /** The name for the image where the location gives none: the source's tag, or its whole reference. */
  readonly tag?: string | undefined;
}

/**
 * A place for a pull or a copy. Everything is staged in a hidden folder (`.NAME.countersign-partial`) and becomes visible
 * by one rename. An existing OCI layout is added to if the location gives a tag that is not taken in it: blobs first, the
 * index last. Anything else that exists is left alone.
 *
 * @throws CountersignError `destination-exists`, `reference-invalid`, `not-found` (no such parent folder),
 *   `write-conflict` (another process fills the same destination), `disk-error`.
 */
export async function layoutDestination(
  location: FileLocation,
  options: DestinationOptions = {},
): Promise<Destination> {
  if (location.digest !== undefined) {
    throw new CountersignError("reference-invalid", "a destination cannot be named by digest", {
      found: formatLocation(location),
      wanted: "a path, with a tag if the image shall have one",
    });
  }
  try {
    return await openDestination(location, options);
  } catch (thrown) {
    throw asUnusable(thrown);
  }
}

/** What is wrong with the place is no fault of the image's, which would be refused for it. */
function asUnusable(thrown: unknown): unknown {
  if (!(thrown instanceof CountersignError) || thrown.class !== "refused") return thrown;
  const { message, found, wanted } = thrown;
  const next = "name another destination, or repair this one";
  return new CountersignError("disk-error", `the destination cannot be used: ${message}`, {
    found,
    wanted,
    next,
    cause: thrown,
  });
}

async function openDestination(location: FileLocation, options: DestinationOptions): Promise<Destination> {
  const name = nameFor(location, options.tag);
  const { signal } = options;
  if (location.kind !== "oci-layout") return newArchive(location, location.kind, name, signal);
  if (location.tag !== undefined && (await isTaken(location.path))) {
    return addition(location, layoutName(location.tag), signal);
  }
  return newFolder(location, name, signal);
}

function nameFor(location: FileLocation, fallback: string | undefined): LayoutName | undefined {
  if (location.tag === undefined) return fallback === undefined ? undefined : layoutName(fallback);
  return location.kind === "docker-archive" ? referenceName(location.tag) : layoutName(location.tag);
}

async function newFolder(
  location: FileLocation,
  name: LayoutName | undefined,
  signal: AbortSignal | undefined,
): Promise<Destination> {
  const { staging, backing } = await stageNew(location, signal);
  return destination(location, staging, backing, name, (root) =>
    publishFolder(location.path, { staging, backing, signal }, root.descriptor.digest),
  );
}

async function newArchive(
  location: FileLocation,
  kind: ArchiveKind,
  name: LayoutName | undefined,
  signal: AbortSignal | undefined,
): Promise<Destination> {
  const { staging, backing } = await stageNew(location, signal);
  return destination(location, staging, backing, name, async (root) => {
    if (kind === "docker-archive") await refuseUnloadable(backing, root);
    await publishArchive(location.path, kind, { staging, backing, signal }, root.descriptor.digest);
  });
}

/** A folder or an archive in the making. */
export interface Staged {
  readonly staging: Staging;
  readonly backing: StagedBacking;
  readonly signal: AbortSignal | undefined;
}

/** Where there is nothing yet. @throws CountersignError `destination-exists`, `not-found`, `write-conflict`. */
export async function stageNew({ path }: FileLocation, signal: AbortSignal | undefined): Promise<Staged> {
  await parentOf(path);
  await refuseExisting(path);
  const staging = await Staging.open(path, { signal });
  return { staging, backing: new StagedBacking({ staging, signal }), signal };
}

/** What was staged becomes a layout at `path`, by one rename; `first` is listed first. */
export async function publishFolder(path: string, { staging, backing, signal }: Staged, first: Digest): Promise<void> {
  await backing.removeUnused();
  const index = (await backing.index()).inOrder(first).serialise();
  const { content } = staging;
  await writeFileAtomic(join(content, LAYOUT_FILE), LAYOUT_VERSION, { mode: SHARED_MODE, signal });
  await writeFileAtomic(join(content, INDEX_FILE), index, { mode: SHARED_MODE, signal });
  await syncBlobFolders(content);
  await staging.commitFolder(path);
}

/** The same as an archive. */
export async function publishArchive(
  path: string,
  kind: ArchiveKind,
  { staging, backing, signal }: Staged,
  first: Digest,
): Promise<void> {
  await backing.removeUnused();
  const archive = join(staging.folder, "archive.tar");
  const content = writeArchive(kind, backing.files(), (await backing.index()).inOrder(first));
  await writeFileAtomic(archive, content, { mode: SHARED_MODE, signal, temporary: `${archive}.tmp` });
  await publishNew(archive, path);
  await staging.discard();
}

async function addition(
  location: FileLocation,
  name: LayoutName,
  signal: AbortSignal | undefined,
): Promise<Destination> {
  const { root, files, index } = await openExisting(location, signal);
  refuseTaken(index, name);
  const staging = await Staging.open(root, { signal, folder: join(root, ".countersign-partial") });
  const backing = new StagedBacking({ staging, signal, base: { files, index } });
  return destination(location, staging, backing, name, async () => {
    await backing.removeUnused();
    const change = async (now: LayoutIndex) => {
      refuseTaken(now, name);
      refuseOvertaken(index, now, await backing.index());
      await backing.moveBlobs(root);
      return backing.replay(now);
    };
    await changeIndexFile(root, files, change, signal);
    await staging.discard();
  });
}

/** What exists and is no layout is not ours to change. */
async function openExisting(location: FileLocation, signal: AbortSignal | undefined) {
  try {
    const root = await existingPath(location.path, "folder");
    const files = new FolderFiles(root, signal);
    return { root, files, index: await readLayout(files) };
  } catch (thrown) {
    if (thrown instanceof CountersignError && thrown.class !== "interrupted" && thrown.code !== "disk-error") {
      throw destinationExists(location.path);
    }
    throw thrown;
  }
}

function refuseTaken(index: LayoutIndex, name: LayoutName): void {
  if (index.find(name.reference ?? name.tag) === undefined) return;
  throw new CountersignError("destination-exists", "the layout has an image with this tag already", {
    found: name.reference ?? name.tag,
    next: "choose another tag, or another layout",
  });
}

/** What cosign keeps under one tag was joined with what was there: of what somebody else has put there since, it knows nothing. */
function refuseOvertaken(before: LayoutIndex, now: LayoutIndex, ours: LayoutIndex): void {
  for (const { tag } of ours.entries) {
    if (tag === undefined || !isCompanionTag(tag)) continue;
    const [was, is, wanted] = [before, now, ours].map((index) => index.find(tag)?.digest);
    if (is === was || is === wanted || wanted === was) continue;
    throw new CountersignError("write-conflict", "another process has written the same tag of signatures meanwhile", {
      found: tag,
      next: "run the same command again; nothing was written",
    });
  }
}

function destination(
  location: FileLocation,
  staging: Staging,
  backing: StagedBacking,
  name: LayoutName | undefined,
  publish: (root: Manifest) => Promise<void>,
): Destination {
  const store: ContentStore = new LayoutStore({
    kind: location.kind,
    location: formatLocation(location),
    target: undefined,
    backing,
  });
  return {
    store,
    async commit(root) {
      await store.pushManifest(root);
      const { descriptor } = root;
      const entry = { ...descriptor, annotations: undefined };
      await backing.changeIndex((index) => (name === undefined ? index.withEntry(entry) : index.withName(entry, name)));
      await publish(root);
    },
    discard: () => staging.discard(),
    suspend: () => staging.suspend(),
  };
}

/** `docker load` takes whole images of one platform and nothing else. */
async function refuseUnloadable(backing: StagedBacking, root: Manifest): Promise<void> {
  if ((await loadableImage(backing.files(), root.descriptor, HOST)) !== undefined) return;
  throw new CountersignError("unsupported", "this cannot be stored so that docker load would take it", {
    found: root.kind === "index" ? `an index without a whole image for ${HOST}` : "no whole container image",
    wanted: "an image with its configuration and all its layers",
    next: "choose one platform with --platform, or store it as oci-archive:",
  });
}
