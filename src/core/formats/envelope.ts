import type { JsonObject } from "../json.ts";
import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { ImageManifest } from "../oci/manifest.ts";

/** How signatures of images are stored. */
export type SignatureFormat = "bundle" | "cosign-legacy";

/** How evidence is stored: signatures, and attestations too. */
export type EvidenceFormat = SignatureFormat | "cosign-attestation";

/** Where a signature was found, for messages and for `inspect`. */
export interface Origin {
  readonly via: "referrers-api" | "referrers-tag" | "layout" | "sig-tag" | "att-tag" | "github-api" | "file";
  /** The manifest that holds it. */
  readonly manifest?: Digest | undefined;
  /** Its layer in that manifest, counted from 0. */
  readonly layer?: number | undefined;
}

/** Something stored where signatures are stored: bounded, checked against its descriptor, not parsed. */
export type UntrustedCandidate =
  | { readonly format: "bundle"; readonly origin: Origin; readonly bytes: Uint8Array }
  | {
      readonly format: "cosign-legacy";
      readonly origin: Origin;
      /** The layer's blob: exactly what was signed. */
      readonly payload: Uint8Array;
      readonly mediaType: string;
      /** The layer's annotations: signature, certificate, chain, bundle. */
      readonly annotations: Readonly<Record<string, string>>;
    }
  | {
      readonly format: "cosign-attestation";
      readonly origin: Origin;
      /** The layer's blob: a DSSE envelope. */
      readonly envelope: Uint8Array;
      readonly mediaType: string;
      /** The layer's annotations: certificate, chain, bundle. */
      readonly annotations: Readonly<Record<string, string>>;
    };

/** What a candidate holds: a bundle, a payload, an envelope. */
export function candidateBytes(candidate: UntrustedCandidate): Uint8Array {
  switch (candidate.format) {
    case "bundle":
      return candidate.bytes;
    case "cosign-legacy":
      return candidate.payload;
    case "cosign-attestation":
      return candidate.envelope;
  }
}

/** Exactly the bytes that were signed: a DSSE pre-authentication encoding, a legacy payload, a file. */
export interface SignedBytes {
  readonly kind: "bytes";
  readonly bytes: Uint8Array;
}

/** What was signed is known by its digest alone: a file that is elsewhere. */
export interface SignedDigest {
  readonly kind: "digest";
  readonly algorithm: "sha256" | "sha384" | "sha512";
  readonly digest: Uint8Array;
}

/** Where a log says that an entry is in its tree, and the checkpoint that it signed over the tree. */
export interface UntrustedInclusionProof {
  readonly logIndex: bigint;
  readonly treeSize: bigint;
  readonly rootHash: Uint8Array;
  readonly hashes: readonly Uint8Array[];
  /** A signed note (C2SP signed-note, tlog-checkpoint), as text. */
  readonly checkpoint: string;
}

/** An entry of a transparency log as it was stored beside a signature (protobuf-specs, sigstore_rekor.proto). */
export interface UntrustedLogEntry {
  readonly logIndex: bigint;
  readonly logId: Uint8Array;
  /** `hashedrekord`, `dsse`, `intoto`, and the version of that kind. */
  readonly kind: string;
  readonly version: string;
  /** Seconds since 1970. Anybody's word unless `promise` covers it. */
  readonly integratedTime?: bigint | undefined;
  /** The log's promise to include the entry: its SignedEntryTimestamp. */
  readonly promise?: Uint8Array | undefined;
  readonly proof?: UntrustedInclusionProof | undefined;
  /** `canonicalizedBody`: the bytes of the leaf. */
  readonly body: Uint8Array;
}

/** What is stored beside a signature to prove who made it and when. */
export interface UntrustedMaterial {
  /** DER, the leaf first; empty for a bare key. What follows the leaf may help to build a chain and is never a root. */
  readonly certificates: readonly Uint8Array[];
  readonly logEntries: readonly UntrustedLogEntry[];
  /** DER TimeStampResp each (RFC 3161). */
  readonly timestamps: readonly Uint8Array[];
}

/** A signature, what it covers, and what is to prove its maker. */
export interface UntrustedSignature extends UntrustedMaterial {
  /** Logs record an envelope's payload, or the signed bytes themselves. */
  readonly encoding: "dsse" | "plain";
  readonly signed: SignedBytes | SignedDigest;
  readonly signature: Uint8Array;
  /** The statement or payload inside, still bytes; absent where a file was signed. */
  readonly payload?: Uint8Array | undefined;
  /** What a timestamp covers: the signature, or for a legacy attestation the whole envelope. */
  readonly timestamped: Uint8Array;
}

/**
 * A signature of an image with what it covers, parsed and not proven. Only `verify/examine.ts` turns it into a claim, after
 * the signature over `signed` has been verified with a wanted key or a proven certificate.
 */
export interface UntrustedEnvelope extends UntrustedSignature {
  readonly format: EvidenceFormat;
  readonly origin: Origin;
  readonly signed: SignedBytes;
  readonly payload: Uint8Array;
  /** DSSE's payload type; for legacy payloads the layer's media type. */
  readonly payloadType: string;
  /** Base64 SHA-256 of the signer's key, as claimed. */
  readonly keyHint?: string | undefined;
}

/** What the signer said, read from a payload whose signature was verified. */
export interface VerifiedClaim {
  /** What the statement is: an image signature, or an attestation with some predicate. */
  readonly predicateType: string;
  /** Digests of all its subjects. */
  readonly subjects: readonly Digest[];
  /** The repository it names; only legacy payloads name one. */
  readonly repository?: string | undefined;
  readonly annotations: Readonly<Record<string, string>>;
  /** The whole statement as it was signed, parsed; absent for legacy payloads, which are none. */
  readonly statement?: JsonObject | undefined;
}

/** The predicate type of an image signature (cosign 3). Legacy payloads are given it too, once their type was checked. */
export const SIGNATURE_PREDICATE = "https://sigstore.dev/cosign/sign/v1";

/** A signature ready to be stored: the blobs first, then the manifest that points at them. */
export interface StoredSignature {
  readonly manifest: ImageManifest;
  readonly blobs: readonly { readonly descriptor: Descriptor; readonly bytes: Uint8Array }[];
}
