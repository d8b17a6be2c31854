import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { ifPresent, onDisk } from "../disk/errors.ts";
import { openRegular, readRange } from "../disk/files.ts";

/** What Docker kept of one repository when it last asked: files by the name of their role. */
export interface DockerCache {
  /** Printable. */
  readonly location: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Docker's folder of content trust: `$DOCKER_CONFIG/trust`, else `~/.docker/trust`. */
export function dockerTrustFolder(env: Readonly<Record<string, string | undefined>>, homeDirectory: string): string {
  return join(env["DOCKER_CONFIG"] || join(homeDirectory, ".docker"), "trust");
}

/**
 * Reads what the cache has of a repository; links are not followed. undefined where it has no root of it.
 *
 * @param gun A canonical repository name: it becomes a path.
 * @throws CountersignError `disk-error`, `limit-reached`, `metadata-malformed` for what is there and no file.
 */
export async function readDockerCache(folder: string, gun: string): Promise<DockerCache | undefined> {
  const location = join(folder, "tuf", ...gun.split("/"), "metadata");
  const files = new Map<string, Uint8Array>();
  let total = 0;
  for (const path of await jsonFiles(location)) {
    const bytes = await readMetadata(join(location, path));
    total += bytes.byteLength;
    if (total > LIMITS.dctRepositoryBytes) throw tooMuch(location);
    files.set(path.slice(0, -".json".length), bytes);
  }
  return files.has("root") ? { location, files } : undefined;
}

/** `root.json`, `targets/alice.json`: relative to the folder, with `/`. */
async function jsonFiles(folder: string): Promise<readonly string[]> {
  const top = await entries(folder);
  const below = top.includes("targets") ? await entries(join(folder, "targets")) : [];
  const names = [...top, ...below.map((name) => `targets/${name}`)].filter((name) => name.endsWith(".json"));
  if (names.length <= LIMITS.dctRoles + FURTHER_FILES) return names.sort();
  throw tooMuch(folder);
}

/** The four roles at the top. */
const FURTHER_FILES = 4;

async function entries(folder: string): Promise<readonly string[]> {
  return (await onDisk(`read ${folder}`, () => ifPresent(() => readdir(folder)))) ?? [];
}

async function readMetadata(path: string): Promise<Uint8Array> {
  const opened = await openRegular(path);
  if (opened === undefined || typeof opened === "string") {
    throw new CountersignError("metadata-malformed", `${basename(path)} of Docker's cache cannot be read`, {
      found: opened ?? "nothing",
      wanted: "a file",
    });
  }
  try {
    if (opened.size > LIMITS.dctFileBytes) throw tooMuch(path);
    const chunks: Uint8Array[] = [];
    for await (const chunk of readRange(opened.handle, 0, opened.size)) chunks.push(chunk);
    return Buffer.concat(chunks);
  } finally {
    await opened.handle.close();
  }
}

function tooMuch(place: string): CountersignError {
  return new CountersignError("limit-reached", "Docker's cache holds more than is read", {
    found: place,
    wanted: `files of ${LIMITS.dctFileBytes} bytes, ${LIMITS.dctRepositoryBytes} in all`,
  });
}
