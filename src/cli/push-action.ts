import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { refusePublishedKeys } from "../core/crypto/published.ts";
import { CountersignError } from "../core/errors.ts";
import { formatLocation, type Location, parseLocation } from "../core/oci/location.ts";
import { formatReference } from "../core/oci/reference.ts";
import type { ContentStore } from "../core/ports.ts";
import { layerDigesters } from "../io/disk/decompress.ts";
import { docker } from "../io/engine/docker.ts";
import { loadSigner } from "../io/keys/load.ts";
import { taggedDestination } from "../ops/destination.ts";
import { pushImage } from "../ops/push.ts";
import { keySignatory, type SignOptions, signImage } from "../ops/sign.ts";
import { resolveTarget, type Target, verifyImage } from "../ops/verify.ts";
import type { MovedImage } from "../report/transfer.ts";
import type { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import { requireTag } from "./copy-action.ts";
import { createdAt, narrowTarget, openWiring, placesOf } from "./images.ts";
import { concludeMove } from "./moves.ts";
import { type RawOptions, type RegistryOptions, readRegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { openProgress } from "./progress.ts";
import { refuseTwoReaders } from "./sign-action.ts";
import { readSigningOptions } from "./sign-options.ts";

/** `countersign push SRC IMAGE`: by digest, signed, verified as its consumers will, and the tag moved last. */
export async function push(
  context: Context,
  output: Output,
  source: string,
  image: string,
  raw: RawOptions,
): Promise<void> {
  const registry = readRegistryOptions(raw);
  const flags = readSigningOptions(raw);
  refuseTwoReaders(registry.passwordFromStdin, context);
  const place = registryPlace(image);
  const wiring = await openWiring(context, output, registry, [source, image]);
  try {
    const signer = await loadSigner(flags.key, { ...context, warn: output.warn });
    refusePublishedKeys([signer.publicKey], placesOf([image]));
    const { formats, annotations, recursive, signAs } = flags;
    const signatory = keySignatory(signer);
    const now = context.referenceTime;
    const signing: SignOptions = {
      signatory,
      formats,
      annotations,
      recursive,
      signAs,
      createdAt: createdAt(context),
      now,
    };
    await withSource(context, wiring, source, async (opened) => {
      const target = await narrowTarget(opened, registry.platform);
      const progress = openProgress(context, output);
      const moved = await pushOne(wiring, target, place, signing, registry, progress.onTransfer).finally(() =>
        progress.finish(),
      );
      await concludeMove(context, output, "push", [moved], "countersign");
    });
  } finally {
    await wiring.close();
  }
}

type RegistryLocation = Extract<Location, { readonly kind: "registry" }>;

function registryPlace(image: string): RegistryLocation {
  const place = parseLocation(image);
  if (place.kind === "registry") {
    requireTag(place.reference, image);
    return place;
  }
  throw new CountersignError("usage", "not an image in a registry", {
    found: image,
    wanted: "[registry/]repository:tag; countersign copy writes to folders and archives",
  });
}

/** The image to publish. What only a Docker daemon holds is saved to an archive of ours first. */
async function withSource(
  context: Context,
  wiring: Wiring,
  source: string,
  use: (target: Target) => Promise<void>,
): Promise<void> {
  const location = parseLocation(source);
  if (location.kind !== "docker-daemon") return await use(await wiring.target(source));
  const folder = await mkdtemp(join(tmpdir(), "countersign-"));
  try {
    const path = join(folder, "image.tar");
    await docker(context).save(location.name, path);
    await use({ image: source, store: await wiring.open({ kind: "docker-archive", path }) });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function pushOne(
  wiring: Wiring,
  target: Target,
  place: RegistryLocation,
  signing: SignOptions,
  registry: RegistryOptions,
  onTransfer: ReturnType<typeof openProgress>["onTransfer"],
): Promise<MovedImage> {
  const root = await resolveTarget(target);
  const destination = taggedDestination(await wiring.registry(place.reference), place.reference.tag);
  const published = (store: ContentStore): Target => ({
    image: formatReference(place.reference),
    store,
    tag: place.reference.tag,
    digest: root.descriptor.digest,
  });
  const { verdicts, copied, isNamed } = await pushImage({
    source: target.store,
    root,
    destination,
    openLayerDigester: layerDigesters(),
    onTransfer,
    maxWorkers: registry.maxWorkers,
    sign: async (store) => await signPublished(published(store), signing),
    verify: async (store) => (await verifyImage(published(store), await verification(signing))).verdicts,
  });
  return { verdicts, ...(isNamed ? { destination: formatLocation(place), summary: copied } : {}) };
}

async function signPublished(target: Target, signing: SignOptions): Promise<void> {
  const { finding } = await signImage(target, signing);
  if (finding !== undefined) throw new CountersignError(finding.code, finding.message, finding);
}

/** As a consumer who holds the public key and asks for what was signed. */
async function verification({
  signatory,
  annotations,
  recursive,
  signAs,
  now,
}: SignOptions): Promise<Parameters<typeof verifyImage>[1]> {
  const signedAs = signAs === undefined ? [] : [signAs];
  const requirement = { ...signatory.accepts(await signatory.signer()), threshold: 1, annotations, signedAs, now };
  return { requirement, recursive, contentFollows: true };
}
