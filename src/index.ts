/** The public surface: named exports and no logic. `test/structure/exports.test.ts` holds it to a golden list. */

export { CountersignError, type Finding } from "./core/errors.ts";
export type { Descriptor, Platform } from "./core/oci/descriptor.ts";
export { type Digest, type DigestAlgorithm, digestOf, parseDigest } from "./core/oci/digest.ts";
export { formatLocation, type Location, parseLocation } from "./core/oci/location.ts";
export { type ImageIndex, type ImageManifest, type Manifest, parseManifest } from "./core/oci/manifest.ts";
export { formatReference, parseReference, type Reference } from "./core/oci/reference.ts";
export type { ContentStore, Destination, Signer } from "./core/ports.ts";
export { REASONS, type ReasonClass, type ReasonCode, reasonClass } from "./core/reasons.ts";
export type { SignatureReport, Verdict, VerdictStatus } from "./core/verify/verdict.ts";
