import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { CountersignError } from "../core/errors.ts";
import { kitImageName } from "../core/formats/kit.ts";
import type { Collection } from "../core/ports.ts";
import { layerDigesters } from "../io/disk/decompress.ts";
import { onDisk } from "../io/disk/errors.ts";
import { type BroughtTrust, type SavedKit, saveKit } from "../ops/kit.ts";
import type { KitEntry } from "../ops/kit-contents.ts";
import type { Target, VerifiedImage } from "../ops/verify.ts";
import { type KitResult, kitDocument, kitText } from "../report/kit.ts";
import type { Style } from "../report/style.ts";
import type { MovedImage } from "../report/transfer.ts";
import type { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import { createdAt, judgeImages, narrowTarget, openWiring, readJudging } from "./images.ts";
import { explainPlatform, nameInKit, orDiscard } from "./kit-images.ts";
import { bringTrust, rememberTrust } from "./kit-trust.ts";
import { acceptedManifest } from "./moves.ts";
import { list as listOption, type RawOptions, type RegistryOptions, readRegistryOptions, text } from "./options.ts";
import type { Output } from "./output.ts";
import { openProgress } from "./progress.ts";
import { readTrustOptions } from "./trust-options.ts";
import { concludeVerdicts } from "./verdicts.ts";
import { readVerifyOptions, type VerifyOptions } from "./verify-options.ts";

/** Everything a save needs beside its images. */
interface Save {
  readonly context: Context;
  readonly output: Output;
  readonly wiring: Wiring;
  readonly registry: RegistryOptions;
  /** As the user called it. */
  readonly file: string;
  /** undefined for a kit of trust material alone. */
  readonly flags: VerifyOptions | undefined;
  readonly trust: ReturnType<typeof rememberTrust>;
}

type Judged = VerifiedImage & { readonly target?: Target | undefined };

/** `countersign save IMAGE… --to FILE`: images that were accepted, all or none, with what belongs to them. */
export async function save(
  context: Context,
  output: Output,
  images: readonly string[],
  raw: RawOptions,
): Promise<void> {
  const registry = readRegistryOptions(raw);
  const file = readFileName(raw);
  const included = listOption(raw, "includeTrust");
  const flags = images.length === 0 && included.length > 0 ? undefined : readSaveOptions(images, raw);
  const wiring = await openWiring(context, output, registry, images);
  try {
    const saving: Save = { context, output, wiring, registry, file, flags, trust: rememberTrust() };
    if (flags !== undefined && flags.bundles.length > 0) output.warn(BUNDLES_STAY);
    const judging =
      flags && (await readJudging(context, output, wiring, images, { ...registry, ...flags }, saving.trust.find));
    const collection = await wiring.collection({ kind: "oci-archive", path: file });
    const judged = await orDiscard(collection, async () => {
      if (judging === undefined) return [];
      const narrow = async (target: Target) => ({
        ...(await narrowTarget(target, registry.platform)),
        tag: target.tag,
      });
      return await judgeImages(wiring, images, { ...judging, platform: undefined, contentFollows: true }, narrow);
    });
    if (judged.every(({ accepted }) => accepted)) await saveAccepted(saving, collection, judged, included, raw);
    else await refuse(saving, collection, judged);
  } finally {
    await wiring.close();
  }
}

const BUNDLES_STAY = "the bundles that were given stay out of the kit: countersign load needs them too";

function readFileName(raw: RawOptions): string {
  const to = text(raw, "to");
  const path = to?.replace(/^oci-archive:/, "");
  if (path !== undefined && path !== "" && !/^(?:oci|docker-archive|docker-daemon):/.test(path)) return path;
  throw new CountersignError("usage", "nothing says which file the kit shall be", {
    found: to === undefined ? "no --to" : to,
    wanted: "--to FILE",
  });
}

/** @throws CountersignError `usage`: no image, nobody named, proof that would not travel. */
function readSaveOptions(images: readonly string[], raw: RawOptions): VerifyOptions {
  if (images.length === 0) {
    throw new CountersignError("usage", "nothing says what to save", {
      found: "no image",
      wanted: "images, or --include-trust NAME for a kit of trust material alone",
    });
  }
  const flags = readVerifyOptions(raw);
  if (flags.github === undefined) return flags;
  throw new CountersignError("usage", "what GitHub's API keeps does not get into a kit", {
    found: "--github-api",
    wanted: "attestations that are stored beside the image",
  });
}

async function refuse(
  { context, output, registry, flags }: Save,
  collection: Collection,
  judged: readonly Judged[],
): Promise<void> {
  await collection.discard();
  const images = judged.map((image) => ({
    verdicts: image.verdicts.map((verdict) => explainPlatform(verdict, registry.platform)),
  }));
  await conclude(context, output, resultOf(context, images), flags);
}

async function saveAccepted(
  saving: Save,
  collection: Collection,
  judged: readonly Judged[],
  included: readonly string[],
  raw: RawOptions,
): Promise<void> {
  const { context, output, flags, registry } = saving;
  const { entries, trust } = await orDiscard(collection, async () => ({
    entries: await readEntries(judged),
    trust: await readTrust(saving, included, raw),
  }));
  const progress = openProgress(context, output);
  try {
    const saved = await saveKit({
      collection,
      entries: distinct(entries),
      trust,
      createdAt: createdAt(context),
      openLayerDigester: layerDigesters(),
      onTransfer: progress.onTransfer,
      maxWorkers: registry.maxWorkers,
    });
    progress.finish();
    await conclude(context, output, await savedResult(saving, saved, judged, entries), flags);
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
    entries.push({ image: { ...name, manifest: { mediaType, digest, size } }, root, store: image.target.store });
  }
  return entries;
}

function keyOf({ image }: KitEntry): string {
  return `${kitImageName(image)} ${image.manifest.digest}`;
}

/** An image that was named twice is one image. */
function distinct(entries: readonly KitEntry[]): readonly KitEntry[] {
  return [...new Map(entries.map((entry) => [keyOf(entry), entry])).values()];
}

/** What the images were judged by, and what the user wants to have along. */
async function readTrust(
  { context, output, wiring, trust }: Save,
  included: readonly string[],
  raw: RawOptions,
): Promise<readonly BroughtTrust[]> {
  const flags = readTrustOptions(raw);
  for (const instance of included)
    await trust.find(context, output, { ...flags, trustedRoot: undefined, instance }, wiring);
  return await bringTrust(context, trust.used, wiring);
}

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
  const { digest, list, trustRoots } = saved;
  const path = resolve(context.workingDirectory, file);
  const { size: bytes } = await onDisk(`read ${file}`, () => stat(path));
  return { ...resultOf(context, images), kit: { file, digest, list, trustRoots, bytes } };
}

function resultOf({ referenceTime: now }: Context, images: readonly MovedImage[]): KitResult {
  return { movement: "save", images, kit: undefined, updates: [], used: [], isListing: false, now };
}

async function conclude(
  context: Context,
  output: Output,
  result: KitResult,
  flags: VerifyOptions | undefined,
): Promise<void> {
  const said = { text: (style: Style) => kitText(result, style), json: () => kitDocument(result) };
  if (flags === undefined) return await output.result(said);
  const verdicts = result.images.flatMap((image) => image.verdicts);
  await concludeVerdicts(context, output, verdicts, said, flags.exitCodes);
}
