import { createHash } from "node:crypto";
import type { KeyAlgorithm } from "../core/crypto/algorithms.ts";
import { CountersignError } from "../core/errors.ts";
import { explainFinding } from "../core/explain.ts";
import { readStatement } from "../core/formats/intoto.ts";
import { makeBundle, makeMessageBundle } from "../core/formats/sigstore-bundle.ts";
import { type Digest, digestOf } from "../core/oci/digest.ts";
import type { Signatory, Signer } from "../core/ports.ts";
import type { SignedFile } from "../core/results.ts";
import type { Instant } from "../core/time.ts";
import { type Blob, examineBlob } from "../core/verify/blob.ts";
import { describeChecks } from "../core/verify/checks.ts";
import { checkRequirement, type Requirement } from "../core/verify/requirement.ts";
import type { SignatureReport, Verdict } from "../core/verify/verdict.ts";
import { conclude } from "../core/verify/verify.ts";
import { bundleSigner, enveloped, signAndWitness } from "./prepare-signature.ts";

// --- verifying --------------------------------------------------------------------------------------------------------

export interface VerifyBlobOptions {
  readonly requirement: Requirement;
  /** As they are printed in the verdict. */
  readonly weakened?: readonly string[] | undefined;
}

/** Judges a file by the bundles that are given with it. @throws CountersignError only for an unusable requirement. */
export function verifyBlob(blob: Blob, bundles: readonly Uint8Array[], options: VerifyBlobOptions): Verdict {
  const { requirement, weakened = [] } = options;
  checkRequirement(requirement);
  const judgement = conclude(
    bundles.map((bundle) => examineBlob(bundle, blob, requirement)),
    [],
    requirement,
  );
  return {
    ...judgement,
    ...describeChecks(judgement, requirement, "file", { repository: undefined, contentFollows: true }),
    image: blob.name,
    name: blob.name === blob.digest ? blob.name : `${blob.name}@${blob.digest}`,
    digest: blob.digest,
    weakened,
    judgedAt: requirement.now,
  };
}

// --- signing ----------------------------------------------------------------------------------------------------------

export interface SignBlobOptions {
  readonly signatory: Signatory;
  /** The reference time, by which what is made is judged before it is handed out. */
  readonly now: Instant;
}

/**
 * Signs a file. The bundle was judged like a stranger's.
 *
 * @throws CountersignError what keys and services fail with.
 */
export async function signBlob(name: string, bytes: Uint8Array, options: SignBlobOptions): Promise<SignedFile> {
  const signer = await options.signatory.signer();
  const { witness } = options.signatory;
  const { signature, logEntries, timestamps } = await signAndWitness({ signedBytes: bytes }, { signer, witness });
  const { algorithm, hash } = HASHES[signer.publicKey.algorithm];
  const bundle = makeMessageBundle({
    signature,
    signer: bundleSigner(signer),
    digestAlgorithm: algorithm,
    digest: createHash(hash).update(bytes).digest(),
    logEntries,
    timestamps,
  });
  const digest = digestOf(bytes);
  const signed: Blob = { name, digest, content: { kind: "bytes", bytes } };
  const { signedBy, proof } = checkMade(bundle, signed, ownRequirement(signer, options));
  return { name, digest, bundle, signedBy, proof };
}

/**
 * Signs an in-toto statement as it is: an attestation that is kept in a file.
 *
 * @throws CountersignError `usage` where it is no statement; what keys and services fail with.
 */
export async function signStatementFile(
  name: string,
  statement: Uint8Array,
  options: SignBlobOptions,
): Promise<SignedFile> {
  const { predicateType, subject } = readOwnStatement(name, statement);
  const signer = await options.signatory.signer();
  const { witness } = options.signatory;
  const { signature, logEntries, timestamps } = await signAndWitness(enveloped(statement), { signer, witness });
  const bundle = makeBundle({ statement, signature, signer: bundleSigner(signer), logEntries, timestamps });
  const attestation = { predicateTypes: [{ uri: predicateType, hasVersions: false }], conditions: [] };
  const requirement = { ...ownRequirement(signer, options), attestation };
  const { signedBy, proof } = checkMade(bundle, about(name, subject), requirement);
  return { name, digest: digestOf(statement), bundle, signedBy, proof };
}

/** Nobody has signed it yet: that it is none is a mistake in the call. */
function readOwnStatement(name: string, bytes: Uint8Array): { predicateType: string; subject: Digest } {
  const read = () => {
    try {
      return readStatement(bytes);
    } catch (cause) {
      if (!(cause instanceof CountersignError)) throw cause;
      const found = `${name}: ${cause.message}`;
      throw new CountersignError("usage", "not an in-toto statement", { found, wanted: cause.wanted, cause });
    }
  };
  const { predicateType, subjects } = read();
  const [subject] = subjects;
  if (subject !== undefined) return { predicateType, subject };
  throw new CountersignError("usage", "the statement names no file by a digest that is known here", {
    found: name,
    wanted: "a subject with sha256 or sha512",
  });
}

function about(name: string, digest: Digest): Blob {
  return { name, digest, content: { kind: "digests", digests: {} } };
}

/** Sigstore's algorithm registry: the hash that goes with a key; Ed25519 has SHA-512 of its own. */
const HASHES: Readonly<
  Record<KeyAlgorithm, { readonly algorithm: string; readonly hash: "sha256" | "sha384" | "sha512" }>
> = {
  "ecdsa-p256": { algorithm: "SHA2_256", hash: "sha256" },
  "ecdsa-p384": { algorithm: "SHA2_384", hash: "sha384" },
  "ecdsa-p521": { algorithm: "SHA2_512", hash: "sha512" },
  ed25519: { algorithm: "SHA2_512", hash: "sha512" },
  rsa: { algorithm: "SHA2_256", hash: "sha256" },
};

function ownRequirement(signer: Signer, { signatory, now }: SignBlobOptions): Requirement {
  return { ...signatory.accepts(signer), threshold: 1, annotations: {}, signedAs: [], now };
}

/** Nothing is handed out that the judge would not accept. */
function checkMade(bundle: Uint8Array, blob: Blob, requirement: Requirement): SignatureReport {
  const report = examineBlob(bundle, blob, requirement);
  if (report.accepted) return report;
  throw new CountersignError("internal", "the signature that was made does not verify; nothing was written", {
    found: report.finding === undefined ? undefined : explainFinding(report.finding),
  });
}
