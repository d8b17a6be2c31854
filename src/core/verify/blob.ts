import { createHash } from "node:crypto";
import { encodeHex, equalBytes } from "../bytes.ts";
import { parseCertificate } from "../crypto/certificate.ts";
import { prepareDigests } from "../crypto/digest-signature.ts";
import { bounded, CountersignError, type Finding, toFinding } from "../errors.ts";
import type { Origin, SignedBytes, SignedDigest } from "../formats/envelope.ts";
import { describeTypes } from "../formats/predicates.ts";
import { type MessageSignature, parseBundle, type UntrustedBundle } from "../formats/sigstore-bundle.ts";
import type { Digest } from "../oci/digest.ts";
import { examineExhibit } from "./examine.ts";
import { Exhibit, ProvableSignature } from "./exhibit.ts";
import { brokenCandidate, proveSigner } from "./prove-signer.ts";
import type { Requirement } from "./requirement.ts";
import type { SignatureReport } from "./verdict.ts";

/** A file to be judged: its bytes, or where it is too large to hold or elsewhere, its digests. */
export interface Blob {
  /** As it is printed. */
  readonly name: string;
  /** SHA-256, by which it is called. */
  readonly digest: Digest;
  readonly content: SignedBytes | BlobDigests;
}

export interface BlobDigests {
  readonly kind: "digests";
  readonly digests: Readonly<Partial<Record<SignedDigest["algorithm"], Uint8Array>>>;
}

const FILE: Origin = { via: "file" };

/** protobuf-specs, sigstore_common.proto, HashAlgorithm. */
const ALGORITHMS: ReadonlyMap<string, SignedDigest["algorithm"]> = new Map([
  ["SHA2_256", "sha256"],
  ["SHA2_384", "sha384"],
  ["SHA2_512", "sha512"],
]);

/**
 * Loads what verifies Ed25519ph where a certificate is for an Ed25519 key: logs are shown digests alone, so that such keys
 * sign files in that form (sigstore-go). Wanted keys bring theirs (`withPrehash`).
 */
export async function prepareBundles(bundles: readonly Uint8Array[]): Promise<void> {
  if (bundles.some(isByEd25519)) await prepareDigests();
}

/** What cannot be read is for the examination to say. */
function isByEd25519(bundle: Uint8Array): boolean {
  try {
    const { signer } = parseBundle(bundle);
    const [leaf] = signer.kind === "certificate" ? signer.certificates : [];
    if (leaf === undefined) return false;
    const { key } = parseCertificate(leaf, "the signing certificate", "certificate-untrusted");
    return key.asymmetricKeyType === "ed25519";
  } catch {
    return false;
  }
}

/**
 * What a bundle is worth as the signature of a file. One over the file itself is verified with it; one over a statement is
 * about its subjects, and has to be of the kind that is asked for, as with images.
 * Never throws: whatever is wrong with a bundle is its finding. Digests want `prepareDigests`.
 */
export function examineBlob(bundle: Uint8Array, blob: Blob, requirement: Requirement): SignatureReport {
  const unproven = (finding: Finding): SignatureReport => ({
    format: "bundle",
    origin: FILE,
    accepted: false,
    finding,
  });
  try {
    const parsed = parseBundle(bundle);
    if (parsed.content.kind === "message") return examineMessage(parsed, parsed.content.message, blob, requirement);
    if (requirement.attestation === undefined) return unproven(statementUnasked(blob));
    return examineStatement(bundle, blob, requirement);
  } catch (error) {
    return unproven(brokenCandidate(error));
  }
}

