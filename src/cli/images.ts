import { type PlaceOfUse, refusePublishedKeys } from "../core/crypto/published.ts";
import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { Platform } from "../core/oci/descriptor.ts";
import { type Location, parseLocation } from "../core/oci/location.ts";
import { choosePlatform, parsePlatformName } from "../core/oci/platform.ts";
import { type Instant, instant } from "../core/time.ts";
import { checkRequirement, type Requirement } from "../core/verify/requirement.ts";
import {
  resolveTarget,
  type Target,
  unresolved,
  type VerifiedImage,
  type VerifyOptions,
  verifyImages,
} from "../ops/verify.ts";
import { Wiring } from "../wire.ts";
import { compileAttestation } from "./attestation-options.ts";
import { readBundles } from "./bundles.ts";
import type { Context } from "./context.ts";
import { openGithub } from "./github-options.ts";
import type { RegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { type FindTrust, readSigners } from "./signers.ts";
import { refuseRegistriesOffline } from "./trust-options.ts";
import type { VerifyOptions as VerifyFlags } from "./verify-options.ts";

/** What the commands on images share: from flags and the context to what an operation takes. */

/** The adapters of one command. `images` are all that the command line names: credentials are for one registry only. */
export async function openWiring(
  context: Context,
  output: Output,
  options: RegistryOptions,
  images: readonly string[],
): Promise<Wiring> {
  const credentials = await readCredentials(context, options, images.map(parseLocation));
  const { env, homeDirectory, workingDirectory, signal } = context;
  const surroundings = { env, homeDirectory, workingDirectory, signal, warn: output.warn };
  return new Wiring(surroundings, { ...options, credentials });
}

type FlagCredentials = { registry: string; username?: string; password?: string; token?: string };

async function readCredentials(
  context: Context,
  options: RegistryOptions,
  locations: readonly Location[],
): Promise<FlagCredentials | undefined> {
  const { username, token } = options;
  if (username === undefined && token === undefined) return undefined;
  const registries = [...new Set(locations.flatMap(registryOf))];
  const [registry, ...others] = registries;
  if (registry === undefined) return undefined;
  if (others.length > 0) {
    throw new CountersignError("usage", "login flags are for one registry", {
      found: registries.join(", "),
      wanted: "images of one registry, or logins kept by docker login or podman login",
    });
  }
  if (username === undefined) return { registry, ...(token === undefined ? {} : { token }) };
  return { registry, username, password: await readPassword(context, options) };
}

function registryOf(location: Location): readonly string[] {
  return location.kind === "registry" ? [location.reference.registry] : [];
}

async function readPassword(context: Context, options: RegistryOptions): Promise<string> {
  const password = options.passwordFromStdin
    ? await readFirstLine(context)
    : context.env["COUNTERSIGN_REGISTRY_PASSWORD"];
  if (password !== undefined && password !== "") return password;
  throw new CountersignError("usage", "no password for the registry", {
    found: options.passwordFromStdin ? "nothing on standard input" : "neither a flag nor a variable",
    wanted: "it on standard input with --registry-password-stdin, or in COUNTERSIGN_REGISTRY_PASSWORD",
  });
}

async function readFirstLine(context: Context): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of context.stdin) {
    const bytes = Buffer.from(chunk as Uint8Array);
    size += bytes.byteLength;
    if (size > LIMITS.credentialBytes)
      throw new CountersignError("limit-reached", "the password on standard input is too long");
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString("utf8").split(/\r?\n/, 1)[0] ?? "";
}

/**
 * What a pull is narrowed to: `--platform`, else DOCKER_DEFAULT_PLATFORM, as for docker pull. For no other command: what
 * is signed, judged or moved is what was named, not what this machine usually runs.
 *
 * @throws CountersignError `configuration-invalid`.
 */
export function pulledPlatform(context: Context, options: RegistryOptions): Platform | undefined {
  const name = context.env["DOCKER_DEFAULT_PLATFORM"];
  if (options.platform !== undefined || name === undefined || name === "") return options.platform;
  try {
    return parsePlatformName(name);
  } catch (cause) {
    throw new CountersignError("configuration-invalid", "DOCKER_DEFAULT_PLATFORM cannot be used", {
      found: name,
      wanted: "os/arch or os/arch/variant",
      cause,
    });
  }
}

