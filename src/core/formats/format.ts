import { parseAttestation } from "./cosign-attestation.ts";
import { parseLegacySignature, readLegacyPayload } from "./cosign-legacy.ts";
import type { UntrustedCandidate, UntrustedEnvelope, VerifiedClaim } from "./envelope.ts";
import { readStatement } from "./intoto.ts";
import { parseBundleSignature } from "./sigstore-bundle.ts";

/**
 * A candidate as an envelope: what was signed, the signature, and hints about the signer. Nothing in it is proven.
 *
 * @throws CountersignError `malformed-signature` or `limit-reached`.
 */
export function parseCandidate(candidate: UntrustedCandidate): UntrustedEnvelope {
  switch (candidate.format) {
    case "bundle":
      return parseBundleSignature(candidate.bytes, candidate.origin);
    case "cosign-legacy":
      return parseLegacySignature(candidate);
    case "cosign-attestation":
      return parseAttestation(candidate);
  }
}

/**
 * What the signer said. Only to be called once the signature over `signedBytes` was verified with a wanted key: an
 * unproven payload is not even parsed.
 *
 * @throws CountersignError `malformed-signature` or `limit-reached`.
 */
export function readClaim(verified: UntrustedEnvelope): VerifiedClaim {
  switch (verified.format) {
    case "bundle":
    case "cosign-attestation":
      return readStatement(verified.payload);
    case "cosign-legacy":
      return readLegacyPayload(verified.payload);
  }
}