/** Statements name files by SHA-256 as a rule, and by SHA-512 alone as well. */
function examineStatement(bundle: Uint8Array, blob: Blob, requirement: Requirement): SignatureReport {
  const exhibit = new Exhibit({ format: "bundle", origin: FILE, bytes: bundle });
  const examineAs = (digest: Digest): SignatureReport => {
    const descriptor = { mediaType: "application/octet-stream", digest, size: 0 };
    return examineExhibit(exhibit, { name: blob.name, repository: undefined, descriptor }, requirement);
  };
  const report = examineAs(blob.digest);
  if (report.finding?.code !== "wrong-digest") return report;
  const sha512 = digestOfBlob(blob, "sha512");
  const other = sha512 && examineAs(`sha512:${encodeHex(sha512)}` as Digest);
  if (other !== undefined && other.finding?.code !== "wrong-digest") return other;
  return {
    ...report,
    finding: { ...report.finding, message: "the attestation is about another file", next: OTHER_FILE },
  };
}

function statementUnasked({ name }: Blob): Finding {
  return toFinding(
    new CountersignError("not-a-signature", "what was signed is a statement, not the file", {
      found: "an attestation",
      wanted: `a signature of ${name} itself`,
      next: "say which kind of attestation is wanted with --type",
    }),
  );
}

function examineMessage(
  { signer, logEntries, timestamps }: UntrustedBundle,
  message: MessageSignature,
  blob: Blob,
  requirement: Requirement,
): SignatureReport {
  const report = { format: "bundle", origin: FILE } as const;
  if (requirement.attestation !== undefined) {
    const wanted = describeTypes(requirement.attestation.predicateTypes);
    const finding: Finding = {
      code: "unattested",
      message: "the bundle attests nothing",
      found: "a signature of the file itself",
      wanted,
    };
    return { ...report, accepted: false, finding };
  }
  const signed = signedContent(message, blob);
  if ("code" in signed) return { ...report, accepted: false, finding: bounded(signed) };
  const { signature } = message;
  const provable = new ProvableSignature({
    encoding: "plain",
    signed,
    signature,
    timestamped: signature,
    keyHint: signer.kind === "public-key" ? signer.hint : undefined,
    certificates: signer.kind === "certificate" ? signer.certificates : [],
    logEntries,
    timestamps,
  });
  const { signedBy, proof, ...rest } = proveSigner(provable, requirement);
  if ("finding" in rest) return { ...report, accepted: false, signedBy, proof, finding: bounded(rest.finding) };
  return { ...report, accepted: true, signedBy, proof, annotations: {} };
}

const GIVE_THE_FILE = "give the file itself: its digest is not enough here";
const OTHER_FILE = "get the file and its bundle from the publisher again; one of the two is not what was published";

/** What was signed, once the bundle's own digest is that of the file: it is not covered by the signature. */
function signedContent(message: MessageSignature, blob: Blob): SignedBytes | SignedDigest | Finding {
  const algorithm = ALGORITHMS.get(message.digestAlgorithm);
  const digest = algorithm === undefined ? undefined : digestOfBlob(blob, algorithm);
  if (algorithm === undefined || digest === undefined) {
    return {
      code: "malformed-signature",
      message: "the bundle names the file by a digest that cannot be compared",
      found: message.digestAlgorithm,
      wanted: blob.content.kind === "digests" ? Object.keys(blob.content.digests).join(" or ") : "SHA-256, 384 or 512",
      ...(algorithm !== undefined && { next: GIVE_THE_FILE }),
    };
  }
  if (equalBytes(message.digest, digest)) {
    return blob.content.kind === "bytes" ? blob.content : { kind: "digest", algorithm, digest };
  }
  return {
    code: "wrong-digest",
    next: OTHER_FILE,
    message: "the signature is about another file",
    found: `a signature of ${algorithm}:${encodeHex(message.digest)}`,
    wanted: `${algorithm}:${encodeHex(digest)}`,
  };
}

function digestOfBlob({ content }: Blob, algorithm: SignedDigest["algorithm"]): Uint8Array | undefined {
  if (content.kind === "digests") return content.digests[algorithm];
  return createHash(algorithm).update(content.bytes).digest();
}
