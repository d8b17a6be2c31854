import type { Descriptor } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { ImageManifest } from "../oci/manifest.ts";

export type SignatureFormat = "bundle" | "cosign-legacy";

/** Where a signature was found, for messages and for `inspect`. */
export interface Origin {
  readonly via: "referrers-api" | "referrers-tag" | "layout" | "sig-tag" | "file";
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
    };

/**
 * A signature with what it covers, parsed and not proven. Only `verify/verify.ts` turns it into a claim, after the
 * signature over `signedBytes` has been verified with a wanted key.
 */
export interface UntrustedEnvelope {
  readonly format: SignatureFormat;
  readonly origin: Origin;
  /** Exactly the bytes that were signed: a DSSE pre-authentication encoding, or a legacy payload. */
  readonly signedBytes: Uint8Array;
  readonly signature: Uint8Array;
  /** The statement or payload inside, still bytes. */
  readonly payload: Uint8Array;
  /** DSSE's payload type; for legacy payloads the layer's media type. */
  readonly payloadType: string;
  /** Base64 SHA-256 of the signer's key, as claimed. */
  readonly keyHint?: string | undefined;
  /** It was made with a certificate (keyless), not with a bare key. */
  readonly hasCertificate: boolean;
  /** Entries of a transparency log and timestamps that it carries; a bare key verifies without them. */
  readonly logEntries: number;
  readonly timestamps: number;
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
  /** The predicate, for attestations. */
  readonly predicate?: unknown;
}

/** The predicate type of an image signature (cosign 3). Legacy payloads are given it too, once their type was checked. */
export const SIGNATURE_PREDICATE = "https://sigstore.dev/cosign/sign/v1";

/** A signature ready to be stored: the blobs first, then the manifest that points at them. */
export interface StoredSignature {
  readonly manifest: ImageManifest;
  readonly blobs: readonly { readonly descriptor: Descriptor; readonly bytes: Uint8Array }[];
}
