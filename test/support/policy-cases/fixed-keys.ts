import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { p256, p384 } from "@noble/curves/nist.js";
import type { Hash, KeyKind, KeySource } from "../sigstore/keys.ts";

const CURVES = { p256, p384 } as const;
/** PKCS#8 of an Ed25519 key up to its 32 bytes (RFC 8410 §7). */
const ED25519_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");

/** Pairs that are the same in every run, in the order in which they are asked for, and signatures that are so too (RFC 6979). */
export function fixedKeys(seed: string): KeySource {
  let made = 0;
  return {
    generate(kind) {
      made += 1;
      const secret = createHash("sha384").update(`${seed} ${made} ${kind}`).digest();
      return pairOf(kind === "ed25519" ? edwardsKey(secret) : weierstrassKey(curveOf(kind), secret));
    },
    sign: (kind, key, data, hash) =>
      kind === "ed25519" ? sign(null, data, key) : signFixed(curveOf(kind), key, data, hash),
  };
}

function pairOf(privateKey: KeyObject) {
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

function edwardsKey(secret: Buffer): KeyObject {
  const key = Buffer.concat([ED25519_PREFIX, secret.subarray(0, 32)]);
  return createPrivateKey({ key, format: "der", type: "pkcs8" });
}

type CurveName = keyof typeof CURVES;

function curveOf(kind: KeyKind): CurveName {
  if (kind === "p256" || kind === "p384") return kind;
  throw new Error(`no fixed keys of kind ${kind}`);
}

const FIELD_BYTES: Readonly<Record<CurveName, number>> = { p256: 32, p384: 48 };

function weierstrassKey(name: CurveName, random: Buffer): KeyObject {
  const size = FIELD_BYTES[name];
  // Cleared bits keep it below the order of the group.
  const secret = random.subarray(0, size);
  secret[0] = 0x7f & (secret[0] ?? 0);
  const point = CURVES[name].getPublicKey(new Uint8Array(secret), false);
  const part = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64url");
  const [x, y] = [point.subarray(1, 1 + size), point.subarray(1 + size)].map(part);
  const jwk = { kty: "EC", crv: `P-${name.slice(1)}`, d: part(secret), x: x ?? "", y: y ?? "" };
  return createPrivateKey({ key: jwk, format: "jwk" });
}

function signFixed(name: CurveName, key: KeyObject, data: Uint8Array, hash: Hash): Buffer {
  const { d = "" } = key.export({ format: "jwk" });
  const secret = new Uint8Array(Buffer.from(d, "base64url"));
  const digest = new Uint8Array(createHash(hash).update(data).digest());
  return Buffer.from(CURVES[name].sign(digest, secret, { prehash: false, lowS: false, format: "der" }));
}
