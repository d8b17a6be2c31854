import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CountersignError } from "../core/errors.ts";
import { formatLocation, type Location, parseLocation } from "../core/oci/location.ts";
import type { Manifest } from "../core/oci/manifest.ts";
import { choosePlatform, parsePlatformName } from "../core/oci/platform.ts";
import { formatReference, repositoryName } from "../core/oci/reference.ts";
import { layerDigesters } from "../io/disk/decompress.ts";
import { docker } from "../io/engine/docker.ts";
import type { Engine } from "../io/engine/engine.ts";
import { podman } from "../io/engine/podman.ts";
import { HOST } from "../io/layout/archive.ts";
import { pullImage } from "../ops/pull.ts";
import type { Target, VerifiedImage } from "../ops/verify.ts";
import type { MovedImage } from "../report/transfer.ts";
import type { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import { openWiring, pulledPlatform } from "./images.ts";
import { judgeImages, readJudging } from "./judging.ts";
import { acceptedManifest, concludeMove, movedNot } from "./moves.ts";
import { type RawOptions, type RegistryOptions, readRegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { openProgress, type Progress } from "./progress.ts";
import { readTaggedOptions } from "./verify-options.ts";

type FileLocation = Extract<Location, { readonly path: string }>;
type Place = FileLocation | { readonly kind: "engine"; readonly engine: Engine };

/** Everything a pull of one image needs beside the image. */
interface Pull {
  readonly wiring: Wiring;
  readonly place: Place;
  readonly registry: RegistryOptions;
  readonly progress: Progress;
  /** More images go to the same layout: each gets its whole name there. */
  readonly isOneOfMany: boolean;
}

/** `countersign pull IMAGE… --to PLACE`: verify first, then fetch by digest only what was accepted. */
export async function pull(
  context: Context,
  output: Output,
  images: readonly string[],
  raw: RawOptions,
): Promise<void> {
  const registry = readRegistryOptions(raw);
  const flags = readTaggedOptions(raw);
  const place = readPlace(context, raw, images.length);
  const platform = pulledPlatform(context, registry);
  const wiring = await openWiring(context, output, registry, images);
  try {
    const judging = await readJudging({ context, output, wiring, images }, { ...registry, ...flags, platform });
    const judged = await judgeImages(wiring, images, { ...judging, contentFollows: true });
    const progress = openProgress(context, output);
    const moved: MovedImage[] = [];
    try {
      const pulling = { wiring, place, registry, progress, isOneOfMany: images.length > 1 };
      for (const image of judged) moved.push(await pullOne(pulling, image));
    } finally {
      progress.finish();
    }
    await concludeMove(context, output, "pull", moved, flags.exitCodes);
  } finally {
    await wiring.close();
  }
}

/** @throws CountersignError `usage` for a place that is none, or that does not hold so many images. */
function readPlace(context: Context, raw: RawOptions, count: number): Place {
  const { to } = raw;
  if (typeof to !== "string") {
    throw new CountersignError("usage", "nothing says where the image shall go", { found: "no --to", wanted: PLACES });
  }
  if (to === "docker") return { kind: "engine", engine: docker(context) };
  if (to === "podman") return { kind: "engine", engine: podman(context) };
  const location = /^[a-z-]+:/.test(to) ? parseLocation(to) : undefined;
  if (location === undefined || location.kind === "registry" || location.kind === "docker-daemon") {
    throw new CountersignError("usage", "not a place to pull to", { found: to, wanted: PLACES });
  }
  if (count > 1 && (location.kind !== "oci-layout" || location.tag !== undefined)) {
    throw new CountersignError("usage", "this place holds one image", {
      found: `${count} images for ${to}`,
      wanted: "oci:DIR without a tag, docker or podman",
    });
  }
  return location;
}

const PLACES = "oci:DIR[:tag], oci-archive:FILE, docker-archive:FILE, docker or podman";

async function pullOne(
  pulling: Pull,
  image: VerifiedImage & { readonly target?: Target | undefined },
): Promise<MovedImage> {
  const { verdicts, accepted, target } = image;
  if (!accepted || target === undefined) return { verdicts };
  try {
    const root = await acceptedManifest(target, image);
    const { place } = pulling;
    const arrived =
      place.kind === "engine"
        ? await pullToEngine(pulling, place.engine, target, root)
        : await pullToFiles(pulling, place, target, root);
    return { verdicts, ...arrived };
  } catch (error) {
    return movedNot(verdicts, error);
  }
}

type Arrived = Pick<MovedImage, "destination" | "summary">;

async function pullToFiles(pulling: Pull, place: FileLocation, target: Target, root: Manifest): Promise<Arrived> {
  const name = nameOf(target);
  const location = pulling.isOneOfMany && name !== undefined ? { ...place, tag: name } : place;
  const destination = await pulling.wiring.destination(location, name);
  const summary = await pullImage({
    source: target.store,
    root,
    destination,
    openLayerDigester: layerDigesters(),
    onTransfer: pulling.progress.onTransfer,
    maxWorkers: pulling.registry.maxWorkers,
  });
  return { destination: formatLocation(place), summary };
}

/** What the image is called where it arrives: its whole name, without the digest. */
function nameOf(target: Target): string | undefined {
  if (target.tag === undefined) return undefined;
  const location = parseLocation(target.image);
  if (location.kind !== "registry") return target.tag;
  return formatReference({ ...location.reference, digest: undefined });
}

/** From a registry the engine fetches the accepted digest itself; from anywhere else it loads an archive of it. */
async function pullToEngine(pulling: Pull, engine: Engine, target: Target, root: Manifest): Promise<Arrived> {
  const location = parseLocation(target.image);
  if (location.kind === "registry") {
    const { reference } = location;
    const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
    await engine.pull({ reference, digest: root.descriptor.digest });
    return { destination: `${engine.name} as ${repositoryName(reference)}${tag}@${root.descriptor.digest}` };
  }
  return await loadIntoEngine(pulling, engine, target, await runnableManifest(target, root));
}

/** Engines load one platform: the one asked for, or the one of this machine. */
async function runnableManifest(target: Target, root: Manifest): Promise<Manifest> {
  return root.kind === "image" ? root : await target.store.manifest(choosePlatform(root, parsePlatformName(HOST)));
}

async function loadIntoEngine(pulling: Pull, engine: Engine, target: Target, root: Manifest): Promise<Arrived> {
  const folder = await mkdtemp(join(tmpdir(), "countersign-"));
  try {
    const archive = join(folder, "image.tar");
    const { summary } = await pullToFiles(pulling, { kind: "docker-archive", path: archive }, target, root);
    const config = root.kind === "image" ? [root.config.digest] : [];
    const loaded = await engine.load({ archive, ids: [...config, root.descriptor.digest] });
    return { destination: `${engine.name} as ${loaded.id}`, summary };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
