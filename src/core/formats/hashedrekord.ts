import { createHash } from "node:crypto";
import { encodeBase64, encodeHex, encodeUtf8 } from "../bytes.ts";
import type { KeyAlgorithm } from "../crypto/algorithms.ts";
import { formatPem } from "../crypto/pem.ts";
import { type PublicKey, publicKeyPem } from "../crypto/public-key.ts";
import { CountersignError } from "../errors.ts";
import { isObject, type JsonObject, type JsonValue, parseJsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import type { UntrustedLogEntry } from "./envelope.ts";

/** What a log records of a signature: the digest of what was signed, the signature, and who can verify it. */
export interface HashedSignature {
  readonly signedBytes: Uint8Array;
  readonly signature: Uint8Array;
  readonly publicKey: PublicKey;
  /** DER; the certificate that was signed with, where it is not a bare key. */
  readonly certificate?: Uint8Array | undefined;
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

/** A hashedrekord 0.0.1: what is posted to a Rekor 1 log, and what it then holds. */
export function hashedRekord1(signed: HashedSignature): JsonObject {
  const { hash } = loggedAlgorithm(signed.publicKey);
  const { certificate, publicKey, signature } = signed;
  const verifier =
    certificate === undefined ? publicKeyPem(publicKey) : formatPem({ label: "CERTIFICATE", content: certificate });
  return {
    apiVersion: "0.0.1",
    kind: "hashedrekord",
    spec: {
      data: { hash: { algorithm: hash, value: encodeHex(digestOf(signed, hash)) } },
      signature: { content: encodeBase64(signature), publicKey: { content: encodeBase64(encodeUtf8(verifier)) } },
    },
  };
}

// --- Rekor 2 ----------------------------------------------------------------------------------------------------------

/** What is posted to a Rekor 2 log (rekor-tiles, CLIENTS.md): of a DSSE envelope, too, the digest of what was signed. */
export function hashedRekord2Request(signed: HashedSignature): JsonObject {
  const { hash } = loggedAlgorithm(signed.publicKey);
  return {
    hashedRekordRequestV002: { digest: encodeBase64(digestOf(signed, hash)), signature: signatureMember(signed) },
  };
}

/** A hashedrekord 0.0.2: what the log makes of it. */
export function hashedRekord2(signed: HashedSignature): JsonObject {
  const { hash } = loggedAlgorithm(signed.publicKey);
  return {
    apiVersion: "0.0.2",
    kind: "hashedrekord",
    spec: {
      hashedRekordV002: {
        data: { algorithm: `SHA2_${hash.slice("sha".length)}`, digest: encodeBase64(digestOf(signed, hash)) },
        signature: signatureMember(signed),
      },
    },
  };
}

function signatureMember({ signature, publicKey, certificate }: HashedSignature): JsonObject {
  const { keyDetails } = loggedAlgorithm(publicKey);
  const verifier =
    certificate === undefined
      ? { publicKey: { rawBytes: encodeBase64(publicKey.spki) } }
      : { x509Certificate: { rawBytes: encodeBase64(certificate) } };
  return { content: encodeBase64(signature), verifier: { ...verifier, keyDetails } };
}

function digestOf({ signedBytes }: HashedSignature, hash: LoggedAlgorithm["hash"]): Uint8Array {
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
  if (isObject(a) && isObject(b)) {
    const names = Object.keys(a);
    return names.length === Object.keys(b).length && names.every((name) => sameJson(a[name], b[name]));
  }
  return a === b;
}
