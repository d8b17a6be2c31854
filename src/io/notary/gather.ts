import { type DctListing, readDctRoot, readDctSnapshot, readDctTimestamp } from "../../core/dct/roles.ts";
import type { UntrustedDct } from "../../core/dct/verify.ts";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import type { DockerCache } from "./cache.ts";
import type { NotaryServer } from "./server.ts";

/**
 * All that a Notary server has of a repository now, with every root after the one that is known. `knownRoot` is the first root
 * then; without it the server's own newest one is, and somebody has to vouch for it.
 *
 * @throws CountersignError `signed-tags-missing` where the server has nothing of it, `rollback`, `forked`, `root-version-gap`,
 * `role-vanished`, and what `NotaryServer.file` throws.
 */
export async function gatherFromServer(
  server: NotaryServer,
  gun: string,
  knownRoot: Uint8Array | undefined,
): Promise<UntrustedDct> {
  const reader = new Reader(server);
  const timestamp = await reader.file("timestamp");
  if (timestamp === undefined) throw nothingThere(server, gun);
  const snapshot = await reader.listed("snapshot", readDctTimestamp(timestamp).body);
  const listing = readDctSnapshot(snapshot).body;
  const root = await reader.listed("root", listing);
  const roots = await rootsBetween(reader, knownRoot, root);
  const targets = new Map<string, Uint8Array>();
  for (const role of targetsRoles(listing)) targets.set(role, await reader.listed(role, listing));
  return { gun, roots, listings: { timestamp, snapshot }, targets };
}

function nothingThere(server: NotaryServer, gun: string): CountersignError {
  return new CountersignError("signed-tags-missing", "the Notary server has no trust data of this repository", {
    found: `404 from ${server.location}`,
    wanted: `trust data of ${gun}`,
    next: "check the name, its registry before it; what Docker kept on this machine is read with --from-dct",
  });
}

function targetsRoles(listing: DctListing): readonly string[] {
  return [...listing.keys()].filter((role) => role === "targets" || role.startsWith("targets/"));
}

/** Reads in bounds, by hash where the server has it so: a publisher may be at work meanwhile. */
class Reader {
  readonly #server: NotaryServer;
  #bytes = 0;

  constructor(server: NotaryServer) {
    this.#server = server;
  }

  async file(name: string): Promise<Uint8Array | undefined> {
    const bytes = await this.#server.file(name);
    this.#bytes += bytes?.byteLength ?? 0;
    if (this.#bytes <= LIMITS.dctRepositoryBytes) return bytes;
    throw new CountersignError("limit-reached", "the Notary server has more of this repository than is read", {
      wanted: `at most ${LIMITS.dctRepositoryBytes} bytes`,
    });
  }

  async listed(role: string, listing: DctListing): Promise<Uint8Array> {
    const listed = listing.get(role);
    const bytes = listed && ((await this.file(`${role}.${listed.sha256}`)) ?? (await this.file(role)));
    if (bytes !== undefined) return bytes;
    throw new CountersignError("role-vanished", `the Notary server lacks ${role}`, {
      found: listed === undefined ? "no entry for it" : "404",
      wanted: `${role}.json`,
    });
  }
}

async function rootsBetween(
  reader: Reader,
  known: Uint8Array | undefined,
  newest: Uint8Array,
): Promise<readonly Uint8Array[]> {
  if (known === undefined) return [newest];
  const from = readDctRoot(known, "the known root").version;
  const to = readDctRoot(newest).version;
  if (to === from) return sameRoot(known, newest, from);
  if (to < from) {
    throw new CountersignError("rollback", "the Notary server has an older root than is known here", {
      found: `version ${to}`,
      wanted: `version ${from} or a later one`,
    });
  }
  if (to - from > LIMITS.dctRoots) throw tooManyRoots(to - from);
  const roots = [known];
  for (let version = from + 1; version < to; version++) roots.push(await rootOf(reader, version));
  return [...roots, newest];
}

function sameRoot(known: Uint8Array, newest: Uint8Array, version: number): readonly Uint8Array[] {
  if (Buffer.compare(known, newest) === 0) return [known];
  throw new CountersignError("forked", "the Notary server has another root than is known here, under one version", {
    found: `two files of version ${version}`,
    wanted: "one",
    next: "treat the Notary server as tampered with; ask the publisher",
  });
}

async function rootOf(reader: Reader, version: number): Promise<Uint8Array> {
  const bytes = await reader.file(`${version}.root`);
  if (bytes !== undefined) return bytes;
  throw new CountersignError(
    "root-version-gap",
    "the Notary server lacks a root between the known one and the newest",
    {
      found: "404",
      wanted: `${version}.root.json`,
      next: "ask the server's operator; from the newest root alone, it would be trust on first use: --tofu",
    },
  );
}

function tooManyRoots(found: number): CountersignError {
  return new CountersignError("limit-reached", "there are too many roots between the known one and the newest", {
    found: String(found),
    wanted: `at most ${LIMITS.dctRoots}`,
  });
}

/**
 * The same from what Docker kept on this machine. Its root is the one that was trusted. Who publishes has the files that were
 * signed here, often without a timestamp and a snapshot, or with older ones than these files: `withoutListings` is for them.
 *
 * @throws CountersignError `role-vanished` where the cache has no `targets`.
 */
export function gatherFromCache({ files, location }: DockerCache, gun: string): UntrustedDct {
  const [root, timestamp, snapshot] = [files.get("root"), files.get("timestamp"), files.get("snapshot")];
  if (root === undefined || !files.has("targets")) {
    throw new CountersignError("role-vanished", "Docker's cache lacks a part of this repository", {
      found: location,
      wanted: "root.json and targets.json",
      next: "take the data from the Notary server, or from a machine that has pulled by tag",
    });
  }
  const targets = [...files].filter(([role]) => role === "targets" || role.startsWith("targets/"));
  const listings = timestamp !== undefined && snapshot !== undefined ? { timestamp, snapshot } : undefined;
  return { gun, roots: [root], listings, targets: new Map(targets) };
}
