import type { KeyAlgorithm } from "../crypto/algorithms.ts";

const ALGORITHM_NAMES: Readonly<Record<KeyAlgorithm, string>> = {
  "ecdsa-p256": "ECDSA P-256",
  "ecdsa-p384": "ECDSA P-384",
  "ecdsa-p521": "ECDSA P-521",
  ed25519: "Ed25519",
  rsa: "RSA",
};

const OWN_HASHES: Readonly<Partial<Record<KeyAlgorithm, string>>> = {
  "ecdsa-p384": "SHA-384",
  "ecdsa-p521": "SHA-512",
};

export function algorithmName(algorithm: KeyAlgorithm): string {
  return ALGORITHM_NAMES[algorithm];
}

/** The hash that a key signs with in Sigstore's algorithm registry, where it is not SHA-256. */
export function ownHash(algorithm: KeyAlgorithm): string | undefined {
  return OWN_HASHES[algorithm];
}

const DER_SEQUENCE = 0x30;
const ED25519_BYTES = 64;
/** RFC 8017, section 8.2.1: a signature is as long as the modulus, here of 2048 to 8192 bits. */
const RSA_MIN_BYTES = 256;
const RSA_MAX_BYTES = 1024;

/**
 * The longest ECDSA-Sig-Value (RFC 3279, section 2.2.3) on each curve: two INTEGERs of up to one byte more than the
 * order's length, each with a header, in a SEQUENCE whose own header is a byte longer from 128 bytes on.
 */
const ECDSA_MAX_BYTES: readonly (readonly [KeyAlgorithm, number])[] = [
  ["ecdsa-p256", 72],
  ["ecdsa-p384", 104],
  ["ecdsa-p521", 139],
];

/**
 * What kind of key makes such a signature, by its form and length: a bundle by a key does not say. A guess, good enough for
 * advice and for nothing else.
 */
export function algorithmOfSignature(signature: Uint8Array): KeyAlgorithm | undefined {
  const { byteLength } = signature;
  const isDer = signature[0] === DER_SEQUENCE && isWholeSequence(signature);
  if (isDer) return ECDSA_MAX_BYTES.find(([, most]) => byteLength <= most)?.[0];
  if (byteLength === ED25519_BYTES) return "ed25519";
  return byteLength >= RSA_MIN_BYTES && byteLength <= RSA_MAX_BYTES && byteLength % 8 === 0 ? "rsa" : undefined;
}

/** The SEQUENCE ends where the signature does. */
function isWholeSequence(bytes: Uint8Array): boolean {
  const [, first = 0, second = 0] = bytes;
  if (first < 0x80) return bytes.byteLength === first + 2;
  return first === 0x81 && bytes.byteLength === second + 3;
}
