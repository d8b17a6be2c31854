import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { type Digest, digestOf } from "../../core/oci/digest.ts";
import type { ContentStore } from "../../core/ports.ts";
import { fileNameOf } from "../../core/tags/files.ts";
import { buildHead } from "../../core/tags/head.ts";
import type { Role } from "../../core/tags/metadata.ts";
import { partTag } from "../../core/tags/names.ts";
import { forEachConcurrently } from "../concurrency.ts";
import { sourceOf } from "../prepare-signature.ts";
import type { FirstFile } from "./first-content.ts";
import type { InitWish } from "./init.ts";
import { MetadataReader } from "./reader.ts";

type Place = Pick<InitWish, "store" | "gun" | "head" | "settle">;

/** By role, `root`, `targets`, `snapshot` and `timestamp` among them. */
type FirstFiles = ReadonlyMap<string, FirstFile<Role>>;

/** @throws CountersignError `destination-exists`. */
export async function requireNoHead(store: ContentStore, head: string): Promise<void> {
  const found = await store.resolve(head);
  if (found === undefined) return;
  throw new CountersignError("destination-exists", `${store.location} has signed tags already`, {
    found: `${head}, ${found.descriptor.digest}`,
    next: "look at them with countersign trust inspect, and change who signs with countersign trust rotate and trust signer",
  });
}

/**
 * The head that was not there before: it names what was made, and stays.
 *
 * @throws CountersignError `destination-exists`, `write-unconfirmed`; what the store throws.
 */
export async function pushFirst(place: Place, files: FirstFiles): Promise<Digest> {
  const { store, head } = place;
  const built = buildFirst(place, files);
  await forEachConcurrently(built.blobs, LIMITS.tagWorkers, async ({ descriptor, bytes }) => {
    await store.pushBlob(descriptor, sourceOf(bytes));
  });
  for (const [at, part] of built.manifests.entries()) await store.pushManifest(part, partTag(at, head));
  // Passphrases were typed since the first look.
  await requireNoHead(store, head);
  await store.pushManifest(built.manifest, head);
  const root = digestOf(fileOf(files, "root").bytes);
  await requireOurs(place, root);
  await requireSettled(place, root);
  return built.manifest.descriptor.digest;
}

function buildFirst({ gun }: Place, files: FirstFiles): ReturnType<typeof buildHead> {
  const { version, expires } = fileOf(files, "timestamp").body;
  const named = [...files].map(([name, { body, bytes }]) => [fileNameOf(name, body.version), bytes] as const);
  return buildHead(new Map(named), { gun, history: [], expires, version });
}

function fileOf(files: FirstFiles, role: string): FirstFile<Role> {
  const file = files.get(role);
  if (file === undefined) throw new CountersignError("internal", `trust without a ${role}`);
  return file;
}

/**
 * Registries have no compare-and-swap: of two who set up one repository in one moment, the one who writes last has set it up. Whoever
 * looked before our head was there has written by the end of this wait, and whoever was overwritten learns it here.
 */
async function requireSettled(place: Place, root: Digest): Promise<void> {
  if (place.settle === undefined) return;
  await place.settle(LIMITS.publishWindowMs + LIMITS.publishSettleMs);
  await requireOurs(place, root);
}

/** By its first root: whoever has our keys may have published something by now. */
async function requireOurs(place: Place, root: Digest): Promise<void> {
  const found = await firstRootAt(place);
  if (found === root) return;
  const { store, gun, head } = place;
  if (found === undefined) {
    throw new CountersignError(
      "write-unconfirmed",
      `${store.location} does not show the signed tags that were set up`,
      {
        found: `no tag ${head} with a root`,
        wanted: `the root ${root}`,
        next: "look at it with countersign trust inspect, and set them up again where it stays so; nothing was pinned",
      },
    );
  }
  throw new CountersignError("write-unconfirmed", `somebody else set up signed tags of ${gun} in the same moment`, {
    found: `the root ${found}`,
    wanted: `the root ${root}`,
    next: `theirs count, and nothing was pinned: ask them for the checksum, countersign trust pin ${gun} --root-checksum sha256:…`,
  });
}

/** undefined where no head is there, or nothing that is one. */
async function firstRootAt({ store, head }: Place): Promise<Digest | undefined> {
  const reader = new MetadataReader(store);
  const shown = await reader.tag(head);
  if (shown === undefined) return undefined;
  try {
    return (await reader.listing(shown)).files.get(fileNameOf("root", 1))?.descriptor.digest;
  } catch (thrown) {
    if (thrown instanceof CountersignError && thrown.code === "metadata-malformed") return undefined;
    throw thrown;
  }
}
