import { type KeyObject, sign, verify } from "node:crypto";
import { type KeyAlgorithm, keyAlgorithmOf } from "./algorithms.ts";
import type { PublicKey } from "./public-key.ts";

/** The hash that goes with a key in Sigstore's algorithm registry; Ed25519 brings its own. */
const HASHES: Readonly<Record<KeyAlgorithm, "sha256" | "sha384" | "sha512" | null>> = {
  "ecdsa-p256": "sha256",
  "ecdsa-p384": "sha384",
  "ecdsa-p521": "sha512",
  ed25519: null,
  rsa: "sha256",
};

/** How a signature was made, where that is not its key's default. */
export type SignatureVariant = "ecdsa-sha256" | "ed25519ph";

export interface SignatureCheck {
  readonly verified: boolean;
  readonly variant?: SignatureVariant | undefined;
}

/**
 * Whether the key made the signature over `data`. Never throws: whatever a peer sends as a signature is at worst wrong.
 *
 * P-384 and P-521 keys are tried with SHA-256 as well: cosign 1 and 2 signed so, and cosign 3 and podman verify bare keys
 * so. It proves no less than P-256 does, and the two hashes cannot be confused: one digest would have to equal the
 * other's leading bits.
 */
export function verifySignature(key: PublicKey, data: Uint8Array, signature: Uint8Array): SignatureCheck {
  const hash = HASHES[key.algorithm];
  if (verifyHashed(key.keyObject, hash, data, signature)) return { verified: true };
  if (key.algorithm === "ed25519") {
    const verified = attempt(() => key.verifyPrehashed?.(data, signature) ?? false);
    return verified ? { verified, variant: "ed25519ph" } : { verified };
  }
  if (hash === "sha256") return { verified: false };
  const verified = verifyHashed(key.keyObject, "sha256", data, signature);
  return verified ? { verified, variant: "ecdsa-sha256" } : { verified };
}

/** The signature over `data` with the key's default: ECDSA in DER form, RSA with PKCS#1 v1.5, Ed25519 pure. */
export function signData(privateKey: KeyObject, data: Uint8Array): Uint8Array {
  const hash = HASHES[keyAlgorithmOf(privateKey, "the private key")];
  return new Uint8Array(sign(hash, data, { key: privateKey, dsaEncoding: "der" }));
}

/** Whether the key made the signature with this hash: ECDSA in DER form, RSA with PKCS#1 v1.5. Never throws. */
export function verifyHashed(
  key: KeyObject,
  hash: "sha256" | "sha384" | "sha512" | null,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  return attempt(() => verify(hash, data, { key, dsaEncoding: "der" }, signature));
}

function attempt(check: () => boolean): boolean {
  try {
    return check();
  } catch {
    return false;
  }
}
