import { decodeUtf8 } from "../core/bytes.ts";
import { CountersignError } from "../core/errors.ts";
import type { KitImage } from "../core/formats/kit.ts";
import { LIMITS } from "../core/limits.ts";
import type { Platform } from "../core/oci/descriptor.ts";
import type { ImageIndex } from "../core/oci/manifest.ts";
import type { ImageName } from "../core/policy/document.ts";
import type { Collection, OnTransfer, WholeLayout } from "../core/ports.ts";
import { formatInstant } from "../core/time.ts";
import { layerDigesters } from "../io/disk/decompress.ts";
import type { CopyResult } from "../ops/copy.ts";
import { loadKit } from "../ops/kit.ts";
import { type KitContents, type KitEntry, proveBlobs, readKit } from "../ops/kit-contents.ts";
import { filePlace, type KitPlace, registryPlace } from "../ops/kit-place.ts";
import { type VerifiedImage, verifyImages } from "../ops/verify.ts";
import type { KitResult, TrustUpdate, UsedTrust } from "../report/kit.ts";
import type { MovedImage } from "../report/transfer.ts";
import type { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import { openWiring } from "./images.ts";
import { nameAs, prepareRules, readJudging } from "./judging.ts";
import { explainPlatform, isImage, kitTargets, narrowEntry, orDiscard } from "./kit-images.ts";
import { concludeKit, kitReport } from "./kit-result.ts";
import { findTrustIn, rememberTrust, warnOfEnds, warnOfExpiry } from "./kit-trust.ts";
import { type LoadOptions, type LoadPlace, readLoadOptions } from "./load-options.ts";
import { type RawOptions, type RegistryOptions, readRegistryOptions, text } from "./options.ts";
import type { Output } from "./output.ts";
import { openProgress } from "./progress.ts";
import { refuseRegistriesOffline } from "./trust-options.ts";
import { readTaggedOptions, type VerifyOptions } from "./verify-options.ts";

/** Everything a load needs beside the kit. */
interface Load {
  readonly context: Context;
  readonly output: Output;
  readonly wiring: Wiring;
  readonly registry: RegistryOptions;
  readonly options: LoadOptions;
  /** As the user called it. */
  readonly file: string;
  /** Of the configuration; undefined for the user's own. */
  readonly config: string | undefined;
  readonly onTransfer: OnTransfer;
}

/**
 * `countersign load FILE`: what is in a kit goes where it shall, once all of it was proven and judged. Nobody is asked
 * anything but the registry that the images go to.
 */
export async function load(context: Context, output: Output, file: string, raw: RawOptions): Promise<void> {
  const registry = readRegistryOptions(raw);
  const options = readLoadOptions(raw);
  const { place } = options;
  requireListing(output, options);
  const flags = place === undefined ? undefined : readJudgingFlags(raw, place);
  const wiring = await openWiring(context, output, registry, imagesAt(place));
  const progress = openProgress(context, output);
  try {
    const config = text(raw, "config");
    const loading = { context, output, wiring, registry, options, file, config, onTransfer: progress.onTransfer };
    const result =
      place === undefined || flags === undefined ? await show(loading) : await loadInto(loading, place, flags);
    progress.finish();
    await concludeKit(context, output, result, flags);
  } finally {
    progress.finish();
    await wiring.close();
  }
}

/** The policy of a kit is printed by itself: no verdict fits beside it. @throws CountersignError `usage`. */
function requireListing({ format }: Output, { isListing }: LoadOptions): void {
  if (format !== "policy" || isListing) return;
  throw new CountersignError("usage", "-o policy prints what is in a kit and does nothing else", {
    found: "no --list",
    wanted: "load --list -o policy FILE",
  });
}

/** How the images are judged: always without asking anybody. @throws CountersignError `usage`. */
function readJudgingFlags(raw: RawOptions, place: LoadPlace): VerifyOptions {
  const flags = readTaggedOptions(raw);
  const { trust } = flags.signers;
  refuseRegistriesOffline(trust, imagesAt(place));
  if (flags.github === undefined)
    return { ...flags, signers: { ...flags.signers, trust: { ...trust, offline: true } } };
  throw new CountersignError("usage", "load asks nobody but the registry that the images go to", {
    found: "--github-api",
    wanted: "attestations that are in the kit",
  });
}

/** As the command line could name images there. */
function imagesAt(place: LoadPlace | undefined): readonly string[] {
  if (place?.kind !== "registry") return [];
  const { registry, path } = place.prefix;
  return [[registry, path, "image"].filter((part) => part !== "").join("/")];
}

// --- the kit ----------------------------------------------------------------------------------------------------------

interface Opened {
  readonly whole: WholeLayout;
  readonly kit: KitContents;
}

async function open({ context, output, wiring, registry, options, file }: Load): Promise<Opened> {
  const whole = await wiring.wholeArchive(file);
  const kit = await readKit(whole, { digest: options.digest, maxWorkers: registry.maxWorkers });
  const { createdAt } = kit.list;
  if (createdAt > context.referenceTime + LIMITS.clockSkewMs) {
    output.warn(
      `the kit was made at ${formatInstant(createdAt)}, which is still to come: is this machine's clock right?`,
    );
  }
  return { whole, kit };
}

/** Every byte of it, and what it brings for this machine's own trust. */
async function prove(
  { context, output, registry, options, config, onTransfer }: Load,
  { whole, kit }: Opened,
): Promise<readonly TrustUpdate[]> {
  await proveBlobs(whole, { maxWorkers: registry.maxWorkers, onTransfer });
  if (!options.updateTrust) return [];
  const { updateTrust } = await import("./kit-update.ts");
  const updates = await updateTrust(context, { config }, kit);
  if (updates.length === 0) output.warn("the kit holds no trust material: nothing here was updated");
  for (const { name, expires } of updates) warnOfExpiry(output, name, expires, context.referenceTime);
  return updates;
}

/** `--list`, and `--update-trust` alone: nothing is judged, and no image goes anywhere. */
async function show(loading: Load): Promise<KitResult> {
  const opened = await open(loading);
  const updates = await prove(loading, opened);
  return { ...(await resultOf(loading, opened.kit)), updates, isListing: true, policy: await readPolicy(opened.kit) };
}

async function readPolicy({ list, readBlob }: KitContents): Promise<string | undefined> {
  return list.policy === undefined ? undefined : decodeUtf8(await readBlob(list.policy));
}

// --- its images -------------------------------------------------------------------------------------------------------

interface Prepared {
  readonly kit: KitContents;
  readonly entries: readonly KitEntry[];
  readonly place: KitPlace;
  readonly updates: readonly TrustUpdate[];
  readonly used: readonly UsedTrust[];
  readonly judged: readonly VerifiedImage[];
}

async function loadInto(loading: Load, to: LoadPlace, flags: VerifyOptions): Promise<KitResult> {
  const collection = to.kind === "files" ? await loading.wiring.collection(to.location) : undefined;
  const prepared = await orDiscard(collection, () => prepare(loading, to, flags, collection));
  const { kit, entries, place, updates, used, judged } = prepared;
  const result = { ...(await resultOf(loading, kit)), updates, used };
  if (!judged.every(({ accepted }) => accepted)) {
    await collection?.discard();
    return {
      ...result,
      images: judged.map(({ verdicts }) => ({
        verdicts: verdicts.map((one) => explainPlatform(one, loading.registry.platform)),
      })),
    };
  }
  const { onTransfer, registry } = loading;
  const options = { openLayerDigester: layerDigesters(), onTransfer, maxWorkers: registry.maxWorkers };
  const copies = await loadKit({ ...options, entries, place });
  return { ...result, images: judged.map(({ verdicts }, at) => ({ verdicts, ...arrived(prepared, at, copies[at]) })) };
}

async function prepare(
  loading: Load,
  to: LoadPlace,
  flags: VerifyOptions,
  collection: Collection | undefined,
): Promise<Prepared> {
  const opened = await open(loading);
  const { kit } = opened;
  const [images, heads] = [kit.entries.filter(isImage), kit.entries.filter((entry) => !isImage(entry))];
  // What images are told by comes first, in their order.
  const entries = [...(await narrowed(images, loading.registry.platform)), ...heads];
  const place = placeFor(loading, to, collection, entries);
  const updates = await prove(loading, opened);
  return { kit, entries, place, updates, ...(await judge(loading, kit, entries, flags)) };
}

/** @throws CountersignError `usage` where there is nothing to load, `platform-missing`. */
async function narrowed(entries: readonly KitEntry[], platform: Platform | undefined): Promise<readonly KitEntry[]> {
  if (entries.length === 0) {
    throw new CountersignError("usage", "the kit holds no images", {
      found: "trust material alone",
      wanted: "--update-trust or --list, without --to",
    });
  }
  if (platform === undefined) return entries;
  return await Promise.all(entries.map(async (entry) => await narrowEntry(entry, platform)));
}

function placeFor(
  { wiring, options }: Load,
  to: LoadPlace,
  collection: Collection | undefined,
  entries: readonly KitEntry[],
): KitPlace {
  const images = entries.map(({ image }) => image);
  if (to.kind === "registry") return registryPlace(to.prefix, images, (reference) => wiring.registry(reference));
  if (collection === undefined) throw new CountersignError("internal", "no place was opened");
  return filePlace(collection, options.to ?? "", images);
}

/** By this machine's own trust roots, unless the user pinned the kit and believes what is in it. */
async function judge(
  loading: Load,
  kit: KitContents,
  entries: readonly KitEntry[],
  flags: VerifyOptions,
): Promise<Pick<Prepared, "used" | "judged">> {
  const { context, output, wiring, registry } = loading;
  const trust = rememberTrust(loading.options.trustKit ? findTrustIn(kit) : undefined);
  const judgingFlags = { ...registry, ...flags, platform: undefined };
  const repositories = entries.map(({ image }) => image.repository);
  const judging = await pointingToKit(loading, kit, () =>
    readJudging({ context, output, wiring, images: [KIT], repositories, find: trust.find }, judgingFlags),
  );
  const targets = kitTargets(entries).map((target) => nameAs(target, judging));
  if (judging.policy !== undefined)
    await prepareRules(judging.policy.rulebook, entries.filter(isImage).map(ruleNameOf));
  const used = trust.used.map(({ found }) => found);
  if (loading.options.trustKit && used.length === 0) throw restsOnNothing();
  for (const found of used) warnOfEnds(output, found, context.referenceTime);
  return { used, judged: await verifyImages(targets, { ...judging, contentFollows: true }) };
}

/** Under which name rules are looked for: where it was saved from. */
function ruleNameOf({ image: { repository, tag, manifest } }: KitEntry): ImageName {
  return { repository, tag, digest: manifest.digest };
}

/** This machine's own trust material does not do, and there is some in the kit that nobody asked for. */
async function pointingToKit<Result>(
  { options }: Load,
  { list }: KitContents,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    const isStale = error instanceof CountersignError && error.code === "trust-stale";
    const isOffered = !options.updateTrust && !options.trustKit && list.trust.some(({ tuf }) => tuf !== undefined);
    if (!isStale || !isOffered) throw error;
    const { code, message, found, wanted } = error;
    const next =
      "the kit brings trust material: --update-trust takes it, where this machine's own start root proves it";
    throw new CountersignError(code, message, { found, wanted, next, cause: error });
  }
}

