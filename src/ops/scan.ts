import { CountersignError, type Finding, findingUnlessInterrupted } from "../core/errors.ts";
import { rankOf, type Severity } from "../core/formats/scans/severity.ts";
import type { Descriptor, Platform } from "../core/oci/descriptor.ts";
import type { Manifest } from "../core/oci/manifest.ts";
import { choosePlatform, isRunnable, platformName } from "../core/oci/platform.ts";
import type { Destination } from "../core/ports.ts";
import type { ImageScan, ScanAttestation, ScannedImage } from "../core/results.ts";
import { pullImage } from "./pull.ts";
import type { TransferOptions } from "./transfer.ts";
import { nameOf, reachTarget, type TagJudging, type Target } from "./verify.ts";

/** A place of our own for one image, with a scanner that looks at what was stored there. */
export type Examine = (store: (place: Destination) => Promise<void>) => Promise<ImageScan>;

export interface ScanOptions extends TransferOptions {
  readonly examine: Examine;
  /** Chosen from an index. */
  readonly platform: Platform;
  /** Scan every platform of an index. */
  readonly recursive?: boolean | undefined;
  /** Signs and stores what a scan found, where that is asked for. */
  readonly attest?: Attest | undefined;
  /** Where a root is pinned for the repository, what is signed for the tag is scanned; without this, what the registry says. */
  readonly tags?: TagJudging | undefined;
}

/** Attests scans of the digest that a target names: one of an image, all of its platforms' of an index. */
export type Attest = (target: Target, scans: readonly ImageScan[]) => Promise<ScanAttestation>;

/**
 * Scans an image: the tag is resolved once, through signed tags where a root is pinned, its bytes are fetched by digest and checked as they are when it is pulled, and
 * the scanner gets those. Of an index one platform is scanned, or each.
 *
 * What was found is attested of the digest that was scanned. An index gets what was found in all of its platforms together,
 * and only where all were scanned: a clean scan of one must not speak for another.
 *
 * @returns the platforms in the order of the index, then the index where it is attested.
 * @throws CountersignError only `interrupted`, and for wrong usage.
 */
export async function scanImage(named: Target, options: ScanOptions): Promise<readonly ScannedImage[]> {
  let root: Manifest;
  let target: Target;
  let platforms: readonly Descriptor[];
  try {
    const reached = await reachTarget(named, { tags: options.tags });
    root = reached.root;
    // What follows is about manifests by their digests, and no longer about what a tag means.
    target = { ...reached.target, bound: undefined };
    platforms = platformsOf(root, options);
  } catch (error) {
    return [{ image: named.image, name: named.image, finding: unlessUsage(error) }];
  }
  const scanned: ScannedImage[] = [];
  for (const platform of platforms) scanned.push(await scanManifest(target, root, platform, options));
  const { attest } = options;
  if (attest === undefined || options.recursive !== true || root.kind === "image") return scanned;
  return [...scanned, await attestIndex(target, root, scanned, attest)];
}

/** The manifests to scan. @throws CountersignError `platform-missing`. */
function platformsOf(root: Manifest, { recursive, platform }: ScanOptions): readonly Descriptor[] {
  if (root.kind === "image") return [root.descriptor];
  if (recursive !== true) return [choosePlatform(root, platform)];
  const runnable = root.manifests.filter(isRunnable);
  if (runnable.length > 0) return runnable;
  throw new CountersignError("platform-missing", "the index lists nothing that can be scanned", {
    found: "no platforms",
    wanted: "at least one",
  });
}

async function scanManifest(
  target: Target,
  root: Manifest,
  descriptor: Descriptor,
  options: ScanOptions,
): Promise<ScannedImage> {
  const at = placeIn(target, root, descriptor);
  const named = { image: target.image, name: nameOf(at.target, descriptor), digest: descriptor.digest, ...at.chosen };
  let scan: ImageScan | undefined;
  try {
    const manifest = root.kind === "image" ? root : await target.store.manifest(descriptor);
    refuseIndex(manifest);
    scan = await options.examine(async (destination) => {
      await pullImage({ ...options, source: target.store, root: manifest, destination });
    });
    const attestation = await options.attest?.(at.target, [scan]);
    return { ...named, scan, ...(attestation && { attestation }), finding: attestation?.finding };
  } catch (error) {
    return { ...named, scan, finding: unlessUsage(error) };
  }
}

/** A platform's manifest is a target of its own: by its digest, without the tag that names the index. */
function placeIn(target: Target, root: Manifest, { digest, platform }: Descriptor) {
  const pinned: Target = { ...target, digest };
  if (root.kind === "image") return { target: pinned, chosen: {} };
  const chosen = {
    index: root.descriptor.digest,
    ...(platform === undefined ? {} : { platform: platformName(platform) }),
  };
  return { target: { ...pinned, tag: undefined }, chosen };
}

function refuseIndex(manifest: Manifest): void {
  if (manifest.kind === "image") return;
  throw new CountersignError("unsupported", "the index lists another index, and only images are scanned", {
    found: manifest.descriptor.digest,
    wanted: "the manifest of an image",
    next: "scan that index by its own digest",
  });
}

async function attestIndex(
  target: Target,
  { descriptor }: Manifest,
  scanned: readonly ScannedImage[],
  attest: Attest,
): Promise<ScannedImage> {
  const named = { image: target.image, name: nameOf(target, descriptor), digest: descriptor.digest };
  const scans = scanned.flatMap(({ scan }) => (scan === undefined ? [] : [scan]));
  if (scans.length < scanned.length) return { ...named, finding: notAll(scanned) };
  try {
    const attestation = await attest({ ...target, digest: descriptor.digest }, scans);
    return { ...named, attestation, finding: attestation.finding };
  } catch (error) {
    return { ...named, finding: unlessUsage(error) };
  }
}

function notAll(scanned: readonly ScannedImage[]): Finding {
  const failed = scanned.filter(({ scan }) => scan === undefined);
  return {
    code: "scanner-error",
    message: "the index was not attested, since not all of its platforms were scanned",
    found: failed.map(({ platform, digest }) => platform ?? digest ?? "a platform").join(", "),
    wanted: "a scan of each of its platforms",
  };
}

/** Wrong usage is wrong for every image of the call. */
function unlessUsage(error: unknown): Finding {
  if (error instanceof CountersignError && error.class === "usage" && error.code !== "unsupported") throw error;
  return findingUnlessInterrupted(error);
}

/** An image in which a vulnerability of this severity or a worse one was found: what it comes to, unless it failed before. */
export function refusedFrom(image: ScannedImage, severity: Severity): ScannedImage {
  const found = image.scan?.scan.vulnerabilities.filter((one) => rankOf(one.severity) >= rankOf(severity)) ?? [];
  const [first] = found.toSorted((a, b) => rankOf(b.severity) - rankOf(a.severity));
  if (image.finding !== undefined || first === undefined) return image;
  const others = found.length === 1 ? "" : ` and ${found.length - 1} more`;
  const finding: Finding = {
    code: "vulnerable",
    message: "vulnerabilities were found that must not be there",
    found: `${first.id} (${first.severity})${others}`,
    wanted: `none of the severity ${severity} or a worse one`,
  };
  return { ...image, finding };
}
