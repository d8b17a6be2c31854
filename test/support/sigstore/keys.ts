import { createHash, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { ed25519ph } from "@noble/curves/ed25519.js";
import { nothing, oid, sequence } from "./der.ts";

export type KeyKind = "p256" | "p384" | "p521" | "ed25519" | "ed25519ph" | "rsa2048";
export type Hash = "sha256" | "sha384" | "sha512";

/** A key pair whose private half tests may use as they like. */
export interface FakeKey {
  readonly kind: KeyKind;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Buffer;
  /** `PublicKeyDetails` of protobuf-specs. */
  readonly keyDetails: string;
  /** What goes with the key by default; `sign` may be told otherwise. Ed25519 brings its own. */
  readonly hash: Hash;
  /** ECDSA in DER form, RSA with PKCS#1 v1.5. */
  sign(data: Uint8Array, hash?: Hash): Buffer;
}

const KEY_DETAILS: Readonly<Record<KeyKind, string>> = {
  p256: "PKIX_ECDSA_P256_SHA_256",
  p384: "PKIX_ECDSA_P384_SHA_384",
  p521: "PKIX_ECDSA_P521_SHA_512",
  ed25519: "PKIX_ED25519",
  ed25519ph: "PKIX_ED25519_PH",
  rsa2048: "PKIX_RSA_PKCS1V15_2048_SHA256",
};

const HASHES: Readonly<Record<KeyKind, Hash>> = {
  p256: "sha256",
  p384: "sha384",
  p521: "sha512",
  ed25519: "sha512",
  ed25519ph: "sha512",
  rsa2048: "sha256",
};

/** Where pairs come from, and how they sign. */
export interface KeySource {
  generate(kind: KeyKind): { readonly publicKey: KeyObject; readonly privateKey: KeyObject };
  sign(kind: KeyKind, key: KeyObject, data: Uint8Array, hash: Hash): Buffer;
}

let source: KeySource = { generate, sign: signWith };

/** All pairs that are made by `work`, before it returns, come from elsewhere: for files that are kept. */
export function withKeysFrom<Result>(other: KeySource, work: () => Result): Result {
  const before = source;
  source = other;
  try {
    return work();
  } finally {
    source = before;
  }
}

/** A fresh pair, which hashes as its kind does or as it is told. */
export function fakeKey(kind: KeyKind = "p256", hash: Hash = HASHES[kind]): FakeKey {
  const maker = source;
  const { publicKey, privateKey } = maker.generate(kind);
  const spki = publicKey.export({ type: "spki", format: "der" });
  return {
    kind,
    privateKey,
    publicKey,
    spki,
    keyDetails: KEY_DETAILS[kind],
    hash,
    sign: (data, chosen = hash) => maker.sign(kind, privateKey, data, chosen),
  };
}

function generate(kind: KeyKind): { publicKey: KeyObject; privateKey: KeyObject } {
  switch (kind) {
    case "rsa2048":
      return generateKeyPairSync("rsa", { modulusLength: 2048 });
    case "ed25519":
    case "ed25519ph":
      return generateKeyPairSync("ed25519");
    default:
      return generateKeyPairSync("ec", { namedCurve: `P-${kind.slice(1)}` });
  }
}

function signWith(kind: KeyKind, key: KeyObject, data: Uint8Array, hash: Hash): Buffer {
  if (kind === "ed25519") return sign(null, data, key);
  if (kind === "ed25519ph") {
    const { d = "" } = key.export({ format: "jwk" });
    return Buffer.from(ed25519ph.sign(new Uint8Array(data), new Uint8Array(Buffer.from(d, "base64url"))));
  }
  return sign(hash, data, { key, dsaEncoding: "der" });
}

const ECDSA: Readonly<Record<Hash, string>> = {
  sha256: "1.2.840.10045.4.3.2",
  sha384: "1.2.840.10045.4.3.3",
  sha512: "1.2.840.10045.4.3.4",
};
const RSA: Readonly<Record<Hash, string>> = {
  sha256: "1.2.840.113549.1.1.11",
  sha384: "1.2.840.113549.1.1.12",
  sha512: "1.2.840.113549.1.1.13",
};

/** The AlgorithmIdentifier of a signature by such a key (RFC 5758 §3.2, RFC 8017 A.2.4, RFC 8410 §3). */
export function signatureAlgorithm({ kind, hash }: Pick<FakeKey, "kind" | "hash">, chosen = hash): Buffer {
  if (kind === "rsa2048") return sequence(oid(RSA[chosen]), nothing());
  return sequence(oid(kind.startsWith("ed25519") ? "1.3.101.112" : ECDSA[chosen]));
}

/** The hash's OBJECT IDENTIFIER (RFC 5754 §2). */
export const HASH_OIDS: Readonly<Record<Hash, string>> = {
  sha256: "2.16.840.1.101.3.4.2.1",
  sha384: "2.16.840.1.101.3.4.2.2",
  sha512: "2.16.840.1.101.3.4.2.3",
};

export function digest(data: Uint8Array, hash: Hash = "sha256"): Buffer {
  return createHash(hash).update(data).digest();
}
