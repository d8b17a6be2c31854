import { type Digest, digestAlgorithm, digestHex } from "./digest.ts";

/**
 * Distribution-spec, "Referrers Tag Schema": `<alg>-<hex>`, the hexadecimal part cut at 64 characters, in which
 * registries without the referrers API keep an index of what refers to a digest.
 */
export function fallbackTag(subject: Digest): string {
  return `${digestAlgorithm(subject)}-${digestHex(subject).slice(0, 64)}`;
}

/** Some clients do not cut sha512: their form, read but never written; the same as `fallbackTag` for sha256. */
export function uncutFallbackTag(subject: Digest): string {
  return `${digestAlgorithm(subject)}-${digestHex(subject)}`;
}

/** Where cosign 1 and 2 keep what belongs to a digest (cosign SIGNATURE_SPEC.md); see `hasCosignTags`. */
export function cosignTag(subject: Digest, suffix: "sig" | "att" | "sbom"): string {
  return `${digestAlgorithm(subject)}-${digestHex(subject)}.${suffix}`;
}

/** Not for a sha512 digest: its tag would be longer than the 128 characters that a tag may have. */
export function hasCosignTags(subject: Digest): boolean {
  return digestAlgorithm(subject) === "sha256";
}
