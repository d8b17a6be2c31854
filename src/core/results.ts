import type { Finding } from "./errors.ts";
import type { EvidenceFormat, Origin, UntrustedEnvelope } from "./formats/envelope.ts";
import type { Scan } from "./formats/scans/scan.ts";
import type { ScanRecord } from "./formats/vuln-predicate.ts";
import type { JsonObject } from "./json.ts";
import type { Annotations } from "./oci/descriptor.ts";
import type { Digest } from "./oci/digest.ts";
import type { SignedTag } from "./tags/signed-tag.ts";
import type { ClaimedMaterial } from "./trust/claimed-material.ts";
import type { SignatureProof } from "./trust/material.ts";
import type { SignedBy } from "./verify/verdict.ts";

/** What the operations give back and the reports print. Verdicts have a file of their own. */

/** One signature of the call: written, or found to be there already. */
export interface SignOutcome {
  readonly digest: Digest;
  readonly format: EvidenceFormat;
  readonly state: "signed" | "unchanged" | "would-sign";
  /** The manifest that holds it: absent where nothing was written. */
  readonly manifest?: Digest | undefined;
  /** As whom, and what proves it: proven by the trust root that goes with the services. Absent where nothing was made. */
  readonly signedBy?: SignedBy | undefined;
  readonly proof?: SignatureProof | undefined;
  /** Why its log entry is missing: it is to be added later. */
  readonly postponed?: Finding | undefined;
  /** The tag it is kept under; bundles are referrers and have none. */
  readonly tag?: string | undefined;
}

/** A file that was signed, and its bundle. */
export interface SignedFile {
  readonly name: string;
  readonly digest: Digest;
  readonly bundle: Uint8Array;
  readonly signedBy?: SignedBy | undefined;
  readonly proof?: SignatureProof | undefined;
}

export interface SignedImage {
  readonly image: string;
  /** `location[:tag]@digest`; the image as written where it could not be resolved. */
  readonly name: string;
  readonly digest?: Digest | undefined;
  readonly outcomes: readonly SignOutcome[];
  /** What became of its tag, where that was to be signed in the same step. */
  readonly tagStatement?: TagStatement | undefined;
  /** Why it could not be finished. What `outcomes` lists was done all the same. */
  readonly finding?: Finding | undefined;
}

/** What a scanner found in one image. */
export interface ImageScan {
  readonly record: ScanRecord;
  /** One JSON object, as the scanner printed it. */
  readonly result: Uint8Array;
  /** The same as whoever verifies it will read it. */
  readonly scan: Scan;
}

export interface ScanAttestation {
  readonly predicateType: string;
  /** What was signed and stored. */
  readonly outcomes: readonly SignOutcome[];
  /** Why it could not be finished. */
  readonly finding?: Finding | undefined;
}

/** That a tag means a digest, signed by those roles of the repository's signed tags whose keys are here. */
export interface TagStatement {
  readonly tag: string;
  readonly roles: readonly string[];
  readonly state: "bound" | "unchanged";
}

/** An image of the call, a platform of it, or the index over all of them. */
export interface ScannedImage {
  readonly image: string;
  /** `location[:tag]@digest`; the image as written where it could not be resolved. */
  readonly name: string;
  readonly digest?: Digest | undefined;
  /** Of what was chosen from an index, and the index. */
  readonly platform?: string | undefined;
  readonly index?: Digest | undefined;
  /** Absent of an index: what is attested of it was found in its platforms. */
  readonly scan?: ImageScan | undefined;
  readonly attestation?: ScanAttestation | undefined;
  /** Why it could not be scanned, or what was found could not be attested. */
  readonly finding?: Finding | undefined;
}

/** A signature that was stored without its log entry, and what became of it. */
export interface FinishOutcome {
  /** What it signs. */
  readonly digest: Digest;
  readonly state: "finished" | "finished-before" | "would-finish" | "failed";
  /** The manifest that lacks the entry. */
  readonly postponed: Digest;
  /** The one that has it. */
  readonly manifest?: Digest | undefined;
  readonly signedBy?: SignedBy | undefined;
  readonly proof?: SignatureProof | undefined;
  /** Why it could not be finished. */
  readonly finding?: Finding | undefined;
}

export interface FinishedImage {
  readonly image: string;
  /** `location[:tag]@digest`; the image as written where it could not be resolved. */
  readonly name: string;
  readonly digest?: Digest | undefined;
  /** Empty where nothing was postponed. */
  readonly outcomes: readonly FinishOutcome[];
  /** Why it could not be looked at. */
  readonly finding?: Finding | undefined;
}

/** A signature or attestation as it describes itself. Nothing of it was proven: `verify` does that. */
export interface UntrustedDescription {
  readonly format: EvidenceFormat;
  /** What is signed: `https://sigstore.dev/cosign/sign/v1`, or an attestation's predicate type. */
  readonly predicateType?: string | undefined;
  /** Base64 SHA-256 of the signer's public key. */
  readonly keyHint?: string | undefined;
  readonly hasCertificate: boolean;
  readonly logEntries: number;
  readonly timestamps: number;
  /** What certificate, log entries and timestamps say; absent where there are none. */
  readonly claimed?: ClaimedMaterial | undefined;
  readonly annotations?: Annotations | undefined;
  readonly subjects?: readonly Digest[] | undefined;
}

export interface InspectedNode {
  readonly kind: "image" | "index" | "attestation-manifest" | "signature" | "attestation" | "sbom" | "artifact";
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly size: number;
  readonly artifactType?: string | undefined;
  readonly platform?: string | undefined;
  /** How it is attached: by the referrers API, the fallback tag, a cosign tag. */
  readonly via?: "referrers-api" | "referrers-tag" | "layout" | "cosign-tag" | undefined;
  readonly tag?: string | undefined;
  /** `org.opencontainers.image.created` of the manifest: unsigned. */
  readonly created?: string | undefined;
  readonly signatures: readonly UntrustedDescription[];
  /** What could not be read. */
  readonly problems: readonly Finding[];
  readonly attached: readonly InspectedNode[];
  readonly manifests: readonly InspectedNode[];
}

/** An attestation as it is stored. Nothing of it was proven. */
export interface FoundAttestation {
  /** What it is stored beside: the image, or a manifest of the index. */
  readonly beside: Digest;
  readonly origin: Origin;
  readonly description: UntrustedDescription;
  readonly statement: JsonObject;
  /** As it was signed. */
  readonly envelope: Pick<UntrustedEnvelope, "payloadType" | "payload" | "signature">;
}

export interface AttestationListing {
  readonly image: string;
  readonly name: string;
  readonly digest: Digest;
  readonly attestations: readonly FoundAttestation[];
  /** What could not be read: what is missing is unknown, not absent. */
  readonly problems: readonly Finding[];
}

export interface Inspection {
  readonly image: string;
  readonly name: string;
  readonly root: InspectedNode;
  /** What the publisher's signed tags say of the reference, proven, or why that is not known. Absent where no root is pinned. */
  readonly signedTag?: SignedTag | Finding | undefined;
  /** Something could not be looked at: what is missing below is unknown, not absent. */
  readonly incomplete: boolean;
}
