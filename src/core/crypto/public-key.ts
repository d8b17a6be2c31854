import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { encodeBase64, encodeHex, equalBytes } from "../bytes.ts";
import { CountersignError } from "../errors.ts";
import { type KeyAlgorithm, keyAlgorithmOf } from "./algorithms.ts";
import { type PemBlock, parsePem } from "./pem.ts";

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
  /** Ed25519 keys that were prepared for it (`withPrehash`) also verify Ed25519ph signatures. */
  readonly verifyPrehashed?: ((data: Uint8Array, signature: Uint8Array) => boolean) | undefined;
}

/** @throws CountersignError `key-invalid` or `key-weak`. */
export function publicKeyFrom(keyObject: KeyObject, label: string): PublicKey {
  if (keyObject.type === "secret") throw new CountersignError("key-invalid", `${label} is not a public key`);
  const given = keyObject.type === "private" ? createPublicKey(keyObject) : keyObject;
  const algorithm = keyAlgorithmOf(given, label);
  const { key, spki } = inOneEncoding(given, algorithm);
  if (algorithm === "ed25519") refuseSmallOrder(spki, label);
  const hash = createHash("sha256").update(spki).digest();
  return {
    algorithm,
    spki,
    fingerprint: `SHA256:${encodeHex(hash)}`,
    hint: encodeBase64(hash),
    label,
    keyObject: key,
  };
}

/**
 * The Ed25519 points whose order divides 8, in every encoding, without the sign bit. As a public key, such a point lets
 * anyone sign anything: one constant "signature" verifies over every message with OpenSSL 3.0, which some Nodes have.
 */
const SMALL_ORDER: ReadonlySet<string> = new Set([
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]);

function refuseSmallOrder(spki: Uint8Array, label: string): void {
  const point = rawEd25519(spki);
  point[31] = (point[31] ?? 0) & 0x7f;
  if (!SMALL_ORDER.has(encodeHex(point))) return;
  throw new CountersignError("key-weak", `${label} is not a key that is accepted`, {
    found: "an Ed25519 point of small order, for which anyone can sign",
    wanted: "a key that a tool generated",
  });
}

/** The 32 bytes of an Ed25519 key, the last of its SubjectPublicKeyInfo (RFC 8410, section 4); a copy. */
export function rawEd25519(spki: Uint8Array): Uint8Array {
  return spki.slice(-32);
}

/** What comes before the coordinates of a point on a named curve that is written out in full (RFC 5480, section 2). */
const POINT_PREFIXES: Readonly<Partial<Record<KeyAlgorithm, Uint8Array>>> = {
  "ecdsa-p256": Buffer.from("3059301306072a8648ce3d020106082a8648ce3d03010703420004", "hex"),
  "ecdsa-p384": Buffer.from("3076301006072a8648ce3d020106052b8104002203620004", "hex"),
  "ecdsa-p521": Buffer.from("30819b301006072a8648ce3d020106052b810400230381860004", "hex"),
};

/** One key must have one fingerprint, however its curve and point were written down; a threshold counts fingerprints. */
function inOneEncoding(
  given: KeyObject,
  algorithm: KeyAlgorithm,
): { readonly key: KeyObject; readonly spki: Uint8Array } {
  const prefix = POINT_PREFIXES[algorithm];
  const spki = spkiOf(given);
  if (prefix === undefined || equalBytes(spki.subarray(0, prefix.byteLength), prefix)) return { key: given, spki };
  const key = createPublicKey({ key: given.export({ format: "jwk" }), format: "jwk" });
  return { key, spki: spkiOf(key) };
}

function spkiOf(key: KeyObject): Uint8Array {
  return new Uint8Array(key.export({ type: "spki", format: "der" }));
}

/**
 * Reads a PEM public key: SubjectPublicKeyInfo (`PUBLIC KEY`) or PKCS#1 (`RSA PUBLIC KEY`), in the one encoding that DER
 * allows, as Go and so cosign read them.
 *
 * @throws CountersignError `key-invalid` or `key-weak`.
 */
export function parsePublicKey(pem: Uint8Array | string, label: string): PublicKey {
  const block = parsePem(pem, label);
  const type = ENCODINGS[block.label];
  if (type === undefined) throw anotherKind(block, label);
  const keyObject = decodeDer(block.content, type, label);
  const key = publicKeyFrom(keyObject, label);
  if (!equalBytes(new Uint8Array(key.keyObject.export({ type, format: "der" })), block.content)) {
    throw new CountersignError("key-invalid", `${label} is not a public key in canonical encoding`, {
      found: "DER with other content, a compressed point or something after the key",
      wanted: "the encoding that openssl and cosign write",
    });
  }
  return key;
}

const ENCODINGS: Readonly<Record<string, "spki" | "pkcs1">> = { "PUBLIC KEY": "spki", "RSA PUBLIC KEY": "pkcs1" };

function decodeDer(content: Uint8Array, type: "spki" | "pkcs1", label: string): KeyObject {
  try {
    return createPublicKey({ key: Buffer.from(content), format: "der", type });
  } catch (cause) {
    throw new CountersignError("key-invalid", `${label} is not a public key`, {
      found: "a PEM block that holds no key of a known kind",
      wanted: "PUBLIC KEY or RSA PUBLIC KEY",
      cause,
    });
  }
}

function anotherKind(block: PemBlock, label: string): CountersignError {
  if (block.label.endsWith("PRIVATE KEY")) {
    return new CountersignError("key-invalid", `${label} holds a private key where a public key is wanted`, {
      found: block.label,
      wanted: "PUBLIC KEY",
      next: "give the public half: countersign key public KEY > KEY.pub",
    });
  }
  if (block.label === "CERTIFICATE") {
    return new CountersignError("key-invalid", `${label} holds a certificate where a public key is wanted`, {
      found: block.label,
      wanted: "PUBLIC KEY",
      next: "if you trust this very key, extract it: openssl x509 -in FILE -pubkey -noout",
    });
  }
  return new CountersignError("key-invalid", `${label} is not a public key`, {
    found: `a PEM block labelled ${block.label}`,
    wanted: "PUBLIC KEY or RSA PUBLIC KEY",
  });
}

/** The key as a PEM block `PUBLIC KEY`, as `cosign.pub` has it. */
export function publicKeyPem(key: PublicKey): string {
  return key.keyObject.export({ type: "spki", format: "pem" }).toString();
}
