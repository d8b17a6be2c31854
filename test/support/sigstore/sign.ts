import { encodeBase64, encodeUtf8 } from "../../../src/core/bytes.ts";
import { attestationAnnotations } from "../../../src/core/formats/cosign-attestation.ts";
import { legacyAnnotations, makeLegacyPayload } from "../../../src/core/formats/cosign-legacy.ts";
import { preAuthEncoding } from "../../../src/core/formats/dsse.ts";
import type { UntrustedCandidate, UntrustedLogEntry } from "../../../src/core/formats/envelope.ts";
import { makeStatement } from "../../../src/core/formats/intoto.ts";
import { makeBundle, writeMaterial } from "../../../src/core/formats/sigstore-bundle.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import type { Annotations } from "../../../src/core/oci/descriptor.ts";
import { type Digest, digestOf } from "../../../src/core/oci/digest.ts";
import { MEDIA_TYPES } from "../../../src/core/oci/media-types.ts";
import { FakeAuthority, type IssuedCertificate, type IssueOptions } from "./authority.ts";
import { FakeCertificateLog } from "./certificate-log.ts";
import { type EntryKind, envelopeText, type Logged } from "./entry-bodies.ts";
import { digest, type FakeKey, fakeKey, type Hash, type KeyKind } from "./keys.ts";
import { type EntryOptions, FakeLog } from "./log.ts";
import { MINUTE, NOW } from "./times.ts";
import { FakeTimestampAuthority, type TimestampOptions } from "./timestamp-authority.ts";
import { trustedRoot } from "./trusted-root.ts";

export const REPOSITORY = "registry.example.com/team/app";
export const IMAGE: Digest = digestOf(encodeUtf8("image"));

/** One of everything that a Sigstore instance has, of both generations of logs. */
export interface FakeSigstore {
  readonly authority: FakeAuthority;
  readonly certificateLog: FakeCertificateLog;
  /** Rekor 1: promises, and tells the time. */
  readonly log: FakeLog;
  /** Rekor 2: its entries need a timestamp beside them. */
  readonly log2: FakeLog;
  readonly timestampAuthority: FakeTimestampAuthority;
  /** `trusted_root.json` with all of them. */
  readonly trustedRoot: Uint8Array;
}

/** A fresh instance; parts of another one, or broken ones, may be put in. */
export function fakeSigstore(parts: Partial<Omit<FakeSigstore, "trustedRoot">> = {}): FakeSigstore {
  const certificateLog = parts.certificateLog ?? new FakeCertificateLog();
  const instance = {
    certificateLog,
    authority: parts.authority ?? new FakeAuthority({ certificateLogs: [certificateLog] }),
    log: parts.log ?? new FakeLog(),
    log2: parts.log2 ?? new FakeLog({ generation: 2 }),
    timestampAuthority: parts.timestampAuthority ?? new FakeTimestampAuthority(),
  };
  const { authority, log, log2, timestampAuthority } = instance;
  return {
    ...instance,
    trustedRoot: trustedRoot({
      authorities: [authority],
      logs: [log, log2],
      certificateLogs: [certificateLog],
      timestampAuthorities: [timestampAuthority],
    }),
  };
}

/** What is signed. */
export type Signable =
  /** A statement for an image, as cosign 3 makes it. */
  | { readonly image: Digest; readonly annotations?: Annotations }
  /** Any statement in a DSSE envelope. */
  | { readonly statement: Uint8Array; readonly payloadType?: string }
  /** A file, or the like: the bytes themselves are signed. */
  | { readonly file: Uint8Array }
  /** cosign's payload of a `.sig` layer. */
  | { readonly payload: Uint8Array };

