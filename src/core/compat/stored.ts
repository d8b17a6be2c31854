import type { KeyAlgorithm } from "../crypto/algorithms.ts";
import { EXTENSIONS, parseCertificate } from "../crypto/certificate.ts";
import { publicKeyFrom } from "../crypto/public-key.ts";
import { type SignatureVariant, verifySignature } from "../crypto/signature.ts";
import type { Finding } from "../errors.ts";
import type { Origin, UntrustedCandidate, UntrustedEnvelope, UntrustedLogEntry } from "../formats/envelope.ts";
import { parseCandidate, readClaim } from "../formats/format.ts";
import { parseBundle } from "../formats/sigstore-bundle.ts";
import { LIMITS } from "../limits.ts";
import type { Digest } from "../oci/digest.ts";
import { algorithmOfSignature } from "./algorithm.ts";

/** What lies beside an image, as a verifier would come upon it. Nothing of it was proven. */
export interface StoredEvidence {
  /** The manifest that was named. */
  readonly root: StoredSubject;
  /** Where it is an index: the platforms in it that can be run. */
  readonly platforms: readonly StoredSubject[];
  /** `registry/repository` where it is; undefined for files, which have no name of their own. */
  readonly repository: string | undefined;
}

/** A manifest that signatures can be about, and all that is stored beside it. */
export interface StoredSubject {
  readonly digest: Digest;
  readonly platform?: string | undefined;
  readonly signatures: readonly StoredSignature[];
  /** All that refers to it, signatures or not: some verifiers stop where it is much. */
  readonly referrers: number;
  /** What is stored as a bundle and cannot be read here: most verifiers skip it. */
  readonly brokenBundles: number;
  /** What could not be looked at: what is missing there is unknown, not absent. */
  readonly obstacles: Readonly<Partial<Record<Shelf, Finding>>>;
}

/** A place where signatures of one manifest are kept. */
export type Shelf = "referrers" | "sig-tag" | "att-tag";

export type StoredForm = "bundle" | "cosign-legacy" | "cosign-attestation" | "notation";

/**
 * How a referrer is listed. `tag-beside-api`: only under the fallback tag, in a registry that answers the referrers API,
 * which is what clients ask first and, where it answers, alone.
 */
export type Listing = "referrers-api" | "referrers-tag" | "tag-beside-api" | "layout" | "cosign-tag";

export interface StoredSignature {
  readonly form: StoredForm;
  readonly listing: Listing;
  /** The manifest that holds it. */
  readonly manifest: Digest;
  readonly layer: number;
  /** Of the manifest that it is stored beside, as it says itself. */
  readonly isAbout: boolean;
  /** A bundle's: "0.3". */
  readonly version?: string | undefined;
  /** An envelope's: `application/jose+json`. */
  readonly envelopeType?: string | undefined;
  readonly predicateType?: string | undefined;
  /** The repository that a legacy payload names, normalised. */
  readonly repository?: string | undefined;
  readonly maker: StoredMaker;
  readonly entries: readonly StoredEntry[];
  readonly timestamps: number;
  /** Whether somebody made it whose signature the caller asked for; absent where nobody was named. */
  readonly wanted?: WantedMaker | undefined;
  /** Why the trust root that was given does not prove its log entries; absent where it does, or none was given. */
  readonly unproven?: string | undefined;
}

/** Who made it, as far as it shows. */
export type StoredMaker =
  | (MakersKey & { readonly kind: "key" })
  /** `hasScts`: it says that a certificate log vouched for it. */
  | (MakersKey & { readonly kind: "certificate"; readonly hasScts: boolean })
  /** In an envelope that is not read here. */
  | { readonly kind: "unread" };

interface MakersKey {
  /** Of a bare key, what the signature's own form gives away. */
  readonly algorithm: KeyAlgorithm | undefined;
  /** Which of the key's ways to sign was used; undefined where no key that verifies it is known. */
  readonly variant?: "usual" | SignatureVariant | undefined;
}

export interface StoredEntry {
  /** `hashedrekord 0.0.1` */
  readonly kind: string;
  /** The log promised to include it, and at which time: what Rekor 1 does. */
  readonly isPromised: boolean;
  /** A proof that it is included lies beside it. */
  readonly isProven: boolean;
}

/** Of a signature, whether one of those made it who were asked for. */
export type WantedMaker = { readonly made: true; readonly by: string } | { readonly made: false; readonly why: string };

/** Where a candidate was found. */
export interface FoundAt {
  readonly subject: Digest;
  readonly listing: Listing;
}

/**
 * A signature as it describes itself.
 *
 * @throws CountersignError `malformed-signature`, `limit-reached`.
 */
export function describeStored(candidate: UntrustedCandidate, { subject, listing }: FoundAt): StoredSignature {
  const envelope = parseCandidate(candidate);
  const claim = readClaim(envelope);
  return {
    form: candidate.format,
    listing,
    ...placeOf(candidate.origin, subject),
    isAbout: claim.subjects.includes(subject),
    version: candidate.format === "bundle" ? parseBundle(candidate.bytes).version : undefined,
    predicateType: brief(claim.predicateType),
    repository: claim.repository === undefined ? undefined : brief(claim.repository),
    maker: makerOf(envelope),
    entries: envelope.logEntries.map(describeEntry),
    timestamps: envelope.timestamps.length,
  };
}

/** What anybody wrote into a signature may be megabytes long: it is compared and shown, and no more. */
export function brief(text: string): string {
  return text.length <= LIMITS.messageCharacters ? text : `${text.slice(0, LIMITS.messageCharacters).toWellFormed()}…`;
}

function placeOf({ manifest, layer }: Origin, subject: Digest): Pick<StoredSignature, "manifest" | "layer"> {
  return { manifest: manifest ?? subject, layer: layer ?? 0 };
}

function describeEntry({ kind, version, promise, proof }: UntrustedLogEntry): StoredEntry {
  return { kind: brief(`${kind} ${version}`), isPromised: promise !== undefined, isProven: proof !== undefined };
}

function makerOf({ certificates, signed, signature }: UntrustedEnvelope): StoredMaker {
  const [leaf] = certificates;
  if (leaf === undefined) return { kind: "key", algorithm: algorithmOfSignature(signature) };
  try {
    const { key, extensions } = parseCertificate(leaf, LEAF, "certificate-untrusted");
    const publicKey = publicKeyFrom(key, LEAF);
    const { verified, variant = "usual" } = verifySignature(publicKey, signed.bytes, signature);
    return {
      kind: "certificate",
      algorithm: publicKey.algorithm,
      variant: verified ? variant : undefined,
      hasScts: extensions.has(EXTENSIONS.certificateTimestamps),
    };
  } catch {
    return { kind: "certificate", algorithm: undefined, hasScts: false };
  }
}

const LEAF = "the signing certificate";
