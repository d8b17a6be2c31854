import { createHash, createPublicKey } from "node:crypto";
import { encodeHex } from "../bytes.ts";
import type { KeyAlgorithm } from "../crypto/algorithms.ts";
import { type PublicKey, parsePublicKey, publicKeyFrom, publicKeyPem, rawEd25519 } from "../crypto/public-key.ts";
import { CountersignError } from "../errors.ts";
import { canonicalJson } from "./canonical.ts";
import type { TufKey } from "./metadata.ts";

/** What tuf-js and other clients verify alike: no RSA, whose padding differs among them, and no P-521. */
const ECDSA_SCHEMES: Readonly<Partial<Record<KeyAlgorithm, TufKey["scheme"]>>> = {
  "ecdsa-p256": "ecdsa-sha2-nistp256",
  "ecdsa-p384": "ecdsa-sha2-nistp384",
};

/** A key as TUF writes it. @throws CountersignError `key-weak` for a kind of key that cannot sign trust metadata. */
export function tufKeyOf(key: PublicKey): TufKey {
  if (key.algorithm === "ed25519") {
    return { keytype: "ed25519", scheme: "ed25519", keyval: { public: encodeHex(rawEd25519(key.spki)) } };
  }
  const scheme = ECDSA_SCHEMES[key.algorithm];
  if (scheme !== undefined) return { keytype: "ecdsa", scheme, keyval: { public: publicKeyPem(key) } };
  throw new CountersignError("key-weak", `${key.label} cannot sign trust metadata`, {
    found: key.algorithm,
    wanted: "Ed25519, ECDSA P-256 or P-384",
    next: "make a key of its own for this role: countersign trust key generate",
  });
}

/** In hexadecimal: SHA-256 over the key's canonical JSON (TUF 1.0.34, 4.2). */
export function keyIdOf(key: TufKey): string {
  const { keytype, scheme, keyval } = key;
  const canonical = canonicalJson({ keytype, scheme, keyval: { public: keyval.public } });
  return createHash("sha256").update(canonical).digest("hex");
}

/** What precedes the 32 bytes of an Ed25519 key in its SubjectPublicKeyInfo (RFC 8410, section 4). */
const ED25519_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

/** @throws CountersignError `key-invalid` or `key-weak`. */
export function publicKeyOf(key: TufKey, label: string): PublicKey {
  const text = key.keyval.public;
  if (key.scheme === "ed25519") {
    if (!/^[0-9a-f]{64}$/.test(text)) throw notThatKey(label, text, "64 hexadecimal digits");
    const der = Buffer.concat([ED25519_PREFIX, Buffer.from(text, "hex")]);
    return publicKeyFrom(createPublicKey({ key: der, format: "der", type: "spki" }), label);
  }
  const parsed = parsePublicKey(text, label);
  if (ECDSA_SCHEMES[parsed.algorithm] === key.scheme) return parsed;
  throw notThatKey(label, parsed.algorithm, key.scheme);
}

function notThatKey(label: string, found: string, wanted: string): CountersignError {
  return new CountersignError("key-invalid", `${label} is not the kind of key that it says`, { found, wanted });
}
