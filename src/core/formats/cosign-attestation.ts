import { encodeBase64, encodeUtf8 } from "../bytes.ts";
import { parseJson } from "../json.ts";
import { LIMITS } from "../limits.ts";
import type { Annotations } from "../oci/descriptor.ts";
import { MEDIA_TYPES } from "../oci/media-types.ts";
import { preAuthEncoding, readDsse } from "./dsse.ts";
import type { UntrustedCandidate, UntrustedEnvelope, UntrustedMaterial } from "./envelope.ts";
import { LEGACY_ANNOTATIONS, readLegacyMaterial, writeLegacyMaterial } from "./legacy-material.ts";
import { malformed } from "./members.ts";

const ENVELOPE = "the envelope";
const READING = { what: ENVELOPE, code: "malformed-signature", maxBytes: LIMITS.signatureBytes } as const;

/** What a layer says that its statement is about. A hint: the statement itself decides. */
export const PREDICATE_ANNOTATION = "predicateType";

type AttestationCandidate = Extract<UntrustedCandidate, { format: "cosign-attestation" }>;

/**
 * A layer of an `.att` manifest (cosign 1 and 2): a DSSE envelope, with certificate, log entry and timestamp in the layer's
 * annotations as for a signature. The annotation of the signature itself is there and empty.
 *
 * @throws CountersignError `malformed-signature` or `limit-reached`.
 */
export function parseAttestation(candidate: AttestationCandidate): UntrustedEnvelope {
  if (candidate.mediaType !== MEDIA_TYPES.dsse) {
    throw malformed("the layer is not a DSSE envelope", candidate.mediaType, MEDIA_TYPES.dsse);
  }
  const { payloadType, payload, signature } = readDsse(parseJson(candidate.envelope, READING), ENVELOPE);
  if (payloadType !== MEDIA_TYPES.intoto) {
    throw malformed("the envelope's payload is not an in-toto statement", payloadType, MEDIA_TYPES.intoto);
  }
  return {
    format: "cosign-attestation",
    origin: candidate.origin,
    encoding: "dsse",
    signed: { kind: "bytes", bytes: preAuthEncoding(payloadType, payload) },
    signature,
    // cosign has the whole layer stamped here, and not the signature in it.
    timestamped: candidate.envelope,
    payload,
    payloadType,
    ...readLegacyMaterial(candidate.annotations),
  };
}

/** The layer's bytes, member for member as cosign 2 writes them. */
export function makeEnvelope(statement: Uint8Array, signature: Uint8Array): Uint8Array {
  return encodeUtf8(
    JSON.stringify({
      payloadType: MEDIA_TYPES.intoto,
      payload: encodeBase64(statement),
      signatures: [{ keyid: "", sig: encodeBase64(signature) }],
    }),
  );
}

/** The layer's annotations: what is to prove the signer, and the type, by which cosign filters. */
export function attestationAnnotations(predicateType: string, material: UntrustedMaterial): Annotations {
  return {
    [LEGACY_ANNOTATIONS.signature]: "",
    ...writeLegacyMaterial(material),
    [PREDICATE_ANNOTATION]: predicateType,
  };
}
