import { constants, type KeyObject, publicDecrypt } from "node:crypto";
import { p256, p384, p521 } from "@noble/curves/nist.js";
import { nothing, octets, oid, sequence } from "./der.ts";
import { HASH_OIDS, type Hash } from "./keys.ts";

const CURVES = { prime256v1: p256, secp384r1: p384, secp521r1: p521 } as const;

/** Whether a signature is right for a digest, which is all that a log gets to see: node:crypto wants the whole message. */
export function verifyDigest(key: KeyObject, hash: Hash, digest: Uint8Array, signature: Uint8Array): boolean {
  try {
    if (key.asymmetricKeyType === "rsa") return verifyRsa(key, hash, digest, signature);
    const curve = Object.entries(CURVES).find(([name]) => name === key.asymmetricKeyDetails?.namedCurve)?.[1];
    const { x = "", y = "" } = key.export({ format: "jwk" });
    const point = Buffer.concat([Buffer.of(4), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]);
    const options = { prehash: false, lowS: false, format: "der" } as const;
    return curve?.verify(new Uint8Array(signature), new Uint8Array(digest), new Uint8Array(point), options) ?? false;
  } catch {
    return false;
  }
}

/** RFC 8017 §9.2: a DigestInfo behind the padding. */
function verifyRsa(key: KeyObject, hash: Hash, digest: Uint8Array, signature: Uint8Array): boolean {
  const found = publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature);
  return found.equals(sequence(sequence(oid(HASH_OIDS[hash]), nothing()), octets(digest)));
}