function restsOnNothing(): CountersignError {
  return new CountersignError("usage", "nothing rests on the trust roots of the kit", {
    found: "--trust-kit, and keys alone",
    wanted: "an identity, or --trust NAME to have logs vouch for the keys' signatures",
  });
}

/** What stands for the kit where a place is asked for: a file, wherever its images came from. */
const KIT = "oci-archive:KIT";

// --- the result -------------------------------------------------------------------------------------------------------

async function resultOf({ context, file }: Load, kit: KitContents): Promise<KitResult> {
  const report = await kitReport(context, file, kit);
  return {
    movement: "load",
    images: [],
    kit: report,
    updates: [],
    used: [],
    isListing: false,
    now: context.referenceTime,
  };
}

/** Where it went, and what to know about that. */
function arrived({ place, entries, judged }: Prepared, at: number, copy: CopyResult | undefined): Partial<MovedImage> {
  const entry = entries[at];
  if (entry === undefined || copy === undefined) return {};
  const { image } = entry;
  const { verdicts = [] } = judged[at] ?? {};
  const notes = [...copy.notes, ...(place.isSwept ? notesInRegistry(image, entry.index, verdicts) : [])];
  return { destination: place.nameOf(image), summary: { ...copy, notes } };
}

/** What others find there by its name. */
function notesInRegistry(
  { tag }: KitImage,
  index: ImageIndex | undefined,
  verdicts: VerifiedImage["verdicts"],
): readonly string[] {
  if (tag === undefined) return ["it has no tag there: registries may clear such images away"];
  if (index === undefined || verdicts.every(({ signedTag }) => signedTag === undefined)) return [];
  const { digest } = index.descriptor;
  return [
    `its signed tag is for the index ${digest}: without that, who has pinned the root cannot pull it there by the tag`,
  ];
}
