import type { KeyObject } from "node:crypto";
import { CountersignError } from "../errors.ts";

/** The allowed list. RSA covers 2048 to 8192 bits with PKCS#1 v1.5 and SHA-256, as Sigstore's registry has it. */
export type KeyAlgorithm = "ecdsa-p256" | "ecdsa-p384" | "ecdsa-p521" | "ed25519" | "rsa";

const CURVES: ReadonlyMap<string, KeyAlgorithm> = new Map([
  ["prime256v1", "ecdsa-p256"],
  ["secp384r1", "ecdsa-p384"],
  ["secp521r1", "ecdsa-p521"],
]);

const RSA_MIN_BITS = 2048;
const RSA_MAX_BITS = 8192;

/** @throws CountersignError `key-weak` for a key that is not on the list. */
export function keyAlgorithmOf(key: KeyObject, label: string): KeyAlgorithm {
  const { namedCurve = "an unnamed curve", modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case "ed25519":
      return "ed25519";
    case "ec":
      return CURVES.get(namedCurve) ?? fail(label, `an ECDSA key on ${namedCurve}`);
    case "rsa":
      if (isStrongRsa(modulusLength, publicExponent)) return "rsa";
      return fail(label, `an RSA key of ${modulusLength} bits with exponent ${publicExponent}`);
    default:
      return fail(label, `a key of type ${key.asymmetricKeyType ?? key.type}`);
  }
}

function isStrongRsa(bits: number, exponent: bigint): boolean {
  return bits >= RSA_MIN_BITS && bits <= RSA_MAX_BITS && exponent >= 65_537n && exponent % 2n === 1n;
}

function fail(label: string, found: string): never {
  throw new CountersignError("key-weak", `${label} is not a key that is accepted`, {
    found,
    wanted: "ECDSA P-256, P-384 or P-521, Ed25519, or RSA of 2048 to 8192 bits with exponent 65537 or more",
  });
}
