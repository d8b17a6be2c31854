import { type Digest, digestAlgorithm, digestHex, isDigest } from "./digest.ts";

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

/** The digest that a tag of cosign's belongs to; undefined for every other tag. */
export function subjectOfCosignTag(tag: string): Digest | undefined {
  const hex = /^sha256-([0-9a-f]{64})\.(?:sig|att|sbom)$/.exec(tag)?.[1];
  const digest = `sha256:${hex}`;
  return hex !== undefined && isDigest(digest) ? digest : undefined;
}

/** Whether a tag belongs to another manifest: cosign's, and those of the referrers tag schema. */
export function isCompanionTag(tag: string): boolean {
  return /^sha(?:256|512)-[0-9a-f]+(?:\.(?:sig|att|sbom))?$/.test(tag);
}
