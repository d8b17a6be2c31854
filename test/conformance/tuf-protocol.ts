/**
 * tuf-conformance's protocol (its CLIENT-CLI.md) on our TUF client: `init`, `refresh`, `download`; status 0 or 1.
 * What differs from the product is what the protocol fixes: metadata lies in one folder under plain names, the root in it
 * is what everything starts from, and TUF's own rules hold where ours are narrower (names of roles).
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { CountersignError, toFinding } from "../../src/core/errors.ts";
import { explainFinding } from "../../src/core/explain.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { printable } from "../../src/core/printable.ts";
import { instant } from "../../src/core/time.ts";
import { writeFileAtomic } from "../../src/io/disk/atomic.ts";
import { ifPresent } from "../../src/io/disk/errors.ts";
import { ServiceClient } from "../../src/io/http/service.ts";
import { parseMirror, type TufSource } from "../../src/io/tuf/source.ts";
import { isTarget } from "../../src/io/tuf/target.ts";
import { TufUpdater } from "../../src/io/tuf/updater.ts";

const OPTIONS = {
  "metadata-dir": { type: "string" },
  "metadata-url": { type: "string" },
  "target-name": { type: "string", multiple: true },
  "target-base-url": { type: "string" },
  "target-dir": { type: "string" },
} as const;

/** Where a repository of the suite is, as a command of the protocol says it. */
export interface SuiteRepository {
  readonly metadata: URL;
  /** Only where something is downloaded. */
  readonly targets: URL | undefined;
  readonly client: ServiceClient;
}

/** Does something with a repository's files, by whatever way they come. */
export type WithSource = (repository: SuiteRepository, work: (source: TufSource) => Promise<void>) => Promise<void>;

/** Carries out one command of the protocol; the status of this process says whether it could. */
export async function speakProtocol(argv: readonly string[], withSource: WithSource): Promise<void> {
  try {
    await obey(argv, withSource);
  } catch (thrown) {
    process.stderr.write(`${printable(explainFinding(toFinding(thrown)))}\n`);
    process.exitCode = 1;
  }
}

async function obey(argv: readonly string[], withSource: WithSource): Promise<void> {
  const { values, positionals } = parseArgs({ args: [...argv], options: OPTIONS, allowPositionals: true });
  const [command, root] = positionals;
  const folder = needed(values["metadata-dir"], "--metadata-dir");
  if (command === "init") return await writeFileAtomic(join(folder, "root.json"), await readFile(needed(root, "ROOT")));
  if (command !== "refresh" && command !== "download") {
    throw new CountersignError("usage", "no such command", { found: command });
  }
  const isDownload = command === "download";
  const client = new ServiceClient({ env: {}, userAgent: "countersign" });
  const repository: SuiteRepository = {
    metadata: parseMirror(needed(values["metadata-url"], "--metadata-url")),
    targets: isDownload ? parseMirror(needed(values["target-base-url"], "--target-base-url")) : undefined,
    client,
  };
  const names = isDownload ? (values["target-name"] ?? []) : [];
  const place = isDownload ? needed(values["target-dir"], "--target-dir") : "";
  try {
    await withSource(repository, (source) =>
      withMetadata(folder, source, async (updater) => {
        await updater.refresh();
        for (const name of names) await download(updater, name, place);
      }),
    );
  } finally {
    await client.close();
  }
}

/** Whatever was verified stays, also where a later step fails. */
async function withMetadata(
  folder: string,
  source: TufSource,
  work: (updater: TufUpdater) => Promise<void>,
): Promise<void> {
  const before = await readMetadata(folder);
  const now = instant(Date.now());
  const updater = new TufUpdater(before, {
    name: "the repository",
    now,
    source,
    anyRoleName: true,
  });
  try {
    await work(updater);
  } finally {
    for (const [role, bytes] of updater.metadata) {
      if (before.get(role) !== bytes) await writeFileAtomic(join(folder, fileOf(role)), bytes);
    }
  }
}

/** Names of roles and targets are anybody's; `encodeURIComponent` leaves the dots alone. */
function fileOf(role: string): string {
  return `${encodeURIComponent(role).replaceAll(".", "%2E")}.json`;
}

async function readMetadata(folder: string): Promise<Map<string, Uint8Array>> {
  const files = (await readdir(folder)).filter((name) => name.endsWith(".json"));
  const entries = files.map(async (name): Promise<[string, Uint8Array]> => {
    return [decodeURIComponent(name.slice(0, -".json".length)), await readFile(join(folder, name))];
  });
  return new Map(await Promise.all(entries));
}

async function download(updater: TufUpdater, name: string, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const target = await updater.find(name);
  if (target === undefined) throw new CountersignError("not-found", "no role lists the target", { found: name });
  const path = join(folder, createHash("sha256").update(name).digest("hex"));
  const kept = await ifPresent(() => readFile(path));
  if (kept !== undefined && isTarget(kept, target)) return;
  await writeFileAtomic(path, await updater.fetch(target, LIMITS.tufTargetBytes));
}

function needed(value: string | undefined, name: string): string {
  if (value !== undefined) return value;
  throw new CountersignError("usage", `${name} is missing`);
}
