import { CountersignError } from "../core/errors.ts";
import { formatLocation, type Location, parseLocation } from "../core/oci/location.ts";
import type { Reference } from "../core/oci/reference.ts";
import type { ContentStore, Destination } from "../core/ports.ts";
import { layerDigesters } from "../io/disk/decompress.ts";
import { copyImage } from "../ops/copy.ts";
import { taggedDestination } from "../ops/destination.ts";
import type { Target, VerifiedImage } from "../ops/verify.ts";
import type { MovedImage } from "../report/transfer.ts";
import type { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import { openWiring } from "./images.ts";
import { judgeImages, readJudging } from "./judging.ts";
import { acceptedManifest, concludeMove, movedNot } from "./moves.ts";
import { type RawOptions, readRegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { openProgress, type Progress } from "./progress.ts";
import { refuseRegistriesOffline } from "./trust-options.ts";
import { readTaggedOptions } from "./verify-options.ts";

/** `countersign copy SRC DST`: the image and everything attached, verified before the first byte is written. */
export async function copy(
  context: Context,
  output: Output,
  source: string,
  target: string,
  raw: RawOptions,
): Promise<void> {
  const registry = readRegistryOptions(raw);
  const flags = readTaggedOptions(raw);
  const place = destinationPlace(target);
  refuseRegistriesOffline(flags.signers.trust, [target]);
  const wiring = await openWiring(context, output, registry, [source, target]);
  try {
    const judging = await readJudging({ context, output, wiring, images: [source] }, { ...registry, ...flags });
    const [image] = await judgeImages(wiring, [source], { ...judging, contentFollows: true });
    const progress = openProgress(context, output);
    try {
      const moved = image === undefined ? [] : [await copyOne(wiring, image, place, progress, registry.maxWorkers)];
      progress.finish();
      await concludeMove(context, output, "copy", moved, flags.exitCodes);
    } finally {
      progress.finish();
    }
  } finally {
    await wiring.close();
  }
}

async function copyOne(
  wiring: Wiring,
  image: VerifiedImage & { readonly target?: Target | undefined },
  place: Place,
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
      carry: carriesTags(place, target, image) ? (store) => carryFrom(target.store, store, maxWorkers) : undefined,
    });
    return { verdicts, destination: formatLocation(place), summary };
  } catch (error) {
    return movedNot(verdicts, error);
  }
}

/**
 * Signed tags come along where the image was reached by one; out of a file, where there are any. One platform alone is not what a
 * tag is signed for: nobody could reach it by the tag.
 */
function carriesTags(place: Place, { store }: Target, { root, selected, verdicts }: VerifiedImage): boolean {
  if (place.kind === "docker-archive" || root?.descriptor.digest !== selected?.digest) return false;
  return store.kind !== "registry" || verdicts.some(({ signedTag }) => signedTag !== undefined);
}

async function carryFrom(
  source: ContentStore,
  target: ContentStore,
  maxWorkers: number | undefined,
): Promise<readonly string[] | undefined> {
  const { carryTags } = await import("../ops/tags/carry.ts");
  return await carryTags({ source, target, maxWorkers });
}

type Place = Exclude<Location, { readonly kind: "docker-daemon" }>;

/** @throws CountersignError `unsupported`, `reference-invalid`. */
function destinationPlace(target: string): Place {
  const place = parseLocation(target);
  if (place.kind === "docker-daemon") {
    throw new CountersignError("unsupported", "a Docker daemon keeps no signatures", {
      found: target,
      wanted: "a registry, an OCI layout or an archive; to run the image, countersign pull --to docker",
    });
  }
  if (place.kind === "registry") requireTag(place.reference, target);
  return place;
}

/** @throws CountersignError `reference-invalid` for a digest: what arrives decides the digest, not the command line. */
export function requireTag({ digest }: Reference, target: string): void {
  if (digest === undefined) return;
  throw new CountersignError("reference-invalid", "a destination cannot be named by digest", {
    found: target,
    wanted: "repository:tag",
  });
}

/** A registry, or a place on disk. @throws CountersignError `destination-exists` and what the stores throw. */
async function openDestination(wiring: Wiring, place: Place, tag: string | undefined): Promise<Destination> {
  if (place.kind !== "registry") return await wiring.destination(place, tag);
  return taggedDestination(await wiring.registry(place.reference), place.reference.tag);
}