export interface SignOptions {
  /** The statement for `IMAGE` by default. */
  readonly what?: Signable;
  readonly key?: FakeKey | KeyKind;
  /** Where it is not the key's own. */
  readonly hash?: Hash;
  /** A certificate that there is already, how one is to be issued, or "none" for a bare key. */
  readonly certificate?: IssuedCertificate | Partial<IssueOptions> | "none";
  /** The signing; the certificate begins a minute earlier. */
  readonly at?: number;
  /** Who records it: Rekor 1 by default. */
  readonly logs?: readonly FakeLog[];
  readonly entry?: EntryOptions & { readonly kind?: EntryKind };
  /** Who vouches for the time: by default the authority where there is no entry that tells it, or else nobody. */
  readonly timestampAuthorities?: readonly FakeTimestampAuthority[];
  readonly timestamp?: TimestampOptions;
}

/**
 * A signature and everything that proves it, as plain values: any of them is replaced by spreading, and `bundleOf` or
 * `legacyCandidate` writes what results.
 */
export interface Signed {
  readonly key: FakeKey;
  /** The leaf first, the root last; empty for a bare key. */
  readonly certificates: readonly Uint8Array[];
  readonly signedBytes: Uint8Array;
  readonly signature: Uint8Array;
  readonly hash: Hash;
  /** Of a DSSE envelope. */
  readonly statement?: Uint8Array | undefined;
  readonly payloadType?: string | undefined;
  readonly logEntries: readonly UntrustedLogEntry[];
  readonly timestamps: readonly Uint8Array[];
}

/** Signs with a fresh key and certificate, has it recorded and the time vouched for. */
export function signKeyless(sigstore: FakeSigstore, options: SignOptions = {}): Signed {
  const key = typeof options.key === "object" ? options.key : fakeKey(options.key);
  const at = options.at ?? NOW;
  const content = contentOf(options.what ?? { image: IMAGE });
  const hash = options.hash ?? key.hash;
  const signed = { ...content, key, hash, signature: key.sign(content.signedBytes, hash) };
  const certificates = certify(sigstore, key, at, options.certificate ?? {});
  const logs = options.logs ?? [sigstore.log];
  const isTimed = logs.some(({ generation }) => generation === 1);
  const timestampAuthorities = options.timestampAuthorities ?? (isTimed ? [] : [sigstore.timestampAuthority]);
  const logged = loggedFrom({ ...signed, certificates });
  return {
    ...signed,
    certificates,
    logEntries: logs.map((log) => log.record(logged, { at, ...options.entry })),
    timestamps: timestampAuthorities.map((each) => each.timestamp(signed.signature, { at, ...options.timestamp })),
  };
}

function contentOf(what: Signable): Pick<Signed, "signedBytes" | "statement" | "payloadType"> {
  if ("file" in what) return { signedBytes: what.file };
  if ("payload" in what) return { signedBytes: what.payload };
  const statement = "image" in what ? makeStatement(what.image, what.annotations) : what.statement;
  const payloadType = "image" in what ? MEDIA_TYPES.intoto : (what.payloadType ?? MEDIA_TYPES.intoto);
  return { signedBytes: preAuthEncoding(payloadType, statement), statement, payloadType };
}

function certify(
  { authority }: FakeSigstore,
  { publicKey }: FakeKey,
  at: number,
  certificate: NonNullable<SignOptions["certificate"]>,
): readonly Uint8Array[] {
  if (certificate === "none") return [];
  if ("leaf" in certificate) return certificate.chain;
  return authority.issue({ publicKey, notBefore: at - MINUTE, ...certificate }).chain;
}

/** What a log is shown of a signature. */
export function loggedFrom(signed: Omit<Signed, "logEntries" | "timestamps">): Logged {
  const { key, certificates, signedBytes, signature, hash, statement, payloadType } = signed;
  const [certificate] = certificates;
  const verifier = certificate === undefined ? { spki: key.spki } : { certificate };
  return { signedBytes, signature, verifier, keyDetails: key.keyDetails, hash, payload: statement, payloadType };
}

// --- writing ----------------------------------------------------------------------------------------------------------

