import { CountersignError } from "../errors.ts";
import type { Descriptor, Platform } from "./descriptor.ts";
import type { ImageIndex } from "./manifest.ts";

/** Other names of an architecture, and the variant that the name implies (containerd, platforms/database.go). */
const ARCHITECTURES: ReadonlyMap<string, readonly [string, string?]> = new Map([
  ["x86_64", ["amd64"]],
  ["x86-64", ["amd64"]],
  ["aarch64", ["arm64"]],
  ["armhf", ["arm", "v7"]],
  ["armel", ["arm", "v6"]],
  ["i386", ["386"]],
]);

/** The variant that an architecture has where none is named. */
const BASE_VARIANTS: ReadonlyMap<string, string> = new Map([
  ["amd64", "v1"],
  ["arm", "v7"],
  ["arm64", "v8"],
]);

/** One spelling for one platform: x86_64 is amd64, arm is arm/v7, arm64/v8 is arm64. */
export function normalisePlatform(platform: Platform): Platform {
  const [architecture, implied] = ARCHITECTURES.get(platform.architecture) ?? [platform.architecture];
  const base = BASE_VARIANTS.get(architecture);
  const variant = platform.variant ?? implied ?? base;
  const isPlain = variant === undefined || (variant === base && architecture !== "arm");
  return { os: platform.os, architecture, ...(isPlain ? {} : { variant }) };
}

/** `os/arch[/variant]`. @throws CountersignError `usage`. */
export function parsePlatformName(text: string): Platform {
  const [os, architecture, variant, ...rest] = text.toLowerCase().split("/");
  const valid = [os, architecture, ...(variant === undefined ? [] : [variant])].every((part) =>
    /^[a-z0-9_.-]+$/.test(part ?? ""),
  );
  if (!valid || rest.length > 0 || os === undefined || architecture === undefined) {
    throw new CountersignError("usage", "not a platform", { found: text, wanted: "os/arch or os/arch/variant" });
  }
  return normalisePlatform({ os, architecture, variant });
}

export function platformName(platform: Platform): string {
  const { os, architecture, variant } = normalisePlatform(platform);
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

/** BuildKit's attestation manifests ride in the index as `unknown/unknown`: they are no platform to run. */
export function isRunnable(entry: Descriptor): boolean {
  return entry.annotations?.["vnd.docker.reference.type"] === undefined && !runsNowhere(entry);
}

/** No machine is called so, and no engine chooses it. What says in an annotation alone that it is no image could be run. */
export function runsNowhere({ platform }: Descriptor): boolean {
  return platform?.os === "unknown" && platform.architecture === "unknown";
}

/**
 * What a machine of this platform runs, best first: its own variant, then each older one of the same architecture
 * (amd64/v3, v2, plain; arm/v7, v6, v5). Never another architecture, although some machines could run one: asking for
 * amd64 and getting 386 is a surprise, not a choice.
 */
function preferences(wanted: Platform): readonly string[] {
  const { os, architecture, variant } = normalisePlatform(wanted);
  const newest = /^v([2-9])$/.exec(variant ?? "")?.[1];
  if (newest === undefined) return [platformName(wanted)];
  const oldest = architecture === "arm" ? 5 : Number(BASE_VARIANTS.get(architecture)?.slice(1) ?? newest);
  const names = [];
  for (let version = Number(newest); version >= oldest; version--) {
    names.push(platformName({ os, architecture, variant: `v${version}` }));
  }
  return names.length === 0 ? [platformName(wanted)] : names;
}

/**
 * The runnable entry for a platform: the best variant there is, of equals the first.
 *
 * @throws CountersignError `platform-missing`, listing what there is.
 */
export function choosePlatform(index: ImageIndex, wanted: Platform): Descriptor {
  const entries = index.manifests
    .filter(isRunnable)
    .flatMap((entry) => (entry.platform === undefined ? [] : [{ entry, name: platformName(entry.platform) }]));
  for (const name of preferences(wanted)) {
    const chosen = entries.find((candidate) => candidate.name === name);
    if (chosen !== undefined) return chosen.entry;
  }
  throw new CountersignError("platform-missing", "the index does not list this platform", {
    found: entries.length === 0 ? "no platforms" : [...new Set(entries.map(({ name }) => name))].join(", "),
    wanted: platformName(wanted),
  });
}
