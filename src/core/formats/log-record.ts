import { createHash } from "node:crypto";
import { encodeBase64, encodeHex, encodeUtf8 } from "../bytes.ts";
import type { KeyAlgorithm } from "../crypto/algorithms.ts";
import { formatPem } from "../crypto/pem.ts";
import { type PublicKey, publicKeyPem } from "../crypto/public-key.ts";
import { CountersignError } from "../errors.ts";
import { isObject, type JsonObject, type JsonValue, parseJsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import type { UntrustedLogEntry } from "./envelope.ts";

/** What a log is told of a signature, and what its record is made of. */
export interface LoggedSignature {
  readonly signedBytes: Uint8Array;
  /** Where the signed bytes are the pre-authentication encoding of an envelope: what is in it. */
  readonly envelope?: SignedEnvelope | undefined;
  readonly signature: Uint8Array;
  readonly publicKey: PublicKey;
  /** DER; the certificate that was signed with, where it is not a bare key. */
  readonly certificate?: Uint8Array | undefined;
}

/** The content of a DSSE envelope. */
export interface SignedEnvelope {
  readonly payloadType: string;
  readonly payload: Uint8Array;
}

/** A key as Sigstore's algorithm registry names it, with the hash that goes with it. */
interface LoggedAlgorithm {
  readonly hash: "sha256" | "sha384" | "sha512";
  /** `PublicKeyDetails` of protobuf-specs, sigstore_common.proto. */
  readonly keyDetails: string;
}

const ECDSA: Readonly<Partial<Record<KeyAlgorithm, LoggedAlgorithm>>> = {
  "ecdsa-p256": { hash: "sha256", keyDetails: "PKIX_ECDSA_P256_SHA_256" },
  "ecdsa-p384": { hash: "sha384", keyDetails: "PKIX_ECDSA_P384_SHA_384" },
  "ecdsa-p521": { hash: "sha512", keyDetails: "PKIX_ECDSA_P521_SHA_512" },
};
const RSA_BITS: readonly number[] = [2048, 3072, 4096];

/**
 * How logs name such a key.
 *
 * @throws CountersignError `unsupported` for keys that no log takes: Ed25519, since a log is shown a digest only and pure
 * Ed25519 signs the message itself, and RSA of sizes that the registry lacks.
 */
export function loggedAlgorithm({ algorithm, keyObject, label }: PublicKey): LoggedAlgorithm {
  const ecdsa = ECDSA[algorithm];
  if (ecdsa !== undefined) return ecdsa;
  const bits = keyObject.asymmetricKeyDetails?.modulusLength ?? 0;
  if (algorithm === "rsa" && RSA_BITS.includes(bits)) {
    return { hash: "sha256", keyDetails: `PKIX_RSA_PKCS1V15_${bits}_SHA256` };
  }
  throw new CountersignError("unsupported", `signatures by ${label} cannot be put into a transparency log`, {
    found:
      algorithm === "ed25519"
        ? "an Ed25519 key: logs see digests only, and its signatures are not over one"
        : `an RSA key of ${bits} bits`,
    wanted: `ECDSA P-256, P-384 or P-521, or RSA of ${RSA_BITS.join(", ")} bits`,
    next: "sign with another key, or with a signing configuration without logs",
  });
}

// --- Rekor 1 ----------------------------------------------------------------------------------------------------------

/** What is posted to a log, and the body of the entry that it has to make of it. */
export interface LogRecord {
  readonly request: JsonObject;
  readonly body: JsonObject;
}

/**
 * A record for a Rekor 1 log: of an envelope `dsse` 0.0.1, which is the only kind that verifiers take for one (sigstore-go
 * and the npm library compare the payload's hash), of anything else `hashedrekord` 0.0.1.
 *
 * @throws CountersignError `unsupported` for keys that such a log cannot verify.
 */
export function rekor1Record(signed: LoggedSignature): LogRecord {
  loggedAlgorithm(signed.publicKey);
  const { envelope } = signed;
  if (envelope !== undefined) return dsse1(signed, envelope);
  const body = hashedRekord1(signed);
  return { request: body, body };
}

/** The log is shown the whole envelope; what it keeps are hashes, and it finds the entry by the digests of its subjects. */
function dsse1(signed: LoggedSignature, { payloadType, payload }: SignedEnvelope): LogRecord {
  requireSha256(signed.publicKey);
  const signature = encodeBase64(signed.signature);
  const verifier = verifierPem(signed);
  const text = JSON.stringify({ payloadType, payload: encodeBase64(payload), signatures: [{ sig: signature }] });
  const kind = { apiVersion: "0.0.1", kind: "dsse" };
  return {
    request: { ...kind, spec: { proposedContent: { envelope: text, verifiers: [verifier] } } },
    body: {
      ...kind,
      spec: {
        envelopeHash: sha256Member(encodeUtf8(text)),
        payloadHash: sha256Member(payload),
        signatures: [{ signature, verifier }],
      },
    },
  };
}

/** Rekor 1 knows no other hash for envelopes (rekor, pkg/types/dsse/v0.0.1). */
function requireSha256(publicKey: PublicKey): void {
  if (loggedAlgorithm(publicKey).hash === "sha256") return;
  throw new CountersignError("unsupported", `a Rekor 1 log cannot verify what ${publicKey.label} signs`, {
    found: `an ${publicKey.algorithm} key, which signs with ${loggedAlgorithm(publicKey).hash.toUpperCase()}`,
    wanted: "a P-256 or RSA key, or a Rekor 2 log",
    next: "sign with another key, or with services whose log is of the second generation",
  });
}

function sha256Member(bytes: Uint8Array): JsonObject {
  return { algorithm: "sha256", value: encodeHex(createHash("sha256").update(bytes).digest()) };
}

function hashedRekord1(signed: LoggedSignature): JsonObject {
  const { hash } = loggedAlgorithm(signed.publicKey);
  return {
    apiVersion: "0.0.1",
    kind: "hashedrekord",
    spec: {
      data: { hash: { algorithm: hash, value: encodeHex(digestOf(signed, hash)) } },
      signature: { content: encodeBase64(signed.signature), publicKey: { content: verifierPem(signed) } },
    },
  };
}

/** Base64 of PEM. */
function verifierPem({ certificate, publicKey }: LoggedSignature): string {
  const pem =
    certificate === undefined ? publicKeyPem(publicKey) : formatPem({ label: "CERTIFICATE", content: certificate });
  return encodeBase64(encodeUtf8(pem));
}

// --- Rekor 2 ----------------------------------------------------------------------------------------------------------

/**
 * A record for a Rekor 2 log (rekor-tiles, CLIENTS.md): `hashedrekord` 0.0.2, of an envelope too; it sees digests alone.
 *
 * @throws CountersignError `unsupported` for keys that no log takes.
 */
export function rekor2Record(signed: LoggedSignature): LogRecord {
  const { hash } = loggedAlgorithm(signed.publicKey);
  const digest = encodeBase64(digestOf(signed, hash));
  const signature = signatureMember(signed);
  const data = { algorithm: `SHA2_${hash.slice("sha".length)}`, digest };
  return {
    request: { hashedRekordRequestV002: { digest, signature } },
    body: { apiVersion: "0.0.2", kind: "hashedrekord", spec: { hashedRekordV002: { data, signature } } },
  };
}

function signatureMember({ signature, publicKey, certificate }: LoggedSignature): JsonObject {
  const { keyDetails } = loggedAlgorithm(publicKey);
  const verifier =
    certificate === undefined
      ? { publicKey: { rawBytes: encodeBase64(publicKey.spki) } }
      : { x509Certificate: { rawBytes: encodeBase64(certificate) } };
  return { content: encodeBase64(signature), verifier: { ...verifier, keyDetails } };
}

function digestOf({ signedBytes }: LoggedSignature, hash: LoggedAlgorithm["hash"]): Uint8Array {
  return createHash(hash).update(signedBytes).digest();
}

/**
 * A log has this very signature already and gives no proof of it: it came with a try whose answer was lost, or from a key
 * that signs the same bytes with the same signature. Another signature over the same bytes would do.
 */
export class RecordedBefore extends CountersignError {}

// --- checking ---------------------------------------------------------------------------------------------------------

/**
 * That an entry is about this very signature: its body is what the log has to make of it, member for member. That the log
 * holds it is another question.
 *
 * @throws CountersignError `log-entry-invalid` or `malformed-signature`.
 */
export function checkEntryIsAbout(entry: UntrustedLogEntry, expected: JsonObject, log: string): void {
  const what = `the entry of ${log}`;
  const body = parseJsonObject(entry.body, {
    what: `the body of ${what}`,
    code: "malformed-signature",
    maxBytes: LIMITS.logAnswerBytes,
  });
  const { kind, apiVersion } = expected;
  if (sameJson(body, expected) && entry.kind === kind && entry.version === apiVersion) return;
  throw new CountersignError("log-entry-invalid", `${log} answered with an entry that is not about this signature`, {
    found: `${entry.kind} ${entry.version} with another body`,
    wanted: `${String(kind)} ${String(apiVersion)} of the digest, the signature and the signer that were sent`,
    next: `nothing was stored; report it to the operator of ${log}`,
  });
}

function sameJson(a: JsonValue | undefined, b: JsonValue | undefined): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((each, at) => sameJson(each, (b as readonly JsonValue[])[at]));
  }
  if (isObject(a) && isObject(b)) {
    const names = Object.keys(a);
    return names.length === Object.keys(b).length && names.every((name) => sameJson(a[name], b[name]));
  }
  return a === b;
}
