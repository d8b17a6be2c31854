import { resolve } from "node:path";
import { requireNotOlder } from "../core/dct/rollback.ts";
import { type DctLapse, type DctRepository, describeLapse, type UntrustedDct, verifyDct } from "../core/dct/verify.ts";
import { CountersignError } from "../core/errors.ts";
import type { ReasonCode } from "../core/reasons.ts";
import type { Instant } from "../core/time.ts";
import { type DockerCache, dockerTrustFolder, readDockerCache } from "../io/notary/cache.ts";
import { gatherFromCache, gatherFromServer } from "../io/notary/gather.ts";
import type { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import { flag, type RawOptions, text } from "./options.ts";
import { readRootFile } from "./tags-docker-root.ts";
import type { Repository } from "./tags-repository.ts";

/** Where the data of Docker Content Trust comes from, and which root of it is believed. */
export interface DockerSource {
  /** undefined: what Docker kept on this machine. */
  readonly server: URL | undefined;
  readonly trustFolder: string;
  /** A file with the root that is believed, in place of the one that Docker kept. */
  readonly rootFile: string | undefined;
  readonly tofu: boolean;
  readonly allowExpired: boolean;
}

/** @throws CountersignError `usage`. */
export function readDockerSource(context: Context, raw: RawOptions): DockerSource {
  const address = text(raw, "fromNotary");
  const { env, homeDirectory, workingDirectory } = context;
  const folder = text(raw, "trustDir");
  return {
    server: address === undefined ? undefined : readAddress(address),
    trustFolder: folder === undefined ? dockerTrustFolder(env, homeDirectory) : resolve(workingDirectory, folder),
    rootFile: text(raw, "dctRoot"),
    tofu: flag(raw, "tofu"),
    allowExpired: flag(raw, "allowExpired"),
  };
}

function readAddress(address: string): URL {
  const url = URL.parse(address.includes("://") ? address : `https://${address}`);
  if (url !== null) return url;
  throw new CountersignError("usage", "not the address of a Notary server", {
    found: address,
    wanted: "https://notary.example",
  });
}

/** Which root vouched for everything. */
export type DockerAnchor = "docker's own" | "a file" | "first use";

export interface DockerData {
  readonly repository: DctRepository;
  /** Printable: a server's address, or a folder. */
  readonly location: string;
  readonly anchor: DockerAnchor;
  /** What has expired and was allowed. */
  readonly lapses: readonly DctLapse[];
}

/**
 * Reads and verifies it. From a server, what Docker kept here is where trust begins, and nothing may be older than it.
 *
 * @throws CountersignError `no-pin` where no root is known, `frozen` for what has expired, and as `gatherFromServer`,
 * `gatherFromCache` and `verifyDct`.
 */
export async function readDockerData(
  context: Context,
  wiring: Wiring,
  source: DockerSource,
  repository: Repository,
): Promise<DockerData> {
  const cache = await readDockerCache(source.trustFolder, repository.gun);
  const now = context.referenceTime;
  if (source.server === undefined) {
    const kept = gatherFromCache(cache ?? nothingKept(source, repository), repository.gun);
    const own =
      source.rootFile === undefined ? kept : { ...kept, roots: await rootsFrom(context, source.rootFile, kept) };
    const verified = verifyOwnCopy(own, now);
    const anchor = source.rootFile === undefined ? "docker's own" : "a file";
    // Nobody can refresh what is on a disk: that its timestamp has expired says how old it is, and no more.
    const lapses = requireLife(verified, source, (lapse) => lapse.what === "timestamp");
    return { repository: verified, location: cache?.location ?? "", anchor, lapses };
  }
  const { root, anchor } = await anchorOf(context, source, cache);
  const server = await wiring.notary(source.server, repository.reference);
  try {
    const verified = verifyDct(await gatherFromServer(server, repository.gun, root), now);
    const before =
      cache === undefined || anchor !== "docker's own" ? undefined : verifiedCache(cache, context, repository);
    if (before !== undefined) requireNotOlder(verified, before);
    return { repository: verified, location: server.location, anchor, lapses: requireLife(verified, source) };
  } finally {
    await server.close();
  }
}

/**
 * What Docker kept of a publish is newer than the timestamp that it kept: the files then count each by its own signatures, and
 * that is said.
 */
function verifyOwnCopy(own: UntrustedDct, now: Instant): DctRepository {
  try {
    return verifyDct(own, now);
  } catch (thrown) {
    const isTorn = thrown instanceof CountersignError && TORN.has(thrown.code);
    if (!isTorn || own.listings === undefined) throw thrown;
    return verifyDct({ ...own, listings: undefined }, now);
  }
}

/** The timestamp or the snapshot are about other files, or by keys of another root. */
const TORN: ReadonlySet<ReasonCode> = new Set(["mix-and-match", "role-vanished", "signature-threshold"]);

/** The believed root, then the one that was kept where it is a later one. */
async function rootsFrom(
  context: Context,
  file: string,
  { roots }: { readonly roots: readonly Uint8Array[] },
): Promise<readonly Uint8Array[]> {
  const believed = await readRootFile(resolve(context.workingDirectory, file), file);
  return roots.some((root) => Buffer.compare(root, believed) === 0) ? roots : [believed, ...roots];
}

async function anchorOf(
  context: Context,
  { rootFile, tofu, trustFolder }: DockerSource,
  cache: DockerCache | undefined,
): Promise<{ readonly root: Uint8Array | undefined; readonly anchor: DockerAnchor }> {
  if (rootFile !== undefined)
    return { root: await readRootFile(resolve(context.workingDirectory, rootFile), rootFile), anchor: "a file" };
  const root = cache?.files.get("root");
  if (root !== undefined) return { root, anchor: "docker's own" };
  if (tofu) return { root: undefined, anchor: "first use" };
  throw new CountersignError(
    "no-pin",
    "nothing on this machine says which root of the Notary server is the right one",
    {
      found: `no data of the repository in ${trustFolder}`,
      wanted: "the trust folder of a machine that pulled or pushed there (--trust-dir), or its root.json (--dct-root)",
      next: "fetch one of them; --tofu believes the root that the server has now, as Docker did at a first use",
    },
  );
}

function nothingKept({ trustFolder }: DockerSource, { gun }: Repository): never {
  throw new CountersignError("signed-tags-missing", "Docker kept no trust data of this repository here", {
    found: trustFolder,
    wanted: `tuf/${gun}/metadata below it`,
    next: "take the data from a Notary server with --from-notary, or name another machine's folder with --trust-dir",
  });
}

/** undefined where the cache cannot be verified: its root counts all the same, and its versions say nothing. */
function verifiedCache(cache: DockerCache, context: Context, { gun }: Repository): DctRepository | undefined {
  try {
    return verifyOwnCopy(gatherFromCache(cache, gun), context.referenceTime);
  } catch (thrown) {
    if (thrown instanceof CountersignError) return undefined;
    throw thrown;
  }
}

function requireLife(
  { lapses }: DctRepository,
  { allowExpired }: DockerSource,
  isExcused: (lapse: DctLapse) => boolean = () => false,
): readonly DctLapse[] {
  const open = lapses.filter((lapse) => !isExcused(lapse));
  if (allowExpired || open.length === 0) return lapses;
  throw new CountersignError("frozen", "the data of Docker Content Trust has expired", {
    found: open.map(describeLapse).join("; "),
    wanted: "metadata that its publisher kept up",
    next: "have the publisher sign it again while that can be done; --allow-expired takes it as it is",
  });
}
