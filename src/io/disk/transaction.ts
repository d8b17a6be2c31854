import { access, constants, type FileHandle, lstat, open, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { type Digest, digestOf } from "../../core/oci/digest.ts";
import { ifPresent, onDisk, throwIfAborted } from "./errors.ts";
import { gather, hiddenBeside, openRegular, readRange, syncFolder } from "./files.ts";
import {
  draftPath,
  type IntendedFile,
  type Intent,
  intentPath,
  newIntent,
  readIntent,
  removeFile,
  removeIntent,
  stagedPath,
  writeIntent,
} from "./intent.ts";
import { withLock } from "./lock.ts";

/** A file that gets other content. */
export interface Replacement {
  /** Absolute, and no link: whoever names a link means the file that it leads to. */
  readonly path: string;
  /** What was read there; undefined where there was no file. */
  readonly before: Uint8Array | undefined;
  readonly after: Uint8Array;
}

export interface TransactionOptions {
  readonly signal?: AbortSignal | undefined;
}

/** What became of what a killed process left. */
export interface Recovery {
  readonly outcome: "finished" | "taken back";
  readonly files: readonly string[];
  /** Changed by somebody else in the meantime: they stay as they are. */
  readonly left: readonly string[];
}

/**
 * Runs `work` while no other process replaces files in the name of the same anchor. What a killed one left is finished or
 * taken back before.
 *
 * @throws CountersignError `write-conflict`, `record-invalid`, `disk-error`, `interrupted`.
 */
export async function inTurn<Result>(
  anchor: string,
  options: TransactionOptions,
  work: (recovered: Recovery | undefined) => Promise<Result>,
): Promise<Result> {
  return await withLock(turnPath(anchor), options, async () => {
    await removeFile(draftPath(anchor));
    return await work(await recover(anchor));
  });
}

function turnPath(anchor: string): string {
  return hiddenBeside(anchor, "countersign-turn");
}

/**
 * The same without work, for who only reads: waits for a process that is writing, and puts in order what a killed one left.
 * Writes nothing at all where there is neither.
 */
export async function recoverFiles(anchor: string, options: TransactionOptions = {}): Promise<Recovery | undefined> {
  const traces = [turnPath(anchor), intentPath(anchor), draftPath(anchor)];
  const found = await Promise.all(traces.map((path) => onDisk(`read ${path}`, () => ifPresent(() => lstat(path)))));
  if (found.every((one) => one === undefined)) return undefined;
  return await inTurn(anchor, options, async (recovered) => recovered);
}

/**
 * Replaces several files, all of them or none, also where this process is killed: first the intent is recorded, then each
 * new content is written beside its file, and only when all of them are on the disk do they take the files' names. The
 * next run in the same turn finds the record and either finishes or takes back.
 *
 * Permissions and owner stay; other hard links to a file keep the old content.
 *
 * @param anchor The record lies beside it. Call it within `inTurn`.
 * @throws CountersignError `write-conflict` where a file is not what was read, `disk-error`, `interrupted`.
 */
export async function replaceFiles(
  anchor: string,
  replacements: readonly Replacement[],
  { signal }: TransactionOptions = {},
): Promise<void> {
  const changes = replacements.filter(
    ({ before, after }) => before === undefined || Buffer.compare(before, after) !== 0,
  );
  if (changes.length === 0) return;
  const intent = newIntent(changes.map(intendedFile));
  await refuseChanged(intent.files);
  await writeIntent(anchor, intent);
  try {
    for (const { path, after } of changes) {
      throwIfAborted(signal);
      await stage(stagedPath(intent, path), after, path);
    }
    await syncFolders(intent);
    await refuseChanged(intent.files);
  } catch (thrown) {
    await clear(anchor, intent);
    throw thrown;
  }
  await commit(anchor, intent, changes);
}

function intendedFile({ path, before, after }: Replacement): IntendedFile {
  return { path, before: before === undefined ? undefined : digestOf(before), after: digestOf(after) };
}

/** From the first name on there is no way back but the recorded one. */
async function commit(anchor: string, intent: Intent, changes: readonly Replacement[]): Promise<void> {
  let done = 0;
  try {
    for (const file of intent.files) {
      await take(intent, file);
      done++;
    }
  } catch (thrown) {
    // Where that fails too, the record stays, and the next run goes on from it.
    await takeBack(anchor, intent, changes.slice(0, done)).catch(() => undefined);
    throw thrown;
  }
  await syncFolders(intent);
  await clear(anchor, intent);
}

/** Gives those that were replaced their old content, by the same steps and as safe from being killed. */
async function takeBack(anchor: string, intent: Intent, changes: readonly Replacement[]): Promise<void> {
  const back: Intent = { ...intent, direction: "back" };
  for (const { path, before } of changes) {
    if (before !== undefined) await stage(stagedPath(back, path), before, path);
  }
  await writeIntent(anchor, back);
  for (const file of intent.files.slice(0, changes.length)) await take(back, file);
  await syncFolders(back);
  await clear(anchor, back);
}

// --- recovery ---------------------------------------------------------------------------------------------------------

type FileState = "new" | "ready" | "old" | "foreign";

async function recover(anchor: string): Promise<Recovery | undefined> {
  const intent = await readIntent(anchor);
  if (intent === undefined) return undefined;
  const states = await Promise.all(intent.files.map((file) => stateOf(intent, file)));
  const files = intent.files.map((file, at) => ({ ...file, state: states[at] ?? "foreign" }));
  // Names are taken only when everything is staged: where one is not, and none is new, none was taken yet.
  const isWhole = states.every((state) => state === "new" || state === "ready");
  const finishes = isWhole || states.includes("new");
  if (finishes) for (const file of files) if (file.state === "ready") await take(intent, file);
  await syncFolders(intent);
  await clear(anchor, intent);
  const pathsOf = (isWanted: (state: FileState) => boolean) =>
    files.filter(({ state }) => isWanted(state)).map(({ path }) => path);
  return {
    outcome: finishes === (intent.direction === "forward") ? "finished" : "taken back",
    files: pathsOf((state) => state !== "foreign" && (!finishes || state !== "old")),
    left: pathsOf((state) => state === "foreign" || (finishes && state === "old")),
  };
}

async function stateOf(intent: Intent, file: IntendedFile): Promise<FileState> {
  const { from, to } = contents(intent, file);
  const now = await contentOf(file.path);
  if (now === to) return "new";
  if (now !== from) return "foreign";
  return to === undefined || (await contentOf(stagedPath(intent, file.path))) === to ? "ready" : "old";
}

function contents({ direction }: Intent, { before, after }: IntendedFile) {
  return direction === "forward" ? { from: before, to: after } : { from: after, to: before };
}

// --- steps ------------------------------------------------------------------------------------------------------------

async function refuseChanged(files: readonly IntendedFile[]): Promise<void> {
  for (const { path, before } of files) {
    if ((await contentOf(path)) === before) continue;
    throw new CountersignError("write-conflict", "a file was changed by somebody else in the meantime", {
      found: path,
      next: "run the same command again; nothing was written",
    });
  }
}

type Content = Digest | "no file" | undefined;

/** undefined where there is nothing at all; what is no file, or too large for one that we wrote, has no content of ours. */
async function contentOf(path: string): Promise<Content> {
  const file = await openRegular(path);
  if (file === undefined || typeof file === "string") return file === undefined ? undefined : "no file";
  try {
    if (file.size > LIMITS.replacedFileBytes) return "no file";
    return digestOf(await gather(readRange(file.handle, 0, file.size)));
  } finally {
    await file.handle.close();
  }
}

/** A new file with the permissions of the one whose name it will take, on the disk when this returns. */
async function stage(staged: string, content: Uint8Array, path: string): Promise<void> {
  await onDisk(`write ${path}`, async () => {
    const like = await ifPresent(() => lstat(path));
    // Whoever took the right to write away from a file meant it.
    if (like !== undefined) await access(path, constants.W_OK);
    const handle = await open(staged, "wx", like === undefined ? 0o666 : 0o600);
    try {
      await handle.writeFile(content);
      if (like !== undefined) {
        await keepOwner(handle, like);
        await handle.chmod(like.mode & 0o7777);
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
}

/** Only who may give files away can; for all others the file is theirs already, or becomes theirs. */
async function keepOwner(
  handle: FileHandle,
  { uid, gid }: { readonly uid: number; readonly gid: number },
): Promise<void> {
  const own = await handle.stat();
  if (own.uid !== uid || own.gid !== gid) await handle.chown(uid, gid).catch(() => undefined);
}

async function take(intent: Intent, file: IntendedFile): Promise<void> {
  const { path } = file;
  await onDisk(`write ${path}`, async () => {
    if (contents(intent, file).to === undefined) await ifPresent(() => unlink(path));
    else await rename(stagedPath(intent, path), path);
  });
}

async function syncFolders({ files }: Intent): Promise<void> {
  for (const folder of new Set(files.map(({ path }) => dirname(path)))) await syncFolder(folder);
}

/** What is staged goes first: as long as there is any, the record tells whose it is. */
async function clear(anchor: string, intent: Intent): Promise<void> {
  for (const { path } of intent.files) {
    for (const direction of ["forward", "back"] as const) await removeFile(stagedPath({ ...intent, direction }, path));
  }
  await removeIntent(anchor);
}
