import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { encodeBase64, encodeHex } from "../bytes.ts";
import { CountersignError } from "../errors.ts";
import { type KeyAlgorithm, keyAlgorithmOf } from "./algorithms.ts";

/** A public key that was loaded and found strong enough. Two of them are the same signer where `fingerprint` agrees. */
export interface PublicKey {
  readonly algorithm: KeyAlgorithm;
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Uint8Array;
  /** `SHA256:` and the hexadecimal hash of `spki`. */
  readonly fingerprint: string;
  /** Base64 of the same hash: a bundle's `publicKey.hint` (unauthenticated; never selects trust). */
  readonly hint: string;
  /** What to call it when printing: the file's name, `env://VAR`. */
  readonly label: string;
  readonly keyObject: KeyObject;
}

/** @throws CountersignError `key-invalid` or `key-weak`. */
export function publicKeyFrom(keyObject: KeyObject, label: string): PublicKey {
  const key = keyObject.type === "private" ? createPublicKey(keyObject) : keyObject;
  if (key.type !== "public") throw new CountersignError("key-invalid", `${label} is not a public key`);
  const spki = new Uint8Array(key.export({ type: "spki", format: "der" }));
  const hash = createHash("sha256").update(spki).digest();
  return {
    algorithm: keyAlgorithmOf(key, label),
    spki,
    fingerprint: `SHA256:${encodeHex(hash)}`,
    hint: encodeBase64(hash),
    label,
    keyObject: key,
  };
}