/** The time for created annotations: SOURCE_DATE_EPOCH (reproducible-builds.org) in seconds, else now. */
export function createdAt(context: Context): Instant {
  const epoch = context.env["SOURCE_DATE_EPOCH"];
  if (epoch === undefined || epoch === "") return context.referenceTime;
  const seconds = Number(epoch);
  if (/^[0-9]+$/.test(epoch) && seconds <= LAST_SECOND) return instant(seconds * 1000);
  throw new CountersignError("configuration-invalid", "SOURCE_DATE_EPOCH cannot be used", {
    found: epoch,
    wanted: "seconds since 1970",
  });
}

/** The year 9999: RFC 3339 has four digits for it. */
const LAST_SECOND = 253_402_300_799;

/**
 * How verify, pull and copy judge images: everything that the flags name is read here.
 *
 * @throws CountersignError as `readRequirement` and `readBundles`.
 */
export async function readJudging(
  context: Context,
  output: Output,
  wiring: Wiring,
  images: readonly string[],
  flags: VerifyFlags & Pick<RegistryOptions, "platform" | "maxWorkers">,
  find?: FindTrust,
): Promise<VerifyOptions> {
  refuseRegistriesOffline(flags.signers.trust, images);
  const requirement = await readRequirement(context, output, wiring, images, flags, find);
  const bundles = await readBundles(context, flags.bundles);
  const { recursive, weakened, platform, maxWorkers, github } = flags;
  const sources = github === undefined ? undefined : [await openGithub(github, context, wiring)];
  return { requirement, bundles, sources, recursive, weakened, platform, maxWorkers };
}

/** What must hold for the images. @throws CountersignError as `readSigners`, and `key-published`. */
async function readRequirement(
  context: Context,
  output: Output,
  wiring: Wiring,
  images: readonly string[],
  flags: VerifyFlags,
  find?: FindTrust,
): Promise<Requirement> {
  const signers = await readSigners(context, output, flags.signers, wiring, find);
  refusePublishedKeys(signers.keys, placesOf(images));
  const { threshold, annotations, signedAs } = flags;
  const now = context.referenceTime;
  const attestation = await compileAttestation(flags.attestation, now);
  const requirement = { ...signers, attestation, threshold, annotations, signedAs, now };
  checkRequirement(requirement);
  return requirement;
}

/** The same as places where a key would be used. */
export function placesOf(images: readonly string[]): readonly PlaceOfUse[] {
  return images.map((image) => {
    const location = parseLocation(image);
    return { name: image, registry: location.kind === "registry" ? location.reference.registry : undefined };
  });
}

/** Judges images in their order; one that cannot even be opened is judged undetermined and stops no other. */
export async function judgeImages(
  wiring: Wiring,
  images: readonly string[],
  judging: VerifyOptions,
  narrow: (target: Target) => Promise<Target> = async (target) => target,
): Promise<readonly (VerifiedImage & { readonly target?: Target | undefined })[]> {
  const options = { ...judging, cache: wiring.cache };
  const opened = await Promise.all(images.map((image) => openTarget(wiring, image, options, narrow)));
  const targets = opened.flatMap((one) => ("store" in one ? [one] : []));
  const judged = await verifyImages(targets, options);
  const results = new Map(targets.map((target, at) => [target, judged[at]]));
  return opened.map((one) => {
    const result = "store" in one ? results.get(one) : undefined;
    return result === undefined || !("store" in one) ? (one as VerifiedImage) : { ...result, target: one };
  });
}

async function openTarget(
  wiring: Wiring,
  image: string,
  options: VerifyOptions,
  narrow: (target: Target) => Promise<Target>,
): Promise<Target | VerifiedImage> {
  try {
    return await narrow(await wiring.target(image));
  } catch (error) {
    if (error instanceof CountersignError && error.class === "usage") throw error;
    return { verdicts: [unresolved({ image }, error, options)], accepted: false };
  }
}

/** The manifest of a platform as a target of its own, where the image is an index and a platform was asked for. */
export async function narrowTarget(target: Target, platform: Platform | undefined): Promise<Target> {
  if (platform === undefined) return target;
  const root = await resolveTarget(target);
  if (root.kind !== "index") return target;
  const { digest } = choosePlatform(root, platform);
  return { image: target.image, store: target.store, digest };
}
