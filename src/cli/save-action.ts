import { basename } from "node:path";
import { CountersignError } from "../core/errors.ts";
import { kitImageName } from "../core/formats/kit.ts";
import { parseLocation } from "../core/oci/location.ts";
import type { Manifest } from "../core/oci/manifest.ts";
import type { Collection, ContentStore } from "../core/ports.ts";
import { HEAD_TAG } from "../core/tags/names.ts";
import { layerDigesters } from "../io/disk/decompress.ts";
import { type BroughtTrust, type SavedKit, saveKit } from "../ops/kit.ts";
import type { KitContents, KitEntry } from "../ops/kit-contents.ts";
import { reachPlatform, type Target, type VerifiedImage, verifyImages } from "../ops/verify.ts";
import type { KitResult } from "../report/kit.ts";
import type { MovedImage } from "../report/transfer.ts";
import type { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import { createdAt, openWiring } from "./images.ts";
import { type Judging, judgeImages, nameAs, readJudging } from "./judging.ts";
import { explainPlatform, kitTargets, nameInKit, orDiscard } from "./kit-images.ts";
import { concludeKit, kitReport } from "./kit-result.ts";
import { bringTrust, rememberTrust, warnOfEnds } from "./kit-trust.ts";
import { acceptedManifest } from "./moves.ts";
import { list, type RawOptions, type RegistryOptions, readRegistryOptions, text } from "./options.ts";
import type { Output } from "./output.ts";
import { openProgress } from "./progress.ts";
import { readTrustOptions, type TrustOptions } from "./trust-options.ts";
import { readTaggedOptions, type VerifyOptions } from "./verify-options.ts";

/** What the command line says. */
interface SaveOptions {
  readonly registry: RegistryOptions;
  /** As the user called it. */
  readonly file: string;
  /** undefined for a kit of trust material alone. */
  readonly flags: VerifyOptions | undefined;
  readonly trust: TrustOptions;
  /** Instances whose trust roots come along whether or not an image needs them. */
  readonly included: readonly string[];
}

/** Everything a save needs beside its images. */
interface Save extends SaveOptions {
  readonly context: Context;
  readonly output: Output;
  readonly wiring: Wiring;
  readonly remembered: ReturnType<typeof rememberTrust>;
}

type Judged = VerifiedImage & { readonly target?: Target | undefined };

/** `countersign save IMAGE… --to FILE`: images that were accepted, all or none, with what belongs to them. */
export async function save(
  context: Context,
  output: Output,
  images: readonly string[],
  raw: RawOptions,
): Promise<void> {
  const options = readSaveOptions(images, raw);
  const { flags, registry, file } = options;
  const wiring = await openWiring(context, output, registry, images);
  try {
    const saving: Save = { ...options, context, output, wiring, remembered: rememberTrust() };
    const judging = flags && (await readSaveJudging(saving, images, flags));
    const collection = await wiring.collection({ kind: "oci-archive", path: file });
    const judged = await orDiscard(collection, () => judgeAll(saving, images, judging));
    if (judged.every(({ accepted }) => accepted)) await saveAccepted(saving, collection, judged, judging);
    else await refuse(saving, collection, judged);
  } finally {
    await wiring.close();
  }
}

// --- the command line -------------------------------------------------------------------------------------------------

/** @throws CountersignError `usage`: nothing to save, nowhere to save it, nobody named, proof that would not travel. */
function readSaveOptions(images: readonly string[], raw: RawOptions): SaveOptions {
  const included = list(raw, "includeTrust");
  if (images.length === 0 && included.length === 0) {
    throw new CountersignError("usage", "nothing says what to save", {
      found: "no image",
      wanted: "images, or --include-trust NAME for a kit of trust material alone",
    });
  }
  return {
    registry: readRegistryOptions(raw),
    file: readFileName(raw),
    flags: images.length === 0 ? undefined : readSaveFlags(raw),
    trust: readTrustOptions(raw),
    included,
  };
}

function readFileName(raw: RawOptions): string {
  const to = text(raw, "to");
  const path = to?.replace(/^oci-archive:/, "");
  if (path !== undefined && path !== "" && !/^(?:oci|docker-archive|docker-daemon):/.test(path)) return path;
  throw new CountersignError("usage", "nothing says which file the kit shall be", {
    found: to === undefined ? "no --to" : to,
    wanted: "--to FILE",
  });
}

function readSaveFlags(raw: RawOptions): VerifyOptions {
  const flags = readTaggedOptions(raw);
  if (flags.github === undefined) return flags;
  throw new CountersignError("usage", "what GitHub's API keeps does not get into a kit", {
    found: "--github-api",
    wanted: "attestations that are stored beside the image",
  });
}

// --- judging ----------------------------------------------------------------------------------------------------------

const BUNDLES_STAY = "the bundles that were given stay out of the kit: countersign load needs them too";

async function readSaveJudging(saving: Save, images: readonly string[], flags: VerifyOptions): Promise<Judging> {
  const { context, output, wiring, registry, remembered } = saving;
  if (flags.bundles.length > 0) output.warn(BUNDLES_STAY);
  const judgingFlags = { ...registry, ...flags, platform: undefined };
  const judging = await readJudging({ context, output, wiring, images, find: remembered.find }, judgingFlags);
  return { ...judging, contentFollows: true };
}

/** A platform that was chosen is judged by itself: of its index nothing but what a signed tag says of it goes along. */
async function judgeAll(
  { wiring, registry }: Save,
  images: readonly string[],
  judging: Judging | undefined,
): Promise<readonly Judged[]> {
  if (judging === undefined) return [];
  const { platform } = registry;
  const { tags, requirement } = judging;
  const search = { tags, rulebook: "rulingOf" in requirement ? requirement : undefined };
  const narrow = async (target: Target): Promise<Target> =>
    platform === undefined ? target : await reachPlatform(nameAs(target, judging), platform, search);
  return await judgeImages(wiring, images, judging, narrow);
}

async function refuse(saving: Save, collection: Collection, judged: readonly Judged[]): Promise<void> {
  await collection.discard();
  const { context, output, registry, flags } = saving;
  const images = judged.map(({ verdicts }) => ({
    verdicts: verdicts.map((verdict) => explainPlatform(verdict, registry.platform)),
  }));
  await concludeKit(context, output, resultOf(context, images), flags);
}

// --- saving -----------------------------------------------------------------------------------------------------------

async function saveAccepted(
  saving: Save,
  collection: Collection,
  judged: readonly Judged[],
  judging: Judging | undefined,
): Promise<void> {
  const { context, output, flags, registry } = saving;
  const { entries, heads, trust } = await orDiscard(collection, async () => ({
    entries: await readEntries(judged),
    heads: judging === undefined ? [] : await readHeads(saving, judged, judging),
    trust: await readTrust(saving),
  }));
  const progress = openProgress(context, output);
  try {
    const saved = await saveKit({
      collection,
      entries: [...distinct(entries), ...heads],
      trust,
      policy: judging?.policy && { file: basename(judging.policy.document.label), bytes: judging.policy.bytes },
      createdAt: createdAt(context),
      check: async (kit) => judging && (await requireAccepted(kit, judging)),
      openLayerDigester: layerDigesters(),
      onTransfer: progress.onTransfer,
      maxWorkers: registry.maxWorkers,
    });
    progress.finish();
    await concludeKit(context, output, await savedResult(saving, saved, judged, entries), flags);
  } finally {
    progress.finish();
  }
}

async function readEntries(judged: readonly Judged[]): Promise<readonly KitEntry[]> {
  const entries: KitEntry[] = [];
  for (const image of judged) {
    if (image.target === undefined) throw new CountersignError("internal", "accepted without a place");
    const root = await acceptedManifest(image.target, image);
    const { mediaType, digest, size } = root.descriptor;
    const name = await nameInKit(image.target, root);
    const { store, index, bound } = image.target;
    const kept = bound?.signedTag === undefined ? undefined : index;
    entries.push({ image: { ...name, manifest: { mediaType, digest, size } }, root, store, index: kept });
  }
  return entries;
}

/** The trust metadata that images were reached by, once for each repository: they are judged by it on the other side. */
async function readHeads({ wiring }: Save, judged: readonly Judged[], { tags }: Judging): Promise<readonly KitEntry[]> {
  const stores = new Map(
    judged.flatMap(({ target, verdicts }) => {
      const isBound = verdicts.some(({ signedTag }) => signedTag !== undefined);
      const repository = target?.store.repository;
      return isBound && target !== undefined && repository !== undefined ? [[repository, target.store] as const] : [];
    }),
  );
  if (stores.size === 0) return [];
  const { readHead } = await import("../ops/tags/carry.ts");
  return await Promise.all(
    [...stores].map(async ([repository, images]) => {
      const location = await tags.locationOf(repository);
      const store = location === undefined ? images : await wiring.open(parseLocation(location));
      return headEntry(repository, store, await readHead(store));
    }),
  );
}

function headEntry(repository: string, store: ContentStore, root: Manifest | undefined): KitEntry {
  if (root === undefined) {
    throw new CountersignError("signed-tags-vanished", "the trust metadata has gone while the image was judged", {
      found: "nothing",
      wanted: `${store.location}:${HEAD_TAG}`,
    });
  }
  const { mediaType, digest, size } = root.descriptor;
  return { image: { repository, tag: HEAD_TAG, manifest: { mediaType, digest, size } }, root, store };
}

function keyOf({ image }: KitEntry): string {
  return `${kitImageName(image)} ${image.manifest.digest}`;
}

/** An image that was named twice is one image. */
function distinct(entries: readonly KitEntry[]): readonly KitEntry[] {
  return [...new Map(entries.map((entry) => [keyOf(entry), entry])).values()];
}

/** What the images were judged by, and what the user wants to have along. */
async function readTrust({
  context,
  output,
  wiring,
  remembered,
  trust,
  included,
}: Save): Promise<readonly BroughtTrust[]> {
  for (const instance of included) {
    await remembered.find(context, output, { ...trust, trustedRoot: undefined, instance }, wiring);
  }
  const advice = "refresh it with countersign trusted-root update before it is carried anywhere";
  for (const { found } of remembered.used) warnOfEnds(output, found, context.referenceTime, advice);
  return await bringTrust(context, remembered.used, wiring);
}

/** What was accepted where it was has to be accepted as it lies in the kit: a signature may have gone meanwhile. */
async function requireAccepted({ entries }: KitContents, judging: Judging): Promise<void> {
  const judged = await verifyImages(kitTargets(entries), judging);
  const refused = judged.flatMap(({ verdicts }) => verdicts).find(({ status }) => status !== "accepted");
  const [reason] = refused?.reasons ?? [];
  if (refused === undefined || reason === undefined) return;
  const { code, message, found, wanted } = reason;
  throw new CountersignError(code, `${refused.name} would not be accepted out of the kit: ${message}`, {
    found,
    wanted,
    next: "look at what is attached to the image now, then save it again",
  });
}

// --- the result -------------------------------------------------------------------------------------------------------

async function savedResult(
  { context, file }: Save,
  saved: SavedKit,
  judged: readonly Judged[],
  entries: readonly KitEntry[],
): Promise<KitResult> {
  const keys = distinct(entries).map(keyOf);
  const images = judged.map((image, at): MovedImage => {
    const entry = entries[at];
    if (entry === undefined) return { verdicts: image.verdicts };
    const summary = saved.copies[keys.indexOf(keyOf(entry))];
    return { verdicts: image.verdicts, destination: kitImageName(entry.image), summary };
  });
  return { ...resultOf(context, images), kit: await kitReport(context, file, saved) };
}

function resultOf({ referenceTime: now }: Context, images: readonly MovedImage[]): KitResult {
  return { movement: "save", images, kit: undefined, updates: [], used: [], isListing: false, now };
}
