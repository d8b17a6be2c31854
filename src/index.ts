/** The public surface: named exports and no logic. `test/structure/exports.test.ts` holds it to a golden list. */

export { type PublicKey, parsePublicKey } from "./core/crypto/public-key.ts";
export { CountersignError, type Finding } from "./core/errors.ts";
export { type PredicateText, readPredicate } from "./core/formats/predicate-file.ts";
export { type PredicateType, resolveType } from "./core/formats/predicates.ts";
export type { Descriptor, Platform } from "./core/oci/descriptor.ts";
export { type Digest, digestOf, parseDigest } from "./core/oci/digest.ts";
export { formatLocation, type Location, parseLocation } from "./core/oci/location.ts";
export { type ImageIndex, type ImageManifest, type Manifest, parseManifest } from "./core/oci/manifest.ts";
export { parsePlatformName } from "./core/oci/platform.ts";
export { formatReference, parseReference, type Reference } from "./core/oci/reference.ts";
export { compileCondition } from "./core/policy/cel.ts";
export type { Condition } from "./core/policy/condition.ts";
export type { ImageName, PolicyDocument } from "./core/policy/document.ts";
export { parsePolicy } from "./core/policy/parse.ts";
export type { ContentStore, Destination, Signer, TransferEvent } from "./core/ports.ts";
export { REASONS, type ReasonClass, type ReasonCode, reasonClass } from "./core/reasons.ts";
export type { AttestationListing, Inspection, SignedImage } from "./core/results.ts";
export type { SignedTag, SignedTags, TagAnswer, TagQuestion } from "./core/tags/signed-tag.ts";
export { type Instant, instant } from "./core/time.ts";
export type { Rulebook, Ruling } from "./core/verify/criterion.ts";
export type { Requirement } from "./core/verify/requirement.ts";
export { openRulebook, type PolicyMaterial } from "./core/verify/rulebook.ts";
export type { SignatureReport, Verdict, VerdictStatus } from "./core/verify/verdict.ts";
export { type KeySurroundings, loadPublicKey, loadSigner } from "./io/keys/load.ts";
export { type AttestOptions, attestImage, attestImages } from "./ops/attest.ts";
export { type CopyRequest, type CopyResult, copyImage } from "./ops/copy.ts";
export { inspectImage } from "./ops/inspect.ts";
export { listAttestations } from "./ops/list-attestations.ts";
export { type PullRequest, type PullResult, pullImage } from "./ops/pull.ts";
export { type SignOptions, signImage, signImages } from "./ops/sign.ts";
export {
  type TagJudging,
  type Target,
  type VerifiedImage,
  type VerifyOptions,
  verifyImage,
  verifyImages,
} from "./ops/verify.ts";
export { VERSION } from "./version.ts";
export { type RegistrySettings, type Surroundings, Wiring } from "./wire.ts";
