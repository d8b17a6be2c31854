import { CountersignError } from "../errors.ts";
import type { Descriptor, Platform } from "./descriptor.ts";
import type { ImageIndex } from "./manifest.ts";

const ARCHITECTURES: Readonly<Record<string, readonly [string, string?]>> = {
  x86_64: ["amd64"],
  "x86-64": ["amd64"],
  aarch64: ["arm64"],
  armhf: ["arm", "v7"],
  armel: ["arm", "v6"],
  i386: ["386"],
};

/** One spelling for one platform: x86_64 is amd64, arm is arm/v7, arm64/v8 is arm64. */
export function normalisePlatform(platform: Platform): Platform {
  const [architecture, implied] = ARCHITECTURES[platform.architecture] ?? [platform.architecture];
  const variant = platform.variant ?? implied ?? (architecture === "arm" ? "v7" : undefined);
  const redundant = (architecture === "arm64" && variant === "v8") || (architecture === "amd64" && variant === "v1");
  return { os: platform.os, architecture, ...(variant === undefined || redundant ? {} : { variant }) };
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
  return (
    entry.annotations?.["vnd.docker.reference.type"] === undefined &&
    !(entry.platform?.os === "unknown" && entry.platform.architecture === "unknown")
  );
}

/** The first runnable entry for a platform. @throws CountersignError `platform-missing`, listing what there is. */
export function choosePlatform(index: ImageIndex, wanted: Platform): Descriptor {
  const name = platformName(wanted);
  const runnable = index.manifests.filter((entry) => entry.platform !== undefined && isRunnable(entry));
  const chosen = runnable.find((entry) => entry.platform !== undefined && platformName(entry.platform) === name);
  if (chosen !== undefined) return chosen;
  const listed = runnable.flatMap((entry) => (entry.platform === undefined ? [] : [platformName(entry.platform)]));
  throw new CountersignError("platform-missing", "the index does not list this platform", {
    found: listed.length === 0 ? "no platforms" : [...new Set(listed)].join(", "),
    wanted: name,
  });
}
