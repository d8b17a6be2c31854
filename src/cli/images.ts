import type { PlaceOfUse } from "../core/crypto/published.ts";
import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { Platform } from "../core/oci/descriptor.ts";
import { type Location, parseLocation } from "../core/oci/location.ts";
import { choosePlatform, parsePlatformName } from "../core/oci/platform.ts";
import { type Instant, instant } from "../core/time.ts";
import { resolveTarget, type Target } from "../ops/verify.ts";
import { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import type { RegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";

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

/** Images as places where a key would be used. */
export function placesOf(images: readonly string[]): readonly PlaceOfUse[] {
  return images.map((image) => {
    const location = parseLocation(image);
    return { name: image, registry: location.kind === "registry" ? location.reference.registry : undefined };
  });
}

/** The manifest of a platform as a target of its own, where the image is an index and a platform was asked for. */
export async function narrowTarget(target: Target, platform: Platform | undefined): Promise<Target> {
  if (platform === undefined) return target;
  const root = await resolveTarget(target);
  if (root.kind !== "index") return target;
  const { digest } = choosePlatform(root, platform);
  return { image: target.image, store: target.store, digest };
}