export type BundleVersion = "0.1" | "0.2" | "0.3";

/** The bundle's bytes; up to v0.2 with the chain but for its root, as it was then. */
export function bundleOf(signed: Signed, version: BundleVersion = "0.3"): Uint8Array {
  const { statement, payloadType, signature, logEntries, timestamps } = signed;
  const parts = { signature, signer: signerOf(signed), logEntries, timestamps };
  if (version === "0.3" && statement !== undefined && payloadType === MEDIA_TYPES.intoto) {
    return makeBundle({ ...parts, statement });
  }
  return encodeUtf8(
    JSON.stringify({
      mediaType:
        version === "0.3" ? MEDIA_TYPES.sigstoreBundle : `application/vnd.dev.sigstore.bundle+json;version=${version}`,
      verificationMaterial: version === "0.3" ? writeMaterial(parts) : chained(writeMaterial(parts), signed),
      ...contentMember(signed),
    }),
  );
}

function signerOf({ certificates, key }: Signed): { readonly hint: string } | { readonly certificate: Uint8Array } {
  const [certificate] = certificates;
  return certificate === undefined ? { hint: encodeBase64(digest(key.spki)) } : { certificate };
}

function chained({ certificate, ...material }: JsonObject, { certificates }: Signed): JsonObject {
  if (certificate === undefined) return material;
  const chain = certificates.length > 1 ? certificates.slice(0, -1) : certificates;
  return {
    x509CertificateChain: { certificates: chain.map((each) => ({ rawBytes: encodeBase64(each) })) },
    ...material,
  };
}

function contentMember({ statement, payloadType = "", signature, signedBytes, hash }: Signed): JsonObject {
  const encoded = encodeBase64(signature);
  if (statement !== undefined) {
    return { dsseEnvelope: { payload: encodeBase64(statement), payloadType, signatures: [{ sig: encoded }] } };
  }
  const messageDigest = { algorithm: `SHA2_${hash.slice(3)}`, digest: encodeBase64(digest(signedBytes, hash)) };
  return { messageSignature: { messageDigest, signature: encoded } };
}

/** A bundle as it is found beside an image. */
export function bundleCandidate(signed: Signed, version?: BundleVersion): UntrustedCandidate {
  return { format: "bundle", origin: { via: "referrers-api" }, bytes: bundleOf(signed, version) };
}

/** cosign's payload for an image, to be signed as `{ payload }`. */
export function legacyPayload(image: Digest = IMAGE, repository: string = REPOSITORY): Uint8Array {
  return makeLegacyPayload(repository, image);
}

type LegacyCandidate = Extract<UntrustedCandidate, { format: "cosign-legacy" }>;
type AttestationCandidate = Extract<UntrustedCandidate, { format: "cosign-attestation" }>;

/** A layer of a `.sig` manifest: what was signed has to be a payload. */
export function legacyCandidate(signed: Signed): LegacyCandidate {
  return {
    format: "cosign-legacy",
    origin: { via: "sig-tag", layer: 0 },
    payload: signed.signedBytes,
    mediaType: MEDIA_TYPES.simpleSigning,
    annotations: legacyAnnotations(signed.signature, signed),
  };
}

/** The DSSE envelope as a layer of an `.att` manifest holds it: what a timestamp there covers. */
export function envelopeOf({ signature, statement, payloadType }: Signed): Uint8Array {
  return encodeUtf8(envelopeText({ signature, payload: statement, payloadType }));
}

/** A layer of an `.att` manifest: what was signed has to be a statement. */
export function legacyAttestation(signed: Signed, predicateType: string): AttestationCandidate {
  return {
    format: "cosign-attestation",
    origin: { via: "att-tag", layer: 0 },
    envelope: envelopeOf(signed),
    mediaType: MEDIA_TYPES.dsse,
    annotations: attestationAnnotations(predicateType, signed),
  };
}
