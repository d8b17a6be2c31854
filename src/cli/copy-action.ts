import { CountersignError } from "../core/errors.ts";
import { formatLocation, type Location, parseLocation } from "../core/oci/location.ts";
import type { Destination } from "../core/ports.ts";
import { layerDigesters } from "../io/disk/decompress.ts";
import { copyImage } from "../ops/copy.ts";
import { taggedDestination } from "../ops/destination.ts";
import type { Target, VerifiedImage } from "../ops/verify.ts";
import type { MovedImage } from "../report/transfer.ts";
import type { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import { judgeImages, openWiring, readRequirement, wantedPlatform } from "./images.ts";
import { acceptedManifest, concludeMove, movedNot } from "./moves.ts";
import { type RawOptions, readRegistryOptions, readVerifyOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { openProgress, type Progress } from "./progress.ts";

/** `countersign copy SRC DST`: the image and everything attached, verified before the first byte is written. */
export async function copy(
  context: Context,
  output: Output,
  source: string,
  target: string,
  raw: RawOptions,
): Promise<void> {
  const registry = readRegistryOptions(raw);
  const flags = readVerifyOptions(raw);
  const place = parseLocation(target);
  const requirement = await readRequirement(context, flags, [source]);
  await using wiring = await openWiring(context, output, registry, [source, target]);
  const { recursive, weakened } = flags;
  const { maxWorkers } = registry;
  const platform = wantedPlatform(context, registry);
  const options = { requirement, platform, recursive, weakened, maxWorkers, cache: wiring.cache };
  const [image] = await judgeImages(wiring, [source], options);
  const progress = openProgress(context, output);
  try {
    const moved = image === undefined ? [] : [await copyOne(wiring, image, place, progress, maxWorkers)];
    progress.finish();
    await concludeMove(context, output, "copy", moved, flags.exitCodes);
  } finally {
    progress.finish();
  }
}

async function copyOne(
  wiring: Wiring,
  image: VerifiedImage & { readonly target?: Target | undefined },
  place: Location,
  progress: Progress,
  maxWorkers: number | undefined,
): Promise<MovedImage> {
  const { verdicts, accepted, target } = image;
  if (!accepted || target === undefined) return { verdicts };
  try {
    const root = await acceptedManifest(target, image);
    const summary = await copyImage({
      source: target.store,
      root,
      destination: await openDestination(wiring, place, target.tag),
      openLayerDigester: layerDigesters(),
      onTransfer: progress.onTransfer,
      maxWorkers,
    });
    return { verdicts, destination: formatLocation(place), summary };
  } catch (error) {
    return movedNot(verdicts, error);
  }
}

/** A registry, or a place on disk. @throws CountersignError `unsupported`, `reference-invalid`, `destination-exists`. */
export async function openDestination(wiring: Wiring, place: Location, tag: string | undefined): Promise<Destination> {
  if (place.kind === "docker-daemon") {
    throw new CountersignError("unsupported", "a Docker daemon keeps no signatures", {
      found: formatLocation(place),
      wanted: "a registry, an OCI layout or an archive; to run the image, countersign pull --to docker",
    });
  }
  if (place.kind !== "registry") return await wiring.destination(place, tag);
  if (place.reference.digest !== undefined) {
    throw new CountersignError("reference-invalid", "a destination cannot be named by digest", {
      found: formatLocation(place),
      wanted: "repository:tag",
    });
  }
  return taggedDestination(await wiring.registry(place.reference), place.reference.tag);
}
